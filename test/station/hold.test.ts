import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { RpcError } from '../../src/cable/rpc.ts'
import { messageId, type Call } from '../../src/ocpp/frame.ts'
import { jsonText } from '../../src/ocpp/json.ts'
import { held, holdMs, MemoryHold } from '../../src/station/hold.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { faults, quiet } from '../support/fakes.ts'

/** A run that fails as listed, then gives a reply; and how often it was made. */
function newRun(t: TestContext, ...failures: readonly Error[]) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 })
  const left = [...failures]
  const ending = new AbortController()
  const state = { runs: 0, isNeedless: false }
  const once = (): Promise<string> => {
    state.runs++
    const failure = left.shift()
    return failure === undefined ? Promise.resolve('reply') : Promise.reject(failure)
  }
  const attempts = { until: holdMs, now: () => Date.now(), signal: ending.signal, isNeedless: () => state.isNeedless }
  const run = (): Promise<string> => held(once, attempts)
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 100) {
      t.mock.timers.tick(100)
      await quiet()
    }
  }
  return { run, state, ending, pass }
}

const { absent, lost, slow, raised } = faults

const rows: readonly [string, RpcError[]][] = [
  ['the first reply is the end of it', []],
  ['an app that is not there', [absent, absent]],
  ['a connection lost on the way', [lost, absent]],
  ['no reply in time', [slow, slow]],
]
for (const [because, failures] of rows) {
  test(`it is run until there is a reply: ${because}`, async t => {
    const holding = newRun(t, ...failures)
    const reply = holding.run()
    await holding.pass(10_000)
    assert.equal(await reply, 'reply')
    assert.equal(holding.state.runs, failures.length + 1)
  })
}

test('what has its answer meanwhile is not run again', async t => {
  const holding = newRun(t, slow, slow)
  const end = assert.rejects(holding.run(), slow)
  holding.state.isNeedless = true
  await holding.pass(10_000)
  await end
  assert.equal(holding.state.runs, 1)
})

test('an app that raised is not asked again', async t => {
  const holding = newRun(t, raised)
  await assert.rejects(holding.run(), raised)
  assert.equal(holding.state.runs, 1)
})

test('a fault of our own is not tried again', async t => {
  const holding = newRun(t, new TypeError('bug'))
  await assert.rejects(holding.run(), TypeError)
  assert.equal(holding.state.runs, 1)
})

test('it ends before the station has waited longer than it can be expected to', async t => {
  const holding = newRun(t, ...Array.from({ length: 1_000 }, () => absent))
  let endedAt = -1
  const end = holding.run().catch(() => (endedAt = Date.now()))
  await holding.pass(holdMs)
  await end
  assert.ok(endedAt > holdMs - 2_000 && endedAt <= holdMs, `ended at ${endedAt} ms`)
})

test('the end of the session ends the pause: one more run at most, and its failure is the outcome', async t => {
  const holding = newRun(t, absent, absent, absent)
  const end = assert.rejects(holding.run(), absent)
  await holding.pass(100)
  holding.ending.abort()
  await end
  assert.ok(holding.state.runs <= 2)
})

test('an end before the first failure is not waited past', async t => {
  const holding = newRun(t, slow, slow)
  holding.ending.abort()
  await assert.rejects(holding.run(), slow)
  assert.equal(holding.state.runs, 1)
})

const station = 'CP1' as StationId
const message: Call = { kind: 'call', id: messageId('x'), action: 'MeterValues', payload: jsonText({ v: 1 }) }

/** Tries a message that fails as listed, and then, unless it is to fail at last, gets a reply; which tries it was told. */
async function triesOf(hold: MemoryHold, failures: readonly RpcError[], isAnswered: boolean): Promise<number[]> {
  const held = await hold.put(station, message)
  const told: number[] = []
  for (const failure of isAnswered ? [...failures, null] : failures) {
    const run = (attempt: number): Promise<string> => {
      told.push(attempt)
      return failure === null ? Promise.resolve('reply') : Promise.reject(failure)
    }
    if (failure === null) assert.equal(await held.attempt(run), 'reply')
    else await assert.rejects(held.attempt(run), failure)
  }
  await held.settle(isAnswered)
  return told
}

const tries: readonly [string, readonly RpcError[], readonly number[]][] = [
  ['at once', [], [1]],
  ['an app that was not there has not got it', [absent, absent], [1, 1, 1]],
  ['a connection lost on the way leaves it open', [lost, absent, slow], [1, 2, 2, 3]],
  ['an app that raised has had it', [raised], [1, 2]],
]
for (const [because, failures, attempts] of tries) {
  test(`a message in memory knows which try it is: ${because}`, async () => {
    assert.deepEqual(await triesOf(new MemoryHold(() => 0), failures, true), attempts)
  })
}

test('a message that comes back without an answer goes on counting, for a quarter of an hour', async () => {
  let now = 0
  const hold = new MemoryHold(() => now)
  assert.deepEqual(await triesOf(hold, [lost, absent], false), [1, 2])
  assert.deepEqual(await triesOf(hold, [slow], false), [2])
  now = 14 * 60_000
  assert.deepEqual(await triesOf(hold, [], true), [3])
  assert.deepEqual(await triesOf(hold, [lost], false), [1], 'answered, it is forgotten')
  now = 30 * 60_000
  assert.deepEqual(await triesOf(hold, [], true), [1], 'after its time, too')
})

test('the same id with other content is another message', async () => {
  const hold = new MemoryHold(() => 0)
  await triesOf(hold, [lost], false)
  const other = await hold.put(station, { ...message, payload: jsonText({ v: 2 }) })
  assert.equal(await other.attempt(attempt => Promise.resolve(attempt)), 1)
})
