import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageId } from '../../../src/ocpp/frame.ts'
import { originOf, ownId } from '../../../src/session/commands/own.ts'

const own = ownId('0b9f4c1e-6a57-4c1d-8f0e-2f6d5f1c9a77')

test('the id of a command of the bridge has the 36 characters that OCPP allows', () => {
  assert.equal((JSON.parse(own) as string).length, 36)
})

const asked = { timeoutMs: 1_000, notify: false, onEnd: () => undefined }
const rows = [
  [{ id: messageId('a'), asked: null }, null, 'the app has given it'],
  [{ id: own, asked: null }, 'bridge', 'it has an id of the bridge'],
  [{ id: messageId('a'), asked }, 'admin', 'an operator waits for it'],
] as const
for (const [command, origin, because] of rows) {
  test(`the origin of a command is ${origin}: ${because}`, () => assert.equal(originOf(command), origin))
}
