/**
 * Which keys a command gives a station, and what its answer says of them; `commands.test.ts` has the order of both.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callError, messageId, type Call } from '../../../src/ocpp/frame.ts'
import { jsonText } from '../../../src/ocpp/json.ts'
import { offerKeys, settleKeys } from '../../../src/session/commands/new-keys.ts'
import { Station } from '../../../src/session/station.ts'
import { FakeSocket, FakeWorld, handshakeFor } from '../../support/fakes.ts'

const id = messageId('a')
const setPassword = (...keys: readonly string[]) => ({
  setVariableData: keys.map(attributeValue => ({
    component: { name: 'SecurityCtrlr' },
    variable: { name: 'BasicAuthPassword' },
    attributeValue,
  })),
})

test('a command of 2.0.1 may give several keys; an answer without any result says nothing of them, none withdraws all', async t => {
  const world = new FakeWorld(t)
  const said: unknown[] = []
  world.keys = {
    recall: () => 'right',
    isRandom: () => false,
    isChecking: () => false,
    check: () => Promise.resolve('right'),
    offer: (_, keys) => Promise.resolve(said.push(...keys) > 0 ? null : 'full'),
    onNewKey: (_, { text, isValid }) => said.push(`${text} ${isValid}`),
  }
  const station = new Station(handshakeFor('CP1', { version: 'ocpp2.0.1' }), new FakeSocket(), {}, world)
  const call: Call = { kind: 'call', id, action: 'SetVariables', payload: jsonText(setPassword('one', 'two')) }
  assert.equal(await offerKeys(station, call), null)
  settleKeys(station, call, { kind: 'callResult', id, payload: jsonText({}) })
  assert.deepEqual(said.splice(0), ['one', 'two'])
  settleKeys(station, call, callError(id, 'InternalError', ''))
  settleKeys(station, call, null)
  assert.deepEqual(said, ['one never', 'two never', 'one never', 'two never'])
  assert.equal(offerKeys(station, { ...call, action: 'Reset' }), null)
  world.keys = null
  assert.equal(offerKeys(station, call), null)
})
