/**
 * The stations' port: accepts connections, lets upgrades through the turnstile, and answers those it refuses.
 */
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { answerLast, owesAnswer, replayAsPlain } from '../ops/http/last-answer.ts'
import { listen } from '../ops/http/server.ts'
import { isReleased } from '../ops/http/strangers.ts'
import { refused, retryLater, type HandshakeSettings } from '../translate/handshake.ts'
import { hasTooManyHeaders, newServer, usualTimeouts, type Timeouts } from './http-server.ts'
import { destroyThis, takeConnections } from './connections.ts'
import { answerRequest, asksForWebSocket, type RequestSettings } from './requests.ts'
import type { Tls } from './tls/tls.ts'
import type { Access } from './upgrade/access.ts'
import { belowTls, unreadRequest, type Peers } from './upgrade/peer.ts'
import { readClientError, refuse, type ClientError } from './upgrade/refusals.ts'
import type { OpenConnections } from './limits/connections.ts'
import type { Turns } from './limits/turnstile.ts'
import { onUpgrade, turnAway, type Reception } from './upgrade/upgrade.ts'
import type { Sockets } from './websocket/ports.ts'

/** Shared by all listeners, so that a second port adds no budget. */
export type Shared = {
  readonly peers: Peers
  /** Counts the connections of all listeners. */
  readonly connections: OpenConnections
  /** Where stations wait for their turns until the app has accepted them. */
  readonly turnstile: Turns
}

export type ListenerSettings = RequestSettings &
  Shared & {
    readonly host: string
    readonly port: number
    /** `null`: plain HTTP. */
    readonly tls: Tls | null
    readonly handshake: HandshakeSettings
    readonly access: Access
    /** Whether each connection begins with a header of the PROXY protocol. */
    readonly proxyProtocol: boolean
    readonly timeouts?: Timeouts
  }

export interface Listener {
  /** The port in use, also when port 0 was requested. */
  readonly port: number
  /**
   * Stops accepting connections. Pending upgrades are the turnstile's, and upgraded connections stay open. May be
   * called twice.
   */
  close(): Promise<void>
}

/** Rejects if the port cannot be bound, or if a certificate does not match its key. */
export async function openListener(
  settings: ListenerSettings,
  sockets: Sockets,
  reception: Reception,
): Promise<Listener> {
  const { peers, connections, turnstile, timeouts = usualTimeouts } = settings
  const isOfApp = reception.isOfApp.bind(reception)
  const answer: RequestListener = (request, response) => answerRequest(request, response, settings, reception)
  const server = newServer(settings, isOfApp, answer)
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const isPlain = !asksForWebSocket(request)
    // A broadcast of the app is ahead of it on this connection.
    if (owesAnswer(request)) return void stream.destroy()
    if (isPlain && !isReleased(request)) return replayAsPlain(server, request, stream, head)
    // A client may disconnect while it waits.
    stream.on('error', destroyThis)
    if (hasTooManyHeaders(request)) {
      const asked = { ...unreadRequest(peers.addressOf(request.socket)), target: request.url ?? '' }
      return turnAway(stream, asked, manyHeaders, reception)
    }
    if (isPlain)
      return turnstile.enter(() => {
        if (!stream.destroyed) answerLast(request, answer)
      })
    const address = stationAddress(request, settings)
    if (connections.isFull(address)) return turnAway(stream, peers.upgradeRequest(request), addressFull, reception)
    const isTooFast = connections.isTooFast(address)
    // Nothing reads the stream before its turn: Node buffers up to the high-water mark, and stops.
    turnstile.enter(() => {
      if (!stream.destroyed) onUpgrade({ request, stream, head, isTooFast }, settings, sockets, reception)
    })
  })
  takeConnections(server, {
    ...settings,
    headerMs: timeouts.head,
    onConnection: socket => onConnection(socket, settings, reception),
    onCrowded: address => reception.onRefused(unreadRequest(address), crowded),
    onRefused: (address, problem) => reception.onRefused(unreadRequest(address), refused(400, 'proxy', problem)),
  })
  server.on('clientError', (error: ClientError, stream: Duplex) => {
    const answer = (): void => onClientError(error, stream, peers, reception)
    // Node ends all requests that are overdue at a stretch.
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') turnstile.enter(answer)
    else answer()
  })
  server.on('timeout', (socket: Socket) => {
    // The shorter keep-alive limit applies between requests and is not counted.
    if (socket.timeout === timeouts.idle) reception.onTimeout()
    socket.destroy()
  })
  // Before `clientError`, which destroys the socket: a destroyed one does not know its peer.
  server.prependListener('tlsClientError', (error: TlsError, socket: TLSSocket) =>
    onTlsError(error, socket, peers, reception),
  )
  const port = await listen(server, settings)
  return {
    port,
    close: () => closeServer(server),
  }
}

const crowded = refused(503, 'full', 'The connection limit is reached')

const manyHeaders = refused(431, 'request', 'Too many headers')

const addressFull = refused(429, 'address', 'Too many connections from one address', retryLater)

/** The connection of a trusted proxy counts for this address from now on. */
function stationAddress(request: IncomingMessage, { peers, connections }: Shared): string {
  const { socket } = request
  const address = peers.stationOf(request)
  if (peers.isTrusted(peers.addressOf(socket))) connections.countAddress(address, belowTls(socket))
  return address
}

/** A connection of a trusted proxy is counted once it upgrades, as its station's. */
function onConnection(socket: Socket, { peers, connections }: Shared, reception: Reception): void {
  const address = peers.addressOf(socket)
  if (peers.isTrusted(address) || !connections.countAddress(address, socket)) return
  reception.onRefused(unreadRequest(address), addressFull)
  socket.destroy()
}

/** Answers bytes that Node cannot parse as a request, such as a path with a space. The answer does not repeat them. */
function onClientError(error: ClientError, stream: Duplex, peers: Peers, reception: Reception): void {
  // Each further chunk of such bytes is an error again.
  if (stream.writableEnded && !stream.destroyed) return
  const unreadable = readClientError(error)
  if (unreadable === null || !stream.writable) {
    stream.destroy()
    return
  }
  const { refusal, target, header } = unreadable
  const remoteAddress = stream instanceof Socket ? peers.addressOf(stream) : ''
  if (refusal.status === 408) reception.onTimeout()
  else reception.onRefused({ ...unreadRequest(remoteAddress), target }, refusal, header)
  refuse(stream, refusal)
}

type TlsError = Error & { readonly code?: string; readonly reason?: string }

/** A peer that connects and closes without a byte, as TCP health checks do, has not tried. */
function onTlsError({ code, reason, message }: TlsError, socket: TLSSocket, peers: Peers, reception: Reception): void {
  if (code === 'ECONNRESET' && peers.bytesRead(socket) === 0) return
  const words = code === 'ECONNRESET' ? 'the peer closed the connection' : (reason ?? message)
  reception.onTlsFailure(peers.addressOf(socket), words)
}

/** Does not wait for 'close', which Node 20 emits only after the upgraded sockets are closed as well. */
function closeServer(server: Server): Promise<void> {
  server.close()
  server.closeIdleConnections()
  return Promise.resolve()
}
