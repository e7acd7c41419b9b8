/**
 * An app with scripted replies over AnyCable's HTTP RPC, as `ScriptedApp` is over gRPC: the same calls and replies, in
 * the names of rpc.proto.
 */
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { AppScript, Received, RpcMethod } from './app.ts'
import { Mailbox } from './fakes.ts'
import { freePort } from './ports.ts'

const methods: Readonly<Record<string, RpcMethod>> = {
  connect: 'Connect',
  command: 'Command',
  disconnect: 'Disconnect',
}
const env = { url: '', headers: {}, cstate: {}, istate: {} }
const command = { command: '', identifier: '', connection_identifiers: '', data: '' }
/** The defaults of missing fields. */
const defaults: Readonly<Record<RpcMethod, object>> = {
  Connect: {},
  Command: command,
  Disconnect: { identifiers: '', subscriptions: [] },
}
const statuses = ['ERROR', 'SUCCESS', 'FAILURE']

export type HttpAppOptions = {
  /** The key that a call must carry; without it, every call is accepted. */
  readonly key?: string
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** Thrown by a script for an answer that is not a reply, such as a proxy's. */
export class HttpStatus extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, body: string, headers: Readonly<Record<string, string>> = {}) {
    super(body)
    this.status = status
    this.headers = headers
  }
}

export class HttpApp {
  readonly received = new Mailbox<Received>()
  readonly port: number
  /** How many connections it has accepted. */
  connections = 0
  /** How the status of a reply is written; versions of google-protobuf differ. */
  statusAs: 'number' | 'name' = 'number'
  readonly #next: AppScript[] = []
  #always: AppScript = () => ({ status: 'SUCCESS' })
  readonly #options: HttpAppOptions
  readonly #sockets = new Set<Socket>()
  #server: http.Server | https.Server | null = null

  private constructor(port: number, options: HttpAppOptions) {
    this.port = port
    this.#options = options
  }

  static async start(options: HttpAppOptions = {}): Promise<HttpApp> {
    const app = new HttpApp(await freePort(), options)
    await app.start()
    return app
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}/_anycable`
  }

  /** Sets the script of every call without a `once`. */
  always(script: AppScript): void {
    this.#always = script
  }

  /** Sets the script of the next call. */
  once(script: AppScript): void {
    this.#next.push(script)
  }

  /** Listens; after a `stop`, again on the same port. */
  async start(): Promise<void> {
    const { tls } = this.#options
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.#answer(request, response)
    const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener)
    server.on('connection', (socket: Socket) => {
      this.connections++
      this.#sockets.add(socket)
      socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket))
    })
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
  }

  /** Stops as if killed: calls in flight lose their connection. */
  stop(): void {
    this.#server?.close()
    this.#server = null
    for (const socket of this.#sockets) socket.destroy()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = (status: number, body: string, headers: object = {}): void => {
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
    }
    const method = methods[/^\/_anycable\/(\w+)$/.exec(request.url ?? '')?.[1] ?? '']
    const { key } = this.#options
    const body = await text(request).catch(() => null)
    if (body === null) return
    if (request.method !== 'POST' || method === undefined) {
      end(404, 'Not found')
      return
    }
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
      end(401, 'Unauthorized')
      return
    }
    if (body === '') {
      end(422, 'Empty request body')
      return
    }
    const call = { method, metadata: metadataOf(request), message: messageOf(method, body) }
    this.received.put(call)
    try {
      const script = this.#next.shift() ?? this.#always
      end(200, JSON.stringify(this.#written(await script(call))), { 'content-type': 'application/json' })
    } catch (error) {
      if (error instanceof HttpStatus) end(error.status, error.message, error.headers)
      else response.destroy()
    }
  }

  /** As Ruby's protobuf writes it: ERROR is 0 and is omitted. */
  #written(reply: object): object {
    const { status, ...rest } = reply as { readonly status?: string }
    if (status === undefined || status === 'ERROR') return rest
    return { ...rest, status: this.statusAs === 'name' ? status : statuses.indexOf(status) }
  }
}

function messageOf(method: RpcMethod, body: string): Received['message'] {
  const message = JSON.parse(body) as { readonly env?: object }
  return { ...defaults[method], ...message, env: { ...env, ...message.env } }
}

function metadataOf({ headers }: IncomingMessage): Record<string, string> {
  const prefix = 'x-anycable-meta-'
  const own = Object.entries(headers).filter(([name]) => name.startsWith(prefix))
  const { traceparent } = headers
  const metadata = Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), String(value)]))
  return { ...metadata, ...(traceparent !== undefined && { traceparent: String(traceparent) }) }
}
