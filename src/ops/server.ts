/** What all HTTP ports share, and the small HTTP server for metrics and for broadcasts on a port of their own. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Address = { readonly host: string; readonly port: number }

export type HttpServer = {
  /** The bound port, even if port 0 was requested. */
  readonly port: number
  /** Closes idle connections at once; requests in flight get one second. May be called twice. */
  close(): Promise<void>
}

export type HttpLimits = {
  /** Connections beyond them are closed at once: each takes a file descriptor that a station may need. */
  readonly connections?: number
  /** How long a client may take to send its request, and to send anything on a new connection. */
  readonly requestMs?: number
}

const closeMs = 1000
/** For a client that does not read its answer. */
const silentMs = 30_000
/** How long a connection stays open for another request. */
const idleMs = 5_000

/** Rejects if the port cannot be bound. */
export async function listenHttp(
  address: Address,
  listener: RequestListener,
  { connections = Infinity, requestMs = 10_000 }: HttpLimits = {},
): Promise<HttpServer> {
  const times = { requestTimeout: requestMs, headersTimeout: requestMs, connectionsCheckingInterval: requestMs / 5 }
  const server = createServer({ ...times, keepAliveTimeout: idleMs }, listener)
  server.maxConnections = connections
  server.timeout = silentMs
  const port = await listen(server, address)
  let closing: Promise<void> | null = null
  const end = () =>
    new Promise<void>(resolve => {
      const timer = setTimeout(() => server.closeAllConnections(), closeMs)
      server.close(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  return { port, close: () => (closing ??= end()) }
}

/** The listen backlog. Node's 511 is too small when a whole fleet reconnects at once. The kernel may cap it. */
const backlog = 4096

/** Binds a server and returns the bound port, even if port 0 was requested. Rejects if the port cannot be bound. */
export async function listen(server: Server, { host, port }: Address): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // Kept after 'listening': an error then is a single failed accept, which must not crash the process.
    server.on('error', reject)
    server.listen({ host: bindHost(host), port, backlog }, resolve)
  })
  return (server.address() as AddressInfo).port
}

/** The origin of a server. */
export function originOf(scheme: 'http' | 'https', address: Address): string {
  return `${scheme}://${authorityOf(address)}`
}

/** The `host:port` of a URL, with brackets around an IPv6 address. */
export function authorityOf({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Binds `localhost` to 127.0.0.1, as Go does: where it resolves to `::1` first, 127.0.0.1 would be unreachable. */
function bindHost(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

/** The path of a request target in origin form (`/p?q`) or absolute form (`http://host/p?q`, from proxies and Ruby). */
export function pathOf(target: string | undefined): string {
  const path = (target ?? '').replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path === '' ? '/' : path
}

/** In bytes: of one body, and of all bodies that are being received at the same time. */
export type BodyLimits = { readonly each: number; readonly open: number }
export type Body =
  | { readonly text: string }
  /** `cutOff`: the connection ended before the body did. */
  | { readonly fault: 'tooLarge' | 'tooMany' | 'cutOff' }

/** Receives the bodies of requests. */
export class Bodies {
  readonly #limits: BodyLimits
  #open = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /**
   * Never rejects. Beyond a limit, resolves at once; the rest of the body is received and discarded, so that the client gets
   * the answer.
   */
  read(request: IncomingMessage): Promise<Body> {
    return new Promise(resolve => {
      const chunks: Buffer[] = []
      let bytes = 0
      let isOver = false
      const end = (body: Body): void => {
        isOver = true
        chunks.length = 0
        this.#open -= bytes
        bytes = 0
        resolve(body)
      }
      if (Number(request.headers['content-length'] ?? 0) > this.#limits.each) end({ fault: 'tooLarge' })
      request.on('data', (chunk: Buffer) => {
        if (isOver) return
        bytes += chunk.length
        this.#open += chunk.length
        chunks.push(chunk)
        if (bytes > this.#limits.each) end({ fault: 'tooLarge' })
        else if (this.#open > this.#limits.open) end({ fault: 'tooMany' })
      })
      request.once('end', () => {
        if (!isOver) end({ text: Buffer.concat(chunks).toString() })
      })
      request.once('close', () => {
        if (!isOver) end({ fault: 'cutOff' })
      })
    })
  }
}
