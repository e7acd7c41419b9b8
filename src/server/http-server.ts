/**
 * The HTTP server of the stations' port, plain or over TLS. Each way to be slow before the upgrade has a limit.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { asksForWebSocket } from './requests.ts'
import type { KeyPair } from './tls/certificates.ts'

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

/** @param keyPairs empty: plain HTTP */
export function newServer(
  { keyPairs, timeouts = usualTimeouts }: { readonly keyPairs: readonly KeyPair[]; readonly timeouts?: Timeouts },
  listener: RequestListener,
): Server {
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
