import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { callError, messageId, type Call } from '../../../src/ocpp/frame.ts'
import { jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { versions, type Version } from '../../../src/ocpp/version.ts'
import { trackedOf, type Tracked } from '../../../src/session/transactions/digest.ts'
import { Transactions } from '../../../src/session/transactions/transactions.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { FakeMemory } from '../../support/fakes.ts'

const one = 'CP1' as StationId
const other = 'CP2' as StationId

function callOf(id: string, payload: object = {}): Call {
  return { kind: 'call', id: messageId(id), action: 'MeterValues', payload: jsonText(payload) }
}

/** A message, of 1.6 if nothing else is said; one without the fields that identify it is known by its id. */
function of(stationId: StationId, call: Call, version: Version = 'ocpp1.6'): Tracked {
  const identity = versions[version].transactionMessages.get(call.action)
  assert.ok(identity)
  return trackedOf(stationId, call, identity)
}

const small = { lifeMs: 1_000, ofStation: { messages: 3, bytes: 10_000 }, bytes: 1_000_000 }

/** Transactions with a clock that the test sets. */
function newTransactions(limits = small) {
  const clock = { now: 0 }
  const transactions = new Transactions(() => clock.now, null, limits)
  /** `answer` records an answered message, `fail` an unanswered one. */
  const answer = (stationId: StationId, call: Call, payload = '{}'): void =>
    transactions.record(of(stationId, call), {
      attempts: 1,
      answer: { kind: 'callResult', id: call.id, payload: payload as JsonText },
    })
  const fail = (stationId: StationId, call: Call, attempts = 1): void =>
    transactions.record(of(stationId, call), { attempts, answer: null })
  const found = (stationId: StationId, ...ids: readonly string[]): boolean[] =>
    ids.map(id => transactions.find(of(stationId, callOf(id))).answer !== null)
  const attempts = (stationId: StationId, ...ids: readonly string[]): number[] =>
    ids.map(id => transactions.find(of(stationId, callOf(id))).attempts)
  return { clock, transactions, answer, fail, found, attempts }
}

test('a station keeps its latest answers, whatever other stations have', () => {
  const { answer, found } = newTransactions()
  for (const id of ['a', 'b', 'c', 'd']) answer(one, callOf(id))
  answer(other, callOf('a'))
  assert.deepEqual(found(one, 'a', 'b', 'c', 'd'), [false, true, true, true])
  assert.deepEqual(found(other, 'a', 'b'), [true, false])
})

test('an answer recorded again becomes the latest', () => {
  const { transactions, answer, found } = newTransactions()
  for (const id of ['a', 'b', 'c', 'a', 'd']) answer(one, callOf(id))
  assert.deepEqual(found(one, 'a', 'b', 'c', 'd'), [true, false, true, true])
  assert.equal(transactions.size, 3)
})

test('answers evict answers before unanswered messages', () => {
  const { answer, fail, found, attempts } = newTransactions()
  fail(one, callOf('doubt'))
  for (const id of ['a', 'b', 'c', 'd']) answer(one, callOf(id))
  assert.deepEqual(attempts(one, 'doubt'), [1])
  assert.deepEqual(found(one, 'a', 'b', 'c', 'd'), [false, false, true, true])
})

test('unanswered messages evict the oldest of them', () => {
  const { fail, attempts } = newTransactions()
  for (const id of ['a', 'b', 'c', 'd']) fail(one, callOf(id))
  assert.deepEqual(attempts(one, 'a', 'b', 'c', 'd'), [0, 1, 1, 1])
})

test('an unanswered message is kept when ten thousand stations get silent answers', () => {
  const { transactions, fail, attempts } = newTransactions({ ...small, bytes: 64 * 1024 * 1024 })
  fail(one, callOf('start'), 2)
  for (let station = 0; station < 10_000; station++)
    transactions.record(of(`S${station}` as StationId, callOf('m')), {
      attempts: 1,
      answer: { kind: 'callResult', id: messageId('m'), payload: jsonText({}) },
    })
  assert.deepEqual(attempts(one, 'start'), [2])
})

test('older answers are evicted when a station exceeds its bytes, and an answer larger than that is not kept', () => {
  const { answer, found } = newTransactions()
  const large = jsonText({ v: 'x'.repeat(6_000) })
  for (const id of ['a', 'b']) answer(one, callOf(id), large)
  assert.deepEqual(found(one, 'a', 'b'), [false, true])
  answer(one, callOf('c'), jsonText({ v: 'x'.repeat(20_000) }))
  assert.deepEqual(found(one, 'b', 'c'), [true, false])
})

test('bytes are counted as UTF-8, not as characters', () => {
  const { answer, found } = newTransactions()
  for (const id of ['a', 'b']) answer(one, callOf(id), jsonText({ v: 'é'.repeat(3_000) }))
  assert.deepEqual(found(one, 'a', 'b'), [false, true])
})

test('the oldest answers of any station are evicted when all stations exceed their bytes', () => {
  const { answer, found } = newTransactions({ ...small, ofStation: { messages: 3, bytes: 11_000 }, bytes: 15_600 })
  const large = jsonText({ v: 'x'.repeat(6_000) })
  answer(one, callOf('a'), large)
  answer(other, callOf('b'), large)
  answer(one, callOf('c'))
  answer(other, callOf('d'), jsonText({ v: 'x'.repeat(3_000) }))
  assert.deepEqual(found(one, 'a', 'c'), [false, true])
  assert.deepEqual(found(other, 'b', 'd'), [true, true])
})

test('a message is forgotten after its lifetime', () => {
  const { clock, transactions, answer, fail, found, attempts } = newTransactions()
  answer(one, callOf('a'))
  clock.now = 600
  fail(other, callOf('b'))
  clock.now = 999
  assert.deepEqual(found(one, 'a'), [true])
  clock.now = 1_000
  assert.deepEqual(found(one, 'a'), [false])
  clock.now = 1_599
  assert.deepEqual(attempts(other, 'b'), [1])
  clock.now = 1_600
  assert.deepEqual(attempts(other, 'b'), [0])
  assert.equal(transactions.size, 0)
})

test('a message replaces another one of its id when content or action differ', () => {
  const { transactions, answer } = newTransactions()
  answer(one, callOf('a', { v: 1 }))
  assert.equal(transactions.find(of(one, callOf('a', { v: 2 }))).answer, null)
  assert.equal(transactions.find(of(one, callOf('a', { v: 2 }))).attempts, 0)
  assert.equal(transactions.find(of(one, { ...callOf('a', { v: 1 }), action: 'StopTransaction' })).answer, null)
  answer(one, callOf('a', { v: 2 }), '{"n":2}')
  assert.equal(transactions.find(of(one, callOf('a', { v: 1 }))).answer, null)
  assert.deepEqual(transactions.find(of(one, callOf('a', { v: 2 }))).answer, { kind: 'callResult', payload: '{"n":2}' })
  assert.equal(transactions.size, 1)
})

test('a CALLERROR of the app is kept with its code and description', () => {
  const { transactions } = newTransactions()
  const call = callOf('a')
  transactions.record(of(one, call), { attempts: 1, answer: callError(call.id, 'GenericError', 'no') })
  const kept = { kind: 'callError', code: 'GenericError', description: 'no', details: '{}' }
  assert.deepEqual(transactions.find(of(one, call)).answer, kept)
})

test('a message is unchanged when an attempt cannot have reached the app', () => {
  const { fail, attempts } = newTransactions()
  fail(one, callOf('a'), 2)
  fail(one, callOf('a'), 0)
  assert.deepEqual(attempts(one, 'a'), [2])
})

test('ten thousand stations keep eight answers each', () => {
  const transactions = new Transactions(() => 0)
  const stations = Array.from({ length: 10_000 }, (_, at) => `CP${at}` as StationId)
  for (let round = 0; round < 9; round++) {
    for (const station of stations) {
      const call = callOf(`3f2504e0-4f89-41d3-9a0c-0305e82c${round}301`)
      transactions.record(of(station, call), {
        attempts: 1,
        answer: { kind: 'callResult', id: call.id, payload: jsonText({}) },
      })
    }
  }
  assert.equal(transactions.size, 80_000)
})

test('a kept answer does not keep its whole message in memory', () => {
  const transactions = new Transactions(() => 0)
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
  const before = process.memoryUsage().heapUsed
  for (let at = 0; at < 50; at++) {
    const message = `[3,"3f2504e0-4f89-41d3-9a0c-${at}",{"more":"${'x'.repeat(20)}"},"${String(at).repeat(500_000)}"]`
    const id = message.slice(3, 31 + String(at).length) as Call['id']
    const payload = message.slice(message.indexOf('{'), message.indexOf('}') + 1) as JsonText
    const call = { kind: 'call', id, action: 'MeterValues', payload } as const
    transactions.record(of(`CP${at}` as StationId, call), { attempts: 1, answer: { kind: 'callResult', id, payload } })
  }
  gc()
  assert.ok(process.memoryUsage().heapUsed - before < 2_000_000, 'not the messages, of half a megabyte or more each')
  assert.equal(transactions.size, 50)
})

test('an answer too large to keep leaves the number of attempts', () => {
  const { answer, found, attempts } = newTransactions()
  answer(one, callOf('a'), jsonText({ v: 'x'.repeat(20_000) }))
  assert.deepEqual([found(one, 'a'), attempts(one, 'a')], [[false], [1]])
})

const start = { connectorId: 1, idTag: 'A', meterStart: 5, timestamp: '2026-01-02T03:04:05Z' }
const stop = { transactionId: 7, meterStop: 9, timestamp: '2026-01-02T04:04:05Z' }
const call = (id: string, action: string, payload: object): Call => ({ ...callOf(id, payload), action })
const answer = (call: Call, payload: object) => ({
  attempts: 1,
  answer: { kind: 'callResult', id: call.id, payload: jsonText(payload) } as const,
})

/** A start that was answered with the transactionId 7. */
function started() {
  const transactions = new Transactions(() => 0)
  const first = call('1', 'StartTransaction', start)
  transactions.record(of(one, first), answer(first, { idTagInfo: { status: 'Accepted' }, transactionId: 7 }))
  const isKnown = (again: Call): boolean => transactions.find(of(one, again)).answer !== null
  return { transactions, isKnown }
}

test('an answered start is kept for the next process, and dropped with its transaction', () => {
  const memory = new FakeMemory()
  const transactions = new Transactions(() => 0, memory)
  const first = call('1', 'StartTransaction', start)
  const refused = call('2', 'StartTransaction', { ...start, idTag: 'B' })
  const values = call('3', 'MeterValues', { connectorId: 1, transactionId: 7, meterValue: [] })
  const last = call('4', 'StopTransaction', stop)
  transactions.record(of(one, first), { attempts: 1, answer: null })
  transactions.record(of(one, first), answer(first, { transactionId: 7 }))
  transactions.record(of(one, refused), { attempts: 1, answer: callError(refused.id, 'FormatViolation', 'no') })
  transactions.record(of(one, values), answer(values, {}))
  transactions.record(of(one, last), answer(last, {}))
  const keyed = (message: Call) => {
    const { stationId, key, content } = of(one, message)
    return { stationId, key, content }
  }
  assert.deepEqual(memory.kept, [
    { ...keyed(first), answer: { kind: 'callResult', payload: '{"transactionId":7}' } },
    { ...keyed(refused), answer: { kind: 'callError', code: 'FormatViolation', description: 'no', details: '{}' } },
    [one, 'ended', '7'],
  ])
})

test('a start that the last process has answered gets the same answer, unless its transaction has ended', () => {
  const first = call('1', 'StartTransaction', start)
  const { stationId, key, content } = of(one, first)
  const kept = { kind: 'callResult', payload: '{"transactionId":7}' as JsonText } as const
  const memory = new FakeMemory({ starts: [{ stationId, key, content, answer: kept }] })
  const transactions = new Transactions(() => 0, memory)
  assert.deepEqual(transactions.find(of(one, call('5', 'StartTransaction', start))).answer, kept)
  assert.equal(transactions.find(of(other, first)).answer, null)
  assert.deepEqual(memory.kept, [])
  const last = call('6', 'StopTransaction', stop)
  transactions.record(of(one, last), answer(last, {}))
  assert.equal(transactions.find(of(one, first)).answer, null)
})

test('a start that the last process has left is known when it is opened late, and no newer answer is replaced', t => {
  const kept = { kind: 'callResult', payload: '{"transactionId":7}' as JsonText } as const
  const [first, second] = [
    call('1', 'StartTransaction', start),
    call('2', 'StartTransaction', { ...start, meterStart: 9 }),
  ]
  const memory = new FakeMemory({ starts: [first, second].map(each => ({ ...of(one, each), answer: kept })) })
  let open = (): void => undefined
  t.mock.method(memory, 'onOpened', (listener: () => void) => (open = listener))
  const transactions = new Transactions(() => 0, memory)
  transactions.record(of(one, second), answer(second, { transactionId: 8 }))
  assert.equal(transactions.find(of(one, first)).answer, null)
  open()
  assert.deepEqual(transactions.find(of(one, first)).answer, kept)
  assert.deepEqual(transactions.find(of(one, second)).answer, { kind: 'callResult', payload: '{"transactionId":8}' })
  assert.equal(memory.kept.length, 1)
})

test('an answer that the last process has left counts when this one has had an attempt without an answer', t => {
  const kept = { kind: 'callResult', payload: '{"transactionId":7}' as JsonText } as const
  const repeated = of(one, call('1', 'StartTransaction', start))
  const memory = new FakeMemory({ starts: [{ ...repeated, answer: kept }] })
  let open = (): void => undefined
  t.mock.method(memory, 'onOpened', (listener: () => void) => (open = listener))
  const transactions = new Transactions(() => 0, memory)
  transactions.record(repeated, { attempts: 1, answer: null })
  open()
  const { attempts, answer } = transactions.find(repeated)
  assert.deepEqual([attempts, answer], [2, kept])
})

test('a message under a new id is the same message when its content is the same', () => {
  const { isKnown } = started()
  assert.equal(isKnown(call('2', 'StartTransaction', start)), true)
  assert.equal(isKnown(call('2', 'StartTransaction', { ...start, reservationId: 3 })), false)
})

test('a message under a new id is another message when the clock of its station was never set', () => {
  const { transactions, isKnown } = started()
  const unset = { ...start, timestamp: '1970-01-01T00:00:05Z' }
  const first = call('1', 'StartTransaction', unset)
  transactions.record(of(one, first), answer(first, { transactionId: 8 }))
  assert.deepEqual([call('1', 'StartTransaction', unset), call('2', 'StartTransaction', unset)].map(isKnown), [
    true,
    false,
  ])
})

/** The stop, whether the start is still known, and why. */
const stops: readonly (readonly [object, boolean, string])[] = [
  [stop, false, 'the same start after the stop is another transaction'],
  [{ ...stop, transactionId: 6 }, true, 'it is the stop of another transaction'],
  [{ ...stop, transactionId: -1 }, true, 'the stop has no id'],
  [{ meterStop: 9 }, true, 'the stop names no transaction'],
]
for (const [payload, expected, because] of stops) {
  test(`a start is ${expected ? 'replayed' : 'not replayed'} after a stop, whatever its id: ${because}`, () => {
    const { transactions, isKnown } = started()
    const stopping = call('3', 'StopTransaction', payload)
    transactions.record(of(one, stopping), answer(stopping, {}))
    assert.deepEqual([call('1', 'StartTransaction', start), call('2', 'StartTransaction', start)].map(isKnown), [
      expected,
      expected,
    ])
    assert.equal(isKnown(call('4', 'StopTransaction', payload)), 'timestamp' in payload)
  })
}

const meterValue = [{ timestamp: '2026-01-02T03:30:00Z', sampledValue: [{ value: '5' }] }]

/** [a message that was answered, whether it is still known after the stop of transaction 7, because] */
const before: readonly (readonly [Call, boolean, string])[] = [
  [call('2', 'MeterValues', { connectorId: 1, transactionId: 7, meterValue }), false, 'it is of that transaction'],
  [call('2', 'MeterValues', { connectorId: 1, transactionId: 8, meterValue }), true, 'it is of another transaction'],
  [call('2', 'MeterValues', { connectorId: 1, meterValue }), true, 'it is of no transaction'],
  [call('2', 'StopTransaction', { ...stop, meterStop: 8 }), true, 'the end itself may be retried'],
]
for (const [message, expected, because] of before) {
  test(`${message.action} ${message.payload.slice(0, 40)} is ${expected ? 'replayed' : 'not replayed'} after a stop: ${because}`, () => {
    const { transactions, isKnown } = started()
    transactions.record(of(one, message), answer(message, {}))
    const stopping = call('3', 'StopTransaction', stop)
    transactions.record(of(one, stopping), answer(stopping, {}))
    assert.equal(isKnown(message), expected)
  })
}

test('the events of a 2.x transaction are not replayed after its end, whose retry is', () => {
  const memory = new FakeMemory()
  const transactions = new Transactions(() => 0, memory)
  const event = (eventType: string, seqNo: number, transactionId: string): Tracked => {
    const payload = { eventType, seqNo, timestamp: start.timestamp, transactionInfo: { transactionId } }
    return of(one, call('1', 'TransactionEvent', payload), 'ocpp2.0.1')
  }
  const [begins, updates, ends] = [event('Started', 0, 'T'), event('Updated', 1, 'T'), event('Ended', 2, 'T')]
  const other = event('Started', 0, 'U')
  const isKnown = (tracked: Tracked): boolean => transactions.find(tracked).answer !== null
  for (const tracked of [begins, updates, other]) transactions.record(tracked, answer(callOf('1'), {}))
  assert.deepEqual([begins, updates, other].map(isKnown), [true, true, true])
  transactions.record(ends, answer(callOf('1'), {}))
  assert.deepEqual([begins, updates, other, ends].map(isKnown), [false, false, true, true])
  assert.deepEqual(memory.kept, [], 'only starts of 1.6 outlive the process')
})

test('an unanswered message of a transaction keeps its attempts after the end', () => {
  const { transactions } = started()
  const values = of(one, call('2', 'MeterValues', { connectorId: 1, transactionId: 7, meterValue }))
  transactions.record(values, { attempts: 2, answer: null })
  const stopping = call('3', 'StopTransaction', stop)
  transactions.record(of(one, stopping), answer(stopping, {}))
  assert.equal(transactions.find(values).attempts, 2)
})
