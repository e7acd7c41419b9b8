/**
 * What is known of the peer of a connection, and of its request: by the connection itself, or by trusted proxies.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { authorityOf } from '../../ops/http/server.ts'
import type { UpgradeRequest } from '../../translate/handshake.ts'
import { canonicalAddress, networksOf } from '../proxy/addresses.ts'
import { forwardedCertificate, proxiedCertificate } from '../proxy/certificate.ts'
import { envoyHeader, lastCertificate } from '../proxy/envoy.ts'
import { forwardedNames, readForwarded, type Forwarded } from '../proxy/forwarded.ts'
import type { ProxyHeader } from '../proxy/header.ts'
import { readClientCertificate } from '../tls/client-certificate.ts'

export type ProxySettings = {
  /** Networks, in CIDR notation. */
  readonly trustedProxies: readonly string[]
  /** In lower case: the header in which they send a station's certificate; `null` if they do not. */
  readonly proxyClientCert: string | null
}

type Headers = UpgradeRequest['headers']
type Secured = Pick<UpgradeRequest, 'encrypted' | 'certificate'>

export class Peers {
  readonly isTrusted: (address: string) => boolean
  readonly #certificateHeader: string | null
  /** The headers of the PROXY protocol, by TCP connection. */
  readonly #said = new WeakMap<Socket, ProxyHeader>()
  /** What the headers of a request say, or what is wrong with them; they are asked for more than once. */
  readonly #forwarded = new WeakMap<IncomingMessage, Forwarded | string>()

  constructor({ trustedProxies, proxyClientCert }: ProxySettings) {
    this.isTrusted = networksOf(trustedProxies)
    this.#certificateHeader = proxyClientCert
  }

  /** Keeps what a trusted proxy says ahead of a connection. */
  introduce(socket: Socket, header: ProxyHeader): void {
    this.#said.set(socket, header)
  }

  /** The peer of a connection: the station, or the HTTP proxy that it comes through. */
  addressOf(socket: Socket): string {
    const below = belowTls(socket)
    const address = this.#said.get(below)?.address ?? socket.remoteAddress ?? below.remoteAddress
    return address === undefined ? '' : (canonicalAddress(address) ?? address)
  }

  /** The address of the station that sends a request, as far as trusted proxies tell it. */
  stationOf(request: IncomingMessage): string {
    const peer = this.addressOf(request.socket)
    const read = this.#mayForward(request.socket, peer) ? this.#forwardedBy(request) : ''
    return typeof read === 'string' ? peer : (read.address ?? peer)
  }

  /** Of the TCP connection, under TLS and after a header of the PROXY protocol. */
  bytesRead(socket: Socket): number {
    const below = belowTls(socket)
    return below.bytesRead - (this.#said.get(below)?.length ?? 0)
  }

  /** All that is known of a request. */
  upgradeRequest(request: IncomingMessage): UpgradeRequest {
    const { url, headers, socket } = request
    const peer = this.addressOf(socket)
    const isForwarded = this.#mayForward(socket, peer)
    return {
      target: url ?? '/',
      headers: this.#stripped(headers, isForwarded),
      remoteAddress: peer,
      // Not a getter: V8 makes a hidden class for each object that has one, and keeps it, the socket with it, until a
      // major collection of garbage.
      localAuthority: () => localAuthority(socket),
      ...(isForwarded ? this.#securedByProxy(request) : securedBy(socket, this.#said.get(belowTls(socket)))),
    }
  }

  /**
   * A proxy that speaks the PROXY protocol passes on the station's bytes, so that their headers are the station's own,
   * also where it does not tell the station's address.
   */
  #mayForward(socket: Socket, peer: string): boolean {
    const said = this.#said.get(belowTls(socket))
    return this.isTrusted(peer) && (said === undefined || said.address !== null)
  }

  #forwardedBy(request: IncomingMessage): Forwarded | string {
    const read = this.#forwarded.get(request) ?? readForwarded(request.headers, this.isTrusted)
    this.#forwarded.set(request, read)
    return read
  }

  #securedByProxy(request: IncomingMessage): Partial<UpgradeRequest> & Secured {
    const { headers, socket } = request
    const read = this.#forwardedBy(request)
    const name = this.#certificateHeader
    const value = name === null ? '' : [headers[name] ?? ''].flat().join(',')
    const certificate = forwardedCertificate(name === envoyHeader ? lastCertificate(value) : value, Date.now())
    const own = socket instanceof TLSSocket
    if (typeof read === 'string') return { encrypted: own, certificate, proxyProblem: read }
    const { address, encrypted } = read
    return { encrypted: encrypted ?? own, certificate, ...(address !== null && { remoteAddress: address }) }
  }

  /** Without what only a proxy may say. Rack reads an underscore and a hyphen as the same character. */
  #stripped(headers: Headers, isForwarded: boolean): Headers {
    const names: readonly (string | null)[] = [...forwardedNames, this.#certificateHeader]
    const isKept = (name: string): boolean =>
      names.includes(name) ? isForwarded : !names.includes(name.replaceAll('_', '-'))
    return Object.fromEntries(Object.entries(headers).filter(([name]) => isKept(name)))
  }
}

/** Stands for a request that ended before it could be parsed. */
export function unreadRequest(remoteAddress: string): UpgradeRequest {
  return { target: '', headers: {}, remoteAddress, localAuthority: () => '', encrypted: false, certificate: null }
}

/** The TCP connection under a TLS one. */
export function belowTls(socket: Socket): Socket {
  const { _parent: below } = socket as { readonly _parent?: Socket | null }
  return below ?? socket
}

function securedBy(socket: Socket, said: ProxyHeader | undefined): Secured {
  if (socket instanceof TLSSocket) return { encrypted: true, certificate: readClientCertificate(socket) }
  const tls = said?.tls ?? null
  return { encrypted: tls !== null, certificate: tls === null ? null : proxiedCertificate(tls) }
}

function localAuthority({ localAddress, localPort }: Socket): string {
  if (localAddress === undefined || localPort === undefined) return ''
  return authorityOf({ host: canonicalAddress(localAddress) ?? localAddress, port: localPort })
}
