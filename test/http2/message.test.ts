/** What is read of fields; which are malformed is in `rules.test.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headOf } from '../../src/http2/message.ts'

test('headOf has the status and the content-length of a response', () => {
  const fields = [
    [':status', '204'],
    ['content-length', '12'],
    ['a', 'x y\t\xff'],
  ] as const
  assert.deepEqual(headOf(fields), { problem: null, status: 204, contentLength: 12, fields })
})

test('headOf has the status 0 for trailers, and no length when there is none', () => {
  assert.deepEqual(headOf([['a', '']]), { problem: null, status: 0, contentLength: null, fields: [['a', '']] })
  assert.deepEqual(headOf([]), { problem: null, status: 0, contentLength: null, fields: [] })
})

test('headOf names the problem of fields that are too many, or malformed', () => {
  assert.match(headOf(null).problem ?? '', /larger than this client accepts/)
  assert.match(
    headOf([
      ['content-length', '1'],
      ['content-length', '1'],
    ]).problem ?? '',
    /content-length/,
  )
  assert.match(headOf([['upgrade', 'h2c']]).problem ?? '', /upgrade is not for HTTP\/2/)
})
