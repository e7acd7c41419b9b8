import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { RpcError } from '../../../src/cable/rpc.ts'
import { Permits, type Priority } from '../../../src/rpc/guard/permits.ts'
import { rpcError } from '../../contract/rpc.ts'
import { Clock } from '../../support/clock.ts'
import { quiet } from '../../support/fakes.ts'
import { never } from '../calls.ts'

const presence = { onQueueTimeout: () => undefined }

/** One permit, which is taken, and a queue of calls. */
class Queue {
  readonly permits = new Permits(1, presence)
  readonly admitted: string[] = []
  readonly #clock: Clock

  constructor(t: TestContext) {
    this.#clock = new Clock(t)
    this.permits.take()
  }

  wait(name: string, priority: Priority, { signal = never, deadline = 3_000 } = {}): Promise<void> {
    const admitted = this.permits.wait(priority, signal, () => deadline).then(() => void this.admitted.push(name))
    admitted.catch(() => undefined)
    return admitted
  }

  async release(): Promise<void> {
    this.permits.release()
    await quiet()
  }

  async pass(ms: number): Promise<void> {
    this.#clock.tick(ms)
    await quiet()
  }

  setWallClock(byMs: number): void {
    this.#clock.setWallClock(byMs)
  }
}

const tooLong = rpcError('timeout', 'notRun', /pending for too long/)
const sessionEnded = rpcError('aborted', 'notRun', /session/)

test('permits are as many as the limit, and free again when released', () => {
  const permits = new Permits(2, presence)
  assert.deepEqual([permits.take(), permits.take(), permits.take()], [true, true, false])
  permits.release()
  assert.deepEqual([permits.take(), permits.take()], [true, false])
})

test('release admits calls by priority when the limit has risen', async t => {
  const queue = new Queue(t)
  for (const [name, priority] of [
    ['new 1', 'new'],
    ['leaving 1', 'leaving'],
    ['connected 1', 'connected'],
    ['connected 2', 'connected'],
    ['new 2', 'new'],
  ] as const)
    void queue.wait(name, priority)
  queue.permits.limit = 4
  await queue.release()
  assert.deepEqual(queue.admitted, ['connected 1', 'connected 2', 'leaving 1', 'new 1'])
  assert.equal(queue.permits.pending, 1)
})

test('while connected stations always wait, every eighth permit goes to one that leaves and to one that is new, in turns', async t => {
  const queue = new Queue(t)
  for (let at = 1; at <= 30; at++) void queue.wait('c', 'connected')
  for (const [name, priority] of [
    ['new 1', 'new'],
    ['leaving 1', 'leaving'],
    ['leaving 2', 'leaving'],
    ['leaving 3', 'leaving'],
    ['new 2', 'new'],
  ] as const)
    void queue.wait(name, priority)
  for (let at = 1; at <= 45; at++) await queue.release()
  const places = queue.admitted.flatMap((name, at) => (name === 'c' ? [] : [`${at + 1} ${name}`]))
  assert.deepEqual(places, ['8 leaving 1', '16 new 1', '24 leaving 2', '32 new 2', '35 leaving 3'])
})

test('stations that come back go before new ones, and every eighth Connect is that of a new one', async t => {
  const queue = new Queue(t)
  for (let at = 0; at < 20; at++) void queue.wait('new', 'new')
  for (let at = 0; at < 20; at++) void queue.wait('returning', 'returning')
  for (let at = 0; at < 24; at++) await queue.release()
  const isNew = queue.admitted.flatMap((name, at) => (name === 'new' ? [at] : []))
  assert.deepEqual(isNew, [7, 15, 22, 23])
})

test('release admits no call when more are in flight than a limit that has fallen', async t => {
  const queue = new Queue(t)
  queue.permits.limit = 3
  assert.deepEqual([queue.permits.take(), queue.permits.take()], [true, true])
  void queue.wait('one', 'connected')
  queue.permits.limit = 1
  await queue.release()
  await queue.release()
  assert.deepEqual(queue.admitted, [])
  await queue.release()
  assert.deepEqual(queue.admitted, ['one'])
})

test('release skips a call when its session has ended', async t => {
  const queue = new Queue(t)
  const session = new AbortController()
  const ended = queue.wait('ended', 'connected', { signal: session.signal })
  void queue.wait('new', 'new')
  session.abort()
  await queue.release()
  await assert.rejects(ended, sessionEnded)
  assert.deepEqual(queue.admitted, ['new'])
})

test('release skips a call when its deadline has passed', async t => {
  const queue = new Queue(t)
  const late = queue.wait('late', 'connected', { deadline: 10 })
  void queue.wait('new', 'new')
  await queue.pass(10)
  await queue.release()
  await assert.rejects(late, tooLong)
  assert.deepEqual(queue.admitted, ['new'])
})

test('wait rejects within 50 ms when the deadline passes or the session ends, at any place in the queue', async t => {
  const queue = new Queue(t)
  const session = new AbortController()
  void queue.wait('first', 'connected')
  const late = queue.wait('late', 'connected', { deadline: 120 })
  const ended = queue.wait('ended', 'new', { signal: session.signal })
  const left = queue.wait('left', 'leaving', { deadline: 120 })
  void queue.wait('last', 'new')
  await queue.pass(100)
  assert.equal(queue.permits.pending, 5)
  session.abort()
  await queue.pass(50)
  await assert.rejects(late, tooLong)
  await assert.rejects(left, tooLong)
  await assert.rejects(ended, sessionEnded)
  assert.equal(queue.permits.pending, 2)
})

test('wait rejects at its deadline when the wall clock is set back', async t => {
  const queue = new Queue(t)
  const late = queue.wait('late', 'connected', { deadline: 300 })
  queue.setWallClock(-5_000)
  await queue.pass(300)
  assert.equal(queue.permits.pending, 0)
  await assert.rejects(late, tooLong)
})

test('wait follows its deadline when that changes', async t => {
  const queue = new Queue(t)
  const deadlines = { longer: 100, shorter: 1_000 }
  const longer = queue.permits.wait('connected', never, () => deadlines.longer)
  const shorter = assert.rejects(
    queue.permits.wait('connected', never, () => deadlines.shorter),
    tooLong,
  )
  deadlines.longer = 1_000
  deadlines.shorter = 100
  await queue.pass(150)
  await shorter
  await queue.release()
  await longer
})

test('expired calls are rejected 20 in a turn of the event loop, in order, when many expire at once', async t => {
  const queue = new Queue(t)
  const rejected: number[] = []
  for (let number = 0; number < 100; number++)
    void queue.wait(String(number), 'new', { deadline: 100 }).catch(() => rejected.push(number))
  const passed = queue.pass(100)
  const perTurn: number[] = []
  for (let before = 0; rejected.length < 100; before = rejected.length) {
    await new Promise(setImmediate)
    perTurn.push(rejected.length - before)
  }
  await passed
  assert.ok(Math.max(...perTurn) <= 20, `in each turn: ${perTurn.join(', ')}`)
  assert.deepEqual(
    rejected,
    [...rejected].sort((one, other) => one - other),
  )
})

test('wait rejects at once when 10,000 calls of its priority wait; another priority has room', async t => {
  const queue = new Queue(t)
  for (let number = 0; number < 10_000; number++) void queue.wait('storm', 'new')
  await assert.rejects(queue.wait('one too many', 'new'), rpcError('exhausted', 'notRun', /too many calls/))
  void queue.wait('connected', 'connected')
  await queue.release()
  assert.deepEqual(queue.admitted, ['connected'])
  assert.equal(queue.permits.pending, 10_000)
})

test('abort rejects every call at once: those that wait, and those that have expired', async t => {
  const queue = new Queue(t)
  const ends: string[] = []
  const note = (name: string) => (error: unknown) => ends.push(`${name} ${(error as RpcError).code}`)
  for (let number = 0; number < 21; number++)
    void queue.wait('expired', 'new', { deadline: 100 }).catch(note('expired'))
  void queue.wait('waiting', 'leaving').catch(note('waiting'))
  const passed = queue.pass(100)
  queue.permits.abort()
  await Promise.resolve().then(() => undefined)
  assert.equal(ends.length, 22)
  assert.deepEqual([ends[0], ends.at(-1)], ['expired timeout', 'waiting aborted'])
  assert.equal(queue.permits.pending, 0)
  await passed
  await queue.release()
  assert.deepEqual(queue.admitted, [])
})

test('the queue has one timer when 10,000 calls wait, and none when it is empty', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length
  const before = timers()
  const permits = new Permits(1, presence)
  permits.take()
  const waiting = Array.from({ length: 10_000 }, () => permits.wait('new', never, () => Infinity))
  assert.equal(timers(), before + 1)
  for (const admitted of waiting) {
    permits.release()
    await admitted
  }
  assert.equal(timers(), before)
})
