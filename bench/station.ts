/**
 * A Charging Station's end of a WebSocket, with as little work a message as there can be, so that the machine is left to
 * the server that is measured: frames are made once, and only the message id in them changes.
 */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

/** Any will do, but for zeros: `ws` does not unmask at all then, and no real station gets it that cheap. */
const mask = [0x37, 0xfa, 0x21, 0x3d] as const
const idStart = '00000000-0000-4000-8000-'
const idDigits = 12
/** Where the message id goes in a text that `frameOf` takes. */
export const idPlace = idStart + '0'.repeat(idDigits)

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 }

export type MessageFrame = { readonly bytes: Buffer; readonly idAt: number }

/** A masked frame; if `text` has an `idPlace`, each call puts an id of its own there. */
export function frameOf(text: string): MessageFrame {
  const bytes = masked(opcodes.text, Buffer.from(text))
  const payloadAt = bytes.length - Buffer.byteLength(text)
  return { bytes, idAt: payloadAt + Buffer.from(text).indexOf(idPlace) + idStart.length }
}

export class Station {
  readonly #socket: Socket
  #rest: Buffer | null = null
  #lastId = 0
  #needle = ''
  #onFound: ((payload: Buffer) => void) | null = null
  #onLost: (error: Error) => void = () => undefined

  /** The upgrade is done by hand: no extension is offered. Rejects unless the answer is 101. */
  static async open(url: string, subprotocol: string): Promise<Station> {
    const { hostname, port, pathname } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.setNoDelay(true)
    await once(socket, 'connect')
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
        `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    )
    let head = Buffer.alloc(0)
    while (!head.includes('\r\n\r\n')) head = Buffer.concat([head, ((await once(socket, 'data')) as [Buffer])[0]])
    if (!head.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(head.toString('latin1'))
    return new Station(socket, head.subarray(head.indexOf('\r\n\r\n') + 4))
  }

  private constructor(socket: Socket, first: Buffer) {
    this.#socket = socket
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', () => undefined)
    socket.once('close', () => this.#onLost(new Error('the server closed a connection')))
    // A server may greet at once; whoever has opened this gets to wait for the greeting first.
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

  /** The next message that has `needle` in it; those without are passed over. */
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
      this.#onFrame(frame.opcode, bytes.subarray(frame.from, frame.to))
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

/** Where the first frame's payload lies, if it is all there; servers' frames are not masked. */
function firstFrame(bytes: Buffer): { opcode: number; from: number; to: number } | null {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return null
  if (second === 127) throw new Error('a message of more than 64 KiB')
  const from = second === 126 ? 4 : 2
  if (bytes.length < from) return null
  const to = from + (second === 126 ? bytes.readUInt16BE(2) : second)
  return bytes.length < to ? null : { opcode: first & 0x0f, from, to }
}

function masked(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const head = length < 126 ? [0x80 | opcode, 0x80 | length] : [0x80 | opcode, 0xfe, length >> 8, length & 0xff]
  return Buffer.concat([
    Buffer.from([...head, ...mask]),
    payload.map((byte, at) => byte ^ mask[(at & 3) as 0 | 1 | 2 | 3]),
  ])
}
