/**
 * The stations' port without a bridge around it: a listener with sockets, and settings for tests that are about
 * something else.
 */
import { OpenConnections } from '../../src/server/limits/connections.ts'
import { Turnstile } from '../../src/server/limits/turnstile.ts'
import { openListener, type Listener, type ListenerSettings, type Shared } from '../../src/server/listener.ts'
import { Peers } from '../../src/server/upgrade/peer.ts'
import type { Reception } from '../../src/server/upgrade/upgrade.ts'
import type { SocketSettings, Sockets } from '../../src/server/websocket/ports.ts'
import { openSockets } from '../../src/server/websocket/sockets.ts'
import { anyAccess } from './certificate.ts'
import { FakeMeter } from './fakes.ts'
import type { Keep } from './keep.ts'
import { addressLimits, socketLimits } from './limits.ts'
import { noProxies } from './peers.ts'

export const portHost = '127.0.0.1'

export const socketSettings: SocketSettings = {
  ...socketLimits,
  maxMessageSize: 1024 * 1024,
  maxPendingSize: 1024 * 1024,
  pingIntervalMs: 0,
  idleTimeoutMs: 60_000,
  leastIdleTimeoutMs: 60_000,
  compression: 'off',
  invalidUtf8: 'close',
  close: [],
}

const listenerSettings: Omit<ListenerSettings, keyof Shared> = {
  host: portHost,
  port: 0,
  healthPath: '/health',
  readyPath: '/ready',
  tls: null,
  access: anyAccess,
  proxyProtocol: false,
  handshake: { path: '/ocpp', versions: ['ocpp1.6'], defaultVersion: null, headers: [] },
}

/** Admits every station, and ignores what it sends. */
const anyReception: Reception = {
  isKnown: () => false,
  refusal: () => null,
  ask: null,
  release: () => undefined,
  admit: () => ({ receive: () => undefined, gone: () => undefined }),
  onRefused: () => undefined,
  onTimeout: () => undefined,
  onTlsFailure: () => undefined,
  onFault: () => undefined,
  readiness: () => ({}),
  isOfApp: () => false,
  answer: () => false,
}

export function openTestSockets(keep: Keep): Sockets {
  return keep(openSockets(socketSettings, { meter: new FakeMeter(), once: () => true, now }, new Turnstile(now)))
}

const now = (): number => performance.now()

/** Limits that no other listener shares, if not given to it. */
export function sharedLimits(): Shared {
  return {
    peers: new Peers(noProxies),
    connections: new OpenConnections(addressLimits, now),
    turnstile: new Turnstile(now),
  }
}

/** Opens a listener that differs from the usual one by what is given. */
export async function openPort(
  keep: Keep,
  reception: Partial<Reception>,
  settings: Partial<ListenerSettings> = {},
  sockets = openTestSockets(keep),
): Promise<Listener> {
  const whole = { ...sharedLimits(), ...listenerSettings, ...settings }
  return keep(await openListener(whole, sockets, { ...anyReception, ...reception }))
}
