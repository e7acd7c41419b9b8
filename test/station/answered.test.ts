import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { messageId, type Call } from '../../src/ocpp/frame.ts'
import { jsonText, type JsonText } from '../../src/ocpp/json.ts'
import { AnsweredCalls } from '../../src/station/answered.ts'
import type { StationId } from '../../src/translate/handshake.ts'

const one = 'CP1' as StationId
const other = 'CP2' as StationId

function callOf(id: string, payload: object = {}): Call {
  return { kind: 'call', id: messageId(id), action: 'MeterValues', payload: jsonText(payload) }
}

function resultOf(id: string, payload = '{}') {
  return { kind: 'callResult', id: messageId(id), payload: payload as JsonText } as const
}

const small = { lifeMs: 1_000, ofStation: { entries: 3, bytes: 10_000 }, bytes: 1_000_000 }

/** Whether each of these was found. */
function found(answers: AnsweredCalls, stationId: StationId, ids: readonly string[], now = 0): boolean[] {
  return ids.map(id => answers.find(stationId, callOf(id), now) !== null)
}

test('a station keeps its latest answers, whatever the others have', () => {
  const answers = new AnsweredCalls(small)
  for (const id of ['a', 'b', 'c', 'd']) answers.store(one, callOf(id), resultOf(id), 0)
  answers.store(other, callOf('a'), resultOf('a'), 0)
  assert.deepEqual(found(answers, one, ['a', 'b', 'c', 'd']), [false, true, true, true])
  assert.deepEqual(found(answers, other, ['a', 'b']), [true, false])
})

test('an answer that is stored again is the latest', () => {
  const answers = new AnsweredCalls(small)
  for (const id of ['a', 'b', 'c', 'a', 'd']) answers.store(one, callOf(id), resultOf(id), 0)
  assert.deepEqual(found(answers, one, ['a', 'b', 'c', 'd']), [true, false, true, true])
  assert.equal(answers.size, 3)
})

test('the bytes of a station are bounded: older answers go, and one that is too large is not kept', () => {
  const answers = new AnsweredCalls(small)
  const large = jsonText({ v: 'x'.repeat(6_000) })
  for (const id of ['a', 'b']) answers.store(one, callOf(id), resultOf(id, large), 0)
  assert.deepEqual(found(answers, one, ['a', 'b']), [false, true])
  answers.store(one, callOf('c'), resultOf('c', jsonText({ v: 'x'.repeat(20_000) })), 0)
  assert.deepEqual(found(answers, one, ['b', 'c']), [true, false])
})

test('the bytes of all stations are bounded: the oldest answers go, whoever has them', () => {
  const answers = new AnsweredCalls({ ...small, bytes: 15_000 })
  const large = jsonText({ v: 'x'.repeat(6_000) })
  answers.store(one, callOf('a'), resultOf('a', large), 0)
  answers.store(other, callOf('b'), resultOf('b', large), 0)
  answers.store(one, callOf('c'), resultOf('c'), 0)
  answers.store(other, callOf('d'), resultOf('d', jsonText({ v: 'x'.repeat(3_000) })), 0)
  assert.deepEqual(found(answers, one, ['a', 'c']), [false, true])
  assert.deepEqual(found(answers, other, ['b', 'd']), [true, true])
})

test('an answer lives its time, and leaves nothing behind', () => {
  const answers = new AnsweredCalls(small)
  answers.store(one, callOf('a'), resultOf('a'), 0)
  answers.store(other, callOf('b'), resultOf('b'), 600)
  assert.deepEqual(found(answers, one, ['a'], 999), [true])
  assert.deepEqual(found(answers, one, ['a'], 1_000), [false])
  assert.deepEqual(found(answers, other, ['b'], 1_599), [true])
  assert.deepEqual(found(answers, other, ['b'], 1_600), [false])
  assert.equal(answers.size, 0)
})

test('the same id with other content, or another action, is not found, and takes the place', () => {
  const answers = new AnsweredCalls(small)
  answers.store(one, callOf('a', { v: 1 }), resultOf('a'), 0)
  assert.equal(answers.find(one, callOf('a', { v: 2 }), 0), null)
  assert.equal(answers.find(one, { ...callOf('a', { v: 1 }), action: 'StopTransaction' }, 0), null)
  answers.store(one, callOf('a', { v: 2 }), resultOf('a', '{"n":2}'), 0)
  assert.equal(answers.find(one, callOf('a', { v: 1 }), 0), null)
  assert.deepEqual(answers.find(one, callOf('a', { v: 2 }), 0), { kind: 'callResult', payload: '{"n":2}' })
  assert.equal(answers.size, 1)
})

test('ten thousand stations keep eight answers each, for their time', () => {
  const answers = new AnsweredCalls()
  const stations = Array.from({ length: 10_000 }, (_, at) => `CP${at}` as StationId)
  for (let turn = 0; turn < 9; turn++) {
    for (const station of stations)
      answers.store(station, callOf(`3f2504e0-4f89-41d3-9a0c-0305e82c${turn}301`), resultOf('x'), 0)
  }
  assert.equal(answers.size, 80_000)
})

test('what is kept keeps no message alive', () => {
  const answers = new AnsweredCalls()
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
  const before = process.memoryUsage().heapUsed
  for (let at = 0; at < 50; at++) {
    const message = `[3,"3f2504e0-4f89-41d3-9a0c-${at}",{"more":"${'x'.repeat(20)}"},"${String(at).repeat(500_000)}"]`
    const id = message.slice(3, 31 + String(at).length) as Call['id']
    const payload = message.slice(message.indexOf('{'), message.indexOf('}') + 1) as JsonText
    const call = { kind: 'call', id, action: 'MeterValues', payload } as const
    answers.store(one, call, { kind: 'callResult', id, payload }, at * 10_000)
  }
  gc()
  assert.ok(process.memoryUsage().heapUsed - before < 2_000_000, 'not the messages, of half a megabyte or more each')
  assert.ok(answers.size > 0, 'and they are there')
})
