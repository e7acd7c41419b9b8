/**
 * What leaves to stations, on streams that count their writes; `socket.test.ts` has the same on real connections.
 */
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Outgoing, textFrame } from '../../../src/server/websocket/outgoing.ts'
import { FakeMeter } from '../../support/fakes.ts'

type Chunk = { readonly chunk: string }

/** A connection that notes each write; with `takes: false` it takes nothing in. */
function connection(takes = true) {
  const writes: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      writes.push(chunk)
      if (takes) done()
    },
    writev: (chunks: Chunk[], done) => {
      writes.push(chunks.map(({ chunk }) => chunk).join(''))
      if (takes) done()
    },
  })
  return { stream, writes }
}

function open(maxPendingSize = 0) {
  const watched = new Set<string>()
  const meter = new FakeMeter()
  return { outgoing: new Outgoing({ maxPendingSize }, meter, watched), meter, watched }
}

test('the messages of one turn to one station leave in one write, in their order, when the turn ends', async () => {
  const { outgoing, meter } = open()
  const [one, other] = [connection(), connection()]
  for (const text of ['a', 'b']) outgoing.send(one.stream, 'one', text, null)
  outgoing.send(other.stream, 'other', 'c', null)
  await Promise.resolve()
  outgoing.send(one.stream, 'one', 'd', null)
  assert.deepEqual([one.writes, other.writes], [[], []])
  await setImmediate()
  assert.deepEqual([one.writes, other.writes], [['\x81\x01a\x81\x01b\x81\x01d'], ['\x81\x01c']])
  outgoing.send(one.stream, 'one', 'e', null)
  await setImmediate()
  assert.deepEqual(one.writes.slice(1), ['\x81\x01e'])
  assert.equal(meter.total('data_sent_total'), 5)
})

test('what ends a connection leaves behind the messages of its turn, at once', () => {
  const { outgoing } = open()
  const { stream, writes } = connection()
  outgoing.send(stream, 'one', 'a', null)
  stream.write('close')
  stream.end()
  assert.deepEqual(writes, ['\x81\x01aclose'])
})

test('a station whose messages are not taken at once is watched, and is too slow beyond the pending size', async () => {
  const { outgoing, watched } = open(10)
  const [slow, fast] = [connection(false), connection()]
  assert.equal(outgoing.send(slow.stream, 'slow', 'x'.repeat(20), null), true)
  for (let at = 0; at < 5; at++) assert.equal(outgoing.send(fast.stream, 'fast', 'x'.repeat(20), null), true)
  await setImmediate()
  assert.deepEqual([...watched], ['slow'])
  assert.equal(outgoing.send(slow.stream, 'slow', 'y', null), false)
})

test('a message goes through what compresses it', async () => {
  const { outgoing } = open()
  const { stream, writes } = connection()
  outgoing.send(stream, 'one', 'a', { send: text => stream.write(`deflated ${text}`) })
  await setImmediate()
  assert.deepEqual(writes, ['deflated a'])
})

/** [text, the frame's head in hex, because] */
const frames: readonly (readonly [string, string, string])[] = [
  ['', '8100', 'an empty message'],
  ['x'.repeat(125), '817d', 'the longest with one byte for its length'],
  ['x'.repeat(126), '817e007e', 'the shortest with two more'],
  ['x'.repeat(65_535), '817effff', 'the longest with two more'],
  ['x'.repeat(65_536), '817f0000000000010000', 'the shortest with eight more'],
  ['é', '8102', 'bytes count, not characters'],
  ['€'.repeat(42), '817e007e', 'characters beyond Latin-1'],
  ['\ud83d\udd0c', '8104', 'a pair of surrogates'],
  ['\ud83d', '8103', 'half a pair becomes U+FFFD, as everywhere in Node'],
]
for (const [text, head, because] of frames) {
  test(`a message of ${text.length} characters is framed as ${head}: ${because}`, () => {
    const expected = Buffer.concat([Buffer.from(head, 'hex'), Buffer.from(text)])
    assert.ok(Buffer.from(textFrame(text, Buffer.byteLength(text)), 'latin1').equals(expected))
  })
}
