/**
 * What is known of the peer of a connection, and of its request.
 */
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { authorityOf } from '../../ops/server.ts'
import { readClientCertificate } from '../tls/client-certificate.ts'
import type { UpgradeRequest } from '../../translate/handshake.ts'

export function upgradeRequest(request: IncomingMessage): UpgradeRequest {
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
    certificate: socket instanceof TLSSocket ? readClientCertificate(socket) : null,
  }
}

/** Stands for a request that ended before it could be parsed. */
export function unreadRequest(remoteAddress: string | undefined): UpgradeRequest {
  return {
    target: '',
    headers: {},
    remoteAddress: addressOf(remoteAddress),
    localAuthority: '',
    encrypted: false,
    certificate: null,
  }
}

/** An IPv4 address without the prefix that it has on a dual-stack socket. */
export function addressOf(address = ''): string {
  return address.replace(/^::ffff:/, '')
}
