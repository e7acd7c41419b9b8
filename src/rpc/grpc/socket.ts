/**
 * The TCP or TLS socket under a connection.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Trust } from '../trust.ts'

/** `host`: a name, or an IP address without brackets. */
export type HostPort = { readonly host: string; readonly port: number }

/** By what name the app is asked for, and its certificate checked; `trust` is `null` without TLS. */
export type Peer = { readonly name: HostPort; readonly trust: Trust | null }

/** @param address one of the name's */
export function socketTo(address: string, { name: { host, port }, trust }: Peer): Socket {
  if (trust === null) return connectTcp({ host: address, port })
  return connectTls({
    host: address,
    port,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: trust.verify,
    ...(trust.ca !== null && { ca: trust.ca }),
    // RFC 6066 §3: no address is a server name.
    ...(isIP(host) === 0 && { servername: host }),
  })
}

/** An IPv6 address is in brackets. */
export function authorityOf({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** The reverse. */
export function hostPort(authority: string): HostPort {
  const colon = authority.lastIndexOf(':')
  return { host: authority.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(authority.slice(colon + 1)) }
}
