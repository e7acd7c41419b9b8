/**
 * Rules across options: derived values, combinations that prevent the start, and combinations that are warned about.
 *
 * Pure.
 */
import { versions as numbers } from '../ocpp/version.ts'
import { hasCredentials, isHttp } from './addresses.ts'
import { adminCaution, adminProblem, broadcastProblem, broadcastsOnStationsPort, keysCaution } from './rules/access.ts'
import type { Settings } from './options.ts'
import { listenerCaution, listenerOptions, listenerProblem, listenersOf, samePortProblem } from './rules/listeners.ts'
import { metricsCautions, metricsPortProblem, metricsProblem } from './rules/metrics.ts'
import type { ListenerOptions } from './table/tls.ts'

/** How an HTTP request is authorized. `keyOf`: with a key derived from the secret; `app.ts` derives it. */
type Access =
  | { readonly kind: 'open' }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'keyOf'; readonly secret: string }

/** The settings with every derived value filled in. */
export type Config = Settings & {
  readonly node: { readonly id: string }
  readonly server: {
    /** The first one is set by flags. Read these, not `server.host`, `server.port` and `tls`. */
    readonly listeners: readonly ListenerOptions[]
  }
  readonly ocpp: {
    /** For a station that was told a heartbeat interval; derived from `idleTimeoutMs` before its own derivation. */
    readonly leastIdleTimeoutMs: number
  }
  readonly rpc: {
    readonly impl: Exclude<Settings['rpc']['impl'], 'auto'>
    /** How the bridge authorizes itself in RPC over HTTP; derived from `httpSecret` and `secret`. */
    readonly httpAccess: Access
  }
  readonly broadcast: {
    /** How an HTTP broadcast must be authorized; derived from `key` and `secret`. Read this, not those. */
    readonly access: Access
  }
}

const minute = 60_000

/** Derives every value that depends on other options. */
export function settle(settings: Settings, nodeId: string): Config {
  const { ocpp, log, node, admin } = settings
  const leastIdleTimeoutMs = ocpp.idleTimeoutMs || 2 * minute
  const idleTimeoutMs = ocpp.idleTimeoutMs || Math.max(leastIdleTimeoutMs, 2.5 * ocpp.heartbeatIntervalMs)
  return {
    ...settings,
    server: { ...settings.server, listeners: listenersOf(settings) },
    ocpp: { ...ocpp, idleTimeoutMs, leastIdleTimeoutMs },
    rpc: settleRpc(settings),
    broadcast: settleBroadcast(settings),
    admin: { ...admin, token: unlessNone(admin.token), readToken: unlessNone(admin.readToken) },
    log: { ...log, level: log.debug ? 'debug' : log.level },
    node: { id: node.id ?? nodeId },
  }
}

function settleRpc({ rpc, broadcast }: Settings): Config['rpc'] {
  const byHost = isHttp(rpc.host) ? 'http' : 'grpc'
  return {
    ...rpc,
    impl: rpc.impl === 'auto' ? byHost : rpc.impl,
    enableTls: rpc.enableTls || rpc.tlsRootCa !== null,
    httpSecret: unlessNone(rpc.httpSecret),
    httpAccess: accessBy(rpc.httpSecret, unlessNone(broadcast.secret)),
  }
}

function settleBroadcast({ server, broadcast }: Settings): Config['broadcast'] {
  const secret = unlessNone(broadcast.secret)
  const access = accessBy(broadcast.key, secret)
  const adapters = broadcast.adapters.length > 0 ? broadcast.adapters : defaultAdapters(broadcast.natsServers)
  const needsServers = adapters.includes('nats') && broadcast.natsServers.length === 0
  return {
    ...broadcast,
    adapters,
    natsServers: needsServers ? ['nats://127.0.0.1:4222'] : broadcast.natsServers,
    natsToken: unlessNone(broadcast.natsToken),
    httpPort: broadcast.httpPort || (access.kind === 'open' ? 8090 : server.port),
    secret,
    access,
  }
}

function unlessNone(secret: string | null): string | null {
  return secret === 'none' ? null : secret
}

function defaultAdapters(natsServers: readonly string[]): Settings['broadcast']['adapters'] {
  return natsServers.length > 0 ? ['nats'] : ['http']
}

function accessBy(key: string | null, secret: string | null): Access {
  if (key === 'none' || (key === null && secret === null)) return { kind: 'open' }
  return key === null ? { kind: 'keyOf', secret: secret ?? '' } : { kind: 'key', key }
}

/** A combination of options that is invalid or doubtful. */
export type Rule = {
  /** The options that the rule reads. The rule is skipped while one of them has an invalid value. */
  readonly of: readonly string[]
  /** The line to print if the rule is broken, otherwise `null`. */
  broken(config: Config): string | null
}

/** Rules that prevent the start. */
export const rules: readonly Rule[] = [
  { of: listenerOptions, broken: ({ server }) => listenerProblem(server) },
  { of: ['host', 'port', 'listener'], broken: ({ server }) => samePortProblem(server.listeners) },
  {
    of: ['nats_tls_cert', 'nats_tls_key'],
    broken: ({ broadcast: { natsTlsCert, natsTlsKey } }) =>
      (natsTlsCert === null) === (natsTlsKey === null)
        ? null
        : 'nats_tls_cert and nats_tls_key go together: set both or neither',
  },
  {
    of: ['nats_credentials', 'nats_nkey', 'nats_token', 'nats_servers'],
    broken: ({ broadcast }) => {
      const ways = waysIntoNats(broadcast)
      return ways.length > 1
        ? `${ways.join(' and ')} are set, but NATS takes one kind of credentials: keep only one of them`
        : null
    },
  },
  {
    of: ['rpc_host', 'rpc_impl'],
    broken: ({ rpc }) => {
      if (isHttp(rpc.host) === (rpc.impl === 'http')) return null
      const form = rpc.impl === 'http' ? 'an http:// or https:// URL' : 'host:port, dns:/// or grpc-list://'
      return `rpc_impl is ${rpc.impl}, but rpc_host is ${rpc.host}: set it to ${form}, or remove rpc_impl`
    },
  },
  {
    of: ['rpc_host', 'rpc_enable_tls', 'rpc_tls_root_ca'],
    broken: ({ rpc }) =>
      rpc.enableTls && rpc.host.startsWith('http://')
        ? `${rpc.tlsRootCa === null ? 'rpc_enable_tls' : 'rpc_tls_root_ca'} is set, but rpc_host starts with http://, which is never encrypted: use https://`
        : null,
  },
  {
    of: ['shutdown_delay', 'shutdown_timeout'],
    broken: ({ lifecycle: { shutdownDelayMs, shutdownTimeoutMs } }) =>
      shutdownDelayMs > 0 && shutdownDelayMs >= shutdownTimeoutMs
        ? `shutdown_delay is ${shutdownDelayMs / 1000} s, which uses up shutdown_timeout (${shutdownTimeoutMs / 1000} s): no time is left for a graceful shutdown`
        : null,
  },
  {
    of: ['ocpp_heartbeat_interval'],
    broken: ({ ocpp }) =>
      ocpp.heartbeatIntervalMs % 1000 === 0
        ? null
        : `ocpp_heartbeat_interval is ${ocpp.heartbeatIntervalMs}ms: OCPP has whole seconds only`,
  },
  {
    of: ['ocpp_versions', 'ocpp_default_version'],
    broken: ({ ocpp: { versions, defaultVersion } }) =>
      defaultVersion === null || versions.includes(defaultVersion)
        ? null
        : `ocpp_default_version is ${numbers[defaultVersion].number}, which is not one of ocpp_versions: add it there, or choose another`,
  },
  { of: ['metrics_http', 'metrics_port'], broken: metricsProblem },
  { of: ['metrics_http', 'metrics_port', 'port'], broken: metricsPortProblem },
  { of: ['admin_port', 'admin_host', 'admin_token', 'admin_read_token', 'port', 'metrics_port'], broken: adminProblem },
  {
    of: ['broadcast_adapter', 'nats_servers', 'host', 'port', 'http_broadcast_port', 'broadcast_key', 'secret'],
    broken: broadcastProblem,
  },
  {
    of: [
      'ocpp_path',
      'health-path',
      'ready-path',
      'http_broadcast_path',
      'http_broadcast_port',
      'port',
      'broadcast_key',
      'secret',
    ],
    broken: config => {
      const twice = pathsOnStationPort(config).find(([, path], at, all) =>
        all.some(([, other], to) => to < at && other === path),
      )
      return twice === undefined ? null : `${twice[0]} is ${twice[1]}, which is already in use: set another path`
    },
  },
]

const unverified =
  'the certificate of the app is not verified, so anyone on the network path can impersonate the app; to trust a private CA, set rpc_tls_root_ca'

/** Rules that only print a warning. */
export const cautions: readonly Rule[] = [
  { of: listenerOptions, broken: ({ server }) => listenerCaution(server) },
  { of: ['admin_port', 'admin_token', 'admin_read_token'], broken: adminCaution },
  { of: [...listenerOptions, 'headers', 'ocpp_auth_file'], broken: keysCaution },
  {
    of: ['log_sensitive'],
    broken: ({ log }) =>
      log.sensitive ? 'log_sensitive is true: the log shows cards of drivers and keys of stations' : null,
  },
  {
    of: ['headers'],
    broken: ({ rpc }) =>
      rpc.headers.includes('origin')
        ? 'headers includes origin: Rails then applies its origin check for browsers and rejects stations; remove it'
        : null,
  },
  {
    of: ['rpc_host', 'http_rpc_secret'],
    broken: ({ rpc }) =>
      rpc.httpSecret !== null && !isHttp(rpc.host)
        ? `http_rpc_secret is set, but rpc_host is ${rpc.host}, a gRPC address: the secret is not used`
        : null,
  },
  {
    of: ['rpc_host', 'rpc_tls_verify', 'rpc_enable_tls', 'rpc_tls_root_ca'],
    broken: ({ rpc }) => {
      if (rpc.tlsVerify) return null
      const consequence =
        rpc.enableTls || rpc.host.startsWith('https://') ? unverified : 'calls are not encrypted at all'
      return `rpc_tls_verify is false: ${consequence}`
    },
  },
  {
    of: ['shutdown_slowdrain', 'shutdown_timeout'],
    broken: ({ lifecycle }) =>
      lifecycle.slowDrain && lifecycle.shutdownTimeoutMs === 0
        ? 'shutdown_slowdrain is set, but shutdown_timeout is 0: there is no time to spread the closing over'
        : null,
  },
  {
    of: ['ocpp_outbox_decide', 'state_dir', 'ocpp_unanswered'],
    broken: ({ ocpp, state }) => {
      if (ocpp.outboxDecide === 'refuse') return null
      if (state.dir === null) return 'ocpp_outbox_decide is accept, but state_dir is not set: nothing is stored'
      return ocpp.unanswered === 'error'
        ? 'ocpp_outbox_decide is accept, but ocpp_unanswered is error: nothing is stored'
        : 'ocpp_outbox_decide is accept: while the app is away, stations give energy to cards that it may reject'
    },
  },
  ...metricsCautions,
  {
    of: ['broadcast_adapter', 'nats_servers'],
    broken: ({ broadcast }) =>
      broadcast.natsServers.length > 0 && !broadcast.adapters.includes('nats')
        ? 'nats_servers is set, but broadcast_adapter does not include nats: NATS is not used'
        : null,
  },
  {
    of: ['ocpp_idle_timeout', 'ocpp_heartbeat_interval', 'ocpp_ping_interval'],
    broken: ({ ocpp }) =>
      ocpp.idleTimeoutMs <= ocpp.pingIntervalMs
        ? `the idle timeout is ${ocpp.idleTimeoutMs / 1000} s, no longer than ocpp_ping_interval: a silent station is disconnected before it is pinged`
        : null,
  },
]

/** The options that give NATS credentials. */
function waysIntoNats({ natsCredentials, natsNkey, natsToken, natsServers }: Settings['broadcast']): string[] {
  return [
    ...(natsCredentials === null ? [] : ['nats_credentials']),
    ...(natsNkey === null ? [] : ['nats_nkey']),
    ...(natsToken === null ? [] : ['nats_token']),
    ...(natsServers.some(hasCredentials) ? ['the user in nats_servers'] : []),
  ]
}

function pathsOnStationPort(config: Config): (readonly [flag: string, path: string])[] {
  const { server, ocpp, broadcast } = config
  return [
    ['ocpp_path', ocpp.path],
    ['health-path', server.healthPath],
    ['ready-path', server.readyPath],
    ...(broadcastsOnStationsPort(config) ? [['http_broadcast_path', broadcast.httpPath] as const] : []),
  ]
}
