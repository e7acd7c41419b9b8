/**
 * The composition root: builds every part from the configuration. Opens from the app outwards to the stations, closes
 * in the reverse order.
 */
import { randomUUID } from 'node:crypto'
import { openAdministration, type LiveWorld } from './administration.ts'
import { openHttpBroadcast } from './broadcast/http.ts'
import { openNats, type NatsSubscription } from './broadcast/nats.ts'
import type { Deliver } from './cable/broadcast.ts'
import { announceBridge, localHost } from './cli/admin/local-bridge.ts'
import { broadcastsOnStationsPort } from './config/rules/access.ts'
import type { Config } from './config/rules.ts'
import { Disconnects } from './fleet/disconnects.ts'
import { Hub } from './fleet/hub.ts'
import { gaugesOf, type GaugeSources } from './gauges.ts'
import { openEventLoopDelay } from './ops/event-loop/delay.ts'
import { openReloads, type Reloads } from './ops/files/reload.ts'
import type { Log, RootLog } from './ops/log.ts'
import { Metrics, noMeter, openMetrics } from './ops/metrics.ts'
import { Notices } from './ops/notices.ts'
import { openIntervals } from './ops/reporting/intervals.ts'
import { metricsLog } from './ops/reporting/metrics-log.ts'
import { openStatsd } from './ops/reporting/statsd.ts'
import { openSystemd } from './ops/reporting/systemd.ts'
import type { Traces } from './ops/reporting/traces.ts'
import { VisitLog } from './ops/visit-log.ts'
import { listening, originOf, type Opened } from './ops/http/server.ts'
import { Guard } from './rpc/guard/guard.ts'
import { limitRange } from './rpc/guard/limit.ts'
import { protov } from './rpc/messages.ts'
import { openTransport } from './rpc/open.ts'
import { TracedRpc } from './rpc/traced.ts'
import { openStationKeys, type OpenedKeys } from './server/auth/station-keys.ts'
import type { Readiness } from './server/requests.ts'
import { openExpiryWarnings, type ExpiryWarnings } from './server/tls/expiry.ts'
import { openTls, type Tls } from './server/tls/tls.ts'
import type { World } from './session/ports.ts'
import { broadcastEndpoint, natsOptions, statsdSettings, transportSettings } from './settings.ts'
import { capacityOf, openStations } from './stations.ts'
import { openMemory } from './store/memory.ts'
import { openSchemas } from './validation/schemas.ts'
import { silentAnswerProblems } from './validation/silent-answers.ts'

export type App = Opened & {
  /** The files that are read again on SIGHUP and when they change. */
  readonly reloads: Reloads
  setLogLevel(level: Config['log']['level']): void
}

/**
 * Opens the program. When a part fails to open, closes the parts already open and rejects with the cause.
 *
 * @param version of ocpp-cable
 * @param traces  open already, for the log; closed with the program
 */
export async function openApp(config: Config, log: RootLog, version: string, traces: Traces | null): Promise<App> {
  const parts: Opened[] = traces === null ? [] : [traces]
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => (closing ??= closeAll(parts, log))
  try {
    const opened = await openParts(config, log, { version, traces }, parts)
    const systemd = openSystemd(process.env, process.pid, log)
    if (systemd !== null) parts.push(systemd)
    return { ...opened, close }
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
async function openParts(
  config: Config,
  log: RootLog,
  { version, traces }: { readonly version: string; readonly traces: Traces | null },
  parts: Opened[],
): Promise<Omit<App, keyof Opened>> {
  const keep = <Part extends Opened>(part: Part): Part => (parts.push(part), part)
  const reloads = keep(openReloads(log))
  const tls = config.server.listeners.map(openTls)
  const certificates = tls.filter(each => each !== null)
  const schemas = openSchemas()
  const problems = silentAnswerProblems(config.ocpp, config.ocpp.versions, schemas)
  if (problems.length > 0) throw new Error(problems.join('; '))
  const metrics = new Metrics(config.metrics.prefix, config.metrics.tags)
  const meter = isMetered(config) ? metrics : noMeter
  log.countDrops(() => meter.count('log_dropped_total'))
  const app = keep(openTransport(transportSettings(config)))
  const rpc = new Guard(app, config.rpc, meter, log.child({ context: 'rpc' }))
  announceRpc(config, log)
  const { authFile } = config.ocpp
  const keys = authFile === null ? null : keep(await openStationKeys(authFile, log))
  const world = worldOf({ rpc, traces, keys, schemas, meter, log }, config)
  const { disconnectMode: mode, disconnectRate: ratePerSecond, disconnectBacklogSize: backlog } = config.lifecycle
  const disconnects = new Disconnects({ mode, ratePerSecond, backlog }, world)
  const memory =
    config.state.dir === null ? null : keep(await openMemory(config.state.dir, config.ocpp.outboxSize, world))
  const hub = new Hub(config.ocpp, disconnects, world, memory)
  if (keys !== null && authFile !== null) watchKeys(keys, authFile, reloads, hub)
  const capacity = capacityOf(config.server.maxConn, log)
  let nats: NatsSubscription | null = null
  const hasNats = config.broadcast.adapters.includes('nats')
  const readiness = (): Readiness => ({
    rpc: app.isConnected(),
    ...(hasNats && { nats: nats?.connected() ?? false }),
  })
  const { room } = capacity
  const measured = { config, hub, disconnects, rpc, room, readiness, memory, certificates }
  await openMetering({ config, measured, metrics, world }, keep)
  nats = await openBroadcasts(config, hub.publish, world, keep)
  const administered = { hub, disconnects, memory, world, log, metrics, schemas, version, readiness }
  const admin =
    config.admin.port === 0 ? null : keep(await listening('admin_port', openAdministration(config, administered)))
  keep(await openStations(config, tls, hub, readiness, capacity, world, admin))
  const url = admin === null ? null : originOf('http', { host: localHost(config.admin.host), port: admin.port })
  const ports = parts.flatMap(part => part.ports ?? part.port ?? [])
  keep(announceBridge({ pid: process.pid, url, ports }, process.env, memory === null ? null : config.state.dir))
  watchCertificates(certificates, reloads, keep(openExpiryWarnings(certificates, log)))
  // Only after every part is open: a failed start closes the transport, and the check would then blame the app.
  void rpc.check()
  const setLogLevel: App['setLogLevel'] = level => {
    log.setLevel(level)
    if (admin === null) world.trace = traceOf(level, log)
    else admin.logAll(level === 'debug')
  }
  return { reloads, setLogLevel }
}

/** Whether anybody reads the metrics: Prometheus, the console, the log or StatsD. */
function isMetered({ metrics, statsd, admin }: Config): boolean {
  return metrics.httpPath !== null || admin.port !== 0 || metrics.log || statsd.host !== null
}

type Metering = {
  readonly config: Config
  readonly measured: Omit<GaugeSources, 'eventLoop'>
  readonly metrics: Metrics
  readonly world: LiveWorld
}

/** Serves the metrics, and reports them every interval. */
async function openMetering(
  { config, measured, metrics, world }: Metering,
  keep: <Part extends Opened>(part: Part) => Part,
): Promise<void> {
  const { httpPath: path, host, port, logFilter, rotateIntervalMs } = config.metrics
  // Two sets, because reading the delay of the event loop starts it anew.
  const gauges = () => gaugesOf({ ...measured, eventLoop: keep(openEventLoopDelay()) })
  const log = world.log.child({ context: 'metrics' })
  if (path !== null)
    keep(await listening('metrics_port', openMetrics({ host, port, path }, metrics, gauges(), world.log)))
  const statsd = statsdSettings(config)
  const reports = [
    ...(config.metrics.log ? [metricsLog(logFilter, rotateIntervalMs, log)] : []),
    ...(statsd === null ? [] : [openStatsd(statsd, world)]),
  ]
  if (reports.length > 0) keep(openIntervals(rotateIntervalMs, metrics, gauges(), reports))
}

function watchCertificates(certificates: readonly Tls[], reloads: Reloads, expiries: ExpiryWarnings): void {
  for (const each of certificates) {
    const load = (): void => {
      each.reload()
      expiries.check()
    }
    reloads.watch({ part: 'ssl_cert', files: each.files, load })
  }
}

/** Takes every frame at level debug. */
function traceOf(level: Config['log']['level'], log: Log): World['trace'] {
  return level === 'debug' ? (who, direction, frame) => log.debug({ ...who, frame }, direction) : null
}

/** A station whose key is no longer in the file has to show its new one. */
function watchKeys(keys: OpenedKeys, file: string, reloads: Reloads, { claims }: Hub): void {
  const load = async (): Promise<void> => claims.closeStations(await keys.load())
  reloads.watch({ part: 'ocpp_auth_file', files: [file], load })
}

type WorldParts = Pick<World, 'rpc' | 'keys' | 'schemas' | 'meter' | 'log'> & { readonly traces: Traces | null }

function worldOf(parts: WorldParts, config: Config): LiveWorld {
  const { rpc, traces, log } = parts
  const notices = new Notices(log)
  return {
    ...parts,
    rpc: traces === null ? rpc : new TracedRpc(rpc, traces),
    visitLog: new VisitLog(log, performance.now.bind(performance)),
    once: notices.once.bind(notices),
    trace: traceOf(config.log.level, log),
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
  world: Pick<World, 'log' | 'meter'>,
  keep: <Part extends Opened>(part: Part) => Part,
): Promise<NatsSubscription | null> {
  const { adapters, httpPort: port } = config.broadcast
  const nats = adapters.includes('nats') ? keep(await openNats(natsOptions(config), deliver, world.log)) : null
  if (adapters.includes('http') && !broadcastsOnStationsPort(config)) {
    const endpoint = { host: config.server.host, port, ...broadcastEndpoint(config) }
    keep(await listening('http_broadcast_port', openHttpBroadcast(endpoint, deliver, world)))
  }
  return nats
}

/** Worded as AnyCable words it. */
function announceRpc({ rpc: { host, concurrency, impl, enableTls, headers } }: Config, log: Log): void {
  const { initial, min, max } = limitRange
  const number = concurrency === 0 ? `auto (initial=${initial}, min=${min}, max=${max})` : concurrency
  const isEncrypted = enableTls || host.startsWith('https://')
  const settings = `concurrency: ${number}, impl: ${impl}, enable_tls: ${isEncrypted}, proto_versions: ${protov}`
  log.info({ context: 'rpc' }, `RPC controller initialized: ${host} (${settings}, proxy_headers: ${headers.join(',')})`)
}
