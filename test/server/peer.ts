/**
 * A station on a bare TCP socket: it sends what no client library would, and leaves undone what every one does.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { deflateRawSync } from 'node:zlib'

export const opcodes = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const

/** A frame of the other side (RFC 6455 §5.2). */
export type Frame = { readonly opcode: number; readonly compressed: boolean; readonly payload: Buffer }

export interface Peer {
  /** The answer to the upgrade. */
  readonly head: string
  readonly socket: Socket
  write(...frames: readonly Buffer[]): void
  /** The next frame of its kind that nobody has read yet; rejects where the connection ends before. */
  next(opcode: number): Promise<Frame>
}

/** Upgrades; rejects where that is refused. It answers no ping by itself. */
export async function openPeer(port: number, target: string, headers: readonly string[]): Promise<Peer> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined) // 'close' follows
  socket.write(
    [
      `GET ${target} HTTP/1.1`,
      'Host: csms.example',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
      '\r\n',
    ].join('\r\n'),
  )
  let bytes = Buffer.alloc(0)
  const unread: Frame[] = []
  const waiting = new Set<() => void>()
  const head = await new Promise<string>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf('\r\n\r\n')
      if (end === -1) return
      socket.removeAllListeners('data')
      const text = bytes.subarray(0, end).toString()
      bytes = bytes.subarray(end + 4)
      if (text.startsWith('HTTP/1.1 101 ')) resolve(text)
      else reject(new Error(text))
    })
    socket.once('close', () => reject(new Error('ended before the upgrade')))
  })
  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    for (let frame = frameIn(bytes); frame !== null; frame = frameIn(bytes)) {
      bytes = bytes.subarray(frame.length)
      unread.push(frame)
    }
    for (const look of waiting) look()
  }
  socket.on('data', read)
  read(Buffer.alloc(0))

  const next = (opcode: number): Promise<Frame> =>
    new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        waiting.delete(look)
        socket.off('close', onClose)
        how()
      }
      const look = (): void => {
        const at = unread.findIndex(frame => frame.opcode === opcode)
        const [frame] = at === -1 ? [] : unread.splice(at, 1)
        if (frame !== undefined) settle(() => resolve(frame))
      }
      const onClose = (): void => settle(() => reject(new Error(`the connection ended without a frame ${opcode}`)))
      waiting.add(look)
      socket.once('close', onClose)
      if (socket.destroyed) onClose()
      look()
    })
  return { head, socket, next, write: (...frames) => void socket.write(Buffer.concat(frames)) }
}

/** A client's frame, masked with nothing. */
export function frameOf(payload: Buffer | string, { opcode = 1, fin = true, compressed = false } = {}): Buffer {
  const body = Buffer.from(payload)
  const isShort = body.length < 126
  const header = Buffer.alloc(isShort ? 6 : 14)
  header[0] = (fin ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode
  header[1] = 0x80 | (isShort ? body.length : 127)
  if (!isShort) header.writeBigUInt64BE(BigInt(body.length), 2)
  return Buffer.concat([header, body])
}

/** A whole message, compressed by itself. */
export function compressedFrameOf(text: string): Buffer {
  return frameOf(deflated(text), { compressed: true })
}

/** As permessage-deflate has it: without the empty block at the end (RFC 7692 §7.2.1). */
function deflated(text: string): Buffer {
  const body = deflateRawSync(text, { finishFlush: 2 /* Z_SYNC_FLUSH */, level: 9 })
  return body.subarray(0, body.length - 4)
}

/** The code with which the other side closes. */
export async function closeCode(peer: Peer): Promise<number> {
  const { payload } = await peer.next(opcodes.close)
  return payload.readUInt16BE(0)
}

export async function ended({ socket }: Peer): Promise<void> {
  if (!socket.destroyed) await once(socket, 'close')
}

function frameIn(bytes: Buffer): (Frame & { readonly length: number }) | null {
  if (bytes.length < 2) return null
  const [first = 0, second = 0] = bytes
  assert.ok(second < 0x80, 'a server masks nothing')
  const start = second === 127 ? 10 : second === 126 ? 4 : 2
  if (bytes.length < start) return null
  const size = second === 127 ? Number(bytes.readBigUInt64BE(2)) : second === 126 ? bytes.readUInt16BE(2) : second
  const length = start + size
  if (bytes.length < length) return null
  return { opcode: first & 15, compressed: (first & 0x40) !== 0, payload: bytes.subarray(start, length), length }
}
