import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Output } from '../../src/http2/output.ts'
import { framesOf, turn, types } from './server.ts'

function setUp() {
  const writes: Buffer[] = []
  const wire = {
    takesMore: true,
    write: (bytes: Buffer) => wire.takesMore && writes.push(bytes) > 0,
    end: () => undefined,
    destroy: () => undefined,
  }
  const output = new Output(wire)
  const frames = () => framesOf(Buffer.concat(writes).subarray(24))
  return { wire, output, writes, frames }
}

test('Output writes the frames of a turn at once, after the preface of the first turn', async () => {
  const { output, writes, frames } = setUp()
  output.frame(types.ping, 1, 0, Buffer.alloc(8, 7))
  output.frame(types.data, 0, 2 ** 31 - 1, Buffer.of(1))
  assert.equal(writes.length, 0)
  await turn()
  output.frame(types.data, 1, 3, Buffer.of())
  await turn()
  assert.equal(writes.length, 2)
  assert.deepEqual(frames(), [
    { type: types.ping, flags: 1, id: 0, payload: Buffer.alloc(8, 7) },
    { type: types.data, flags: 0, id: 2 ** 31 - 1, payload: Buffer.of(1) },
    { type: types.data, flags: 1, id: 3, payload: Buffer.of() },
  ])
})

test('Output never changes bytes that it has written, however much follows', async () => {
  const { output, frames } = setUp()
  const payloads = Array.from({ length: 200 }, (_, index) => Buffer.alloc((index * 977) % 40_000, index))
  for (const [index, payload] of payloads.entries()) {
    output.frame(types.data, 0, 1, payload)
    if (index % 3 === 0) await turn()
  }
  await turn()
  assert.deepEqual(
    frames().map(({ payload }) => payload),
    payloads,
  )
})

test('Output is blocked when the socket takes no more, and knows the last HEADERS that it has written', async () => {
  const { wire, output } = setUp()
  output.frame(types.headers, 4, 1, Buffer.of())
  await turn()
  output.frame(types.headers, 4, 3, Buffer.of())
  output.frame(types.data, 0, 1, Buffer.of())
  assert.deepEqual([output.writtenId, output.isBlocked], [1, false])
  wire.takesMore = false
  output.flush()
  assert.deepEqual([output.writtenId, output.isBlocked], [3, true])
})
