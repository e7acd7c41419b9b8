/**
 * Opens HTTP/2 connections over TCP or TLS. The only file of `http2/` that goes to the network.
 *
 * Spec: RFC 9113 §3.2 and §3.3; RFC 7301 for ALPN.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { Connection } from './connection.ts'
import type { ConnectionOwner } from './exchange.ts'
import type { Fields } from './hpack.ts'

export type Target = {
  readonly address: string
  readonly port: number
  /** `null`: without TLS. */
  readonly tls: {
    /** The name that the certificate is checked for. */
    readonly host: string
    /** PEM; `null` for the CAs that the system trusts. */
    readonly ca: string | null
    readonly verify: boolean
  } | null
}

export type SocketOwner = ConnectionOwner & {
  /** The server has accepted the connection, and finished the handshake of TLS. */
  onConnect(): void
}

/** In the reason of a connection whose server does TLS, but not HTTP/2 over it. */
export const noAlpn = 'the server did not select HTTP/2 by ALPN'

/** @param fields  as of `Connection` */
export function openConnection(target: Target, fields: Fields, owner: SocketOwner): Connection {
  const socket = openSocket(target)
  const connection = new Connection(socket, fields, owner)
  const onHangUp = (): void => connection.onClose('the app closed the connection')
  socket.setNoDelay(true)
  socket.once(target.tls === null ? 'connect' : 'secureConnect', () => {
    owner.onConnect()
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') socket.destroy(new Error(noAlpn))
  })
  socket.on('data', connection.receive)
  socket.on('drain', connection.onDrain)
  // Not at `close` alone, which is later: what is written in between is not sent.
  socket.on('error', (error: Error) => connection.onClose(error.message))
  socket.once('end', onHangUp)
  socket.once('close', onHangUp)
  return connection
}

function openSocket({ address, port, tls }: Target): Socket {
  if (tls === null) return connectTcp({ host: address, port })
  return connectTls({
    host: address,
    port,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: tls.verify,
    ...(tls.ca !== null && { ca: tls.ca }),
    // RFC 6066 §3: an address is not a server name.
    ...(isIP(tls.host) === 0 && { servername: tls.host }),
  })
}
