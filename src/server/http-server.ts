/**
 * The HTTP server of the stations' port, plain or over TLS. Each way to be slow before the upgrade has a limit.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Turns } from './limits/turnstile.ts'
import { destroyThisLater } from '../ops/http/lingering.ts'
import { isReleased, upgradeStrangers } from '../ops/http/strangers.ts'
import { asksForWebSocket } from './requests.ts'
import { takeHandshakes } from './tls/handshakes.ts'
import type { Tls } from './tls/tls.ts'

/** In ms. None of them may hold a descriptor for ever. */
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

export const usualTimeouts: Timeouts = {
  tlsHandshake: 10_000,
  head: 10_000,
  request: 30_000,
  keepAlive: 5_000,
  idle: 30_000,
  check: 2_000,
}

/** Of a request. Node drops what comes behind them: perhaps what a proxy has added. */
const maxHeaders = 256

/** Whether a request may have lost headers. */
export function hasTooManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length >= 2 * maxHeaders
}

export type ServerSettings = {
  /** `null`: plain HTTP. */
  readonly tls: Tls | null
  readonly timeouts?: Timeouts
  /** Shared with all listeners; handshakes wait here for their turn. */
  readonly turnstile: Turns
}

/** @param isOfApp whether a request is a post with the broadcast key */
export function newServer(
  settings: ServerSettings,
  isOfApp: (request: IncomingMessage) => boolean,
  listener: RequestListener,
): Server {
  const { tls, timeouts = usualTimeouts, turnstile } = settings
  const options = {
    headersTimeout: timeouts.head,
    requestTimeout: timeouts.request,
    keepAliveTimeout: timeouts.keepAlive,
    connectionsCheckingInterval: timeouts.check,
    // Node versions without this option ignore it: see `replayAsPlain`.
    shouldUpgradeCallback: (request: IncomingMessage) => asksForWebSocket(request) || isReleased(request),
  }
  const server =
    tls === null ? createServer(options, listener) : newTlsServer(options, { tls, timeouts, turnstile }, listener)
  server.timeout = timeouts.idle
  server.maxHeadersCount = maxHeaders
  // Caches the peer's address, which a connection that has been reset no longer tells.
  server.on('connection', ({ remoteAddress }: Socket) => remoteAddress)
  const strangers = { isTrusted: isOfApp, isHarmless: () => false }
  server.on(tls === null ? 'connection' : 'secureConnection', (socket: Socket) => upgradeStrangers(socket, strangers))
  return server
}

type TlsSettings = ServerSettings & { readonly tls: Tls; readonly timeouts: Timeouts }

function newTlsServer(options: ServerOptions, settings: TlsSettings, listener: RequestListener): Server {
  const { tls, timeouts, turnstile } = settings
  const server = createTlsServer({ ...options, ...tls.options, handshakeTimeout: timeouts.tlsHandshake }, listener)
  tls.attach(server)
  server.on('secureConnection', socket => socket.on('end', destroyThisLater))
  takeHandshakes(server, { tls, turnstile, timeoutMs: timeouts.tlsHandshake })
  return server
}
