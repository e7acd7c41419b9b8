/**
 * A server of bare HTTP/2 that takes calls and does with each stream what a test has it do: what no gRPC library would.
 */
import { once } from 'node:events'
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { TestContext } from 'node:test'
import { Mailbox } from '../../support/fakes.ts'
import { freePort } from '../../support/ports.ts'

export type StreamScript = (stream: ServerHttp2Stream) => void

/** A CommandResponse that says SUCCESS, with the prefix of its length. */
export const success = Buffer.from([0, 0, 0, 0, 2, 8, 1])

/** Replies as gRPC does. */
export const yes: StreamScript = stream => reply(stream, [success])

/** A status after these pieces of the message, each in a frame of its own. */
export function reply(stream: ServerHttp2Stream, pieces: readonly Buffer[], trailers: object = { 'grpc-status': '0' }) {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }))
  for (const piece of pieces) stream.write(piece)
  stream.end()
}

export class RawApp {
  readonly port: number
  readonly address: string
  readonly streams = new Mailbox<ServerHttp2Stream>()
  /** Of each stream, as they came. */
  readonly headers = new Mailbox<IncomingHttpHeaders>()
  readonly sessions = new Mailbox<ServerHttp2Session>()
  readonly #next: StreamScript[] = []
  #server: Http2Server | null = null

  private constructor(port: number, address: string) {
    this.port = port
    this.address = address
  }

  /** Is stopped at the end of the test. */
  static async start(t: TestContext, at: { readonly port?: number; readonly address?: string } = {}): Promise<RawApp> {
    const app = new RawApp(at.port ?? (await freePort()), at.address ?? '127.0.0.1')
    t.after(() => app.stop())
    await app.start()
    return app
  }

  get host(): string {
    return `${this.address}:${this.port}`
  }

  /** What is done with the next stream that comes; with all others `yes`. */
  once(script: StreamScript): void {
    this.#next.push(script)
  }

  async start(): Promise<void> {
    const server = createServer()
    server.on('session', session => {
      session.on('error', () => undefined)
      this.sessions.put(session)
    })
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      this.headers.put(Object.fromEntries(Object.entries(headers)))
      stream.on('error', () => undefined)
      this.streams.put(stream)
      const script = this.#next.shift() ?? yes
      stream.resume().once('end', () => script(stream))
    })
    server.listen(this.port, this.address)
    await once(server, 'listening')
    this.#server = server
  }

  /** As if it were killed. */
  stop(): void {
    this.#server?.close()
    this.#server = null
    for (const session of this.sessions.all) session.destroy()
  }
}
