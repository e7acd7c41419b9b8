import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../src/cable/rpc.ts'
import { Disconnects, type DisconnectLimits } from '../../src/fleet/disconnects.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { FakeLog, FakeMeter, faults, quiet } from '../support/fakes.ts'

const station = 'CP1' as StationId

function setUp(t: TestContext, limits: Partial<DisconnectLimits> = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 })
  const meter = new FakeMeter()
  const notices = new Map<string, string>()
  const details = new Set<string>()
  const once = (key: string, _fields: object, message: string, detail = '') => {
    notices.set(key, message)
    return details.add(detail).size > 0
  }
  const disconnects = new Disconnects(
    { mode: 'auto', ratePerSecond: 10, backlog: 100, ...limits },
    { meter, log: new FakeLog(), once, now: () => Date.now() },
  )
  const made: string[] = []
  const add = (name: string) => disconnects.add(station, () => Promise.resolve(void made.push(name)))
  const pass = async (ms: number, stepMs = 1): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      t.mock.timers.tick(stepMs)
      await quiet()
    }
  }
  return { disconnects, meter, notices, details, made, add, pass }
}

test('Disconnects are made in order at the rate, and not at once', async t => {
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

test('idle time does not accumulate for a burst', async t => {
  const { made, add, pass } = setUp(t)
  add('a')
  await pass(1_000)
  for (const name of ['b', 'c']) add(name)
  await pass(50)
  assert.deepEqual(made, ['a', 'b'])
})

test('done resolves when the call has been made, and not before', async t => {
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

test('an expedited Disconnect passes the queue and the rate, and is made once', async t => {
  const { made, add, pass } = setUp(t)
  add('a')
  const expedited = add('b')
  expedited.expedite()
  expedited.expedite()
  await expedited.done
  assert.deepEqual(made, ['b'])
  await pass(500)
  assert.deepEqual(made, ['b', 'a'])
})

/** An app that is away until `isBack`: each attempt fails. */
class Away {
  isBack = false
  attempts: string[] = []
  readonly made: string[] = []

  readonly disconnect = (name: string) => (): Promise<void> => {
    this.attempts.push(name)
    if (!this.isBack) return Promise.reject(faults.absent)
    this.made.push(name)
    return Promise.resolve()
  }
}

test('Disconnects are retried once a second while the app is away, and then made once each at the rate', async t => {
  const { disconnects, meter, pass } = setUp(t, { ratePerSecond: 100 })
  const app = new Away()
  const added = Array.from({ length: 40 }, (_, at) => disconnects.add(station, app.disconnect(`${at}`)))
  await pass(15) // the second attempt begins before the first one has failed
  app.attempts = []
  await pass(30_000, 10)
  assert.equal(app.attempts.length, 30)
  assert.equal(new Set(app.attempts).size, 30, 'a failed Disconnect does not keep another from its attempt')
  assert.equal(disconnects.size, 40)
  app.isBack = true
  await pass(2_000)
  await pass(410)
  await Promise.all(added.map(({ done }) => done))
  assert.equal(new Set(app.made).size, 40)
  await pass(5_000, 10)
  assert.equal(app.made.length, 40, 'each is made once')
  assert.equal(meter.total('disconnect_lost_total'), 0)
})

/** How a Disconnect fails, whether it is retried, whether others wait, and why. */
const failures: readonly (readonly [Error, boolean, boolean, string])[] = [
  [faults.absent, true, true, 'the app was away'],
  [
    new RpcError('exhausted', 'notRun', 'No free threads in thread pool'),
    true,
    true,
    'the app had no room for the call',
  ],
  [new RpcError('timeout', 'notRun', 'Waiting for LB pick'), true, true, 'the call was not sent in time'],
  [faults.lost, false, true, 'the app may have run it, and a second one would be counted twice'],
  [faults.slow, false, true, 'the app may still run it'],
  [faults.raised, false, false, 'the app has run it'],
  [new RpcError('application', 'notRun', 'the call is too large'), false, false, 'a retry would fail, too'],
  [new Error('a bug'), false, false, 'it is a bug in the bridge'],
]

for (const [failure, isRetried, othersWait, because] of failures) {
  const name = failure instanceof RpcError ? `${failure.code}, ${failure.outcome}` : 'no RpcError'
  test(`a Disconnect that fails with ${name} is ${isRetried ? 'retried' : 'lost, counted and logged'}: ${because}`, async t => {
    const { disconnects, meter, notices, made, add, pass } = setUp(t)
    let attempts = 0
    const { done } = disconnects.add(station, () => (attempts++ === 0 ? Promise.reject(failure) : Promise.resolve()))
    for (const next of ['next', 'and next']) add(next)
    await pass(300)
    assert.deepEqual(made, othersWait ? ['next'] : ['next', 'and next'])
    await pass(3_000)
    await done
    assert.deepEqual(made, ['next', 'and next'])
    assert.equal(attempts, isRetried ? 2 : 1)
    assert.equal(meter.total('disconnect_lost_total'), isRetried ? 0 : 1)
    assert.equal(notices.size, isRetried ? 0 : 1)
  })
}

test('an expedited Disconnect is lost when it fails, because the station is back and does not wait', async t => {
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
  other.expedite() // it has failed, and waits for a retry
  await other.done
  assert.equal(meter.total('disconnect_lost_total'), 2)
  app.isBack = true
  await pass(5_000)
  assert.deepEqual(app.made, [])
  assert.equal(disconnects.size, 0)
})

test('a Disconnect is lost when it fails after it was expedited in flight', async t => {
  const { disconnects, meter, pass } = setUp(t)
  let fail: (error: Error) => void = () => undefined
  let attempts = 0
  const expedited = disconnects.add(
    station,
    () => new Promise((_, reject) => ([fail, attempts] = [reject, attempts + 1])),
  )
  await pass(1)
  expedited.expedite()
  fail(faults.absent)
  await expedited.done
  await pass(5_000)
  assert.deepEqual([attempts, meter.total('disconnect_lost_total')], [1, 1])
})

test('a Disconnect is lost when the app has been away for ten minutes, even if it was never attempted', async t => {
  const { disconnects, meter, pass } = setUp(t, { ratePerSecond: 0.01 })
  const app = new Away()
  const added = Array.from({ length: 20 }, (_, at) => disconnects.add(station, app.disconnect(`${at}`)))
  await pass(590_000, 100)
  const late = disconnects.add(station, app.disconnect('late'))
  assert.equal(meter.total('disconnect_lost_total'), 0)
  await pass(20_000, 100)
  await Promise.all(added.map(({ done }) => done))
  assert.equal(meter.total('disconnect_lost_total'), 20)
  assert.equal(disconnects.size, 1, 'the later Disconnect still waits')
  app.isBack = true
  await pass(100_000, 100)
  await late.done
  assert.deepEqual(app.made, ['late'])
})

test('a Disconnect is kept for longer than ten minutes when the rate is slow, even after one failed attempt', async t => {
  const { disconnects, made, meter, add, pass } = setUp(t, { ratePerSecond: 0.001 })
  add('a')
  let attempts = 0
  disconnects.add(station, () => (attempts++ === 0 ? Promise.reject(faults.absent) : Promise.resolve()))
  for (const name of ['b', 'c']) add(name)
  await pass(4_000_100, 100)
  assert.deepEqual(made, ['a', 'b', 'c'])
  assert.equal(attempts, 2)
  assert.equal(meter.total('disconnect_lost_total'), 0)
})

test('other Disconnects do not wait when the app raises', async t => {
  const { disconnects, made, add, pass } = setUp(t)
  let attempts = 0
  disconnects.add(station, () => Promise.reject(attempts++ === 0 ? faults.absent : faults.raised))
  await pass(1_500)
  assert.equal(attempts, 2)
  await pass(1_000)
  for (const name of ['a', 'b', 'c']) add(name)
  await pass(250)
  assert.deepEqual(made, ['a', 'b', 'c'])
})

test('a new or failed Disconnect is lost when Disconnects that wait for the app fill the backlog', async t => {
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

test('flush attempts each waiting Disconnect once more, and loses those that fail', async t => {
  const { disconnects, meter, pass } = setUp(t)
  const app = new Away()
  const added = ['a', 'b', 'c'].map(name => disconnects.add(station, app.disconnect(name)))
  await pass(2_000)
  app.attempts = []
  disconnects.flush()
  await Promise.all(added.map(({ done }) => done))
  assert.deepEqual(app.attempts.toSorted(), ['a', 'b', 'c'])
  assert.equal(disconnects.lost.length, 3)
  assert.equal(meter.total('disconnect_lost_total'), 3)
})

test('an app that hangs is attempted ever less often, because each attempt loses a Disconnect', async t => {
  const { disconnects, meter, pass } = setUp(t, { ratePerSecond: 100, backlog: 200 })
  let isBack = false
  const slow = (): Promise<void> => new Promise((_, reject) => setTimeout(() => reject(faults.slow), 3_000))
  const add = () => disconnects.add(station, () => (isBack ? Promise.resolve() : slow()))
  const added = Array.from({ length: 80 }, add)
  await pass(70_000, 10)
  assert.equal(meter.total('disconnect_lost_total'), 24, '16 before the first has failed, then at 3, 4, 5, 7, 11, ...')
  await pass(300_000, 100)
  assert.equal(meter.total('disconnect_lost_total'), 34, 'at last every 30 s')
  isBack = true
  disconnects.add(station, () => Promise.resolve()).expedite() // a station is back, and the app replies
  await pass(1_000, 10)
  await Promise.all(added.map(({ done }) => done))
  assert.equal(disconnects.size, 0)
})

test('the pause does not grow when a Disconnect cannot have run, even after one that may have run', async t => {
  const { disconnects, pass } = setUp(t)
  let attempts = 0
  const add = () => disconnects.add(station, () => Promise.reject(attempts++ === 0 ? faults.lost : faults.absent))
  for (let count = 0; count < 40; count++) add()
  await pass(2_000, 10)
  attempts = 1
  await pass(20_000, 10)
  assert.equal(attempts, 21)
})

const queued: readonly RpcError[] = [
  new RpcError('timeout', 'notRun', 'the call did not get its turn in time'),
  new RpcError('exhausted', 'notRun', 'too many calls wait for the app'),
]

for (const failure of queued) {
  test(`flush retries a Disconnect that fails with ${failure.code} in the queue of calls until abort`, async t => {
    const { disconnects, meter, pass } = setUp(t)
    const attempts: string[] = []
    const add = (name: string, times: number) =>
      disconnects.add(station, () => (attempts.push(name), times-- > 0 ? Promise.reject(failure) : Promise.resolve()))
    const added = [add('a', 3), add('never', Infinity)]
    disconnects.flush()
    await quiet()
    assert.equal(attempts.length, 2)
    await pass(1_000, 10)
    await added[0]?.done
    assert.equal(attempts.filter(name => name === 'a').length, 4)
    assert.equal(attempts.filter(name => name === 'never').length, 11)
    assert.equal(disconnects.lost.length, 0)
    disconnects.abort()
    await added[1]?.done
    await pass(1_000, 10)
    assert.deepEqual([disconnects.lost.length, meter.total('disconnect_lost_total'), attempts.length], [1, 1, 15])
  })
}

test('flush ends the rate, and keeps the limit of Disconnects in flight', async t => {
  const { disconnects, pass } = setUp(t, { ratePerSecond: 100 })
  let inFlight = 0
  for (let count = 0; count < 60; count++) disconnects.add(station, () => new Promise(() => (inFlight += 1)))
  await pass(50)
  disconnects.flush()
  await pass(1_000, 10)
  assert.equal(inFlight, 16)
})

test('the limit of Disconnects in flight holds at the rate, too', async t => {
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

test('a Disconnect that is added after abort is lost, and not made', async t => {
  const { disconnects, made, add } = setUp(t)
  disconnects.flush()
  disconnects.abort()
  await add('late').done
  assert.deepEqual([made, disconnects.lost.length], [[], 1])
})

test('a Disconnect that fails after abort is not retried', async t => {
  const { disconnects, meter, pass } = setUp(t)
  let fail: (error: Error) => void = () => undefined
  let attempts = 0
  const { done } = disconnects.add(
    station,
    () => new Promise((_, reject) => ([fail, attempts] = [reject, attempts + 1])),
  )
  await pass(1)
  disconnects.abort()
  await done
  fail(faults.absent)
  await pass(5_000)
  assert.deepEqual([attempts, meter.total('disconnect_lost_total'), disconnects.size], [1, 1, 0])
})

test('a Disconnect is lost at once when the backlog is full', async t => {
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

test('flush makes queued and later Disconnects without the rate and the backlog limit', async t => {
  const { disconnects, made, add, meter } = setUp(t, { backlog: 2 })
  for (const name of ['a', 'b']) add(name)
  disconnects.flush()
  for (const name of ['c', 'd', 'e']) add(name)
  await quiet()
  assert.deepEqual(made, ['a', 'b', 'c', 'd', 'e'])
  assert.equal(meter.total('disconnect_lost_total'), 0)
  assert.equal(disconnects.size, 0)
})

test('flush keeps the limit of Disconnects in flight', async t => {
  const { disconnects } = setUp(t)
  const finish: (() => void)[] = []
  const added = Array.from({ length: 40 }, () =>
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
  await Promise.all(added.map(({ done }) => done))
})

for (const mode of ['auto', 'always'] as const) {
  test(`every Disconnect is made in mode ${mode}`, async t => {
    const { made, add, pass } = setUp(t, { mode })
    for (const name of ['a', 'b']) add(name)
    await pass(200)
    assert.deepEqual(made, ['a', 'b'])
  })
}

test('no Disconnect is made or lost, and each is done at once, in mode never', async t => {
  const { disconnects, meter, made, add, pass } = setUp(t, { mode: 'never', backlog: 1 })
  const added = ['a', 'b'].map(name => add(name))
  await Promise.all(added.map(({ done }) => done))
  disconnects.flush()
  added[0]?.expedite()
  await pass(200)
  assert.deepEqual(made, [])
  assert.equal(disconnects.size, 0)
  assert.equal(meter.total('disconnect_lost_total'), 0)
})

test('abort loses queued and unanswered Disconnects once each, and a later reply changes nothing', async t => {
  const { disconnects, meter, notices } = setUp(t)
  const ends: ((error?: Error) => void)[] = []
  const added = Array.from({ length: 20 }, () =>
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
  assert.equal(disconnects.lost.length, 1, 'the failed Disconnect')
  disconnects.abort()
  await Promise.all(added.map(({ done }) => done))
  assert.equal(disconnects.lost.length, 19, 'all except the one that was made')
  ends[2]?.(faults.absent)
  ends[3]?.()
  await quiet()
  assert.equal(disconnects.lost.length, 19)
  assert.equal(meter.total('disconnect_lost_total'), 19)
  assert.equal(notices.size, 1)
  assert.equal(ends.length, 18, 'no queued Disconnect is made after abort')
})

test('lost counts from flush on, because earlier losses have been logged', async t => {
  const { disconnects, meter, add, pass } = setUp(t, { backlog: 1 })
  for (const name of ['a', 'b']) add(name)
  assert.equal(meter.total('disconnect_lost_total'), 1)
  disconnects.flush()
  await pass(1)
  assert.equal(disconnects.lost.length, 0)
})

test('an error of the bridge’s own does not start an outage of the app', async t => {
  const { disconnects, pass } = setUp(t, { ratePerSecond: 1 })
  const tooLarge = new RpcError('application', 'notRun', 'the call is too large', { isLocal: true })
  let isLost = false
  void disconnects.add(station, () => Promise.reject(faults.absent)).done.then(() => (isLost = true))
  await pass(9 * 60_000, 1_000)
  disconnects.add(station, () => Promise.reject(tooLarge))
  await pass(61_000, 1_000)
  assert.equal(isLost, true)
})

test('each reason for a lost Disconnect is logged', async t => {
  const { disconnects, details, pass } = setUp(t, { backlog: 1 })
  disconnects.add(station, () => Promise.reject(faults.raised))
  await pass(50)
  for (let count = 0; count < 2; count++) disconnects.add(station, () => Promise.resolve())
  assert.deepEqual(
    [...details],
    [faults.raised.message, 'the queue of Disconnect calls is full (disconnect_backlog_size)'],
  )
})
