/**
 * The stations' port: accepts connections, lets upgrades through the turnstile, and answers those it refuses.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Socket, type DropArgument } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { authorityOf, listen } from '../ops/server.ts'
import type { StationSocket } from '../session/ports.ts'
import {
  readHandshake,
  type HandshakeSettings,
  type StationHandshake,
  type UpgradeRequest,
} from '../translate/handshake.ts'
import type { KeyPair } from './certificates.ts'
import { readClientError, refuse, type ClientError } from './refusals.ts'
import type { Reports } from './reports.ts'
import { answerRequest, asksForWebSocket, replayAsPlain, type Answers, type RequestSettings } from './requests.ts'
import type { SocketEnd, Sockets } from './socket.ts'
import { Turnstile } from './turnstile.ts'

export type ListenerSettings = RequestSettings & {
  readonly host: string
  readonly port: number
  /** Empty: plain HTTP. */
  readonly keyPairs: readonly KeyPair[]
  readonly handshake: HandshakeSettings
  /** Connections beyond this number are closed without an answer. */
  readonly maxConnections?: number
  readonly timeouts?: Timeouts
}

/** In ms. Each way to be slow before the upgrade has a limit, so that none holds a descriptor for ever. */
export type Timeouts = {
  readonly tlsHandshake: number
  readonly head: number
  /** From a request's first byte to its last. */
  readonly request: number
  readonly keepAlive: number
  /** Without a byte in either direction, as of a client that does not read its answers. */
  readonly idle: number
  /** How often `head` and `request` are checked. */
  readonly check: number
}

/** Why a station cannot connect now: 503 with a Retry-After, or 409 if it is already connected. */
export type Unavailable = {
  readonly status: 409 | 503
  readonly problem: string
  readonly retryAfterSeconds: number | null
}

export interface Reception extends Answers, Reports {
  /** Why the station cannot connect now, `null` if it can. */
  refusal(handshake: StationHandshake): Unavailable | null
  admit(handshake: StationHandshake, socket: StationSocket): SocketEnd
}

export interface Listener {
  /** The port in use, also when port 0 was requested. */
  readonly port: number
  /** Stops accepting connections and decides all pending upgrades. Upgraded connections stay open. May be called twice. */
  close(): Promise<void>
}

const usualTimeouts: Timeouts = {
  tlsHandshake: 10_000,
  head: 10_000,
  request: 30_000,
  keepAlive: 5_000,
  idle: 30_000,
  check: 2_000,
}

/**
 * The suites that OCPP requires of a CSMS (2.0.1 Part 2 A00.FR.317 and 318), and those of TLS 1.3. Listed explicitly:
 * later Node releases may drop the ones without forward secrecy from their defaults.
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
 * Rejects if the port cannot be bound, or if a certificate does not match its key.
 *
 * @param now in ms; measures how long upgrades take
 */
export async function openListener(
  settings: ListenerSettings,
  sockets: Sockets,
  reception: Reception,
  now = (): number => performance.now(),
): Promise<Listener> {
  const turnstile = new Turnstile(now)
  const server = newServer(settings, (request, response) => answerRequest(request, response, settings, reception))
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (!asksForWebSocket(request)) return replayAsPlain(server, request, stream, head)
    // A station may disconnect during its upgrade.
    stream.on('error', () => stream.destroy())
    // Nothing reads the stream before its turn: Node buffers up to the high-water mark, and stops.
    const letIn = (): void => onUpgrade({ request, stream, head }, settings, sockets, reception)
    turnstile.enter({ stream, letIn: () => guarded(letIn, request, stream, reception) })
  })
  sockets.onRefused((request, stream, problem) => {
    reception.onRefused(upgradeRequest(request), 400, problem)
    // RFC 6455 §4.4 requires the header for an unsupported version; it does no harm for other problems.
    refuse(stream, 400, problem, { 'Sec-WebSocket-Version': 13 })
  })
  server.on('drop', (dropped?: DropArgument) => {
    reception.onRefused(unreadRequest(dropped?.remoteAddress), 503, 'The connection limit is reached')
  })
  server.on('clientError', (error: ClientError, stream: Duplex) => onClientError(error, stream, reception))
  // Before `clientError`, which destroys the socket: a destroyed one does not know its peer.
  server.prependListener('tlsClientError', (error: TlsError, socket: TLSSocket) => onTlsError(error, socket, reception))
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

function newServer({ keyPairs, timeouts = usualTimeouts }: ListenerSettings, listener: RequestListener): Server {
  const options = {
    headersTimeout: timeouts.head,
    requestTimeout: timeouts.request,
    keepAliveTimeout: timeouts.keepAlive,
    connectionsCheckingInterval: timeouts.check,
    // Node versions without this option ignore it: see `replayAsPlain`.
    shouldUpgradeCallback: asksForWebSocket,
  }
  const tls = {
    cert: keyPairs.map(({ cert }) => cert),
    key: keyPairs.map(({ key }) => key),
    minVersion: 'TLSv1.2' as const,
    ciphers,
    handshakeTimeout: timeouts.tlsHandshake,
  }
  const server =
    keyPairs.length === 0 ? createServer(options, listener) : createTlsServer({ ...options, ...tls }, listener)
  server.timeout = timeouts.idle
  // Caches the peer's address, which a connection that has been reset no longer tells.
  server.on('connection', ({ remoteAddress }: Socket) => remoteAddress)
  return server
}

/** An upgrade as Node emits it; `head` is what was read beyond the request. */
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

/** Confines a bug to the connection that triggers it. */
function guarded(letIn: () => void, request: IncomingMessage, stream: Duplex, reception: Reception): void {
  try {
    letIn()
  } catch (error) {
    stream.destroy()
    reception.onFault(upgradeRequest(request), error)
  }
}

/** Answers bytes that Node cannot parse as a request, such as a path with a space. The answer does not repeat them. */
function onClientError(error: ClientError, stream: Duplex, reception: Reception): void {
  // Each further chunk of such bytes is an error again.
  if (stream.writableEnded && !stream.destroyed) return
  const unreadable = readClientError(error)
  if (unreadable === null || !stream.writable) {
    stream.destroy()
    return
  }
  const { status, problem, target, header } = unreadable
  const remoteAddress = stream instanceof Socket ? stream.remoteAddress : undefined
  if (status !== 408) reception.onRefused({ ...unreadRequest(remoteAddress), target }, status, problem, header)
  refuse(stream, status, problem)
}

type TlsError = Error & { readonly code?: string; readonly reason?: string }

/** A peer that connects and closes without a byte, as TCP health checks do, has not tried. */
function onTlsError({ code, reason, message }: TlsError, socket: TLSSocket, reception: Reception): void {
  const { _parent: below = socket } = socket as { readonly _parent?: Socket }
  if (code === 'ECONNRESET' && below.bytesRead === 0) return
  const words = code === 'ECONNRESET' ? 'the peer closed the connection' : (reason ?? message)
  reception.onTlsFailure(addressOf(socket.remoteAddress ?? below.remoteAddress), words)
}

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

/** Does not wait for 'close', which Node 20 emits only after the upgraded sockets are closed as well. */
function closeServer(server: Server): Promise<void> {
  server.close()
  server.closeIdleConnections()
  return Promise.resolve()
}
