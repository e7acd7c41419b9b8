/**
 * The admin API's place in the program: what it needs, and what it switches on.
 */
import { openAdmin, type Admin } from './admin/open.ts'
import type { Counts } from './admin/ports.ts'
import { shownConfig } from './config/help.ts'
import type { Config } from './config/rules.ts'
import type { Disconnects } from './fleet/disconnects.ts'
import type { Hub } from './fleet/hub.ts'
import type { Log, RootLog } from './ops/log.ts'
import type { Metrics } from './ops/metrics.ts'
import type { Reports } from './server/reports.ts'
import type { OutboxAdmin, World } from './session/ports.ts'
import { likelyIdentity } from './translate/refused-target.ts'
import type { SchemaTexts } from './validation/schemas.ts'

/** What all sessions share; what watches them changes. */
export type LiveWorld = Omit<World, 'trace' | 'events'> & { trace: World['trace']; events: World['events'] }

export type Administered = {
  readonly hub: Hub
  readonly disconnects: Disconnects
  /** `null` where `state_dir` is not set. */
  readonly memory: { readonly outboxAdmin: OutboxAdmin | null } | null
  readonly world: LiveWorld
  readonly log: Pick<RootLog, 'warnings'>
  readonly metrics: Pick<Metrics, 'total' | 'observed'>
  readonly schemas: SchemaTexts
  /** Of ocpp-cable. */
  readonly version: string
  readonly readiness: () => Readonly<Record<string, boolean>>
}

/** Rejects if the port cannot be bound. */
export function openAdministration(config: Config, parts: Administered): Promise<Admin> {
  const { hub, disconnects, memory, world, version, readiness } = parts
  const { rpc, log } = world
  const { metrics, schemas } = parts
  const settings = {
    ...config.admin,
    logsAll: config.log.level === 'debug',
    isSensitive: config.log.sensitive,
    history: config.ocpp.history,
  }
  return openAdmin(settings, {
    stations: hub,
    outbox: memory?.outboxAdmin ?? null,
    world,
    verboseLog: verbose(log),
    facts: {
      version,
      nodeId: config.node.id,
      callTimeoutMs: config.ocpp.callTimeoutMs,
      options: shownConfig(config),
      readiness,
      rpc: () => ({ away: rpc.presence.isAway, capacity: rpc.capacity, pending: rpc.pending }),
      disconnects: () => disconnects.size,
      counts: () => countsOf(metrics),
      warnings: () => parts.log.warnings,
      schemaOf: (...asked) => schemas.schemaOf(...asked),
    },
    onTrace: trace => (world.trace = trace),
    onEvents: take => (world.events = take),
  })
}

/** Answers of the bridge, or of the app, that are errors; see `ocpp_call_total`. */
const failedAnswers: readonly string[] = ['failed', 'refused', 'unauthorized', 'rejected']

function countsOf(metrics: Pick<Metrics, 'total' | 'observed'>): Counts {
  const refused = metrics.total('ocpp_call_total', ({ answer = '' }) => failedAnswers.includes(answer))
  const failed = metrics.total('ocpp_command_total', ({ outcome }) => outcome !== 'ack')
  return {
    received: metrics.total('client_msg_total'),
    sent: metrics.total('server_msg_total'),
    errors: refused + failed + metrics.total('failed_client_msg_total'),
    rpcCalls: metrics.total('rpc_call_total'),
    rpcErrors: metrics.total('rpc_error_total'),
    rpcDurations: metrics.observed('rpc_call_seconds'),
  }
}

/** Writes lines of level debug, whatever the level of the process. */
function verbose(log: Log): Log {
  return log.child({}, { level: 'trace' })
}

/**
 * The same reports, and the station of a refused upgrade is remembered.
 *
 * @param prefix of the stations' paths
 */
export function withRefusals(reports: Reports, prefix: string, { departures }: Hub, admin: Admin | null): Reports {
  return {
    ...reports,
    onRefused: (request, refusal, header) => {
      const { status, problem } = refusal
      reports.onRefused(request, refusal, header)
      const stationId = likelyIdentity(request.target, prefix)
      if (stationId === null) return
      departures.onRefused(stationId, { status, reason: problem, address: request.remoteAddress })
      admin?.onRefused(stationId, status, problem)
    },
  }
}
