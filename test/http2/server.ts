/**
 * A server that a test plays frame by frame against a `Connection`, without a socket: what it gets and what it sends.
 */
import { Connection } from '../../src/http2/connection.ts'
import type { ConnectionOwner, End, Exchange, Wire } from '../../src/http2/exchange.ts'
import { Decoder, type Fields } from '../../src/http2/hpack.ts'

export const types = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const
export const endStream = 1
export const ack = 1
export const endHeaders = 4
export const padded = 8
export const hasPriority = 32

export type Frame = { readonly type: number; readonly flags: number; readonly id: number; readonly payload: Buffer }

export function frame(type: number, flags: number, id: number, payload: Buffer | readonly number[] = []): Buffer {
  const content = Buffer.from(payload)
  const head = Buffer.alloc(9)
  head.writeUIntBE(content.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, content])
}

export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}

/** SETTINGS: of each pair a number and a value. */
export function settings(...pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = pairs.map(([number, value]) => Buffer.concat([Buffer.of(number >> 8, number & 255), numbers(value)]))
  return frame(types.settings, 0, 0, Buffer.concat(payload))
}

/** A block of literals that changes no table. */
export function block(fields: Fields): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')])
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]))
}

export const ok: Fields = [
  [':status', '200'],
  ['content-type', 'text/plain'],
]
export const done: Fields = [['result', 'fine']]

export function headers(id: number, fields: Fields = ok, flags = endHeaders): Buffer {
  return frame(types.headers, flags, id, block(fields))
}

export const data = (id: number, text: string, flags = 0): Buffer => frame(types.data, flags, id, Buffer.from(text))
export const trailers = (id: number): Buffer => headers(id, done, endHeaders | endStream)
export const response = (id: number, text = 'hello'): Buffer =>
  Buffer.concat([headers(id), data(id, text), trailers(id)])
export const goaway = (lastId: number, code = 0): Buffer => frame(types.goaway, 0, 0, numbers(lastId, code))

/** Whole frames alone. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3)
    const [type, flags] = [bytes.readUInt8(at + 3), bytes.readUInt8(at + 4)]
    frames.push({ type, flags, id: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, end) })
    at = end
  }
  return frames
}

/** A request whose response is noted. */
export class Request implements Exchange {
  readonly path: string
  readonly body: Buffer
  readonly fields: Fields | null
  streamId = 0
  status = 0
  received = ''
  /** How it ended; `fine` with the trailers of `done`. Each end is noted. */
  readonly ends: (End | string)[] = []
  onDataDo: () => void = () => undefined

  constructor(body: Buffer | string = 'body', path = '/service/method', fields: Fields | null = []) {
    this.body = Buffer.from(body)
    this.path = path
    this.fields = fields
  }

  get end(): End | string | undefined {
    return this.ends.at(-1)
  }

  open(): Fields | null {
    return this.fields
  }

  onData(bytes: Buffer): void {
    this.received += bytes.toString('latin1')
    this.onDataDo()
  }

  onTrailers(fields: Fields): void {
    this.ends.push(fields.find(([name]) => name === 'result')?.[1] ?? 'no result')
  }

  onEnd(end: End): void {
    this.ends.push(end)
  }
}

export class Server implements Wire, ConnectionOwner {
  readonly connection: Connection
  /** What has become of the connection, in order. */
  readonly events: string[] = []
  /** What `write` returns: whether the socket takes more. */
  takesMore = true
  isEnded = false
  readonly writes: Buffer[] = []
  readonly #decoder = new Decoder(2 ** 20, fields => fields)

  constructor(firstStreamId?: number) {
    const common: Fields = [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', 'app'],
      ['te', 'trailers'],
    ]
    this.connection = new Connection(this, common, this, firstStreamId)
  }

  /** With a connection that has the server's SETTINGS. */
  static async open(...pairs: readonly (readonly [number, number])[]): Promise<Server> {
    const server = new Server()
    await server.says(settings(...pairs))
    return server
  }

  /** Sends bytes. @returns the frames that the connection then sends */
  async says(...bytes: readonly Buffer[]): Promise<Frame[]> {
    const before = this.writes.length
    this.connection.receive(Buffer.concat(bytes))
    await turn()
    return this.#framesSince(before)
  }

  /** Opens requests. @returns the frames that are sent for them */
  async gets(...requests: readonly Request[]): Promise<Frame[]> {
    const before = this.writes.length
    for (const request of requests) this.connection.open(request)
    await turn()
    return this.#framesSince(before)
  }

  get frames(): Frame[] {
    return this.#framesSince(0)
  }

  /** The fields of HEADERS, each of which must be read, in order. */
  read({ payload }: Frame): Fields {
    return this.#decoder.decode(payload) ?? []
  }

  write(bytes: Buffer): boolean {
    this.writes.push(Buffer.from(bytes))
    return this.takesMore
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    this.events.push('destroyed')
  }

  onReady(): void {
    this.events.push('ready')
  }

  onPong(): void {
    this.events.push('pong')
  }

  onGoaway(code: number): void {
    this.events.push(`goaway ${code}`)
  }

  onEnd(reason: string): void {
    this.events.push(`end: ${reason}`)
  }

  onClose(): void {
    this.events.push('close')
  }

  /** The first write begins with the client's preface. */
  #framesSince(write: number): Frame[] {
    return framesOf(Buffer.concat(this.writes.slice(write)).subarray(write === 0 ? 24 : 0))
  }
}

/** After the frames of this turn are written. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(resolve)))
}
