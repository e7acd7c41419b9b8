/** What all HTTP ports share, and the small HTTP server for metrics and for broadcasts on a port of their own. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { answerLast, owesAnswer, replayAsPlain } from './last-answer.ts'
import { isReleased, upgradeStrangers } from './strangers.ts'

/** Something that holds a resource; `close` may be called twice. */
export interface Opened {
  /** The port that it listens on, if it does. */
  readonly port?: number
  /** The same, of a part with several ports. */
  readonly ports?: readonly number[]
  close(): Promise<void>
}

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
  /** Whether a request has a key. Without one, a connection has one request; its body is read if it is short. */
  readonly isTrusted?: (request: IncomingMessage) => boolean
}

const closeMs = 1000
/** For a client that does not read its answer. */
const silentMs = 30_000
/** How long a connection stays open for another request. */
const idleMs = 5_000
/** As long as the body of a request without a key may be, in bytes: enough for the form of the console's login. */
const maxStrangeBody = 4_096

/** Rejects if the port cannot be bound. */
export async function listenHttp(
  address: Address,
  listener: RequestListener,
  { connections = Infinity, requestMs = 10_000, isTrusted = () => false }: HttpLimits = {},
): Promise<HttpServer> {
  const options = {
    requestTimeout: requestMs,
    headersTimeout: requestMs,
    connectionsCheckingInterval: requestMs / 5,
    keepAliveTimeout: idleMs,
    // Node versions without this option ignore it: see `replayAsPlain`.
    shouldUpgradeCallback: isReleased,
  }
  const server = createServer(options, listener)
  server.on('connection', (socket: Socket) => upgradeStrangers(socket, { isTrusted, isHarmless: isShort }))
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (owesAnswer(request)) return void stream.destroy()
    if (!isReleased(request)) return replayAsPlain(server, request, stream, head)
    stream.on('error', () => stream.destroy())
    answerLast(request, listener)
  })
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

/** A chunked body has no length, and costs more than its bytes. */
function isShort({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= maxStrangeBody
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

/** Adds the option that chose the address to the error of a failed listen. */
export async function listening<Part>(option: string, opening: Promise<Part>): Promise<Part> {
  try {
    return await opening
  } catch (error) {
    throw new Error(`${option}: cannot listen`, { cause: error })
  }
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
