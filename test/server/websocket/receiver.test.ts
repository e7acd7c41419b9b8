/**
 * What is read from inside `ws`, on real connections: a release that changes its fields fails here.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer, type WebSocket } from 'ws'
import { deflate } from '../../../src/server/websocket/compression.ts'
import {
  ignoreRest,
  isCompressed,
  limitMessages,
  parseAtOnce,
  parseInTurn,
  unfinishedBytes,
} from '../../../src/server/websocket/receiver.ts'
import { closeCode, compressedFrameOf, frameOf, openPeer, opcodes } from '../../support/peer.ts'
import { holdTurns } from '../../support/turns.ts'

const offer = 'Sec-WebSocket-Extensions: permessage-deflate'

async function connected(t: TestContext, headers: readonly string[] = []) {
  const options = { perMessageDeflate: deflate, allowSynchronousEvents: false }
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options })
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  await once(server, 'listening')
  const opened = once(server, 'connection') as Promise<[WebSocket]>
  const peer = await openPeer((server.address() as AddressInfo).port, '/', headers)
  const [ws] = await opened
  ws.on('error', () => undefined)
  return { peer, ws }
}

const begun = frameOf('x'.repeat(1_000), { fin: false })

test('the bytes of a message in progress are counted, and none once it is whole', { timeout: 10_000 }, async t => {
  const { peer, ws } = await connected(t)
  assert.equal(unfinishedBytes(ws), null)
  peer.write(begun, frameOf('x'.repeat(500), { fin: false, opcode: opcodes.continuation }).subarray(0, 300))
  while ((unfinishedBytes(ws) ?? 0) < 1_250) await sleep(5)
  const whole = once(ws, 'message')
  peer.write(frameOf('x'.repeat(500), { fin: false, opcode: opcodes.continuation }).subarray(300))
  peer.write(frameOf('', { opcode: opcodes.continuation }))
  await whole
  while (unfinishedBytes(ws) !== null) await sleep(5)
})

test('fragments are counted inflated', { timeout: 10_000 }, async t => {
  const { peer, ws } = await connected(t, [offer])
  assert.equal(isCompressed(ws), true)
  const frame = compressedFrameOf('x'.repeat(50_000))
  frame[0] = (frame[0] ?? 0) & 0x7f
  peer.write(frame)
  while ((unfinishedBytes(ws) ?? 0) < 40_000) await sleep(5)
})

for (const [what, headers, bytes, code] of [
  ['bytes', [], frameOf('x'.repeat(2_001)), 1009],
  ['inflated bytes', [offer], compressedFrameOf('x'.repeat(2_001)), 1009],
  ['fragments', [], Buffer.concat([begun, frameOf('x', { fin: false, opcode: opcodes.continuation })]), 1008],
] as const) {
  test(`limits on a message's ${what} hold for one connection`, { timeout: 10_000 }, async t => {
    const { peer, ws } = await connected(t, headers)
    limitMessages(ws, { bytes: 2_000, fragments: 1 })
    peer.write(bytes)
    assert.equal(await closeCode(peer), code)
  })
}

test('what comes after the rest is ignored reaches nobody', { timeout: 10_000 }, async t => {
  const { peer, ws } = await connected(t)
  const received: string[] = []
  ws.on('message', (data: Buffer) => received.push(data.toString()))
  peer.write(frameOf('first'))
  while (received.length === 0) await sleep(5)
  ignoreRest(ws)
  peer.write(frameOf('second'))
  ws.close(1008)
  assert.equal(await closeCode(peer), 1008)
  ws.terminate()
  await once(ws, 'close')
  assert.deepEqual(received, ['first'])
})

test('ignoreRest keeps nothing of an unfinished message', { timeout: 10_000 }, async t => {
  const { peer, ws } = await connected(t)
  peer.write(frameOf('x'.repeat(1_000), { fin: false }))
  peer.write(frameOf('y'.repeat(1_000), { opcode: opcodes.continuation, fin: false }))
  while ((unfinishedBytes(ws) ?? 0) < 2_000) await sleep(5)
  ignoreRest(ws)
  assert.equal(unfinishedBytes(ws), 0)
})

test('each frame is parsed in its turn, and counts as unfinished until then', { timeout: 10_000 }, async t => {
  const { peer, ws } = await connected(t)
  const { turnstile, waiting } = holdTurns()
  const received: string[] = []
  ws.on('message', (data: Buffer) => received.push(data.toString()))
  parseInTurn(ws, turnstile)
  const [first, second] = [frameOf('first'), frameOf('second')]
  peer.write(Buffer.concat([first, second]))
  while (waiting.length === 0) await sleep(5)
  const part = 200
  assert.deepEqual([received, unfinishedBytes(ws)], [[], first.length + second.length + part])
  for (const frames of [['first'], ['first', 'second']]) {
    waiting.shift()?.()
    while (waiting.length === 0) await sleep(5)
    assert.deepEqual(received, frames)
  }
  waiting.shift()?.()
  assert.deepEqual([waiting, unfinishedBytes(ws)], [[], null])
})

test('what waits for its turn comes before what is parsed at once', { timeout: 10_000 }, async t => {
  const { peer, ws } = await connected(t)
  const { turnstile, waiting } = holdTurns()
  const received: string[] = []
  ws.on('message', (data: Buffer) => received.push(data.toString()))
  parseInTurn(ws, turnstile)
  peer.write(frameOf('first'))
  while (waiting.length === 0) await sleep(5)
  parseAtOnce(ws)
  peer.write(frameOf('second'))
  waiting.shift()?.()
  while (received.length < 2) await sleep(5)
  assert.deepEqual([received, waiting], [['first', 'second'], []])
})

for (const bytes of [0, 125, 126, 40_000]) {
  test(`a message of ${bytes} bytes that is read alone is handed on in the same turn`, { timeout: 10_000 }, async t => {
    const { peer, read } = await reader(t)
    peer.write(frameOf('x'.repeat(bytes)))
    assert.deepEqual(await read(1), [{ length: bytes, isReading: true }])
  })
}

test(
  'of several frames that are read together, each is handed on in a turn of its own',
  { timeout: 10_000 },
  async t => {
    const { peer, read, turns } = await reader(t)
    peer.write(Buffer.concat([frameOf('a'), frameOf('bc', { opcode: opcodes.ping }), frameOf('def')]))
    const frames = await read(3)
    assert.deepEqual(
      frames,
      [1, 2, 3].map(length => ({ length, isReading: false })),
    )
    assert.equal(new Set(turns).size, 3)
  },
)

test('frames that come one by one in the same turn are handed on in turns, too', { timeout: 10_000 }, async t => {
  const { frames, read, turns, receive } = await reader(t)
  // As TLS does for each of its records.
  const lengths = Array.from({ length: 20 }, (_, length) => length)
  for (const length of lengths) receive(frameOf('x'.repeat(length)))
  assert.equal(frames.length, 1)
  assert.deepEqual(
    (await read(20)).map(({ length }) => length),
    lengths,
  )
  for (const turn of turns) assert.ok(turns.filter(each => each === turn).length <= 2)
})

test(
  'a frame that is read in parts, and one read with the end of another, wait for a turn',
  { timeout: 10_000 },
  async t => {
    const { peer, read } = await reader(t)
    const frame = frameOf('long enough')
    peer.write(frame.subarray(0, 9))
    await sleep(50)
    peer.write(Buffer.concat([frame.subarray(9), frameOf('next')]))
    assert.deepEqual(await read(2), [
      { length: 11, isReading: false },
      { length: 4, isReading: false },
    ])
  },
)

/** What is handed on of a station that is accepted, in which turn, and whether while the socket is read. */
async function reader(t: TestContext) {
  const { peer, ws } = await connected(t)
  const { _socket: socket } = ws as unknown as { readonly _socket: Socket }
  let turn = 0
  let next = setImmediate(function pass() {
    turn++
    next = setImmediate(pass)
  })
  t.after(() => clearImmediate(next))
  let isReading = false
  socket.prependListener('data', () => (isReading = true))
  socket.on('data', () => (isReading = false))
  const frames: { readonly length: number; readonly isReading: boolean }[] = []
  const turns: number[] = []
  const onFrame = ({ length }: Buffer): void => {
    turns.push(turn)
    frames.push({ length, isReading })
  }
  ws.on('message', onFrame).on('ping', onFrame)
  parseAtOnce(ws)
  const read = async (count: number): Promise<typeof frames> => {
    while (frames.length < count) await sleep(5)
    return frames
  }
  const receive = (chunk: Buffer): boolean => socket.emit('data', chunk)
  return { peer, frames, read, turns, receive }
}
