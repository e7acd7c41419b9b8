/**
 * The listeners that the options make, and the rules of their options.
 *
 * Pure.
 */
import type { Profile } from '../../translate/certificate.ts'
import type { Settings } from '../options.ts'
import type { ListenerOptions } from '../table/tls.ts'

/** The first listener, set by flags, and those of the tables; `profile` is what a station needs there. */
export function listenersOf({ server, tls }: Pick<Settings, 'server' | 'tls'>): readonly ListenerOptions[] {
  const first = {
    host: server.host,
    port: server.port,
    sslCert: tls.cert,
    sslKey: tls.key,
    sslClientCa: tls.clientCa,
    sslClientCrl: tls.clientCrl,
    sslClientVerify: tls.clientVerify,
    sslLegacy: tls.legacy,
    proxyProtocol: server.proxyProtocol,
    profile: tls.profile,
  }
  return [first, ...tls.listeners].map(withProfile)
}

/** Without a CA, no certificate is asked for. Where one is asked for, the profile follows. */
function withProfile(listener: ListenerOptions): ListenerOptions {
  const sslClientVerify = listener.sslClientCa === null ? 'off' : listener.sslClientVerify
  const least = { off: 0, optional: 2, required: 3 } as const
  const profile: Profile = listener.profile > least[sslClientVerify] ? listener.profile : least[sslClientVerify]
  return { ...listener, sslClientVerify, profile }
}

/** The options that the rules below read, besides `host` and `port`. */
export const listenerOptions = [
  'ssl_cert',
  'ssl_key',
  'ssl_client_ca',
  'ssl_client_crl',
  'ssl_client_verify',
  'ssl_legacy',
  'ocpp_profile',
  'listener',
  'trusted_proxies',
  'proxy_client_cert',
  'proxy_protocol',
]

/** The listeners, and how trusted proxies pass stations on. */
type ServerOptions = Pick<Settings['server'], 'trustedProxies' | 'proxyClientCert'> & {
  readonly listeners: readonly ListenerOptions[]
}

/** Why the bridge must not start with these listeners; `null` if it may. */
export function listenerProblem(server: ServerOptions): string | null {
  if (server.proxyClientCert !== null && server.trustedProxies.length === 0)
    return 'proxy_client_cert is set, but trusted_proxies is not: set it'
  for (const [at, listener] of server.listeners.entries()) {
    const problem = problemOf(listener, server)
    if (problem !== null) return `${nameOf(at)}${problem}`
  }
  return null
}

/** The same for two listeners on one port. */
export function samePortProblem(listeners: readonly ListenerOptions[]): string | null {
  const isTaken = ({ host, port }: ListenerOptions, at: number): boolean =>
    port !== 0 && listeners.slice(0, at).some(other => other.host === host && other.port === port)
  const at = listeners.findIndex(isTaken)
  const port = listeners[at]?.port
  return port === undefined ? null : `${nameOf(at)}port is ${port}, which another listener has: set another port`
}

function problemOf(
  { sslCert, sslKey, sslClientCa, sslClientCrl, ...listener }: ListenerOptions,
  { trustedProxies, proxyClientCert }: ServerOptions,
): string | null {
  if (sslCert.length !== sslKey.length)
    return `ssl_cert names ${sslCert.length} and ssl_key ${sslKey.length} files: give one key for each certificate, in the same order`
  if (sslClientCa !== null && sslCert.length === 0) return 'ssl_client_ca is set, but ssl_cert is not: set it'
  if (sslClientCrl !== null && sslClientCa === null) return 'ssl_client_crl is set, but ssl_client_ca is not: set it'
  if (listener.proxyProtocol && trustedProxies.length === 0)
    return 'proxy_protocol is set, but trusted_proxies is not: set it'
  // A proxy may terminate TLS, and ask for the certificate.
  if (listener.profile >= 2 && sslCert.length === 0 && trustedProxies.length === 0)
    return `ocpp_profile is ${listener.profile}, but ssl_cert is not set: set it, or trusted_proxies`
  const isAsked = listener.sslClientVerify !== 'off' || proxyClientCert !== null || listener.proxyProtocol
  return listener.profile === 3 && !isAsked
    ? 'ocpp_profile is 3, but no client certificate is asked for: set ssl_client_ca, or proxy_client_cert'
    : null
}

/** What is doubtful about them; `null` if nothing is. */
export function listenerCaution({ listeners, trustedProxies }: ServerOptions): string | null {
  const ports = listeners.filter(({ sslLegacy }) => sslLegacy).map(({ port }) => port)
  const cautions = [
    ports.length > 0 &&
      `ssl_legacy is set: port ${ports.join(', ')} accepts TLS 1.1 and weak ciphers, which OCPP allows for 1.6 stations only`,
    trustedProxies.some(network => network.endsWith('/0')) &&
      'trusted_proxies contains every address: any station can claim the address of another one',
  ].filter(caution => caution !== false)
  return cautions.length === 0 ? null : cautions.join('; ')
}

/** How a problem names a listener: the first one has flags, the others are counted from 0 as in other problems. */
function nameOf(at: number): string {
  return at === 0 ? '' : `listener[${at - 1}]: `
}
