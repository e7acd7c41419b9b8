/**
 * Starts TLS on a connection once its first message is there, one handshake in a turn of the event loop. Serves each
 * host that clients ask for with its own certificates, RSA and ECDSA side by side.
 *
 * Node's `SNICallback` and `addContext` set one certificate of a context: before Node 24, the default context's
 * certificates of other key types stay, those of another host; since then, the host has one key type. So the name is
 * read before TLS starts, and a server whose default certificates are those of the host does the handshake.
 */
import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { giveBack, readAhead } from '../ahead/ahead.ts'
import type { Turns } from '../limits/turnstile.ts'
import { helloReader } from './client-hello.ts'
import type { Tls } from './tls.ts'

export type HandshakeTurns = {
  readonly tls: Tls
  /** Where handshakes wait for their turn. */
  readonly turnstile: Turns
  /** How long the first message may take, and then the rest of the handshake. */
  readonly timeoutMs: number
}

const refusedHello = 'the first message is too long, has an empty record, or is in too many records'

/** Call it before the server listens. */
export function takeHandshakes(server: HttpServer & Server, { tls, turnstile, timeoutMs }: HandshakeTurns): void {
  const listeners = server.listeners('connection')
  const newServer = (options: TlsOptions): Server => handshakesFor(server, options, timeoutMs)
  const start = (socket: Socket, host: string | null): void => {
    const chosen = tls.serverFor(host, server, newServer)
    if (chosen !== server) chosen.emit('connection', socket)
    else for (const listener of listeners) listener.call(server, socket)
  }
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const fail = (error: Error): void => {
      server.emit('tlsClientError', error, socket)
      socket.destroy()
    }
    socket.on('error', fail)
    const readHello = helloReader()
    readAhead(socket, {
      timeoutMs,
      read: bytes => {
        const reading = readHello(bytes)
        return reading.kind === 'partial' ? null : reading
      },
      onRead: (reading, bytes) => {
        if (reading.kind === 'refused') return fail(new Error(refusedHello))
        socket.off('error', fail).on('error', () => socket.destroy())
        // Alone: OpenSSL gets its bytes in a tick of its own. They are given back only then: while they are unread, the
        // end of a client that has left behind them is not seen.
        turnstile.enterAlone(() => {
          if (!socket.destroyed) giveBack(socket, bytes, () => start(socket, reading.host))
        })
      },
      onOverdue: () => fail(new Error('TLS handshake timeout')),
      onEnd: () => fail(Object.assign(new Error('the peer closed the connection'), { code: 'ECONNRESET' })),
    })
  })
}

/** A server that does handshakes for another one, which gets the secured connections. */
function handshakesFor(server: HttpServer, options: TlsOptions, handshakeTimeout: number): Server {
  return createServer({ ...options, ALPNProtocols: ['http/1.1'], noDelay: true, handshakeTimeout })
    .on('secureConnection', (socket: TLSSocket) => server.emit('secureConnection', socket))
    .on('tlsClientError', (error: Error, socket: TLSSocket) => server.emit('tlsClientError', error, socket))
}
