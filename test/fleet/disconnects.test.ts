import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../src/cable/rpc.ts'
import { Disconnects, type DisconnectLimits } from '../../src/fleet/disconnects.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { FakeMeter, faults, quiet } from '../support/fakes.ts'

const station = 'CP1' as StationId

function setUp(t: TestContext, limits: Partial<DisconnectLimits> = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 })
  const meter = new FakeMeter()
  const notices = new Map<string, string>()
  const once = (key: string, _fields: object, message: string) => void notices.set(key, message)
  const disconnects = new Disconnects(
    { mode: 'auto', ratePerSecond: 10, backlog: 100, ...limits },
    { meter, once, now: () => Date.now() },
  )
  const made: string[] = []
  const add = (name: string) => disconnects.add(station, () => Promise.resolve(void made.push(name)))
  const pass = async (ms: number, stepMs = 1): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      t.mock.timers.tick(stepMs)
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
  const { done } = disconnects.add(station, () => new Promise(resolve => (finish = resolve)))
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
  hurried.expedite()
  hurried.expedite()
  await hurried.done
  assert.deepEqual(made, ['b'])
  await pass(500)
  assert.deepEqual(made, ['b', 'a'])
})

/** The app is away, and each try says so, until it is back: then it is told. */
class Away {
  isBack = false
  tries: string[] = []
  readonly told: string[] = []

  readonly disconnect = (name: string) => (): Promise<void> => {
    this.tries.push(name)
    if (!this.isBack) return Promise.reject(faults.absent)
    this.told.push(name)
    return Promise.resolve()
  }
}

test('while the app is away they wait for it, asked once a second; then each is told once, at the rate', async t => {
  const { disconnects, meter, pass } = setUp(t, { ratePerSecond: 100 })
  const app = new Away()
  const farewells = Array.from({ length: 40 }, (_, at) => disconnects.add(station, app.disconnect(`${at}`)))
  await pass(15) // before the first has failed the second is on its way
  app.tries = []
  await pass(30_000, 10)
  assert.equal(app.tries.length, 30)
  assert.equal(new Set(app.tries).size, 30, 'one that fails keeps no other from its try')
  assert.equal(disconnects.size, 40)
  app.isBack = true
  await pass(2_000)
  await pass(410)
  await Promise.all(farewells.map(({ done }) => done))
  assert.equal(new Set(app.told).size, 40)
  await pass(5_000, 10)
  assert.equal(app.told.length, 40, 'each once')
  assert.equal(meter.total('disconnect_lost_total'), 0)
})

/** [how it fails, whether it is made again, whether the others wait, because] */
const failures: readonly (readonly [Error, boolean, boolean, string])[] = [
  [faults.absent, true, true, 'nobody was there'],
  [new RpcError('exhausted', 'notRun', 'No free threads in thread pool'), true, true, 'the app had no room for it'],
  [new RpcError('timeout', 'notRun', 'Waiting for LB pick'), true, true, 'it has not left in time'],
  [faults.lost, false, true, 'the app may have run it: counted twice, a station that has left is one too many'],
  [faults.slow, false, true, 'it may run it yet'],
  [faults.raised, false, false, 'it has run it'],
  [new RpcError('application', 'notRun', 'the call is too large'), false, false, 'it would be so again'],
  [new Error('a bug'), false, false, 'it is a bug of ours'],
]

for (const [failure, isAgain, isPaused, because] of failures) {
  const name = failure instanceof RpcError ? `${failure.code}, ${failure.outcome}` : 'no RpcError'
  test(`${name}: ${isAgain ? 'made again' : 'lost, counted and logged'}, for ${because}`, async t => {
    const { disconnects, meter, notices, made, add, pass } = setUp(t)
    let tries = 0
    const { done } = disconnects.add(station, () => (tries++ === 0 ? Promise.reject(failure) : Promise.resolve()))
    for (const next of ['next', 'and next']) add(next)
    await pass(300)
    assert.deepEqual(made, isPaused ? ['next'] : ['next', 'and next'])
    await pass(3_000)
    await done
    assert.deepEqual(made, ['next', 'and next'])
    assert.equal(tries, isAgain ? 2 : 1)
    assert.equal(meter.total('disconnect_lost_total'), isAgain ? 0 : 1)
    assert.equal(notices.size, isAgain ? 0 : 1)
  })
}

test('one in a hurry that fails is lost: the station does not wait, and is not said to be gone when it is back', async t => {
  const { disconnects, meter, pass } = setUp(t)
  const app = new Away()
  const [one, other] = [
    disconnects.add(station, app.disconnect('one')),
    disconnects.add(station, app.disconnect('other')),
  ]
  one.expedite()
  await one.done
  await pass(200)
  assert.equal(meter.total('disconnect_lost_total'), 1)
  other.expedite() // it has failed already, and waits
  await other.done
  assert.equal(meter.total('disconnect_lost_total'), 2)
  app.isBack = true
  await pass(5_000)
  assert.deepEqual(app.told, [])
  assert.equal(disconnects.size, 0)
})

test('one whose station comes back while it is under way, and that fails then, is lost', async t => {
  const { disconnects, meter, pass } = setUp(t)
  let fail: (error: Error) => void = () => undefined
  let tries = 0
  const farewell = disconnects.add(station, () => new Promise((_, reject) => ([fail, tries] = [reject, tries + 1])))
  await pass(1)
  farewell.expedite()
  fail(faults.absent)
  await farewell.done
  await pass(5_000)
  assert.deepEqual([tries, meter.total('disconnect_lost_total')], [1, 1])
})

test('one waits for ten minutes for the app, also where it is never its turn, and is lost', async t => {
  const { disconnects, meter, pass } = setUp(t, { ratePerSecond: 0.01 })
  const app = new Away()
  const farewells = Array.from({ length: 20 }, (_, at) => disconnects.add(station, app.disconnect(`${at}`)))
  await pass(590_000, 100)
  const late = disconnects.add(station, app.disconnect('late'))
  assert.equal(meter.total('disconnect_lost_total'), 0)
  await pass(20_000, 100)
  await Promise.all(farewells.map(({ done }) => done))
  assert.equal(meter.total('disconnect_lost_total'), 20)
  assert.equal(disconnects.size, 1, 'the one that has come later waits on')
  app.isBack = true
  await pass(100_000, 100)
  await late.done
  assert.deepEqual(app.told, ['late'])
})

test('a rate that is slow keeps one for longer than that, and one try in vain is not the end of it', async t => {
  const { disconnects, made, meter, add, pass } = setUp(t, { ratePerSecond: 0.001 })
  add('a')
  let tries = 0
  disconnects.add(station, () => (tries++ === 0 ? Promise.reject(faults.absent) : Promise.resolve()))
  for (const name of ['b', 'c']) add(name)
  await pass(4_000_100, 100)
  assert.deepEqual(made, ['a', 'b', 'c'])
  assert.equal(tries, 2)
  assert.equal(meter.total('disconnect_lost_total'), 0)
})

test('an app that raises is there: the others need not wait', async t => {
  const { disconnects, made, add, pass } = setUp(t)
  let tries = 0
  disconnects.add(station, () => Promise.reject(tries++ === 0 ? faults.absent : faults.raised))
  await pass(1_500)
  assert.equal(tries, 2)
  await pass(1_000)
  for (const name of ['a', 'b', 'c']) add(name)
  await pass(250)
  assert.deepEqual(made, ['a', 'b', 'c'])
})

test('those that wait for the app count in the backlog: what finds it full, newly come or failed, is lost', async t => {
  const { disconnects, meter, pass } = setUp(t, { backlog: 2 })
  const app = new Away()
  let fail: (error: Error) => void = () => undefined
  const first = disconnects.add(station, () => new Promise((_, reject) => (fail = reject)))
  await pass(1)
  for (const name of ['a', 'b']) disconnects.add(station, app.disconnect(name))
  fail(faults.absent)
  await first.done
  assert.equal(meter.total('disconnect_lost_total'), 1)
  await disconnects.add(station, app.disconnect('c')).done
  assert.equal(meter.total('disconnect_lost_total'), 2)
  assert.equal(disconnects.size, 2)
})

test('flush gives those that wait for the app one try more, each, and nobody waits for it any longer', async t => {
  const { disconnects, meter, pass } = setUp(t)
  const app = new Away()
  const farewells = ['a', 'b', 'c'].map(name => disconnects.add(station, app.disconnect(name)))
  await pass(2_000)
  app.tries = []
  disconnects.flush()
  await Promise.all(farewells.map(({ done }) => done))
  assert.deepEqual(app.tries.toSorted(), ['a', 'b', 'c'])
  assert.equal(disconnects.lost.length, 3)
  assert.equal(meter.total('disconnect_lost_total'), 3)
})

test('an app that hangs costs a Disconnect for each try: it is tried ever less often', async t => {
  const { disconnects, meter, pass } = setUp(t, { ratePerSecond: 100, backlog: 200 })
  let isBack = false
  const slow = (): Promise<void> => new Promise((_, reject) => setTimeout(() => reject(faults.slow), 3_000))
  const add = () => disconnects.add(station, () => (isBack ? Promise.resolve() : slow()))
  const farewells = Array.from({ length: 80 }, add)
  await pass(70_000, 10)
  assert.equal(meter.total('disconnect_lost_total'), 24, '16 before the first has failed, then at 3, 4, 5, 7, 11, ...')
  await pass(300_000, 100)
  assert.equal(meter.total('disconnect_lost_total'), 34, 'every 30 s at last')
  isBack = true
  disconnects.add(station, () => Promise.resolve()).expedite() // a station is back, and the app says something
  await pass(1_000, 10)
  await Promise.all(farewells.map(({ done }) => done))
  assert.equal(disconnects.size, 0)
})

test('one that nobody was there for does not make the pause longer, also after one that may have run', async t => {
  const { disconnects, pass } = setUp(t)
  let tries = 0
  const add = () => disconnects.add(station, () => Promise.reject(tries++ === 0 ? faults.lost : faults.absent))
  for (let count = 0; count < 40; count++) add()
  await pass(2_000, 10)
  tries = 1
  await pass(20_000, 10)
  assert.equal(tries, 21)
})

const turnless: readonly RpcError[] = [
  new RpcError('timeout', 'notRun', 'the call did not get its turn in time'),
  new RpcError('exhausted', 'notRun', 'too many calls wait for the app'),
]

for (const failure of turnless) {
  test(`flush: ${failure.code}, without a turn at the app: made again as long as there is time, not at once`, async t => {
    const { disconnects, meter, pass } = setUp(t)
    const tries: string[] = []
    const add = (name: string, times: number) =>
      disconnects.add(station, () => (tries.push(name), times-- > 0 ? Promise.reject(failure) : Promise.resolve()))
    const farewells = [add('a', 3), add('never', Infinity)]
    disconnects.flush()
    await quiet()
    assert.equal(tries.length, 2)
    await pass(1_000, 10)
    await farewells[0]?.done
    assert.equal(tries.filter(name => name === 'a').length, 4)
    assert.equal(tries.filter(name => name === 'never').length, 11)
    assert.equal(disconnects.lost.length, 0)
    disconnects.abort()
    await farewells[1]?.done
    await pass(1_000, 10)
    assert.deepEqual([disconnects.lost.length, meter.total('disconnect_lost_total'), tries.length], [1, 1, 15])
  })
}

test('flush ends the rate: not one more is under way than the app bears, however long they take', async t => {
  const { disconnects, pass } = setUp(t, { ratePerSecond: 100 })
  let underWay = 0
  for (let count = 0; count < 60; count++) disconnects.add(station, () => new Promise(() => (underWay += 1)))
  await pass(50)
  disconnects.flush()
  await pass(1_000, 10)
  assert.equal(underWay, 16)
})

test('at the rate, too, no more are under way than the app bears', async t => {
  const { disconnects, pass } = setUp(t, { ratePerSecond: 100 })
  const finish: (() => void)[] = []
  for (let count = 0; count < 40; count++) disconnects.add(station, () => new Promise(resolve => finish.push(resolve)))
  await pass(1_000, 10)
  assert.equal(finish.length, 16)
  for (let made = 0; made < 40; made++) {
    finish[made]?.()
    await pass(10)
  }
  assert.equal(finish.length, 40)
})

test('giveUp: one that comes after it is lost, and not made', async t => {
  const { disconnects, made, add } = setUp(t)
  disconnects.flush()
  disconnects.abort()
  await add('late').done
  assert.deepEqual([made, disconnects.lost.length], [[], 1])
})

test('giveUp: one that fails after it does not wait for the app', async t => {
  const { disconnects, meter, pass } = setUp(t)
  let fail: (error: Error) => void = () => undefined
  let tries = 0
  const { done } = disconnects.add(station, () => new Promise((_, reject) => ([fail, tries] = [reject, tries + 1])))
  await pass(1)
  disconnects.abort()
  await done
  fail(faults.absent)
  await pass(5_000)
  assert.deepEqual([tries, meter.total('disconnect_lost_total'), disconnects.size], [1, 1, 0])
})

test('one more than the backlog is lost at once; as many as the backlog are not', async t => {
  const { disconnects, meter, made, add, pass } = setUp(t, { backlog: 2 })
  for (const name of ['a', 'b']) add(name)
  const over = add('c')
  await over.done
  over.expedite()
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
    disconnects.add(station, () => new Promise(resolve => finish.push(resolve))),
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
  farewells[0]?.expedite()
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
      station,
      () => new Promise((resolve, reject) => ends.push(error => (error === undefined ? resolve() : reject(error)))),
    ),
  )
  disconnects.flush()
  await quiet()
  assert.equal(ends.length, 16)
  ends[0]?.()
  ends[1]?.(faults.absent)
  await quiet()
  assert.equal(disconnects.lost.length, 1, 'the one that failed')
  disconnects.abort()
  await Promise.all(farewells.map(({ done }) => done))
  assert.equal(disconnects.lost.length, 19, 'all but the one that was made')
  ends[2]?.(faults.absent)
  ends[3]?.()
  await quiet()
  assert.equal(disconnects.lost.length, 19)
  assert.equal(meter.total('disconnect_lost_total'), 19)
  assert.equal(notices.size, 1)
  assert.equal(ends.length, 18, 'and none that waited is made after all')
})

test('lost counts from the flush on: what was lost before has had its line', async t => {
  const { disconnects, meter, add, pass } = setUp(t, { backlog: 1 })
  for (const name of ['a', 'b']) add(name)
  assert.equal(meter.total('disconnect_lost_total'), 1)
  disconnects.flush()
  await pass(1)
  assert.equal(disconnects.lost.length, 0)
})
