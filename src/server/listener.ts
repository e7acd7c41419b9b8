/**
 * The stations' port: the upgrade, and the few plain requests beside it.
 */
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Socket, type DropArgument } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { authorityOf, listen, pathOf } from '../ops/server.ts'
import type { StationSocket } from '../station/ports.ts'
import {
  isStationPath,
  readHandshake,
  type HandshakeSettings,
  type StationHandshake,
  type UpgradeRequest,
} from '../translate/handshake.ts'
import type { KeyPair } from './certificates.ts'
import type { SocketEnd, Sockets } from './socket.ts'
import { Turnstile } from './turnstile.ts'

export type ListenerSettings = {
  readonly host: string
  readonly port: number
  readonly healthPath: string
  readonly readyPath: string
  /** None: plain HTTP. */
  readonly keyPairs: readonly KeyPair[]
  readonly handshake: HandshakeSettings
  /** One more is closed without a word. */
  readonly maxConnections?: number
}

/** Why a station cannot come in now: 503, and when to come back, or 409, for its place is taken. */
export type Unavailable = {
  readonly status: 409 | 503
  readonly problem: string
  readonly retryAfterSeconds: number | null
}

/** What `/ready` tells a load balancer, each by name; all have to be true. */
export type Readiness = Readonly<Record<string, boolean>>

export interface Reception {
  /** Whether a station may come in now; `null` if it may. */
  refusal(handshake: StationHandshake): Unavailable | null
  admit(handshake: StationHandshake, socket: StationSocket): SocketEnd
  /** An upgrade was refused, with an HTTP status and the words that the station was given. */
  onRefused(request: UpgradeRequest, status: number, problem: string): void
  /** A fault of ours met an upgrade; its connection is cut, without a word. */
  onFault(request: UpgradeRequest, error: unknown): void
  readiness(): Readiness
  /** A request for something else on this port: whether it was answered. */
  answer(request: IncomingMessage, response: ServerResponse): boolean
}

export interface Listener {
  /** The port that was bound, also where 0 was asked for. */
  readonly port: number
  /** Takes no more connections; upgrades that wait have their answer. Those that were upgraded stay. May be called twice. */
  close(): Promise<void>
}

/** AnyCable's own words (`server/health_handler.go`): health checks in the field compare them. */
const alive = "Ah, ha, ha, ha, stayin' alive, stayin' alive."

const headTimeoutMs = 10_000
const tlsHandshakeTimeoutMs = 10_000

/**
 * The suites that OCPP requires of a CSMS (2.0.1 Part 2 A00.FR.317 and 318), and TLS 1.3's. Named, for later Node
 * releases may leave those without forward secrecy out.
 */
const ciphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
].join(':')

/**
 * Rejects where the port cannot be bound, or a certificate does not fit its key.
 *
 * @param now in ms; says how long upgrades take
 */
export async function openListener(
  settings: ListenerSettings,
  sockets: Sockets,
  reception: Reception,
  now = (): number => performance.now(),
): Promise<Listener> {
  const turnstile = new Turnstile(now)
  const server = newServer(settings, (request, response) => onRequest(request, response, settings, reception))
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // A station may vanish in the middle of its upgrade.
    stream.on('error', () => stream.destroy())
    // Nobody reads the stream until then: Node stops at its high-water mark, and keeps what has come.
    const letIn = (): void => onUpgrade({ request, stream, head }, settings, sockets, reception)
    turnstile.enter({ stream, letIn: () => guarded(letIn, request, stream, reception) })
  })
  sockets.onRefused((request, stream, problem) => {
    reception.onRefused(upgradeRequest(request), 400, problem)
    // RFC 6455 §4.4: also to a version that is not spoken here.
    refuse(stream, 400, problem, { 'Sec-WebSocket-Version': 13 })
  })
  server.on('drop', (dropped?: DropArgument) => {
    reception.onRefused(unreadRequest(dropped?.remoteAddress), 503, 'No further connection can be opened')
  })
  server.on('clientError', (error: Error & { code?: string }, stream: Duplex) => onNoRequest(error, stream, reception))
  server.maxConnections = settings.maxConnections ?? Infinity
  const port = await listen(server, settings)
  return {
    port,
    close: () => {
      turnstile.letAllIn()
      return closeServer(server)
    },
  }
}

function newServer({ keyPairs }: ListenerSettings, listener: RequestListener): Server {
  const limits = { headersTimeout: headTimeoutMs, requestTimeout: 30_000, keepAliveTimeout: 5_000 }
  if (keyPairs.length === 0) return createServer(limits, listener)
  const tls = {
    cert: keyPairs.map(({ cert }) => cert),
    key: keyPairs.map(({ key }) => key),
    minVersion: 'TLSv1.2' as const,
    ciphers,
    handshakeTimeout: tlsHandshakeTimeoutMs,
  }
  return createTlsServer({ ...limits, ...tls }, listener)
}

function onRequest(
  request: IncomingMessage,
  response: ServerResponse,
  settings: ListenerSettings,
  reception: Reception,
): void {
  const target = request.url ?? '/'
  const path = pathOf(target)
  if (path === settings.healthPath) return respond(response, 200, alive)
  if (path === settings.readyPath) return respondReadiness(response, reception.readiness())
  if (reception.answer(request, response)) return
  if (!isStationPath(target, settings.handshake.path)) return respond(response, 404, 'Not found')
  response.setHeader('Upgrade', 'websocket')
  respond(response, 426, 'This is a WebSocket endpoint for charging stations')
}

/** What Node hands over of an upgrade; `head` is what was read beyond the request. */
type Upgrade = { readonly request: IncomingMessage; readonly stream: Duplex; readonly head: Buffer }

function onUpgrade(
  { request, stream, head }: Upgrade,
  settings: ListenerSettings,
  sockets: Sockets,
  reception: Reception,
): void {
  const asked = upgradeRequest(request)
  const handshake = readHandshake(asked, settings.handshake)
  if (handshake.kind === 'refused') {
    reception.onRefused(asked, handshake.status, handshake.problem)
    return refuse(stream, handshake.status, handshake.problem)
  }
  const unavailable = reception.refusal(handshake)
  if (unavailable !== null) {
    const { status, problem, retryAfterSeconds } = unavailable
    reception.onRefused(asked, status, problem)
    return refuse(stream, status, problem, retryAfterSeconds === null ? {} : { 'Retry-After': retryAfterSeconds })
  }
  sockets.upgrade(request, stream, head, handshake, socket => reception.admit(handshake, socket))
}

/** A bug ends the connection that met it alone. */
function guarded(letIn: () => void, request: IncomingMessage, stream: Duplex, reception: Reception): void {
  try {
    letIn()
  } catch (error) {
    stream.destroy()
    reception.onFault(upgradeRequest(request), error)
  }
}

/** What Node cannot read as a request, such as a path with a space, is told as Node does; its bytes are not repeated. */
function onNoRequest({ code = '' }: { readonly code?: string }, stream: Duplex, reception: Reception): void {
  if (!stream.writable) {
    stream.destroy()
    return
  }
  const status = statusOfError.get(code) ?? 400
  const problem = 'Not a request that can be read'
  const remoteAddress = stream instanceof Socket ? stream.remoteAddress : undefined
  if (code.startsWith('HPE_')) reception.onRefused(unreadRequest(remoteAddress), status, `${problem} (${code})`)
  stream.once('finish', () => stream.destroy())
  refuse(stream, status, problem)
}

const statusOfError: ReadonlyMap<string, number> = new Map([
  ['HPE_HEADER_OVERFLOW', 431],
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
])

function upgradeRequest(request: IncomingMessage): UpgradeRequest {
  const { url, headers, socket } = request
  const { localAddress, localPort } = socket
  return {
    target: url ?? '/',
    headers,
    remoteAddress: addressOf(socket.remoteAddress),
    localAuthority:
      localAddress === undefined || localPort === undefined
        ? ''
        : authorityOf({ host: addressOf(localAddress), port: localPort }),
    encrypted: socket instanceof TLSSocket,
  }
}

/** Stands for a request that ended before it could be parsed. */
function unreadRequest(remoteAddress: string | undefined): UpgradeRequest {
  return { target: '', headers: {}, remoteAddress: addressOf(remoteAddress), localAuthority: '', encrypted: false }
}

/** An IPv4 address without the prefix that it has on a dual-stack socket. */
function addressOf(address = ''): string {
  return address.replace(/^::ffff:/, '')
}

function refuse(
  stream: Duplex,
  status: number,
  problem: string,
  headers: Readonly<Record<string, string | number>> = {},
): void {
  const body = `${problem}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  stream.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

function respond(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(body) })
    .end(body)
}

function respondReadiness(response: ServerResponse, readiness: Readiness): void {
  const ready = Object.values(readiness).every(Boolean)
  const body = `${JSON.stringify({ ready, ...readiness })}\n`
  response
    .writeHead(ready ? 200 : 503, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
    .end(body)
}

/** Not waiting for 'close': on Node 20 it comes only when the upgraded sockets have gone, too. */
function closeServer(server: Server): Promise<void> {
  server.close()
  server.closeIdleConnections()
  return Promise.resolve()
}
