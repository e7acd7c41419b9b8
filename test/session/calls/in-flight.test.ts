import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageId, type Call } from '../../../src/ocpp/frame.ts'
import { jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { versions, type Version } from '../../../src/ocpp/version.ts'
import { InFlight } from '../../../src/session/calls/in-flight.ts'

function callOf(id: string | number, payload: object = {}, action = 'Authorize'): Call {
  const idText = typeof id === 'number' ? (jsonText(id) as Call['id']) : messageId(id)
  return { kind: 'call', id: idText, action, payload: jsonText(payload) }
}

function newInFlight(version: Version = 'ocpp1.6'): InFlight {
  return new InFlight(versions[version])
}

type Admitted = ReturnType<InFlight['admit']>
const first = callOf('a', { idTag: 'A' })
const seconds: readonly (readonly [second: Call, expected: Admitted, because: string])[] = [
  [callOf('a', { idTag: 'A' }), 'repeated', 'id, action and payload are the same'],
  [callOf('a', { idTag: 'B' }), 'superseding', 'the payload differs'],
  [callOf('a', { idTag: 'A' }, 'DataTransfer'), 'superseding', 'the action differs'],
  [{ ...first, payload: '{ "idTag":"A"}' as JsonText }, 'superseding', 'payloads compare by their text'],
  [{ ...first, id: '"\\u0061"' as Call['id'] }, 'repeated', 'ids compare by value, not by their text'],
  [callOf('b', { idTag: 'A' }), 'new', 'the id differs'],
]
for (const [second, expected, because] of seconds) {
  test(`a CALL ${second.id} ${second.action} ${second.payload} behind an unanswered one is ${expected}: ${because}`, () => {
    const inFlight = newInFlight()
    assert.equal(inFlight.admit(first), 'new')
    assert.equal(inFlight.admit(second), expected)
  })
}

test('a CALL with the id 7 repeats one with the id "7"', () => {
  const inFlight = newInFlight()
  inFlight.admit(callOf('7'))
  assert.equal(inFlight.admit(callOf(7)), 'repeated')
})

test('a CALL is new again when the first one has been answered', () => {
  const inFlight = newInFlight()
  inFlight.admit(first)
  assert.equal(inFlight.done(first), true)
  assert.equal(inFlight.admit(callOf('a', { idTag: 'A' })), 'new')
})

test('done reports that nobody awaits the answer when another CALL has superseded the first one', () => {
  const inFlight = newInFlight()
  const other = callOf('a', { idTag: 'B' })
  inFlight.admit(first)
  inFlight.admit(other)
  assert.equal(inFlight.done(first), false)
  assert.equal(inFlight.done(other), true, 'the superseding CALL is still in flight')
})

test('done reports that nobody awaits the answer when the CALL has been answered before', () => {
  const inFlight = newInFlight()
  inFlight.admit(first)
  inFlight.done(first)
  assert.equal(inFlight.done(first), false)
})

const remembers: readonly (readonly [Version, string | null, string])[] = [
  ['ocpp1.6', null, '1.6 has no CALLRESULTERROR'],
  ['ocpp2.0.1', null, 'nor has 2.0.1'],
  ['ocpp2.1', 'Authorize', 'a CALLRESULTERROR may follow'],
]
for (const [version, expected, because] of remembers) {
  test(`${version} finds the action ${String(expected)} of an answered CALL: ${because}`, () => {
    const inFlight = newInFlight(version)
    inFlight.admit(first)
    inFlight.done(first)
    assert.equal(inFlight.takeAnswered(first.id), expected)
  })
}

test('the action of an answered CALL is found once', () => {
  const inFlight = newInFlight('ocpp2.1')
  inFlight.admit(first)
  inFlight.done(first)
  assert.equal(inFlight.takeAnswered(messageId('a')), 'Authorize')
  assert.equal(inFlight.takeAnswered(messageId('a')), null)
})

test('the action of a CALL is not found when its answer was not sent', () => {
  const inFlight = newInFlight('ocpp2.1')
  inFlight.admit(first)
  assert.equal(inFlight.takeAnswered(first.id), null, 'in flight')
  inFlight.admit(callOf('a', { idTag: 'B' }, 'DataTransfer'))
  inFlight.done(first)
  assert.equal(inFlight.takeAnswered(first.id), null, 'superseded')
})

test('only the latest answered CALLs are remembered', () => {
  const inFlight = newInFlight('ocpp2.1')
  for (let at = 0; at < 1_000; at++) {
    const call = callOf(String(at))
    inFlight.admit(call)
    inFlight.done(call)
  }
  const found = Array.from({ length: 1_000 }, (_, at) => inFlight.takeAnswered(messageId(String(at))) !== null)
  assert.equal(found.at(-1), true)
  assert.ok(found.filter(Boolean).length < 20, 'a CALLRESULTERROR directly follows its CALLRESULT')
})
