import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import { RpcError, type CommandCall } from '../../../src/cable/rpc.ts'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { Guard } from '../../../src/rpc/guard/guard.ts'
import { tooManyItems, type Transport } from '../../../src/rpc/transport.ts'
import { rpcError } from '../../contract/rpc.ts'
import { GrpcStatus, ScriptedApp } from '../../support/app.ts'
import { Clock } from '../../support/clock.ts'
import { FakeLog, FakeMeter, Mailbox, quiet } from '../../support/fakes.ts'
import { env, identifier, never } from '../calls.ts'

const reply = {
  status: 'success',
  disconnect: false,
  stopAllStreams: false,
  stoppedStreams: [],
  streams: [],
  transmissions: [],
  cstate: {},
  istate: {},
} as const
const limits = { host: 'app:50051', concurrency: 2, requestTimeoutMs: 0, commandTimeoutMs: 3_000 }

const absent = new RpcError('unavailable', 'notRun', 'connect ECONNREFUSED')
const lost = new RpcError('unavailable', 'unknown', 'Connection dropped')
const full = new RpcError('exhausted', 'notRun', 'No free threads in thread pool')
const slow = new RpcError('timeout', 'unknown', 'Deadline exceeded')
const mute = new RpcError('timeout', 'notRun', 'Waiting for LB pick')
const raised = new RpcError('application', 'ran', 'boom')
const refused = new RpcError('application', 'notRun', 'no such method')

function callOf(sid: string, command: CommandCall['command']): CommandCall {
  const data = command === 'message' ? '{"action":"heartbeat"}' : ''
  return { sid, env, command, identifier, connectionIdentifiers: '{}', data }
}

/** An attempt that the app has, and that a test ends. */
type Attempt = {
  readonly sid: string
  readonly deadline: number | undefined
  succeed(): void
  fail(error: Error): void
}

/** Keeps every attempt until the test ends it. */
class FakeTransport implements Transport {
  readonly attempts = new Mailbox<Attempt>()
  isReachable = true

  async connect({ sid }: { sid: string }, _: AbortSignal, deadline?: number) {
    await this.#keep(sid, deadline)
    return { status: 'success', connectionIdentifiers: '{}', transmissions: [], cstate: {} } as const
  }

  async command({ sid }: { sid: string }, _: AbortSignal, deadline?: number) {
    await this.#keep(sid, deadline)
    return reply
  }

  async disconnect({ sid }: { sid: string }, _: AbortSignal, deadline?: number) {
    await this.#keep(sid, deadline)
  }

  problem(): Promise<RpcError | null> {
    return Promise.resolve(this.isReachable ? null : new RpcError('unavailable', 'notRun', 'no connection'))
  }

  /** Whose attempts were made, in order. */
  get sids(): string[] {
    return this.attempts.all.map(({ sid }) => sid)
  }

  abort(): void {
    for (const attempt of this.attempts.all) attempt.fail(new RpcError('aborted', 'unknown', 'the bridge is stopping'))
  }

  #keep(sid: string, deadline: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.attempts.put({ sid, deadline, succeed: () => resolve(), fail: error => reject(error) })
    })
  }
}

class Bench {
  readonly transport = new FakeTransport()
  readonly meter = new FakeMeter()
  readonly log = new FakeLog()
  readonly guard: Guard
  readonly #clock: Clock

  constructor(t: TestContext, changed: Partial<typeof limits> = {}) {
    this.#clock = new Clock(t)
    this.guard = new Guard(this.transport, { ...limits, ...changed }, this.meter, this.log)
  }

  connect(sid: string, signal = never) {
    return settled(this.guard.connect({ sid, env }, signal))
  }

  command(sid: string, command: CommandCall['command'] = 'message', signal = never, queueDeadline?: () => number) {
    return settled(this.guard.command(callOf(sid, command), signal, queueDeadline))
  }

  disconnect(sid: string, signal = never) {
    const call = { sid, env, connectionIdentifiers: '{}', subscriptions: [identifier] }
    return settled(this.guard.disconnect(call, signal))
  }

  /** The next attempt that has not been read yet. */
  next(): Promise<Attempt> {
    return this.transport.attempts.next()
  }

  /** Ends the next attempts, all in the same way. */
  async end(count: number, failure: Error | null = null): Promise<void> {
    for (let number = 0; number < count; number++) {
      const attempt = await this.next()
      if (failure === null) attempt.succeed()
      else attempt.fail(failure)
    }
  }

  async pass(ms: number): Promise<void> {
    this.#clock.tick(ms)
    await quiet()
  }

  setWallClock(byMs: number): void {
    this.#clock.setWallClock(byMs)
  }

  get lines(): (readonly [level: string, message: string])[] {
    return this.log.lines.map(({ level, message }) => [level, message])
  }
}

/** A promise that a test looks at when it wants to: its rejection is not unhandled until then. */
function settled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined)
  return promise
}

/** A guard before an app of its own, over a real connection. */
async function openBoth(t: TestContext, concurrency: number) {
  const app = await ScriptedApp.start()
  const grpc = openGrpc(app.host)
  t.after(async () => {
    await grpc.close()
    app.stop()
  })
  const meter = new FakeMeter()
  const guard = new Guard(grpc, { ...limits, host: app.host, concurrency }, meter, new FakeLog())
  return { app, meter, guard }
}

/** What the app does with a call after two turns of its loop, so that others come in meanwhile. */
function later(end: () => object): () => Promise<object> {
  return async () => {
    await quiet()
    await quiet()
    return end()
  }
}

test('calls in flight are as many as rpc_concurrency, and no more, when many are made at once', async t => {
  const { app, guard } = await openBoth(t, 5)
  app.always(later(() => ({ status: 'SUCCESS' })))
  const connects = Array.from({ length: 60 }, (_, number) => guard.connect({ sid: `s${number}`, env }, never))
  assert.equal(guard.pending, 55)
  await Promise.all(connects)
  assert.equal(app.mostRunning, 5)
  assert.equal(app.received.all.length, 60)
  assert.equal(guard.pending, 0)
})

test('calls in flight stay within rpc_concurrency when every third call fails and is retried', async t => {
  const { app, meter, guard } = await openBoth(t, 5)
  const ends = [
    () => ({ status: 'SUCCESS' }),
    () => {
      throw new GrpcStatus(status.RESOURCE_EXHAUSTED, 'No free threads in thread pool')
    },
    () => ({ status: 'SUCCESS' }),
    () => {
      throw new GrpcStatus(status.UNAVAILABLE, 'Cancelling all calls')
    },
    () => ({ status: 'ERROR', error_msg: 'boom' }),
    () => ({ status: 'FAILURE' }),
  ]
  let received = 0
  app.always(() => later(() => ends[received++ % ends.length]?.() ?? {})())
  const calls = Array.from({ length: 120 }, (_, number) => guard.connect({ sid: `s${number}`, env }, never))
  await Promise.allSettled(calls)
  assert.equal(app.mostRunning, 5)
  assert.equal(app.received.all.length, 120 + meter.total('rpc_retries_total'))
  assert.ok(meter.total('rpc_retries_total') >= 40, `${meter.total('rpc_retries_total')} calls were made again`)
  assert.equal(guard.pending, 0)
})

for (const [threads, because] of [
  [12, 'it falls to what the app accepts'],
  [40, 'it rises to what the app accepts'],
] as const) {
  test(`the limit adapts when rpc_concurrency is 0 and the app has ${threads} threads: ${because}`, async t => {
    const { app, meter, guard } = await openBoth(t, 0)
    assert.equal(guard.capacity, 25)
    app.always(async () => {
      if (app.running > threads) throw new GrpcStatus(status.RESOURCE_EXHAUSTED, 'No free threads in thread pool')
      return later(() => ({ status: 'SUCCESS' }))()
    })
    let made = 0
    const loops = Array.from({ length: 60 }, async (_, number) => {
      while (made++ < 4_000) await guard.command(callOf(`s${number}`, 'message'), never)
    })
    await Promise.all(loops)
    assert.ok(Math.abs(guard.capacity - threads) <= 2, `the limit is ${guard.capacity}`)
    const refused = meter.total('rpc_retries_total')
    assert.ok(refused < 100, `${refused} of 4,000 calls were refused`)
    assert.ok(app.mostRunning <= Math.max(25, threads + 1), `the app had ${app.mostRunning} calls at a time`)
    assert.equal(meter.total('rpc_error_total'), 0)
  })
}

test('the adaptive limit stays when a call fails without being refused', async t => {
  const bench = new Bench(t, { concurrency: 0 })
  for (const failure of [absent, lost, slow, mute, raised, refused]) {
    const call = bench.disconnect('s1')
    ;(await bench.next()).fail(failure)
    await quiet()
    await bench.pass(100)
    if (failure === absent || failure === lost) (await bench.next()).succeed()
    await call.catch(() => undefined)
  }
  assert.equal(bench.guard.capacity, 25)
})

test('calls of connected stations go before Disconnects, and Disconnects before Connects, when they wait', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const calls = [
    bench.connect('connect 1'),
    bench.connect('connect 2'),
    bench.connect('connect 3'),
    bench.command('command 1'),
    bench.disconnect('disconnect'),
    bench.command('command 2'),
  ]
  await bench.end(calls.length)
  await Promise.all(calls)
  assert.deepEqual(bench.transport.sids, [
    'connect 1',
    'command 1',
    'command 2',
    'disconnect',
    'connect 2',
    'connect 3',
  ])
})

test('a permit is free again when its call fails', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const [first, second] = [bench.command('one'), bench.command('two')]
  ;(await bench.next()).fail(raised)
  ;(await bench.next()).succeed()
  await assert.rejects(first, raised)
  assert.equal((await second).status, 'success')
})

test('another call gets the permit while a retry backs off, which then joins the queue', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const [first, second, third] = [bench.command('one'), bench.command('two'), bench.command('three')]
  ;(await bench.next()).fail(absent)
  const two = await bench.next()
  assert.equal(two.sid, 'two')
  await bench.pass(100)
  assert.equal(bench.guard.pending, 2)
  two.succeed()
  ;(await bench.next()).succeed()
  ;(await bench.next()).succeed()
  await Promise.all([first, second, third])
  assert.deepEqual(bench.transport.sids, ['one', 'two', 'three', 'one'])
})

const calls = {
  perform: bench => bench.command('s1'),
  subscribe: bench => bench.command('s1', 'subscribe'),
  unsubscribe: bench => bench.command('s1', 'unsubscribe'),
  connect: bench => bench.connect('s1'),
  disconnect: bench => bench.disconnect('s1'),
} satisfies Record<string, (bench: Bench) => Promise<unknown>>

const retries = [
  [absent, 'perform', true, 'it was not sent'],
  [full, 'perform', true, 'it was not run'],
  [lost, 'perform', false, 'it may have run, and running it twice may cost money'],
  [slow, 'perform', false, 'there is no time left'],
  [mute, 'perform', false, 'there is no time left'],
  [raised, 'perform', false, 'it ran'],
  [refused, 'perform', false, 'it would be refused again'],
  [lost, 'subscribe', true, 'running it twice changes nothing'],
  [lost, 'unsubscribe', true, 'running it twice changes nothing'],
  [lost, 'connect', true, 'running it twice changes nothing'],
  [lost, 'disconnect', true, 'running it twice changes nothing'],
  [absent, 'connect', true, 'it was not sent'],
  [full, 'disconnect', true, 'it was not run'],
  [slow, 'connect', false, 'the app is slow already'],
  [raised, 'subscribe', false, 'it ran'],
] as const
for (const [failure, name, isRetried, because] of retries) {
  const { code, outcome } = failure
  test(`${name} is ${isRetried ? 'retried' : 'not retried'} when it fails with ${code}, ${outcome}: ${because}`, async t => {
    const bench = new Bench(t)
    const call: Promise<unknown> = calls[name](bench)
    ;(await bench.next()).fail(failure)
    await quiet()
    await bench.pass(100)
    assert.equal(bench.transport.sids.length, isRetried ? 2 : 1)
    assert.equal(bench.meter.total('rpc_retries_total'), isRetried ? 1 : 0)
    if (!isRetried) return assert.rejects(call, failure)
    ;(await bench.next()).succeed()
    await call
  })
}

const pauses = [
  [absent, [50, 100, 200, 400], 'the app is away'],
  [full, [5, 10, 20, 40], 'a thread is soon free'],
] as const
for (const [failure, atLeast, because] of pauses) {
  test(`backoff doubles from ${atLeast[0]} to ${2 * atLeast[0]} ms on when a call is ${failure.code}: ${because}`, async t => {
    const bench = new Bench(t)
    const call = bench.command('s1')
    for (const least of atLeast) {
      ;(await bench.next()).fail(failure)
      await quiet()
      const made = bench.transport.sids.length
      await bench.pass(least - 1)
      assert.equal(bench.transport.sids.length, made, `before ${least} ms`)
      await bench.pass(least + 1)
      assert.equal(bench.transport.sids.length, made + 1, `after ${2 * least} ms`)
    }
    ;(await bench.next()).succeed()
    await call
  })
}

test('retries are spread by jitter when calls failed together', async t => {
  const bench = new Bench(t, { concurrency: 50 })
  for (let number = 0; number < 50; number++) void bench.command(`s${number}`)
  await bench.end(50, absent)
  await quiet()
  await bench.pass(75)
  const early = bench.transport.sids.length - 50
  assert.ok(early > 0 && early < 50, `${early} of 50 were retried in the first half`)
})

test('a call is not retried when less than a third of its budget is left', async t => {
  const bench = new Bench(t, { commandTimeoutMs: 1_000 })
  const call = bench.command('s1')
  for (let attempts = 0; attempts < 2; attempts++) {
    ;(await bench.next()).fail(absent)
    await quiet()
    await bench.pass(400)
  }
  await assert.rejects(call, absent)
  assert.equal(bench.transport.sids.length, 2)
})

test('a call is not retried when less than a second of a large budget is left, however short the backoff', async t => {
  const bench = new Bench(t)
  const [early, late] = [bench.command('early'), bench.command('late')]
  const attempts = [await bench.next(), await bench.next()]
  await bench.pass(1_980)
  attempts[0]?.fail(full)
  await quiet()
  await bench.pass(15)
  assert.equal((await bench.next()).deadline, 3_000)
  await bench.pass(10)
  attempts[1]?.fail(full)
  await assert.rejects(late, full)
  assert.deepEqual(bench.transport.sids, ['early', 'late', 'early'])
  void early
})

test('a call is not retried when its backoff has lasted too long', async t => {
  const bench = new Bench(t)
  const call = bench.command('s1')
  const attempt = await bench.next()
  await bench.pass(1_900)
  attempt.fail(full)
  await quiet()
  await bench.pass(200)
  await assert.rejects(call, full)
  assert.equal(bench.transport.sids.length, 1)
})

test('each attempt gets what is left of the budget', async t => {
  const bench = new Bench(t)
  const call = bench.command('s1')
  const first = await bench.next()
  await bench.pass(1_000)
  first.fail(absent)
  await quiet()
  await bench.pass(100)
  const second = await bench.next()
  assert.deepEqual([first.deadline, second.deadline], [3_000, 3_000])
  second.succeed()
  await call
})

test('rpc_request_timeout limits each attempt within the budget', async t => {
  const bench = new Bench(t, { requestTimeoutMs: 2_000 })
  const call = bench.command('s1')
  const first = await bench.next()
  await bench.pass(1_500)
  first.fail(absent)
  await quiet()
  await bench.pass(100)
  const second = await bench.next()
  assert.deepEqual([first.deadline, second.deadline], [2_000, 3_000])
  second.succeed()
  await call
})

test('a call may have run when an earlier attempt may have', async t => {
  const bench = new Bench(t)
  const call = bench.command('s1', 'subscribe')
  ;(await bench.next()).fail(lost)
  await quiet()
  await bench.pass(100)
  ;(await bench.next()).fail(refused)
  await assert.rejects(call, rpcError('application', 'unknown', /no such method/))
})

test('a call fails as not sent when it waits until no time for an attempt is left', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const first = bench.command('one')
  const second = bench.connect('two')
  await bench.pass(1_950)
  assert.equal(bench.guard.pending, 1)
  await bench.pass(50)
  await assert.rejects(second, rpcError('timeout', 'notRun', /pending for too long/))
  ;(await bench.next()).succeed()
  await first
  assert.equal(bench.guard.pending, 0)
  assert.deepEqual(bench.transport.sids, ['one'])
})

/** [budget, how long a call waits in the queue, because] */
const leastRows: readonly (readonly [number, number, string])[] = [
  [600, 400, 'a third of a small budget is for the attempt'],
  [30_000, 29_000, 'a second of a large one is'],
]
for (const [commandTimeoutMs, waitMs, because] of leastRows) {
  test(`a call waits ${waitMs} ms in the queue when its budget is ${commandTimeoutMs} ms: ${because}`, async t => {
    const bench = new Bench(t, { concurrency: 1, commandTimeoutMs })
    const first = bench.command('one')
    const second = bench.command('two')
    await bench.pass(waitMs - 50)
    assert.equal(bench.guard.pending, 1)
    await bench.pass(50)
    await assert.rejects(second, rpcError('timeout', 'notRun', /pending for too long/))
    ;(await bench.next()).succeed()
    await first
  })
}

test('a call with a queue deadline keeps its place, and gets a new budget when it leaves the queue', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const first = bench.command('one')
  const held = bench.command('held', 'message', never, () => 20_000)
  await bench.pass(10_000)
  const later = bench.command('later')
  ;(await bench.next()).succeed()
  await first
  const attempt = await bench.next()
  assert.deepEqual([attempt.sid, attempt.deadline], ['held', 13_000])
  attempt.succeed()
  await held
  ;(await bench.next()).succeed()
  await later
})

test('a Connect waits longer when it has a queue deadline', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const first = bench.command('one')
  const usual = bench.connect('usual')
  const held = settled(bench.guard.connect({ sid: 'held', env }, never, () => 20_000))
  await bench.pass(10_000)
  await assert.rejects(usual, rpcError('timeout', 'notRun', /pending for too long/))
  ;(await bench.next()).succeed()
  await first
  const attempt = await bench.next()
  assert.deepEqual([attempt.sid, attempt.deadline], ['held', 13_000])
  attempt.succeed()
  await held
})

test('a call waits as long as any other when its queue deadline is withdrawn', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  let queueDeadline = 20_000
  const first = bench.command('one')
  const held = bench.command('held', 'message', never, () => queueDeadline)
  await bench.pass(1_000)
  queueDeadline = 0
  await bench.pass(950)
  assert.equal(bench.guard.pending, 1)
  await bench.pass(50)
  await assert.rejects(held, rpcError('timeout', 'notRun', /pending for too long/))
  ;(await bench.next()).succeed()
  await first
})

test('a Connect fails at once when 10,000 Connects wait, and a command does not', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const first = bench.command('first')
  for (let number = 0; number < 10_000; number++) void bench.connect('storm')
  assert.equal(bench.guard.pending, 10_000)
  await assert.rejects(bench.connect('one too many'), rpcError('exhausted', 'notRun', /too many/))
  const second = bench.command('second')
  ;(await bench.next()).succeed()
  ;(await bench.next()).succeed()
  await Promise.all([first, second])
  assert.deepEqual(bench.transport.sids.slice(0, 2), ['first', 'second'])
})

test('a call is counted and not sent when its session ends while it waits', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const session = new AbortController()
  const first = bench.command('one')
  const second = bench.command('two', 'message', session.signal)
  const third = bench.command('three')
  session.abort()
  await bench.pass(50)
  await assert.rejects(second, rpcError('aborted', 'notRun', /session/))
  ;(await bench.next()).succeed()
  ;(await bench.next()).succeed()
  await Promise.all([first, third])
  assert.deepEqual(bench.transport.sids, ['one', 'three'])
  assert.equal(bench.meter.total('rpc_canceled_total'), 1)
  assert.equal(bench.meter.total('rpc_error_total'), 0)
})

test('a call leaves no listener and no timer behind when it waited, backed off, or was aborted', async () => {
  const transport = new FakeTransport()
  const guard = new Guard(transport, { ...limits, concurrency: 1 }, new FakeMeter(), new FakeLog())
  const timers = (): number => process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length
  const timersBefore = timers()
  const session = new AbortController()
  const given = new AbortController()
  const slept = guard.connect({ sid: 'slept', env }, session.signal)
  const waited = guard.connect({ sid: 'waited', env }, session.signal)
  const givenUp = settled(guard.connect({ sid: 'given up', env }, given.signal))
  given.abort()
  await assert.rejects(givenUp, rpcError('aborted', 'notRun', /session/))
  ;(await transport.attempts.next()).fail(full)
  ;(await transport.attempts.next()).succeed()
  while (transport.sids.length < 3) await quiet()
  ;(await transport.attempts.next()).succeed()
  await Promise.all([slept, waited])
  assert.equal(getEventListeners(session.signal, 'abort').length, 0)
  assert.equal(getEventListeners(given.signal, 'abort').length, 0)
  assert.equal(timers(), timersBefore)
})

test('a call is not sent when its session has ended', async t => {
  const bench = new Bench(t)
  await assert.rejects(bench.connect('s1', AbortSignal.abort()), rpcError('aborted', 'notRun', /session/))
  assert.equal(bench.transport.sids.length, 0)
  assert.equal(bench.meter.total('rpc_canceled_total'), 1)
})

for (const [failure, outcome] of [
  [absent, 'notRun'],
  [lost, 'unknown'],
] as const) {
  test(`a call is aborted at once, ${outcome}, when its session ends during the backoff after ${failure.code}`, async t => {
    const bench = new Bench(t)
    const session = new AbortController()
    const call = bench.command('s1', 'subscribe', session.signal)
    ;(await bench.next()).fail(failure)
    await quiet()
    session.abort()
    await assert.rejects(call, rpcError('aborted', outcome, /session/))
    await bench.pass(3_000)
    assert.equal(bench.transport.sids.length, 1)
  })
}

test('a call gets its reply when its session ends while the app works on it', async t => {
  const bench = new Bench(t)
  const session = new AbortController()
  const call = bench.command('s1', 'message', session.signal)
  const attempt = await bench.next()
  session.abort()
  attempt.succeed()
  assert.equal((await call).status, 'success')
})

test('a call is not retried when its session has ended during the attempt', async t => {
  const bench = new Bench(t)
  const session = new AbortController()
  const call = bench.command('s1', 'message', session.signal)
  const attempt = await bench.next()
  session.abort()
  attempt.fail(absent)
  await assert.rejects(call, rpcError('aborted', 'notRun', /session/))
  assert.equal(bench.transport.sids.length, 1)
})

const counts = [
  [null, { rpc_call_total: 1 }, 'a reply'],
  [raised, { rpc_call_total: 1 }, 'ERROR is a reply'],
  [refused, { rpc_call_total: 1, rpc_error_total: 1 }, 'no reply'],
  [slow, { rpc_call_total: 1, rpc_error_total: 1, rpc_timeout_total: 1 }, 'no reply in time'],
  [lost, { rpc_call_total: 1, rpc_error_total: 1 }, 'no reply'],
  [tooManyItems(), { rpc_call_total: 1, rpc_error_total: 1 }, 'a reply that the bridge refuses'],
] as const
for (const [failure, expected, because] of counts) {
  test(`a perform is counted when it ends with ${failure?.code ?? 'success'}: ${because}`, async t => {
    const bench = new Bench(t)
    const call = bench.command('s1')
    const attempt = await bench.next()
    if (failure === null) attempt.succeed()
    else attempt.fail(failure)
    await call.catch(() => undefined)
    const metrics = [
      'rpc_call_total',
      'rpc_error_total',
      'rpc_timeout_total',
      'rpc_canceled_total',
      'rpc_retries_total',
    ]
    const counted = metrics.map(metric => [metric, bench.meter.total(metric)] as const).filter(([, total]) => total > 0)
    assert.deepEqual(Object.fromEntries(counted), expected)
  })
}

test('an error that is not an RpcError passes unchanged, and frees the permit', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const call = bench.command('s1')
  const bug = new TypeError('a bug')
  ;(await bench.next()).fail(bug)
  await assert.rejects(call, bug)
  const next = bench.command('s2')
  ;(await bench.next()).succeed()
  await next
})

const gone = 'the app does not answer at app:50051: start it with `bundle exec anycable`, or set --rpc_host'
const back = 'the app answers at app:50051'

const crowded = "calls to the app are pending for too long: raise rpc_concurrency and the app's pool, or add an app"

test('calls pending for too long are logged once when the app replies to others', async t => {
  const bench = new Bench(t, { concurrency: 2 })
  const busy = [bench.command('one'), bench.command('two')]
  const late = Array.from({ length: 20 }, (_, number) => bench.connect(`s${number}`))
  await bench.pass(1_000)
  ;(await bench.next()).succeed()
  await quiet()
  await bench.pass(1_000)
  await Promise.allSettled(late.slice(1))
  assert.deepEqual(bench.lines, [['warn', crowded]])
  await bench.end(2)
  await Promise.all(busy)
})

test('calls pending for too long are not logged when the app replies to nobody', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const busy = bench.command('one')
  const late = bench.connect('two')
  await bench.pass(2_000)
  await assert.rejects(late, rpcError('timeout', 'notRun', /pending for too long/))
  assert.deepEqual(bench.lines, [])
  ;(await bench.next()).succeed()
  await busy
})

test('a Disconnect pending for too long is not logged: it is retried later', async t => {
  const bench = new Bench(t, { concurrency: 2 })
  const busy = [bench.command('one'), bench.command('two')]
  const leaving = bench.disconnect('three')
  const next = bench.command('four')
  await bench.pass(1_000)
  ;(await bench.next()).succeed()
  await quiet()
  await bench.pass(1_000)
  await assert.rejects(leaving, rpcError('timeout', 'notRun', /pending for too long/))
  assert.deepEqual(bench.lines, [])
  await bench.end(2)
  await Promise.all([...busy, next])
})

test('refusals are logged when all attempts of a call are refused, and not when one succeeds', async t => {
  const bench = new Bench(t, { commandTimeoutMs: 100 })
  const taken = bench.command('s1')
  ;(await bench.next()).fail(full)
  await quiet()
  await bench.pass(10)
  ;(await bench.next()).succeed()
  await taken
  assert.deepEqual(bench.lines, [])
  for (const sid of ['s2', 's3']) {
    const call = bench.command(sid)
    const attempt = await bench.next()
    await bench.pass(80)
    attempt.fail(full)
    await assert.rejects(call, full)
  }
  const line =
    'the app refuses calls, its pool is full: give it more threads (rpc_pool_size), lower rpc_concurrency, or add an app'
  assert.deepEqual(bench.lines, [['warn', line]])
})

for (const failure of [lost, slow, raised, full]) {
  test(`an absence is not logged when a call fails with ${failure.code}, ${failure.outcome}`, async t => {
    const bench = new Bench(t, { commandTimeoutMs: 5 })
    const call = bench.command('s1')
    ;(await bench.next()).fail(failure)
    await assert.rejects(call)
    assert.ok(!bench.lines.some(([, line]) => line.includes('does not answer')), JSON.stringify(bench.lines))
  })
}

test('an absence is logged once when the app cannot be reached at the start', async t => {
  const bench = new Bench(t)
  bench.transport.isReachable = false
  await bench.guard.check()
  await bench.guard.check()
  assert.deepEqual(bench.lines, [['warn', gone]])
  bench.transport.isReachable = true
  await bench.guard.check()
  assert.deepEqual(bench.lines.at(-1), ['info', back])
})

test('one check runs at a time when many ask whether the app is back', async t => {
  const bench = new Bench(t)
  let asked = 0
  bench.transport.problem = () => {
    asked++
    return Promise.resolve(null)
  }
  await Promise.all([bench.guard.check(), bench.guard.check()])
  assert.equal(asked, 1)
})

test('calls fail sooner when the app has been away for a whole budget, and still find it when it is back', async t => {
  const bench = new Bench(t)
  const failedAfter = async (): Promise<number> => {
    const startedAt = performance.now()
    const state = { failed: bench.transport.sids.length, isOver: false }
    void bench.command('s1').catch(() => (state.isOver = true))
    while (!state.isOver) {
      await quiet()
      if (bench.transport.sids.length === state.failed) await bench.pass(10)
      else {
        ;(await bench.next()).fail(absent)
        state.failed++
        await quiet()
      }
    }
    return performance.now() - startedAt
  }
  const first = await failedAfter()
  assert.ok(first >= 700 && first <= 2_010, `the first call failed after ${first} ms`)
  await bench.pass(3_000)
  const second = await failedAfter()
  assert.ok(second <= 1_010, `the next one after ${second} ms`)
  const third = bench.command('s2')
  ;(await bench.next()).fail(absent)
  await quiet()
  await bench.pass(100)
  ;(await bench.next()).succeed()
  await third
})

test('an attempt and a wait have the shorter budget when the app has been away, until a call was sent', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const first = bench.command('s1')
  ;(await bench.next()).fail(mute)
  await assert.rejects(first, mute)
  await bench.pass(3_000)
  const second = bench.command('s2')
  const waiting = bench.command('s3')
  const attempt = await bench.next()
  assert.equal(attempt.deadline, 4_500)
  await bench.pass(1_000)
  await assert.rejects(waiting, rpcError('timeout', 'notRun', /pending for too long/))
  attempt.fail(slow)
  await assert.rejects(second, slow)
  const third = bench.command('s4')
  const sent = await bench.next()
  assert.equal(sent.deadline, 7_000)
  sent.succeed()
  await third
})

const tooLarge = new RpcError('application', 'notRun', 'the call has 2000 bytes', { isLocal: true })
const busy = new RpcError('timeout', 'notRun', 'Deadline exceeded before the call was sent', { isLocal: true })
const closed = new RpcError('unavailable', 'notRun', 'the connection to the app is closed', { isLocal: true })
const stopping = new RpcError('aborted', 'unknown', 'the bridge is stopping')
for (const local of [tooLarge, busy, closed, stopping]) {
  test(`nothing is logged of the app when the bridge ends a call itself: ${local.message}`, async t => {
    const bench = new Bench(t, { commandTimeoutMs: 5 })
    const failWith = async (failure: RpcError) => {
      const call = bench.command('s1')
      ;(await bench.next()).fail(failure)
      await assert.rejects(call, failure)
    }
    await failWith(local)
    assert.deepEqual(bench.lines, [])
    await failWith(absent)
    await failWith(local)
    assert.deepEqual(bench.lines, [['warn', gone]])
  })
}

test('nothing is logged of the app when the transport is closed during the check at the start', async t => {
  const bench = new Bench(t)
  bench.transport.problem = () => Promise.resolve(closed)
  await bench.guard.check()
  assert.deepEqual(bench.lines, [])
})

test('the limit stays fixed when rpc_concurrency is given, whatever the app replies or refuses', async t => {
  const { app, guard } = await openBoth(t, 6)
  let received = 0
  app.always(() => {
    if (++received % 3 === 0) throw new GrpcStatus(status.RESOURCE_EXHAUSTED, 'No free threads in thread pool')
    return { status: 'SUCCESS' }
  })
  const calls = Array.from({ length: 100 }, (_, number) => guard.command(callOf(`s${number}`, 'message'), never))
  await Promise.allSettled(calls)
  assert.equal(guard.capacity, 6)
  assert.ok(app.mostRunning <= 6, `${app.mostRunning} calls were in flight`)
})

test('budgets and backoff follow the monotonic clock when the wall clock is set back', async t => {
  const bench = new Bench(t, { concurrency: 1 })
  const first = bench.command('one')
  const pending = bench.connect('two')
  const attempt = await bench.next()
  bench.setWallClock(-5_000)
  await bench.pass(2_000)
  await assert.rejects(pending, rpcError('timeout', 'notRun', /pending for too long/))
  attempt.fail(absent)
  await assert.rejects(first, absent)
  assert.deepEqual(bench.transport.sids, ['one'])
})

test('abort fails each call: in flight, in the queue, in backoff, and later ones', async t => {
  const bench = new Bench(t, { concurrency: 2 })
  const lostOne = bench.connect('lost')
  const absentOne = bench.command('absent')
  ;(await bench.next()).fail(lost)
  ;(await bench.next()).fail(absent)
  await quiet()
  const inFlight = [bench.command('in flight'), bench.command('in flight')]
  const queued = [bench.command('queued'), bench.disconnect('queued'), bench.connect('queued')]
  await quiet()
  assert.equal(bench.guard.pending, 3)
  bench.guard.abort()
  await quiet()
  assert.equal(bench.guard.pending, 0)
  for (const call of inFlight) await assert.rejects(call, rpcError('aborted', 'unknown', /./))
  for (const call of queued) await assert.rejects(call, rpcError('aborted', 'notRun', /./))
  await assert.rejects(lostOne, rpcError('aborted', 'unknown', /./))
  await assert.rejects(absentOne, rpcError('aborted', 'notRun', /./))
  await assert.rejects(bench.command('later'), rpcError('aborted', 'notRun', /./))
  await bench.pass(10_000)
  assert.deepEqual(bench.transport.sids, ['lost', 'absent', 'in flight', 'in flight'])
  assert.equal(bench.meter.total('rpc_canceled_total'), 8)
  assert.deepEqual(bench.lines, [['warn', gone]])
})

test('the last attempt begins as late as it may when its backoff would end later', async t => {
  const bench = new Bench(t)
  const call = bench.command('s1')
  const first = await bench.next()
  await bench.pass(1_950)
  first.fail(absent)
  await quiet()
  await bench.pass(45)
  const last = await bench.next()
  last.fail(absent)
  await assert.rejects(call, absent)
  assert.equal(bench.transport.sids.length, 2)
})

for (const error of [
  new RpcError('application', 'ran', `no such key: Basic ${btoa('CP1:supersecretkey-42')} (CP1:supersecretkey-42)`),
  new RpcError('unavailable', 'notRun', 'no such key: Basic Q1AyOm90aGVya2V5 (supersecretkey-42)'),
])
  test(`credentials in the app's text are masked for whoever logs the error: ${error.code}`, async t => {
    const bench = new Bench(t)
    const authorization = `Basic ${btoa('CP1:supersecretkey-42')}`
    const call = settled(bench.guard.connect({ sid: 's1', env: { ...env, headers: { authorization } } }, never))
    ;(await bench.transport.attempts.next()).fail(error)
    await bench.pass(20_000)
    for (const attempt of bench.transport.attempts.all) attempt.fail(error)
    const logged = bench.log.lines.map(({ fields }) => String((fields as { error?: Error }).error?.message))
    const ended = await call.catch((end: unknown) => end)
    for (const message of [...logged, String(ended instanceof RpcError && ended.message)])
      assert.equal(message, 'no such key: Basic *** (***)')
  })

test("a tag of the message in the app's text is masked for whoever logs the error", async t => {
  const bench = new Bench(t)
  const data = '{"command":"Authorize","payload":{"idTag":"04A2B3C4"}}'
  const call = bench.guard.command({ ...callOf('s1', 'message'), data }, never)
  ;(await bench.transport.attempts.next()).fail(new RpcError('application', 'ran', 'no such tag: 04a2b3c4'))
  await assert.rejects(call, { name: 'RpcError', message: 'no such tag: ***' })
})

/** [text of the app, what is left of it, because] */
const texts: readonly (readonly [string, string, string])[] = [
  [
    'no session 0123456789abcdef of {"cookie":"a=b; _app=0123456789abcdef"}',
    'no session *** of {"cookie":"a=b; _app=***"}',
    'a cookie',
  ],
  ['; '.repeat(2_000_000), `${'; '.repeat(8_192)}...(3983616)`, 'a text of 4 MB'],
  [`${'x'.repeat(16_380)}supersecretkey-42`, `${'x'.repeat(16_380)}***...(13)`, 'a long text, cut within a key'],
]
for (const [text, shown, because] of texts) {
  test(`${text.slice(0, 20)} is kept as ${shown.slice(0, 20)}: ${because}`, async t => {
    const bench = new Bench(t)
    const headers = { authorization: `Basic ${btoa('CP1:supersecretkey-42')}`, cookie: 'a=b; _app=0123456789abcdef' }
    const call = bench.guard.command({ ...callOf('s1', 'message'), env: { ...env, headers } }, never)
    ;(await bench.transport.attempts.next()).fail(new RpcError('application', 'ran', text))
    await assert.rejects(call, { name: 'RpcError', message: shown })
  })
}
