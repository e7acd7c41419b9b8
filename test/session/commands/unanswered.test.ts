import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageId, type MessageId } from '../../../src/ocpp/frame.ts'
import { emptyObject, jsonText, parseObject, type JsonText } from '../../../src/ocpp/json.ts'
import { versions } from '../../../src/ocpp/version.ts'
import { UnansweredCommands, type Command } from '../../../src/session/commands/unanswered.ts'
import type { StationId } from '../../../src/translate/handshake.ts'

const row = versions['ocpp2.0.1']
const minuteMs = 60_000
const station = (name: string | number): StationId => `CP${name}` as StationId
const one = station(1)
const reset = (id: string, payload: JsonText = emptyObject): Command => ({
  kind: 'call',
  id: messageId(id),
  action: 'Reset',
  payload,
  asked: null,
  givenAt: 0,
})

function newMemory() {
  const clock = { now: 0 }
  const memory = new UnansweredCommands(() => clock.now)
  const keep = (of: StationId, id: string): void => memory.keep(of, { call: reset(id), sid: `sid of ${id}` }, row)
  return { clock, memory, keep }
}

test('take returns a command once, with the connection that it was sent on', () => {
  const { memory, keep } = newMemory()
  assert.equal(memory.isEmpty, true)
  keep(one, 'a')
  keep(one, 'b')
  assert.equal(memory.isEmpty, false)
  const { call, sid } = memory.take(one, messageId('a')) ?? {}
  assert.deepEqual([call, sid], [reset('a'), 'sid of a'])
  assert.equal(memory.take(one, messageId('a')), null)
  assert.equal(memory.take(station(2), messageId('b')), null, 'of another station')
  assert.equal(memory.size, 1)
  memory.take(one, messageId('b'))
  assert.equal(memory.isEmpty, true)
})

test('take finds a command when the id is a number in one message and a string in the other', () => {
  const { memory, keep } = newMemory()
  keep(one, '7')
  assert.notEqual(memory.take(one, '7' as MessageId), null)
})

test('a command is forgotten after 15 minutes', () => {
  const { clock, memory, keep } = newMemory()
  keep(one, 'old')
  clock.now = 14 * minuteMs
  keep(one, 'new')
  keep(station(2), 'x')
  clock.now = 15 * minuteMs
  assert.equal(memory.take(one, messageId('old')), null)
  assert.notEqual(memory.take(one, messageId('new')), null)
  clock.now = 29 * minuteMs
  assert.equal(memory.take(one, messageId('any')), null)
  assert.equal(memory.isEmpty, true)
})

test('the oldest command of a station is evicted when it has more than 17, and the oldest station when there are more than 5,000', () => {
  const { memory, keep } = newMemory()
  for (let id = 0; id < 18; id++) keep(one, String(id))
  assert.equal(memory.take(one, messageId('0')), null)
  assert.notEqual(memory.take(one, messageId('1')), null)
  for (let name = 2; name <= 5_000; name++) keep(station(name), 'x')
  assert.notEqual(memory.take(one, messageId('2')), null)
  keep(one, 'again')
  keep(station(5_001), 'x')
  assert.equal(memory.take(station(2), messageId('x')), null, 'the station that left first')
  assert.notEqual(memory.take(one, messageId('again')), null)
})

test('a short payload is kept, and a long one is not', () => {
  const { memory } = newMemory()
  const short = jsonText({ key: 'HeartbeatInterval', value: '300' })
  const long = jsonText({ data: 'x'.repeat(3_000) })
  memory.keep(one, { call: reset('short', short), sid: 's' }, row)
  memory.keep(one, { call: reset('long', long), sid: 's' }, row)
  assert.equal(memory.take(one, messageId('short'))?.call.payload, short)
  assert.equal(memory.take(one, messageId('long'))?.call.payload, emptyObject)
})

test('of a long SetVariables, keys and the heartbeat interval are kept, so that a late answer still finds them', () => {
  const { memory } = newMemory()
  const password = { component: { name: 'SecurityCtrlr' }, variable: { name: 'BasicAuthPassword' } }
  const other = { component: { name: 'X' }, variable: { name: 'Y' }, attributeValue: 'x'.repeat(1_000) }
  const command = (...values: readonly string[]) => {
    const set = values.map(attributeValue => ({ ...password, attributeValue, customData: { vendorId: 'V' } }))
    return jsonText({ setVariableData: [other, ...set, other, other] })
  }
  for (const values of [['one', 'x'.repeat(256)], ['x'.repeat(3_000)]]) {
    const id = String(values.length)
    memory.keep(one, { call: { ...reset(id, command(...values)), action: 'SetVariables' }, sid: 's' }, row)
  }
  assert.deepEqual(row.keys.given(parseObject(memory.take(one, messageId('2'))?.call.payload ?? emptyObject)), [
    'one',
    'x'.repeat(256),
  ])
  assert.equal(memory.take(one, messageId('1'))?.call.payload, emptyObject, 'no key is that long')
})
