import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '../../../src/server/proxy/crc32c.ts'

/** RFC 3720 §B.4, and the check value of the CRC catalogue. */
const rows = [
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e],
  ['the digits 1 to 9', Buffer.from('123456789'), 0xe3069283],
] as const
for (const [name, bytes, expected] of rows) {
  test(`crc32c returns 0x${expected.toString(16)} for ${name}`, () => {
    assert.equal(crc32c(bytes), expected)
  })
}
