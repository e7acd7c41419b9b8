/** How the negotiated parameters look on the wire is in `socket.test.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { deflate, mayCompress, type Compression } from '../../../src/server/websocket/compression.ts'
import { allVersions } from '../../ocpp/schemas.ts'

const rows: readonly (readonly [Compression, readonly string[], string])[] = [
  ['auto', ['ocpp2.0.1', 'ocpp2.1'], 'the versions that require it of a CSMS'],
  ['on', allVersions, 'every version'],
  ['off', [], 'no version'],
]
for (const [compression, expected, because] of rows) {
  test(`${compression} compresses with ${expected.join(', ') || 'none'}: ${because}`, () => {
    assert.deepEqual(
      allVersions.filter(version => mayCompress(compression, version)),
      expected,
    )
  })
}

test('a message that the parameters compress is read by a client with the smallest window that they allow', () => {
  const message = Buffer.from(JSON.stringify(Array.from({ length: 500 }, (_, n) => ({ n, unit: 'Wh' }))))
  const windowBits = deflate.serverMaxWindowBits
  const compressed = deflateRawSync(message, { ...deflate.zlibDeflateOptions, windowBits })
  assert.ok(message.length > deflate.threshold && compressed.length < message.length / 4)
  assert.deepEqual(inflateRawSync(compressed, { ...deflate.zlibInflateOptions, windowBits }), message)
})
