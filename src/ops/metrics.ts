/**
 * The metrics table, from which counting, exposition and docs/metrics.md derive. The only import of prom-client.
 *
 * A metric that AnyCable has keeps AnyCable's name and help text, so that AnyCable's dashboards work with the prefix
 * `anycable_go_`.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type HttpServer, listenHttp, originOf, pathOf } from './server.ts'

/** The values of a label: a list, or a map to their meanings; or a description of an open set. */
export type Values = readonly string[] | Readonly<Record<string, string>> | string
type Labels = Readonly<Record<string, Values>>

export type Row<Type, L extends Labels = Labels> = { readonly type: Type; readonly help: string; readonly labels: L }

const gauge = (help: string): Row<'gauge'> => ({ type: 'gauge', help, labels: {} })
const counter = <const L extends Labels>(help: string, labels: L): Row<'counter', L> => ({
  type: 'counter',
  help,
  labels,
})
const seconds = <const L extends Labels>(help: string, labels: L): Row<'histogram', L> => ({
  type: 'histogram',
  help,
  labels,
})

const version = 'the OCPP version, such as `1.6`'
const action = 'the action as the version spells it; `other` for an unknown one'

export const table = {
  clients_num: gauge('The number of active clients'),
  broadcast_streams_num: gauge('The number of active broadcasting streams'),
  disconnect_queue_size: gauge('The size of delayed disconnect'),
  rpc_pending_num: gauge('The number of pending RPC calls'),
  rpc_capacity_num: gauge('The max number of concurrent RPC calls allowed'),
  state_open_num: gauge('1 while state_dir is in use; 0 if it is not set, is locked, or cannot be used'),
  ocpp_outbox_messages_num: gauge('The number of stored transaction messages that the app does not have yet'),
  ocpp_outbox_oldest_seconds: gauge('The age of the oldest of them'),
  mem_sys_bytes: gauge('The total bytes of memory obtained from the OS'),

  rpc_call_total: counter('The total number of RPC calls', {}),
  rpc_retries_total: counter('The total number of RPC call retries', {}),
  rpc_error_total: counter('The total number of failed RPC calls', {}),
  rpc_timeout_total: counter('The total number of RPC call that timed out', {}),
  rpc_canceled_total: counter('The total number of canceled RPC calls', {}),
  failed_auths_total: counter('The total number of failed authentication attempts', {}),
  client_msg_total: counter('The total number of received messages from clients', {}),
  failed_client_msg_total: counter('The total number of unrecognized messages received from clients', {}),
  server_msg_total: counter('The total number of messages sent to clients', {}),
  broadcast_msg_total: counter('The total number of messages received through PubSub (for broadcast)', {}),
  remote_commands_total: counter('The total number of remote commands received through PubSub', {}),
  failed_broadcast_msg_total: counter(
    'The total number of unrecognized publications received from the application',
    {},
  ),
  data_sent_total: counter('The total amount of bytes sent to clients', {}),
  data_rcvd_total: counter('The total amount of bytes received from clients', {}),
  disconnected_slow_clients_total: counter('The total number of disconnected slow clients', {}),
  disconnect_lost_total: counter('The total number of lost Disconnect calls', {}),

  ocpp_call_total: counter('The total number of calls from stations, by who answered', {
    version,
    action,
    answer: ['app', 'replayed', 'silent', 'local', 'stored', 'failed', 'refused', 'unauthorized', 'rejected'],
  }),
  ocpp_command_total: counter('The total number of remote commands, by outcome', {
    version,
    action,
    outcome: '`ack`, `error`, or the code of a command that failed in the bridge, such as `CallTimeout`',
  }),
  ocpp_dropped_total: counter('The total number of dropped messages, from stations and from the app', {
    reason: {
      no_station: 'an OCPP message from the app to a stream that no station of this bridge listens to',
      not_ocpp: 'any other broadcast to a stream that no station of this bridge listens to, such as one for browsers',
      closed: 'a command to a station that has just disconnected',
      foreign: 'a message from the app that is neither a command nor an answer',
      ack_for_nothing: 'an `Ack` or `Error` from the app for a call that is not pending (any more)',
      streams: 'a subscription to a stream beyond the limit of 1,000 per station',
      outcome: 'the `ack` or `error` of a command that the app did not accept, or that exceeded the queue limit',
      answer_to_nothing: 'an answer from a station to a command that is not pending (any more)',
      repeated: 'a repetition of a call that is in flight; the station gets one answer',
      superseded: 'the answer to a call that the station has replaced by another one with the same id',
      send: 'a SEND (OCPP 2.1) that is unknown, not allowed in the boot state, or invalid with `strict` validation',
    },
  }),
  ocpp_unanswered_total: counter(
    'The total number of connections closed over a transaction message that could not be performed',
    {
      cause: {
        away: 'the app is unreachable',
        timeout: 'the app gave no reply in time',
        queue: 'the message waited too long behind others, or the app was full',
        ended: 'the bridge stops',
        raised: 'the action raised an error',
        refused: 'the app aborted the action (FAILURE)',
        behind: 'the app raises on a stored message of the same transaction, which goes first',
        unattached: 'Connect or subscribe raised an error',
        unauthorized: 'the app does not accept the station; closed with 1008',
        unready: 'the station was told Pending, because the app was away',
      },
    },
  ),
  ocpp_report_total: counter('The total number of reports collected from their parts, by outcome', {
    outcome: ['whole', 'incomplete', 'too_large', 'lost'],
  }),
  ocpp_takeover_total: counter('The total number of connections that replaced an older one of the same station', {}),
  ocpp_takeover_slowed_total: counter('The total number of takeovers that were delayed to slow down flapping', {}),
  ocpp_shared_sn_total: counter('The total number of subscriptions with the sn of another station', {}),
  ocpp_violation_total: counter('The total number of messages that violated their official schema', {
    version,
    action,
    direction: ['in', 'out', 'acks'],
  }),

  ocpp_outbox_total: counter('The total number of transaction messages for the outbox, by outcome', {
    outcome: {
      stored: 'on the disk, and confirmed to the station',
      delivered: 'the app has it',
      refused: 'the outbox was full, or the disk failed: the connection was closed instead',
      dead: 'the app raised on it for longer than `ocpp_outbox_ttl`',
    },
  }),

  state_write_total: counter('The total number of writes to state_dir that are on the disk', {}),
  state_error_total: counter('The total number of failures of state_dir', {
    code: {
      full: 'there is no space left',
      readonly: 'it cannot be written',
      corrupt: 'its file is damaged',
      locked: 'another process uses it',
      newer: 'a newer version has written it',
      io: 'its device fails, or is too slow',
    },
  }),

  rpc_call_seconds: seconds('The duration of an RPC call, including queueing and retries', {
    method: ['connect', 'command', 'disconnect'],
  }),
  ocpp_call_seconds: seconds("The time from a station's call to its answer", { version }),
}

type Table = typeof table
type NameOf<Type> = { [N in keyof Table]: Table[N] extends Row<Type> ? N : never }[keyof Table]
type LabelsOf<N extends keyof Table> = {
  readonly [L in keyof Table[N]['labels']]: ValueOf<Table[N]['labels'][L]>
}
type ValueOf<V> = V extends readonly (infer Value extends string)[]
  ? Value
  : V extends string
    ? string
    : keyof V & string

/** Why a message was dropped. */
export type DropReason = LabelsOf<'ocpp_dropped_total'>['reason']

export type CounterName = NameOf<'counter'>
export type HistogramName = NameOf<'histogram'>
type PlainCounterName = { [N in CounterName]: keyof LabelsOf<N> extends never ? N : never }[CounterName]

/**
 * Counts and observes. The rest of the program depends on this interface only.
 *
 * Every label value is kept for the life of the process and costs a time series in the operator's database. A value
 * that a station or the app chooses freely, such as an id or an unknown action, must not become a label: callers map
 * unknown actions to `other`.
 */
export interface Meter {
  count(metric: PlainCounterName, labels?: Readonly<Record<string, never>>, by?: number): void
  count<N extends Exclude<CounterName, PlainCounterName>>(metric: N, labels: LabelsOf<N>, by?: number): void
  observe<N extends HistogramName>(metric: N, labels: LabelsOf<N>, seconds: number): void
}

/** Values read from their owners at each scrape. */
export type Gauges = Readonly<Record<Exclude<NameOf<'gauge'>, 'mem_sys_bytes'>, () => number>>

/** In seconds. Covers the default RPC timeout, 3 s, and the answer timeout of typical stations, about 30 s. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** All metrics of one process. Counts are not batched: a labelled one takes 0.3 µs, and a call has about three. */
export class Metrics implements Meter {
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter>()
  readonly #gauges = new Map<string, Gauge>()
  readonly #histograms = new Map<string, Histogram>()

  /** @param prefix of every name: `ocpp_cable_`, or `anycable_go_` for AnyCable's dashboards */
  constructor(prefix: string) {
    for (const [name, { type, help, labels }] of Object.entries<Row<'gauge' | 'counter' | 'histogram'>>(table)) {
      const metric = { name: prefix + name, help, labelNames: Object.keys(labels), registers: [this.#registry] }
      if (type === 'counter') this.#counters.set(name, new Counter(metric))
      else if (type === 'gauge') this.#gauges.set(name, new Gauge(metric))
      else this.#histograms.set(name, new Histogram({ ...metric, buckets: BUCKETS }))
    }
  }

  count(metric: CounterName, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.#counters.get(metric)?.inc(labels, by)
  }

  observe(metric: HistogramName, labels: Readonly<Record<string, string>>, seconds: number): void {
    this.#histograms.get(metric)?.observe(labels, seconds)
  }

  /** All metrics in Prometheus' text format. */
  exposition(gauges: Gauges): Promise<string> {
    const read = { ...gauges, mem_sys_bytes: () => process.memoryUsage.rss() }
    for (const [name, value] of Object.entries(read)) this.#gauges.get(name)?.set(value())
    return this.#registry.metrics()
  }
}

/** Serves the metrics on a port of their own; every other path is 404. Rejects if the port cannot be bound. */
export async function openMetrics(
  { host, port, path }: { readonly host: string; readonly port: number; readonly path: string },
  metrics: Metrics,
  gauges: Gauges,
  log: { info(fields: object, message: string): void },
): Promise<HttpServer> {
  const server = await listenHttp({ host, port }, (request, response) => {
    if (request.method !== 'GET' || pathOf(request.url) !== path) {
      response.writeHead(404, { 'content-length': 0 }).end()
      return
    }
    void metrics.exposition(gauges).then(text => {
      response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text)
    })
  })
  log.info({ context: 'metrics' }, `Serve metrics at ${originOf('http', { host, port: server.port })}${path}`)
  return server
}
