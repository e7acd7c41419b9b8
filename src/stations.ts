/**
 * The stations' side of the program: the port, the order of reasons to refuse a station, and the end of all sessions.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { withRefusals } from './administration.ts'
import type { Admin } from './admin/open.ts'
import { broadcastRoute } from './broadcast/http.ts'
import { broadcastsOnStationsPort, type Config } from './config/rules.ts'
import { drainWithin } from './fleet/draining.ts'
import type { Hub } from './fleet/hub.ts'
import { versions } from './ocpp/version.ts'
import type { Log } from './ops/log.ts'
import { listening, originOf, type Opened } from './ops/server.ts'
import { openListener, type Listener } from './server/listener.ts'
import { ampleOpenFiles, mostConnections, readOpenFiles, roomFor } from './server/open-files.ts'
import { newReports, warnOfHost } from './server/reports.ts'
import type { Readiness } from './server/requests.ts'
import type { KeyPair } from './server/tls/certificates.ts'
import type { Reception } from './server/upgrade/upgrade.ts'
import { openSockets } from './server/websocket/socket.ts'
import type { World } from './session/ports.ts'
import { credentialsDigest } from './session/transactions/credentials.ts'
import { broadcastEndpoint } from './settings.ts'
import { refused } from './translate/handshake.ts'

const comeBackLater = { 'Retry-After': 30 }
/** How often stations that say nothing are looked after; more often with a short `ocpp_boot_timeout`. */
const sweepMs = 1_000

/** Opens the stations' port, and closes the sessions behind it in order. */
export async function openStations(
  config: Config,
  keyPairs: readonly KeyPair[],
  hub: Hub,
  readiness: () => Readiness,
  { room, maxConnections }: Capacity,
  world: World,
  admin: Admin | null,
): Promise<Opened> {
  const { server, limits, ocpp, rpc } = config
  const { log, once } = world
  const sockets = openSockets({ ...server, ...ocpp, ...limits }, world)
  const leaving = new AbortController()
  const draining = new AbortController()
  const reception: Reception = {
    refusal: handshake => {
      if (draining.signal.aborted) return refused(503, 'draining', 'The CSMS is shutting down', comeBackLater)
      if (hub.claims.isTaken(handshake.stationId))
        return refused(409, 'taken', 'This Charging Station is already connected')
      const waitSeconds = hub.debts.waitSeconds(handshake.stationId, credentialsDigest(handshake))
      if (waitSeconds !== null)
        return refused(503, 'owing', 'The CSMS cannot process messages now', { 'Retry-After': waitSeconds })
      const isFull = hub.size >= room && !hub.claims.mayReplace(handshake)
      return isFull ? refused(503, 'full', 'The CSMS has reached its connection limit', comeBackLater) : null
    },
    admit: (handshake, socket) => {
      const session = hub.admit(handshake, socket)
      warnOfHost(session, once)
      return session
    },
    ...withRefusals(newReports(world), hub, admin),
    readiness: () => ({ accepting: !leaving.signal.aborted, ...readiness() }),
    answer: broadcastsOnStationsPort(config) ? broadcastRoute(broadcastEndpoint(config), hub.publish) : () => false,
  }
  const settings = { ...server, limits, keyPairs, handshake: { ...ocpp, headers: rpc.headers }, maxConnections }
  const listener = await listening('port', openListener(settings, sockets, reception)).catch((error: unknown) => {
    sockets.close()
    throw error
  })
  const sweep = setInterval(() => hub.sweep(), Math.min(sweepMs, ocpp.bootTimeoutMs / 4))
  announce(config, listener, log)
  return {
    port: listener.port,
    close: async () => {
      leaving.abort()
      await sleep(config.lifecycle.shutdownDelayMs)
      draining.abort()
      clearInterval(sweep)
      await drain(config, hub, log)
      await listener.close()
      sockets.close()
      log.info({}, 'all active connections closed')
    },
  }
}

/** The limit on connected stations, and the limit on connections, which counts those not yet upgraded. */
type Capacity = { readonly room: number; readonly maxConnections: number }

export function capacityOf(maxConn: number, log: Log): Capacity {
  const files = maxConn > 0 ? null : readOpenFiles()
  if (files === null) return { room: maxConn || Infinity, maxConnections: Infinity }
  const room = roomFor(files)
  if (files.limit < ampleOpenFiles)
    log.warn({ limit: files.limit, stations: room }, 'the open-files limit allows few stations; raise it (ulimit -n)')
  return { room, maxConnections: mostConnections(files) }
}

async function drain({ lifecycle }: Config, hub: Hub, log: Log): Promise<void> {
  const leftMs = lifecycle.shutdownTimeoutMs - lifecycle.shutdownDelayMs
  const { graceMs, spreadMs, withinMs } = drainWithin(leftMs, lifecycle.slowDrain)
  const over = spreadMs > 0 ? { overMs: Math.round(spreadMs) } : {}
  log.info({ num: hub.size, ...over }, 'closing active connections')
  const overdue = setTimeout(() => hub.abort(), withinMs)
  await hub.drain(graceMs, spreadMs)
  clearTimeout(overdue)
}

function announce(config: Config, { port }: Listener, log: Log): void {
  const { server, ocpp, broadcast } = config
  const origin = originOf(server.sslCert.length > 0 ? 'https' : 'http', { host: server.host, port })
  const numbers = ocpp.versions.map(version => `v${versions[version].number}`).join(', ')
  log.info({}, `Handle OCPP ${numbers} WebSocket connections at ${origin}${ocpp.path}/{station_id}`)
  if (broadcastsOnStationsPort(config)) {
    const provider = { context: 'broadcast', provider: 'http' }
    log.info(provider, `Accept broadcast requests at ${origin}${broadcast.httpPath} (authorization required)`)
  }
  log.info({}, `Handle health requests at ${origin}${server.healthPath}`)
}
