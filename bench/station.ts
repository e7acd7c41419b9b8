/**
 * A Charging Station's end of a WebSocket, with as little work for each message as possible, so that the machine is
 * left to the measured server: frames are built and compressed once, and only their message id changes.
 *
 * Spec: RFC 6455 §5; permessage-deflate by RFC 7692 §7, without context takeover.
 */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'

/** Not zeros: `ws` skips unmasking for those, and no real station uses them. */
const mask = [0x37, 0xfa, 0x21, 0x3d] as const
const idStart = '00000000-0000-4000-8000-'
const idDigits = 12
/** The place of the message id in a text for `frameOf`. */
export const idPlace = idStart + '0'.repeat(idDigits)

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 }
/** RSV1, beside the opcode: the message is compressed. */
const compressed = 0x40
/** The empty block at the end of each message, which is not sent (RFC 7692 §7.2.1). */
const flushed = Buffer.from([0, 0, 0xff, 0xff])
const flushing = { finishFlush: constants.Z_SYNC_FLUSH }

export type MessageFrame = { readonly bytes: Buffer; readonly idAt: number }

/** A masked frame; if `text` has an `idPlace`, each call writes its own id there. A deflated text must have one. */
export function frameOf(text: string, isDeflated = false): MessageFrame {
  const payload = isDeflated ? deflated(Buffer.from(text)) : Buffer.from(text)
  const bytes = masked(isDeflated ? opcodes.text | compressed : opcodes.text, payload)
  return { bytes, idAt: bytes.length - payload.length + payload.indexOf(idPlace) + idStart.length }
}

export class Station {
  /** Whether permessage-deflate was negotiated. */
  readonly isCompressing: boolean
  readonly #socket: Socket
  #rest: Buffer | null = null
  #lastId = 0
  #needle = ''
  #onFound: ((payload: Buffer) => void) | null = null
  #onLost: (error: Error) => void = () => undefined

  /** Upgrades by hand. Rejects unless the status is 101. */
  static async open(url: string, subprotocol: string, offersCompression: boolean): Promise<Station> {
    const { hostname, port, pathname } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.setNoDelay(true)
    await once(socket, 'connect')
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
        (offersCompression ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : '') +
        `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    )
    let bytes = Buffer.alloc(0)
    while (!bytes.includes('\r\n\r\n')) bytes = Buffer.concat([bytes, ((await once(socket, 'data')) as [Buffer])[0]])
    const headEnd = bytes.indexOf('\r\n\r\n') + 4
    const head = bytes.toString('latin1', 0, headEnd)
    const extension = /^Sec-WebSocket-Extensions: (.*)$/im.exec(head)?.[1]
    const canRead = extension === undefined || extension.includes('server_no_context_takeover')
    if (!head.startsWith('HTTP/1.1 101') || !canRead) throw new Error(head)
    return new Station(socket, extension !== undefined, bytes.subarray(headEnd))
  }

  private constructor(socket: Socket, isCompressing: boolean, first: Buffer) {
    this.isCompressing = isCompressing
    this.#socket = socket
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', () => undefined)
    socket.once('close', () => this.#onLost(new Error('the server closed a connection')))
    // A server may send a greeting at once; the caller must be able to wait for it first.
    if (first.length > 0) setImmediate(() => this.#read(first))
  }

  /** Sends a frame with a new id, and resolves with the message that has the same id in it; a CALLERROR rejects. */
  async call({ bytes, idAt }: MessageFrame): Promise<void> {
    const digits = String(++this.#lastId).padStart(idDigits, '0')
    const maskAt = idAt - (bytes.length < 126 + 6 ? 6 : 8)
    for (let at = 0; at < idDigits; at++)
      bytes[idAt + at] = digits.charCodeAt(at) ^ mask[((maskAt + at) & 3) as 0 | 1 | 2 | 3]
    const answer = this.next(idStart + digits)
    this.#socket.write(bytes)
    const payload = await answer
    if (payload[0] === 0x5b && payload[1] === 0x34) throw new Error(`a CALLERROR: ${payload.toString()}`)
  }

  send({ bytes }: MessageFrame): void {
    this.#socket.write(bytes)
  }

  /** The next message that contains `needle`; others are skipped. */
  next(needle: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#needle = needle
      this.#onFound = resolve
      this.#onLost = reject
    })
  }

  close(): void {
    this.#onLost = () => undefined
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk])
    for (let frame = firstFrame(bytes); frame !== null; frame = firstFrame(bytes)) {
      const payload = bytes.subarray(frame.from, frame.to)
      this.#onFrame(frame.opcode, frame.isDeflated ? inflated(payload) : payload)
      bytes = bytes.subarray(frame.to)
    }
    this.#rest = bytes.length > 0 ? bytes : null
  }

  #onFrame(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) this.#socket.write(masked(opcodes.pong, payload))
    else if (opcode === opcodes.close) this.#onLost(new Error(`closed: ${payload.subarray(2).toString()}`))
    else if (this.#onFound !== null && payload.includes(this.#needle, 0, 'latin1')) {
      const found = this.#onFound
      this.#onFound = null
      found(payload)
    }
  }
}

/** The bounds of the first frame's payload, if it is complete; servers' frames are not masked. */
function firstFrame(bytes: Buffer): { opcode: number; isDeflated: boolean; from: number; to: number } | null {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return null
  if (second === 127) throw new Error('a message of more than 64 KiB')
  const from = second === 126 ? 4 : 2
  if (bytes.length < from) return null
  const to = from + (second === 126 ? bytes.readUInt16BE(2) : second)
  return bytes.length < to ? null : { opcode: first & 0x0f, isDeflated: (first & compressed) !== 0, from, to }
}

/** A stored block (RFC 1951 §3.2.4) up to the end of the message id, so that the id can still be changed. */
function deflated(text: Buffer): Buffer {
  const length = text.indexOf(idPlace) + idPlace.length
  const head = Buffer.from([0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff])
  const rest = deflateRawSync(text.subarray(length), flushing)
  return Buffer.concat([head, text.subarray(0, length), rest.subarray(0, -flushed.length)])
}

function inflated(payload: Buffer): Buffer {
  return inflateRawSync(Buffer.concat([payload, flushed]), flushing)
}

function masked(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const head = length < 126 ? [0x80 | opcode, 0x80 | length] : [0x80 | opcode, 0xfe, length >> 8, length & 0xff]
  return Buffer.concat([
    Buffer.from([...head, ...mask]),
    payload.map((byte, at) => byte ^ mask[(at & 3) as 0 | 1 | 2 | 3]),
  ])
}
