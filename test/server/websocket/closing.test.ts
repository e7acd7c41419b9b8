import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeCodeFor, closeReason } from '../../../src/server/websocket/closing.ts'

const codes = [
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009, 'a message longer than the limit'],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008, 'a message in too many fragments'],
  ['WS_ERR_INVALID_UTF8', 1007, 'text that is not UTF-8'],
  ['Z_DATA_ERROR', 1007, 'data that cannot be inflated'],
  ['ECONNRESET', 1006, 'the connection is gone: no close frame was sent'],
  ['WS_ERR_INVALID_OPCODE', 1002, 'any other violation of the protocol'],
  [undefined, 1002, 'an error without a code'],
] as const
for (const [code, expected, because] of codes) {
  test(`an error with the code ${code} closes with ${expected}: ${because}`, () => {
    assert.equal(closeCodeFor(code === undefined ? {} : { code }), expected)
  })
}

const reasons = [
  ['Not authorized', 'Not authorized', 'a short reason'],
  ['a'.repeat(200), 'a'.repeat(123), 'a control frame has room for 123 bytes beside the code'],
  ['é'.repeat(100), 'é'.repeat(61), 'bytes count, and a character is not split'],
  [`${'a'.repeat(121)}😀`, 'a'.repeat(121), 'a character of two code units is not split'],
] as const
for (const [reason, expected, because] of reasons) {
  test(`a close reason is cut to ${Buffer.byteLength(expected)} bytes: ${because}`, () => {
    assert.equal(closeReason(reason), expected)
  })
}
