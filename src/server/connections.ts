/**
 * Takes the connections of a server, and with the PROXY protocol reads the header in front of each. The server, and
 * TLS, see a connection in its turn, once its header is read.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { OpenConnections } from './limits/connections.ts'
import type { Turns } from './limits/turnstile.ts'
import { giveBack, readAhead } from './ahead/ahead.ts'
import type { Peers } from './upgrade/peer.ts'
import { readHeader } from './proxy/header.ts'

export type ConnectionSettings = {
  readonly proxyProtocol: boolean
  readonly peers: Peers
  readonly connections: Pick<OpenConnections, 'admit'>
  readonly turnstile: Turns
  /** How long a header may take, in ms. */
  readonly headerMs: number
  /** Called with each connection whose peer is known, before the server gets it. */
  readonly onConnection: (socket: Socket) => void
  /** Called with the peer of each connection that is closed for lack of room. */
  readonly onCrowded: (address: string) => void
  /** Called with each connection that is closed because its header is missing or invalid. */
  readonly onRefused: (address: string, problem: string) => void
}

/** Call it before the server listens. */
export function takeConnections(server: Server, settings: ConnectionSettings): void {
  const listeners = server.listeners('connection')
  const known = new WeakSet<Socket>()
  const pass = (socket: Socket): void => {
    for (const listener of listeners) listener.call(server, socket)
  }
  const accept = (socket: Socket): void => {
    known.add(socket)
    settings.onConnection(socket)
    // The server does not listen yet.
    socket.on('error', destroyThis).on('end', destroyThis)
    settings.turnstile.enter(() => {
      socket.off('error', destroyThis).off('end', destroyThis)
      if (!socket.destroyed) pass(socket)
    })
  }
  server.removeAllListeners('connection')
  // `replayAsPlain` emits a connection a second time.
  server.on('connection', (socket: Socket) => {
    if (known.has(socket)) pass(socket)
    else if (!settings.connections.admit(socket)) turnAway(socket, settings)
    else if (settings.proxyProtocol) readProxyHeader(socket, settings, accept)
    else accept(socket)
  })
}

/**
 * One listener for all connections: a closure for each would take 250 bytes, and keep its request, for as long as the
 * connection lives.
 */
export function destroyThis(this: Duplex): void {
  this.destroy()
}

function turnAway(socket: Socket, { peers, onCrowded }: ConnectionSettings): void {
  const address = peers.addressOf(socket)
  socket.destroy()
  onCrowded(address)
}

/** Does not log a connection that closes without a byte, as a proxy's health checks do. */
function readProxyHeader(socket: Socket, settings: ConnectionSettings, accept: (socket: Socket) => void): void {
  const { peers, headerMs, onRefused } = settings
  const proxy = peers.addressOf(socket)
  const refuse = (problem: string): void => {
    socket.destroy()
    onRefused(proxy, problem)
  }
  socket.on('error', () => socket.destroy())
  // The peer has reset the connection.
  if (proxy === '') return void socket.destroy()
  if (!peers.isTrusted(proxy)) return refuse('The PROXY protocol is accepted from trusted_proxies only')
  readAhead(socket, {
    timeoutMs: headerMs,
    read: bytes => {
      const reading = readHeader(bytes)
      return reading.kind === 'partial' ? null : reading
    },
    onRead: (reading, bytes) => {
      if (reading.kind === 'malformed') return refuse(`The PROXY protocol header is malformed: ${reading.problem}`)
      giveBack(socket, bytes.subarray(reading.header.length), () => {
        peers.introduce(socket, reading.header)
        accept(socket)
      })
    },
    onOverdue: () => refuse('The PROXY protocol header took too long'),
  })
}
