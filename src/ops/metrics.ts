/**
 * Metrics: the one table that the counting, the exposition and docs/metrics.md derive from. The only import of prom-client.
 *
 * Names and texts are AnyCable's where it has the metric, so that its dashboards read ours with `anycable_go_` in front.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type HttpServer, listenHttp, originOf, pathOf } from './server.ts'

/** Where a label's values are ours to choose: these, or what each of them means; else what the label says. */
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

const version = 'the version of OCPP, such as `1.6`'
const action = 'as the version spells it; `other` for one that it does not know'

export const table = {
  clients_num: gauge('The number of active clients'),
  broadcast_streams_num: gauge('The number of active broadcasting streams'),
  disconnect_queue_size: gauge('The size of delayed disconnect'),
  rpc_pending_num: gauge('The number of pending RPC calls'),
  rpc_capacity_num: gauge('The number of RPC calls that may be under way at once'),
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
  disconnect_lost_total: counter('The total number of Disconnect calls that the app never got', {}),

  ocpp_call_total: counter('The total number of calls from stations, by who answered', {
    version,
    action,
    answer: ['app', 'replayed', 'silent', 'local', 'failed', 'refused', 'unauthorized', 'rejected'],
  }),
  ocpp_command_total: counter('The total number of remote commands, by how they ended', {
    version,
    action,
    outcome: '`ack`, `error`, or the code of a command that failed here, such as `CallTimeout`',
  }),
  ocpp_dropped_total: counter('The total number of messages, of stations or of the app, that reached nobody', {
    reason: {
      no_station: 'a broadcast to a stream that no station listens to here',
      closed: 'a command to a station that left in the same moment',
      foreign: 'a message of the app that is neither a command nor an answer',
      ack_for_nothing: 'an `Ack` or `Error` of the app for a call that does not wait for one (any more)',
      streams: 'a stream beyond the thousand that one station may listen to',
      outcome: 'the `ack` or `error` of a command that the app did not take, or that was one too many to wait',
      answer_to_nothing: 'an answer of a station to a command that nobody sent, or has given up',
      repeated: 'a call of a station that was in flight already; it has one answer',
      superseded: 'the answer to a call that its station gave up for another one with the same id',
      send: 'a SEND (OCPP 2.1) that is unknown, comes before its time, or breaks its schema where that counts',
    },
  }),
  ocpp_report_total: counter('The total number of reports that were collected from their parts', {
    outcome: ['whole', 'incomplete', 'too_large', 'lost'],
  }),
  ocpp_takeover_total: counter("The total number of connections that replaced the same station's older one", {}),
  ocpp_takeover_slowed_total: counter('The total number of such connections that had to wait, for the two flap', {}),
  ocpp_violation_total: counter('The total number of messages that broke their official schema', {
    version,
    action,
    direction: ['in', 'out', 'acks'],
  }),

  rpc_call_seconds: seconds('The time of one call of the app, waiting and retries included', {
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

/** Why a message reached nobody. */
export type DropReason = LabelsOf<'ocpp_dropped_total'>['reason']

export type CounterName = NameOf<'counter'>
export type HistogramName = NameOf<'histogram'>
type PlainCounterName = { [N in CounterName]: keyof LabelsOf<N> extends never ? N : never }[CounterName]

/**
 * Counting, as the rest of the program sees it.
 *
 * A label value lives as long as the process and costs a series in the operator's database. What a station or the app
 * chooses freely (an action nobody knows, an id) must never become one: it is the caller who maps it to `other` first.
 */
export interface Meter {
  count(metric: PlainCounterName, labels?: Readonly<Record<string, never>>, by?: number): void
  count<N extends Exclude<CounterName, PlainCounterName>>(metric: N, labels: LabelsOf<N>, by?: number): void
  observe<N extends HistogramName>(metric: N, labels: LabelsOf<N>, seconds: number): void
}

/** What only its owner can tell, asked for at each scrape. */
export type Gauges = Readonly<Record<Exclude<NameOf<'gauge'>, 'mem_sys_bytes'>, () => number>>

/** The RPC deadline is 3 s, a station's patience some 30 s. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** All metrics of one process. Labelled counts go to prom-client as they are: 0.3 µs each, some three a call. */
export class Metrics implements Meter {
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter>()
  readonly #gauges = new Map<string, Gauge>()
  readonly #histograms = new Map<string, Histogram>()

  /** @param prefix in front of every name: `ocpp_cable_`, or `anycable_go_` for existing dashboards */
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

  /** All of it in Prometheus' text format. */
  exposition(gauges: Gauges): Promise<string> {
    const read = { ...gauges, mem_sys_bytes: () => process.memoryUsage.rss() }
    for (const [name, value] of Object.entries(read)) this.#gauges.get(name)?.set(value())
    return this.#registry.metrics()
  }
}

/** Serves the metrics on a port of their own, where every other path is 404. Rejects where it cannot be bound. */
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
