/**
 * Counts what the metrics table names, and serves it in Prometheus' text format. The only import of prom-client.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { table, type CounterName, type Gauges, type HistogramName, type Meter, type Row } from './metric-table.ts'
import { type HttpServer, listenHttp, originOf, pathOf } from './server.ts'
import { Tally, type Labels } from './tally.ts'

export type { DropReason, Gauges, Limit, Meter } from './metric-table.ts'

/** In seconds. Covers the default RPC timeout, 3 s, and the answer timeout of typical stations, about 30 s. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Counts nothing: where nobody reads the metrics, a message does not pay for them. */
export const noMeter: Meter = { count: () => undefined, observe: () => undefined }

/** All metrics of one process. */
export class Metrics implements Meter {
  readonly #registry = new Registry()
  readonly #tallies = new Map<string, Tally>()
  readonly #gauges = new Map<string, Gauge>()
  readonly #histograms = new Map<string, Histogram>()

  /** @param prefix of every name: `ocpp_cable_`, or `anycable_go_` for AnyCable's dashboards */
  constructor(prefix: string) {
    for (const [name, { type, help, labels }] of Object.entries<Row<'gauge' | 'counter' | 'histogram'>>(table)) {
      const metric = { name: prefix + name, help, labelNames: Object.keys(labels), registers: [this.#registry] }
      if (type === 'counter') this.#tallies.set(name, exposed(metric, labels))
      else if (type === 'gauge') this.#gauges.set(name, new Gauge(metric))
      else this.#histograms.set(name, new Histogram({ ...metric, buckets: BUCKETS }))
    }
  }

  /**
   * Runs six times for each call of a station, so it does not ask prom-client: with labels this takes 50 ns, and there, where
   * a text is made of all labels each time, 500 ns.
   */
  count(metric: CounterName, labels: Labels = {}, by = 1): void {
    const tally = this.#tallies.get(metric)
    if (tally === undefined) return
    let found: Tally['root'] | undefined = tally.root
    for (const name of tally.names) found = found instanceof Map ? found.get(labels[name]) : undefined
    const count = found === undefined || found instanceof Map ? tally.begin(labels) : found
    count.value += by
  }

  observe(metric: HistogramName, labels: Labels, seconds: number): void {
    this.#histograms.get(metric)?.observe(labels, seconds)
  }

  /** All metrics in Prometheus' text format. */
  exposition(gauges: Gauges): Promise<string> {
    const read = { ...gauges, mem_sys_bytes: () => process.memoryUsage.rss() }
    for (const [name, samples] of Object.entries<() => number | readonly (readonly [Labels, number])[]>(read)) {
      const gauge = this.#gauges.get(name)
      const values = samples()
      // A series whose value is no longer read would otherwise keep its last one.
      gauge?.reset()
      if (typeof values === 'number') gauge?.set(values)
      else for (const [labels, value] of values) gauge?.set(labels, value)
    }
    return this.#registry.metrics()
  }
}

type CounterConfig = { name: string; help: string; labelNames: string[]; registers: Registry[] }

/** Has prom-client read the counts at each scrape. */
function exposed(metric: CounterConfig, labels: Row<'counter'>['labels']): Tally {
  const tally = new Tally(metric.labelNames)
  for (const known of knownLabels(labels)) tally.begin(known)
  const counter: Counter = new Counter({
    ...metric,
    collect: () => {
      counter.reset()
      for (const { labels, value } of tally.counts) counter.inc(labels, value)
    },
  })
  return tally
}

/**
 * Every combination of labels whose values are all known: counted from 0, because Prometheus sees no increase in a series
 * that begins with 1. None where a label is an open set.
 */
function knownLabels(labels: Row<'counter'>['labels']): Labels[] {
  let all: Labels[] = [{}]
  for (const [name, values] of Object.entries(labels)) {
    if (typeof values === 'string') return []
    const known = values instanceof Array ? values : Object.keys(values)
    all = all.flatMap(others => known.map(value => ({ ...others, [name]: value })))
  }
  return Object.keys(labels).length === 0 ? [] : all
}

/** Of scrapers. */
const maxConnections = 64

/** Serves the metrics on a port of their own; every other path is 404. Rejects if the port cannot be bound. */
export async function openMetrics(
  { host, port, path }: { readonly host: string; readonly port: number; readonly path: string },
  metrics: Metrics,
  gauges: Gauges,
  log: { info(fields: object, message: string): void },
): Promise<HttpServer> {
  const serve: Parameters<typeof listenHttp>[1] = (request, response) => {
    if (request.method !== 'GET' || pathOf(request.url) !== path) {
      response.writeHead(404, { 'content-length': 0 }).end()
      return
    }
    void metrics.exposition(gauges).then(text => {
      response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text)
    })
  }
  const server = await listenHttp({ host, port }, serve, { connections: maxConnections })
  log.info({ context: 'metrics' }, `Serve metrics at ${originOf('http', { host, port: server.port })}${path}`)
  return server
}
