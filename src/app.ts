/**
 * The composition root: builds every part from the configuration. Opens from the app outwards to the stations, closes
 * in the reverse order.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { openAdministration, withRefusals, type LiveWorld } from './administration.ts'
import type { Admin } from './admin/open.ts'
import { broadcastRoute, openHttpBroadcast, type BroadcastEndpoint } from './broadcast/http.ts'
import { openNats, type NatsSubscription } from './broadcast/nats.ts'
import type { Deliver } from './cable/broadcast.ts'
import { announceBridge, localHost } from './cli/admin/local-bridge.ts'
import { broadcastsOnStationsPort, type Config } from './config/rules.ts'
import { gaugesOf } from './gauges.ts'
import { versions } from './ocpp/version.ts'
import type { Log } from './ops/log.ts'
import { openEventLoopDelay } from './ops/event-loop.ts'
import { Metrics, noMeter, openMetrics, type Meter } from './ops/metrics.ts'
import { Notices } from './ops/notices.ts'
import { originOf } from './ops/server.ts'
import { Guard } from './rpc/guard/guard.ts'
import { limitRange } from './rpc/guard/limit.ts'
import { protov } from './rpc/messages.ts'
import { openTransport } from './rpc/open.ts'
import { readKeyPair, type KeyPair } from './server/certificates.ts'
import { openListener, type Listener, type Reception } from './server/listener.ts'
import { ampleOpenFiles, mostConnections, readOpenFiles, roomFor } from './server/open-files.ts'
import { newReports, warnOfHost } from './server/reports.ts'
import type { Readiness } from './server/requests.ts'
import { openSockets } from './server/socket.ts'
import { Disconnects } from './fleet/disconnects.ts'
import { drainWithin } from './fleet/draining.ts'
import { Hub } from './fleet/hub.ts'
import type { Rpc, Schemas, World } from './session/ports.ts'
import { credentialsDigest } from './session/transactions/credentials.ts'
import { openMemory } from './store/memory.ts'
import { broadcastKeyOf, natsOptions, transportSettings } from './settings.ts'
import { openSchemas } from './validation/schemas.ts'
import { silentAnswerProblems } from './validation/silent-answers.ts'

/** Something that holds a resource; `close` may be called twice. */
export interface Opened {
  /** The port that it listens on, if it does. */
  readonly port?: number
  close(): Promise<void>
}

/** The Retry-After of a 503. */
const retryAfterSeconds = 30
/** How often stations that say nothing are looked after; more often with a short `ocpp_boot_timeout`. */
const sweepMs = 1_000

/**
 * Opens the program. When a part fails to open, closes the parts already open and rejects with the cause.
 *
 * @param version of ocpp-cable
 */
export async function openApp(config: Config, log: Log, version: string): Promise<Opened> {
  const parts: Opened[] = []
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => (closing ??= closeAll(parts, log))
  try {
    await openParts(config, log, version, parts)
    return { close }
  } catch (error) {
    await close()
    throw error
  }
}

async function closeAll(parts: readonly Opened[], log: Log): Promise<void> {
  for (const part of [...parts].reverse()) {
    await part.close().catch((error: unknown) => log.warn({ error }, 'a part did not close cleanly'))
  }
}

/** @param parts gets each part once it is open */
async function openParts(config: Config, log: Log, version: string, parts: Opened[]): Promise<void> {
  const keep = <Part extends Opened>(part: Part): Part => (parts.push(part), part)
  const keyPairs = config.server.sslCert.map((cert, at) => readKeyPair(cert, config.server.sslKey[at] ?? ''))
  const schemas = openSchemas()
  const problems = silentAnswerProblems(config.ocpp, config.ocpp.versions, schemas)
  if (problems.length > 0) throw new Error(problems.join('; '))
  const { host, port, httpPath, prefix } = config.metrics
  const metrics = new Metrics(prefix)
  const meter = httpPath === null ? noMeter : metrics
  const app = keep(openTransport(transportSettings(config)))
  const rpc = new Guard(app, config.rpc, meter, log.child({ context: 'rpc' }))
  announceRpc(config, log)
  const world = worldOf(rpc, schemas, meter, config, log)
  const { disconnectMode: mode, disconnectRate: ratePerSecond, disconnectBacklogSize: backlog } = config.lifecycle
  const disconnects = new Disconnects({ mode, ratePerSecond, backlog }, world)
  const memory =
    config.state.dir === null ? null : keep(await openMemory(config.state.dir, config.ocpp.outboxSize, world))
  const hub = new Hub(config.ocpp, disconnects, world, memory)
  const capacity = capacityOf(config.server.maxConn, log)
  let nats: NatsSubscription | null = null
  const hasNats = config.broadcast.adapters.includes('nats')
  const readiness = (): Readiness => ({
    rpc: app.isConnected(),
    ...(hasNats && { nats: nats?.connected() ?? false }),
  })
  if (httpPath !== null) {
    const eventLoop = keep(openEventLoopDelay())
    const { room } = capacity
    const gauges = gaugesOf({ config, hub, disconnects, rpc, room, readiness, memory, keyPairs, eventLoop })
    keep(await listening('metrics_port', openMetrics({ host, port, path: httpPath }, metrics, gauges, log)))
  }
  nats = await openBroadcasts(config, hub.publish, log, keep)
  const administered = { hub, disconnects, outbox: memory?.outboxAdmin ?? null, world, version, readiness }
  const admin =
    config.admin.port === 0 ? null : keep(await listening('admin_port', openAdministration(config, administered)))
  keep(await openStations(config, keyPairs, hub, readiness, capacity, world, admin))
  const url = admin === null ? null : originOf('http', { host: localHost(config.admin.host), port: admin.port })
  const ports = parts.flatMap(part => part.port ?? [])
  keep(announceBridge({ pid: process.pid, url, ports }, process.env, memory === null ? null : config.state.dir))
  // Only after every part is open: a failed start closes the transport, and the check would then blame the app.
  void rpc.check()
}

function worldOf(rpc: Rpc, schemas: Schemas, meter: Meter, config: Config, log: Log): LiveWorld {
  const notices = new Notices(log)
  return {
    rpc,
    schemas,
    meter,
    log,
    once: notices.once.bind(notices),
    trace: config.log.level === 'debug' ? (who, direction, frame) => log.debug({ ...who, frame }, direction) : null,
    events: null,
    now: performance.now.bind(performance),
    date: () => new Date(),
    random: () => Math.random(),
    newId: () => randomUUID(),
  }
}

/** @returns the NATS subscription, for the readiness check; `null` when NATS is not configured */
async function openBroadcasts(
  config: Config,
  deliver: Deliver,
  log: Log,
  keep: <Part extends Opened>(part: Part) => Part,
): Promise<NatsSubscription | null> {
  const { adapters, httpPort: port } = config.broadcast
  const nats = adapters.includes('nats') ? keep(await openNats(natsOptions(config), deliver, log)) : null
  if (adapters.includes('http') && !broadcastsOnStationsPort(config)) {
    const endpoint = { host: config.server.host, port, ...endpointOf(config) }
    keep(await listening('http_broadcast_port', openHttpBroadcast(endpoint, deliver, log)))
  }
  return nats
}

function endpointOf(config: Config): BroadcastEndpoint {
  return { path: config.broadcast.httpPath, key: broadcastKeyOf(config) }
}

/** Opens the stations' port, and closes the sessions behind it in order. */
async function openStations(
  config: Config,
  keyPairs: readonly KeyPair[],
  hub: Hub,
  readiness: () => Readiness,
  { room, maxConnections }: Capacity,
  world: World,
  admin: Admin | null,
): Promise<Opened> {
  const { server, ocpp, rpc } = config
  const { log, once } = world
  const sockets = openSockets({ ...server, ...ocpp }, world)
  const leaving = new AbortController()
  const draining = new AbortController()
  const reception: Reception = {
    refusal: handshake => {
      const later = { status: 503, retryAfterSeconds } as const
      if (draining.signal.aborted) return { ...later, problem: 'The CSMS is shutting down' }
      if (hub.claims.isTaken(handshake.stationId))
        return { status: 409, problem: 'This Charging Station is already connected', retryAfterSeconds: null }
      const waitSeconds = hub.debts.waitSeconds(handshake.stationId, credentialsDigest(handshake))
      if (waitSeconds !== null)
        return { status: 503, problem: 'The CSMS cannot process messages now', retryAfterSeconds: waitSeconds }
      const isFull = hub.size >= room && !hub.claims.mayReplace(handshake)
      return isFull ? { ...later, problem: 'The CSMS has reached its connection limit' } : null
    },
    admit: (handshake, socket) => {
      const session = hub.admit(handshake, socket)
      warnOfHost(session, once)
      return session
    },
    ...withRefusals(newReports(world), hub, admin),
    readiness: () => ({ accepting: !leaving.signal.aborted, ...readiness() }),
    answer: broadcastsOnStationsPort(config) ? broadcastRoute(endpointOf(config), hub.publish) : () => false,
  }
  const settings = { ...server, keyPairs, handshake: { ...ocpp, headers: rpc.headers }, maxConnections }
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

function capacityOf(maxConn: number, log: Log): Capacity {
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

/** Worded as AnyCable words it. */
function announceRpc({ rpc: { host, concurrency, impl, enableTls, headers } }: Config, log: Log): void {
  const { initial, min, max } = limitRange
  const number = concurrency === 0 ? `auto (initial=${initial}, min=${min}, max=${max})` : concurrency
  const isEncrypted = enableTls || host.startsWith('https://')
  const settings = `concurrency: ${number}, impl: ${impl}, enable_tls: ${isEncrypted}, proto_versions: ${protov}`
  log.info({ context: 'rpc' }, `RPC controller initialized: ${host} (${settings}, proxy_headers: ${headers.join(',')})`)
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

/** Adds the option that chose the address to the error of a failed listen. */
async function listening<Part>(option: string, opening: Promise<Part>): Promise<Part> {
  try {
    return await opening
  } catch (error) {
    throw new Error(`${option}: cannot listen`, { cause: error })
  }
}
