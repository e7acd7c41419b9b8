/**
 * The stations' side of the program: the port, the order of reasons to refuse a station, and the end of all sessions.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { withRefusals } from './administration.ts'
import type { Admin } from './admin/open.ts'
import { broadcastRoute } from './broadcast/http.ts'
import { broadcastsOnStationsPort } from './config/rules/access.ts'
import type { Config } from './config/rules.ts'
import { Admission } from './fleet/admission/admission.ts'
import { drainWithin } from './fleet/draining.ts'
import type { Hub } from './fleet/hub.ts'
import { versions } from './ocpp/version.ts'
import type { Log } from './ops/log.ts'
import { listening, originOf, type Opened } from './ops/http/server.ts'
import { OpenConnections } from './server/limits/connections.ts'
import { Turnstile } from './server/limits/turnstile.ts'
import { openListener, type Listener, type Shared } from './server/listener.ts'
import { ampleOpenFiles, mostConnections, readOpenFiles, roomFor } from './server/open-files.ts'
import { newReports, warnOfHost } from './server/reports.ts'
import type { Readiness } from './server/requests.ts'
import type { Tls } from './server/tls/tls.ts'
import { Peers } from './server/upgrade/peer.ts'
import type { Reception } from './server/upgrade/upgrade.ts'
import type { Sockets } from './server/websocket/ports.ts'
import { openSockets } from './server/websocket/sockets.ts'
import type { World } from './session/ports.ts'
import { broadcastEndpoint } from './settings.ts'

/** How often silent stations are checked; more often with a short `ocpp_boot_timeout`. */
const sweepMs = 1_000

/** Opens the stations' port, and closes the sessions behind it in order. */
export async function openStations(
  config: Config,
  tls: readonly (Tls | null)[],
  hub: Hub,
  readiness: () => Readiness,
  { room, maxConnections }: Capacity,
  world: World,
  admin: Admin | null,
): Promise<Opened> {
  const { server, limits, ocpp } = config
  const { log, once } = world
  const turnstile = new Turnstile(world.now)
  const sockets = openSockets({ ...server, ...ocpp, ...limits }, world, turnstile)
  const leaving = new AbortController()
  const admission = new Admission({ connectOn: ocpp.connectOn, room }, hub, world)
  const reception: Reception = {
    isKnown: admission.isKnown.bind(admission),
    refusal: admission.refusal.bind(admission),
    ask: admission.asks ? admission.ask.bind(admission) : null,
    release: admission.release.bind(admission),
    admit: (handshake, socket, connected) => {
      const session = hub.admit(handshake, socket, connected)
      warnOfHost(session, once)
      return session
    },
    ...withRefusals(newReports(ocpp.path, world), ocpp.path, hub, admin),
    readiness: () => ({ accepting: !leaving.signal.aborted, ...readiness() }),
    ...(broadcastsOnStationsPort(config)
      ? broadcastRoute(broadcastEndpoint(config), hub.publish, world.meter)
      : noRoute),
  }
  const shared = {
    peers: new Peers(server),
    connections: new OpenConnections(limits, world.now, maxConnections),
    turnstile,
  }
  const listeners = await openListeners(config, tls, shared, sockets, reception).catch((error: unknown) => {
    sockets.close()
    throw error
  })
  const sweep = setInterval(() => hub.sweep(), Math.min(sweepMs, ocpp.bootTimeoutMs / 4))
  announce(config, listeners, log)
  return {
    ports: listeners.map(({ port }) => port),
    close: async () => {
      leaving.abort()
      await sleep(config.lifecycle.shutdownDelayMs)
      clearInterval(sweep)
      await drain(config, hub, admission, log)
      // Pending upgrades get the answer of a bridge that stops.
      turnstile.runAll()
      await closeAll(listeners)
      sockets.close()
      log.info({}, 'all active connections closed')
    },
  }
}

const noRoute = { isOfApp: () => false, answer: () => false }

/** Rejects if a port cannot be bound, and then none is. */
async function openListeners(
  { server, ocpp, rpc }: Config,
  tls: readonly (Tls | null)[],
  shared: Shared,
  sockets: Sockets,
  reception: Reception,
): Promise<readonly Listener[]> {
  const listeners: Listener[] = []
  try {
    for (const [at, listener] of server.listeners.entries()) {
      const checksKeys = ocpp.authFile !== null || listener.profile > 0
      const access = { ...ocpp, profile: listener.profile, checksKeys }
      const handshake = { ...ocpp, headers: rpc.headers }
      // Broadcasts have one port: that of the first listener, if it is theirs.
      const answers = at === 0 ? reception : { ...reception, ...noRoute }
      const settings = { ...server, ...listener, ...shared, tls: tls[at] ?? null, handshake, access }
      listeners.push(await listening('port', openListener(settings, sockets, answers)))
    }
    return listeners
  } catch (error) {
    await closeAll(listeners)
    throw error
  }
}

function closeAll(listeners: readonly Listener[]): Promise<unknown> {
  return Promise.all(listeners.map(listener => listener.close()))
}

/** The limit on connected stations, and the limit on connections, which counts those not yet upgraded. */
type Capacity = { readonly room: number; readonly maxConnections: number }

export function capacityOf(maxConn: number, log: Log): Capacity {
  const files = readOpenFiles()
  if (files === null) return { room: maxConn || Infinity, maxConnections: Infinity }
  const maxConnections = mostConnections(files)
  if (maxConn > 0) return { room: maxConn, maxConnections }
  const room = roomFor(files)
  if (files.limit < ampleOpenFiles)
    log.warn({ limit: files.limit, stations: room }, 'the open-files limit allows few stations; raise it (ulimit -n)')
  return { room, maxConnections }
}

async function drain({ lifecycle }: Config, hub: Hub, admission: Admission, log: Log): Promise<void> {
  const leftMs = lifecycle.shutdownTimeoutMs - lifecycle.shutdownDelayMs
  const { graceMs, spreadMs, withinMs } = drainWithin(leftMs, lifecycle.slowDrain)
  const over = spreadMs > 0 ? { overMs: Math.round(spreadMs) } : {}
  log.info({ num: hub.size, ...over }, 'closing active connections')
  const overdue = setTimeout(() => hub.abort(), withinMs)
  await Promise.all([admission.stop(), hub.drain(graceMs, spreadMs)])
  clearTimeout(overdue)
}

function announce({ server, ocpp, broadcast }: Config, listeners: readonly Listener[], log: Log): void {
  const origins = listeners.map(({ port }, at) => {
    const { host = server.host, sslCert = [] } = server.listeners[at] ?? {}
    return originOf(sslCert.length > 0 ? 'https' : 'http', { host, port })
  })
  const numbers = ocpp.versions.map(version => `v${versions[version].number}`).join(', ')
  for (const origin of origins)
    log.info({}, `Handle OCPP ${numbers} WebSocket connections at ${origin}${ocpp.path}/{station_id}`)
  const [origin = ''] = origins
  if (broadcastsOnStationsPort({ server, broadcast })) {
    const provider = { context: 'broadcast', provider: 'http' }
    log.info(provider, `Accept broadcast requests at ${origin}${broadcast.httpPath} (authorization required)`)
  }
  log.info({}, `Handle health requests at ${origin}${server.healthPath}`)
}
