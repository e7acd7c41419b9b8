import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Disconnects, type DisconnectLimits } from '../../src/station/disconnects.ts'
import { FakeMeter, faults, quiet } from '../support/fakes.ts'

function setUp(t: TestContext, limits: Partial<DisconnectLimits> = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const meter = new FakeMeter()
  const notices = new Map<string, string>()
  const once = (key: string, _fields: object, message: string) => void notices.set(key, message)
  const disconnects = new Disconnects({ ratePerSecond: 10, backlog: 100, ...limits }, { meter, once })
  const made: string[] = []
  const add = (name: string) => disconnects.add(() => Promise.resolve(void made.push(name)))
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left--) {
      t.mock.timers.tick(1)
      await quiet()
    }
  }
  return { disconnects, meter, notices, made, add, pass }
}

test('they are made in their order, at the rate, and not at once', async t => {
  const { disconnects, made, add, pass } = setUp(t)
  for (const name of ['a', 'b', 'c']) add(name)
  assert.equal(disconnects.size, 3)
  await pass(1)
  assert.deepEqual(made, ['a'])
  await pass(99)
  assert.deepEqual(made, ['a'])
  await pass(1)
  assert.deepEqual(made, ['a', 'b'])
  await pass(100)
  assert.deepEqual(made, ['a', 'b', 'c'])
  assert.equal(disconnects.size, 0)
})

test('a pause of stations does not save up for a burst', async t => {
  const { made, add, pass } = setUp(t)
  add('a')
  await pass(1_000)
  for (const name of ['b', 'c']) add(name)
  await pass(50)
  assert.deepEqual(made, ['a', 'b'])
})

test('done comes when its call was made, not before', async t => {
  const { disconnects, pass } = setUp(t)
  let finish: () => void = () => undefined
  let isDone = false
  const { done } = disconnects.add(() => new Promise(resolve => (finish = resolve)))
  void done.then(() => (isDone = true))
  await pass(10)
  assert.equal(isDone, false)
  finish()
  await done
})

test('one in a hurry passes the others and the rate, and is made once', async t => {
  const { made, add, pass } = setUp(t)
  add('a')
  const hurried = add('b')
  hurried.hurry()
  hurried.hurry()
  await hurried.done
  assert.deepEqual(made, ['b'])
  await pass(500)
  assert.deepEqual(made, ['b', 'a'])
})

test('a call that fails is lost: counted, logged, done, and the next one is made', async t => {
  const { disconnects, meter, notices, made, add, pass } = setUp(t)
  const { done } = disconnects.add(() => Promise.reject(faults.absent))
  add('next')
  await pass(200)
  await done
  assert.deepEqual(made, ['next'])
  assert.equal(meter.total('disconnect_lost_total'), 1)
  assert.equal(notices.size, 1)
})

test('one more than the backlog is lost at once; as many as the backlog are not', async t => {
  const { disconnects, meter, made, add, pass } = setUp(t, { backlog: 2 })
  for (const name of ['a', 'b']) add(name)
  const over = add('c')
  await over.done
  over.hurry()
  assert.equal(disconnects.size, 2)
  await pass(1_000)
  assert.deepEqual(made, ['a', 'b'])
  assert.equal(meter.total('disconnect_lost_total'), 1)
})

test('flush makes all that wait and all that come, without the rate and the bound', async t => {
  const { disconnects, made, add, meter } = setUp(t, { backlog: 2 })
  for (const name of ['a', 'b']) add(name)
  disconnects.flush()
  for (const name of ['c', 'd', 'e']) add(name)
  await quiet()
  assert.deepEqual(made, ['a', 'b', 'c', 'd', 'e'])
  assert.equal(meter.total('disconnect_lost_total'), 0)
  assert.equal(disconnects.size, 0)
})

test('flush makes no more at once than the app bears', async t => {
  const { disconnects } = setUp(t)
  const finish: (() => void)[] = []
  const farewells = Array.from({ length: 40 }, () =>
    disconnects.add(() => new Promise(resolve => finish.push(resolve))),
  )
  disconnects.flush()
  await quiet()
  assert.equal(finish.length, 16)
  finish[0]?.()
  await quiet()
  assert.equal(finish.length, 17)
  for (let made = 1; made < 40; made++) {
    finish[made]?.()
    await quiet()
  }
  await Promise.all(farewells.map(({ done }) => done))
})

for (const mode of ['auto', 'always'] as const) {
  test(`${mode}: the app is told of each, for it has let in each itself`, async t => {
    const { made, add, pass } = setUp(t, { mode })
    for (const name of ['a', 'b']) add(name)
    await pass(200)
    assert.deepEqual(made, ['a', 'b'])
  })
}

test('never: nothing is made, nothing lost, and nobody waits', async t => {
  const { disconnects, meter, made, add, pass } = setUp(t, { mode: 'never', backlog: 1 })
  const farewells = ['a', 'b'].map(name => add(name))
  await Promise.all(farewells.map(({ done }) => done))
  disconnects.flush()
  farewells[0]?.hurry()
  await pass(200)
  assert.deepEqual(made, [])
  assert.equal(disconnects.size, 0)
  assert.equal(meter.total('disconnect_lost_total'), 0)
})

test('giveUp: who waits and who has no reply is lost, each once, and done; a reply after that changes nothing', async t => {
  const { disconnects, meter, notices } = setUp(t)
  const ends: ((error?: Error) => void)[] = []
  const farewells = Array.from({ length: 20 }, () =>
    disconnects.add(
      () => new Promise((resolve, reject) => ends.push(error => (error === undefined ? resolve() : reject(error)))),
    ),
  )
  disconnects.flush()
  await quiet()
  assert.equal(ends.length, 16)
  ends[0]?.()
  ends[1]?.(faults.absent)
  await quiet()
  assert.equal(disconnects.lost, 1, 'the one that failed')
  disconnects.giveUp()
  await Promise.all(farewells.map(({ done }) => done))
  assert.equal(disconnects.lost, 19, 'all but the one that was made')
  ends[2]?.(faults.absent)
  ends[3]?.()
  await quiet()
  assert.equal(disconnects.lost, 19)
  assert.equal(meter.total('disconnect_lost_total'), 19)
  assert.equal(notices.size, 1)
  assert.equal(ends.length, 18, 'and none that waited is made after all')
})

test('lost counts from the flush on: what was lost before has had its line', async t => {
  const { disconnects, add, pass } = setUp(t, { backlog: 1 })
  for (const name of ['a', 'b']) add(name)
  assert.equal(disconnects.lost, 1)
  disconnects.flush()
  await pass(1)
  assert.equal(disconnects.lost, 0)
})
