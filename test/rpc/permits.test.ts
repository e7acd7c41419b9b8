import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Permits, type Lane } from '../../src/rpc/permits.ts'
import { rpcError } from '../contract/rpc.ts'
import { quiet } from '../support/fakes.ts'
import { never } from './calls.ts'

/** Permits that are all taken, with a line of callers of which it is known who got a turn. */
class Line {
  limit = 1
  readonly admitted: string[] = []
  readonly permits = new Permits(() => this.limit)
  readonly #t: TestContext

  constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: 0 })
    this.#t = t
    this.permits.take()
  }

  wait(name: string, lane: Lane, { signal = never, until = 3_000 } = {}): Promise<void> {
    const turn = this.permits.turn(lane, signal, () => until).then(() => void this.admitted.push(name))
    turn.catch(() => undefined)
    return turn
  }

  async release(): Promise<void> {
    this.permits.release()
    await quiet()
  }

  async pass(ms: number): Promise<void> {
    this.#t.mock.timers.tick(ms)
    await quiet()
  }
}

test('there are as many permits as the limit says, and again after each release', () => {
  const permits = new Permits(() => 2)
  assert.deepEqual([permits.take(), permits.take(), permits.take()], [true, true, false])
  permits.release()
  assert.deepEqual([permits.take(), permits.take()], [true, false])
})

test('a limit that went up is filled at the next release: connected stations, then who left, then new ones', async t => {
  const line = new Line(t)
  for (const [name, lane] of [
    ['new 1', 'new'],
    ['leaving 1', 'leaving'],
    ['connected 1', 'connected'],
    ['connected 2', 'connected'],
    ['new 2', 'new'],
  ] as const)
    void line.wait(name, lane)
  line.limit = 4
  await line.release()
  assert.deepEqual(line.admitted, ['connected 1', 'connected 2', 'leaving 1', 'new 1'])
  assert.equal(line.permits.waiting, 1)
})

test('a limit that went down admits nobody until so many have ended', async t => {
  const line = new Line(t)
  line.limit = 3
  assert.deepEqual([line.permits.take(), line.permits.take()], [true, true])
  void line.wait('one', 'connected')
  line.limit = 1
  await line.release()
  await line.release()
  assert.deepEqual(line.admitted, [])
  await line.release()
  assert.deepEqual(line.admitted, ['one'])
})

test('whose session has ended is passed over, though nobody has looked yet', async t => {
  const line = new Line(t)
  const session = new AbortController()
  const ended = line.wait('ended', 'connected', { signal: session.signal })
  void line.wait('new', 'new')
  session.abort()
  await line.release()
  await assert.rejects(ended, rpcError('aborted', 'notRun', /session/))
  assert.deepEqual(line.admitted, ['new'])
})

test('whose time is over is passed over, though nobody has looked yet', async t => {
  const line = new Line(t)
  const late = line.wait('late', 'connected', { until: 10 })
  void line.wait('new', 'new')
  await line.pass(10)
  await line.release()
  await assert.rejects(late, rpcError('timeout', 'notRun', /turn/))
  assert.deepEqual(line.admitted, ['new'])
})

test('who need not wait any longer is told within 50 ms, wherever in the line', async t => {
  const line = new Line(t)
  const session = new AbortController()
  void line.wait('first', 'connected')
  const late = line.wait('late', 'connected', { until: 120 })
  const ended = line.wait('ended', 'new', { signal: session.signal })
  const left = line.wait('left', 'leaving', { until: 120 })
  void line.wait('last', 'new')
  await line.pass(100)
  assert.equal(line.permits.waiting, 5)
  session.abort()
  await line.pass(50)
  await assert.rejects(late, rpcError('timeout', 'notRun', /turn/))
  await assert.rejects(left, rpcError('timeout', 'notRun', /turn/))
  await assert.rejects(ended, rpcError('aborted', 'notRun', /session/))
  assert.equal(line.permits.waiting, 2)
})

test('how long one waits is asked again: who may wait longer by then does, who may not is told', async t => {
  const line = new Line(t)
  const ends = { longer: 100, shorter: 1_000 }
  const longer = line.permits.turn('connected', never, () => ends.longer)
  const shorter = assert.rejects(
    line.permits.turn('connected', never, () => ends.shorter),
    rpcError('timeout', 'notRun', /turn/),
  )
  ends.longer = 1_000
  ends.shorter = 100
  await line.pass(150)
  await shorter
  await line.release()
  await longer
})

test('of many whose time is over at once, a few are told in a turn of the event loop, in their order', async t => {
  const line = new Line(t)
  const told: number[] = []
  for (let number = 0; number < 100; number++)
    void line.wait(String(number), 'new', { until: 100 }).catch(() => told.push(number))
  t.mock.timers.tick(100)
  const perTurn: number[] = []
  for (let before = 0; told.length < 100; before = told.length) {
    await new Promise(setImmediate)
    perTurn.push(told.length - before)
  }
  assert.ok(Math.max(...perTurn) <= 20, `in each turn: ${perTurn.join(', ')}`)
  assert.deepEqual(
    told,
    [...told].sort((one, other) => one - other),
  )
})

test('one more than 10,000 in a lane is told so at once; the other lane has room', async t => {
  const line = new Line(t)
  for (let number = 0; number < 10_000; number++) void line.wait('storm', 'new')
  await assert.rejects(line.wait('one too many', 'new'), rpcError('exhausted', 'notRun', /too many calls wait/))
  void line.wait('connected', 'connected')
  await line.release()
  assert.deepEqual(line.admitted, ['connected'])
  assert.equal(line.permits.waiting, 10_000)
})

test('10,000 who wait have one timer, and an empty line has none', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length
  const before = timers()
  const permits = new Permits(() => 1)
  permits.take()
  const turns = Array.from({ length: 10_000 }, () => permits.turn('new', never, () => Infinity))
  assert.equal(timers(), before + 1)
  for (const turn of turns) {
    permits.release()
    await turn
  }
  assert.equal(timers(), before)
})
