/**
 * A station on a bare TCP socket: it can send what no client library would, and does nothing by itself.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { noteHeaders } from './secrets.ts'

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** The headers of an upgrade without its subprotocol (RFC 6455 §4.1). */
export const upgradeHeaders = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
] as const

const answerWithinMs = 30_000

export const protocol = (names: string): string => `Sec-WebSocket-Protocol: ${names}`

/** A frame from the bridge (RFC 6455 §5.2). */
export type Frame = { readonly opcode: number; readonly compressed: boolean; readonly payload: Buffer }

export interface Peer {
  /** The head of the response, and its body if it is not an upgrade. */
  readonly head: string
  readonly body: string
  readonly socket: Socket
  /** All frames so far, in order. */
  readonly received: readonly Frame[]
  write(...frames: readonly Buffer[]): void
  /** The next unread frame with this opcode; rejects when the connection ends first. */
  next(opcode: number): Promise<Frame>
}

/** Upgrades; rejects when that is refused. Answers no pings. */
export async function openPeer(port: number, target: string, headers: readonly string[]): Promise<Peer> {
  const peer = await dial(port, [`GET ${target} HTTP/1.1`, 'Host: csms.example', ...upgradeHeaders, ...headers])
  if (!isUpgraded(peer)) throw new Error(peer.head)
  return peer
}

/**
 * Sends a request; resolves when the whole response has arrived.
 *
 * @param lines one character per byte
 * @param rest sent in one packet with the request
 * @param localAddress the address that it connects from
 */
export async function dial(
  port: number,
  lines: readonly string[],
  rest: Buffer = Buffer.alloc(0),
  localAddress = '127.0.0.1',
): Promise<Peer> {
  noteHeaders(Object.fromEntries(lines.slice(1).map(line => line.split(/: (.*)/s, 2))) as Record<string, string>)
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => undefined) // 'close' follows
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), rest]))
  socket.setTimeout(answerWithinMs, () => socket.destroy())
  const { head, more } = await answerOn(socket)
  socket.setTimeout(0)
  if (isUpgraded({ head })) return { head, body: '', socket, ...framesOn(socket, more) }
  socket.destroy()
  return { head, body: more.toString(), socket, ...framesOn(socket) }
}

export function isUpgraded({ head }: { readonly head: string }): boolean {
  return head.startsWith('HTTP/1.1 101 ')
}

/** The response to a request; `more` is what has come after its head. */
function answerOn(socket: Socket): Promise<{ readonly head: string; readonly more: Buffer }> {
  let bytes = Buffer.alloc(0)
  return new Promise((resolve, reject) => {
    const settle = (hasEnded: boolean): void => {
      const end = bytes.indexOf('\r\n\r\n')
      const head = end === -1 ? null : bytes.toString('latin1', 0, end)
      if (head === null) {
        if (hasEnded) reject(new Error('ended before the answer'))
        return
      }
      const more = bytes.subarray(end + 4)
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1])
      if (!isUpgraded({ head }) && !(more.length >= length) && !hasEnded) return
      socket.removeAllListeners('data').off('close', onClose)
      resolve({ head, more })
    }
    const onClose = (): void => settle(true)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      settle(false)
    })
    socket.once('close', onClose)
  })
}

/** The frames on a socket, after the bytes that have already come. */
function framesOn(socket: Socket, first: Buffer = Buffer.alloc(0)): Pick<Peer, 'received' | 'write' | 'next'> {
  let bytes = Buffer.alloc(0)
  const received: Frame[] = []
  const unread: Frame[] = []
  const waiting = new Set<() => void>()
  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    for (let frame = frameIn(bytes); frame !== null; frame = frameIn(bytes)) {
      bytes = bytes.subarray(frame.length)
      received.push(frame)
      unread.push(frame)
    }
    for (const look of waiting) look()
  }
  socket.on('data', read)
  read(first)

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
  return { received, next, write: (...frames) => void socket.write(Buffer.concat(frames)) }
}

/** The next text message; control frames before it are skipped. */
export async function said(peer: Peer): Promise<string> {
  return (await peer.next(opcodes.text)).payload.toString()
}

type FrameOptions = {
  readonly opcode?: number
  readonly fin?: boolean
  readonly compressed?: boolean
  readonly masked?: boolean
}

/** A client's frame, masked with zeros or not at all. */
export function frameOf(
  payload: Buffer | string,
  { opcode = opcodes.text, fin = true, compressed = false, masked = true }: FrameOptions = {},
): Buffer {
  const body = Buffer.from(payload)
  const { length } = body
  // RFC 6455 §5.2: the shortest form.
  const [form, lengthBytes] = length < 126 ? [length, 0] : length < 2 ** 16 ? [126, 2] : [127, 8]
  const header = Buffer.alloc(2 + lengthBytes + (masked ? 4 : 0))
  header[0] = (fin ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode
  header[1] = (masked ? 0x80 : 0) | form
  if (lengthBytes === 2) header.writeUInt16BE(length, 2)
  if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, body])
}

/** A compressed message in one frame. */
export function compressedFrameOf(text: string): Buffer {
  return frameOf(deflated(text), { compressed: true })
}

/** Without the empty block at the end, as in permessage-deflate (RFC 7692 §7.2.1). */
function deflated(text: string): Buffer {
  const body = deflateRawSync(text, { finishFlush: 2 /* Z_SYNC_FLUSH */, level: 9 })
  return body.subarray(0, body.length - 4)
}

/** The bridge's close code. */
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
