import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fragments } from '../../src/http2/fragments.ts'
import { endHeaders, endStream, types } from './server.ts'

const { continuation, data } = types

test('Fragments has the block when END_HEADERS comes, with the flags of HEADERS that matter', () => {
  const fragments = new Fragments(10)
  fragments.start(5, endStream | 8, Buffer.of(1, 2))
  assert.equal(fragments.isPending, true)
  assert.equal(fragments.add(continuation, 0, 5, Buffer.of(3)), null)
  const whole = fragments.add(continuation, endHeaders, 5, Buffer.of(4))
  assert.deepEqual(whole, { id: 5, flags: endHeaders | endStream, block: Buffer.of(1, 2, 3, 4) })
  assert.equal(fragments.isPending, false)
  fragments.start(7, 0, Buffer.of(9))
  assert.deepEqual(fragments.add(continuation, endHeaders, 7, Buffer.of())?.block, Buffer.of(9))
})

/** [type, stream, bytes, message, because] */
const wrong = [
  [data, 5, 1, /another frame/, 'another type'],
  [continuation, 7, 1, /another frame/, 'another stream'],
  [continuation, 5, 9, /without an end/, 'above the limit of 10 bytes'],
] as const
for (const [type, id, bytes, message, because] of wrong) {
  test(`Fragments throws ${message.source} when the next frame is wrong: ${because}`, () => {
    const fragments = new Fragments(10)
    fragments.start(5, 0, Buffer.of(1, 2))
    assert.throws(() => fragments.add(type, 0, id, Buffer.alloc(bytes)), message)
  })
}
