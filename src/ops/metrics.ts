/**
 * Counts what the metrics table names, and serves it in Prometheus' text format. The only import of prom-client.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Counter, Gauge, Registry, type Histogram } from 'prom-client'
import { table, type CounterName, type Gauges, type HistogramName, type Meter, type Row } from './metric-table.ts'
import { type HttpServer, listenHttp, originOf, pathOf } from './http/server.ts'
import { Tally, type Labels, type Series } from './tally.ts'

export type { DropReason, Gauges, Limit, Meter, Remembered } from './metric-table.ts'

/** In seconds. Covers the default RPC timeout, 3 s, and the answer timeout of typical stations, about 30 s. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** For a bridge without metrics: labels and observations are discarded. */
export const noMeter: Meter = {
  isRead: false,
  totals: totalsOf(() => ({ value: 0 })),
  count: () => undefined,
  observe: () => undefined,
}

/** Observations of a histogram; the last bucket has no bound. */
export type Observed = {
  readonly inBuckets: readonly number[]
  readonly seconds: number
  readonly bounds: readonly number[]
}

/** All metrics of one process. */
export class Metrics implements Meter {
  readonly isRead = true
  readonly totals: Meter['totals']
  readonly #registry = new Registry()
  readonly #tallies = new Map<string, Tally<number>>()
  readonly #gauges = new Map<string, Gauge>()
  readonly #histograms = new Map<string, Tally<Observations>>()

  /**
   * @param prefix of every name: `ocpp_cable_`, or `anycable_go_` for AnyCable's dashboards
   * @param tags   labels of every series; a metric's own label of the same name wins
   */
  constructor(prefix: string, tags: Labels = {}) {
    this.#registry.setDefaultLabels(tags)
    for (const [name, { type, help, labels }] of Object.entries<Row<'gauge' | 'counter' | 'histogram'>>(table)) {
      const metric = { name: prefix + name, help, labelNames: Object.keys(labels), registers: [this.#registry] }
      if (type === 'counter') this.#tallies.set(name, exposed(metric, labels))
      else if (type === 'gauge') this.#gauges.set(name, new Gauge(metric))
      else this.#histograms.set(name, exposedHistogram(metric))
    }
    this.totals = totalsOf(name => this.#tallies.get(name)?.of({}) ?? { value: 0 })
  }

  /**
   * Runs six times for each call of a station, so it does not ask prom-client: with labels this takes 50 ns, and there,
   * where a text is made of all labels each time, 500 ns. An observation takes twice as long in each.
   */
  count(metric: CounterName, labels: Labels = {}, by = 1): void {
    const series = this.#tallies.get(metric)?.of(labels)
    if (series !== undefined) series.value += by
  }

  observe(metric: HistogramName, labels: Labels, seconds: number): void {
    const observed = this.#histograms.get(metric)?.of(labels).value
    if (observed === undefined) return
    let bucket = 0
    while (seconds > (BUCKETS[bucket] ?? Infinity)) bucket++
    observed.inBuckets[bucket] = (observed.inBuckets[bucket] ?? 0) + 1
    observed.sum += seconds
  }

  /** What a counter has counted, over the series that a condition fits. */
  total(metric: CounterName, fits: (labels: Labels) => boolean = () => true): number {
    let total = 0
    for (const { labels, value } of this.#tallies.get(metric)?.all ?? []) if (fits(labels)) total += value
    return total
  }

  /** What a histogram has observed, over all series. */
  observed(metric: HistogramName): Observed {
    const all = this.#histograms.get(metric)?.all ?? []
    const inBuckets = [...BUCKETS, Infinity].map((_, at) =>
      all.reduce((count, { value }) => count + (value.inBuckets[at] ?? 0), 0),
    )
    return { inBuckets, seconds: all.reduce((sum, { value }) => sum + value.sum, 0), bounds: BUCKETS }
  }

  /** All metrics in Prometheus' text format. */
  exposition(gauges: Gauges): Promise<string> {
    for (const [name, samples] of readGauges(gauges)) {
      const gauge = this.#gauges.get(name)
      // A series whose value is no longer read would otherwise keep its last one.
      gauge?.reset()
      for (const [labels, value] of samples) gauge?.set(labels, value)
    }
    return this.#registry.metrics()
  }

  /** Every series, by names without the prefix. Of a histogram, how often it observed, and the sum. */
  readings(gauges: Gauges): Reading[] {
    const counted = [...this.#tallies].flatMap(([name, { all }]) =>
      all.map(({ labels, value }) => ({ type: 'counter', name, labels, value }) as const),
    )
    const observed = [...this.#histograms].flatMap(([name, { all }]) =>
      all.flatMap(({ labels, value: { inBuckets, sum } }) => [
        {
          type: 'counter',
          name: `${name}_count`,
          labels,
          value: inBuckets.reduce((count, each) => count + each, 0),
        } as const,
        { type: 'counter', name: `${name}_sum`, labels, value: sum } as const,
      ]),
    )
    const read = readGauges(gauges).flatMap(([name, samples]) =>
      samples.map(([labels, value]) => ({ type: 'gauge', name, labels, value }) as const),
    )
    return [...read, ...counted, ...observed]
  }
}

/** One series, as of now. */
export type Reading = {
  readonly type: 'counter' | 'gauge'
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

function readGauges(gauges: Gauges): (readonly [name: string, readonly (readonly [Labels, number])[]])[] {
  const all = { ...gauges, mem_sys_bytes: () => process.memoryUsage.rss() }
  return Object.entries<() => number | readonly (readonly [Labels, number])[]>(all).map(([name, read]) => {
    const samples = read()
    return [name, typeof samples === 'number' ? [[{}, samples]] : samples]
  })
}

/** @param total makes the count of one counter */
export function totalsOf(total: (name: string) => { value: number }): Meter['totals'] {
  const rows = Object.entries<Row<'gauge' | 'counter' | 'histogram'>>(table)
  const names = rows.filter(([, { type, labels }]) => type === 'counter' && Object.keys(labels).length === 0)
  return Object.fromEntries(names.map(([name]) => [name, total(name)])) as Meter['totals']
}

type MetricConfig = { name: string; help: string; labelNames: string[]; registers: Registry[] }

/** Has prom-client read the counts at each scrape. */
function exposed(metric: MetricConfig, labels: Row<'counter'>['labels']): Tally<number> {
  const tally = new Tally(metric.labelNames, () => 0)
  for (const known of knownLabels(labels)) tally.of(known)
  const counter: Counter = new Counter({
    ...metric,
    collect: () => {
      counter.reset()
      for (const { labels, value } of tally.all) counter.inc(labels, value)
    },
  })
  return tally
}

/**
 * How many observations each bucket has, those of the buckets below it left out; the last one is for all that is
 * longer.
 */
type Observations = { readonly inBuckets: number[]; sum: number }

/** Has prom-client read the observations at each scrape, as one of its own histograms. */
function exposedHistogram({ name, help, labelNames, registers }: MetricConfig): Tally<Observations> {
  const tally = new Tally<Observations>(labelNames, () => ({ inBuckets: [...BUCKETS, Infinity].map(() => 0), sum: 0 }))
  const get = () => Promise.resolve({ name, help, type: 'histogram', values: tally.all.flatMap(valuesOf(name)) })
  // The registry reads these two members of a metric. Its types know only its own classes, whose observations take
  // longer.
  for (const registry of registers) registry.registerMetric({ name, get } as unknown as Histogram)
  return tally
}

function valuesOf(name: string) {
  return ({ labels, value: { inBuckets, sum } }: Series<Observations>) => {
    let count = 0
    const buckets = inBuckets.map((inBucket, at) => {
      count += inBucket
      return { metricName: `${name}_bucket`, labels: { le: BUCKETS[at] ?? '+Inf', ...labels }, value: count }
    })
    const total = [
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
    return [...buckets, ...total]
  }
}

/**
 * Every combination of labels whose values are all known: counted from 0, because Prometheus sees no increase in a
 * series that begins with 1. None where a label is an open set.
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
/** Between two texts, in ms: each is the work of some ms, and whoever reaches the port may ask for it. */
const pauseMs = 100

/** Serves the metrics on a port of their own; every other path is 404. Rejects if the port cannot be bound. */
export async function openMetrics(
  { host, port, path }: { readonly host: string; readonly port: number; readonly path: string },
  metrics: Metrics,
  gauges: Gauges,
  log: { info(fields: object, message: string): void },
): Promise<HttpServer> {
  const expose = forAll(() => metrics.exposition(gauges))
  const serve: Parameters<typeof listenHttp>[1] = (request, response) => {
    if (request.method !== 'GET' || pathOf(request.url) !== path) {
      response.writeHead(404, { 'content-length': 0 }).end()
      return
    }
    void expose().then(text => {
      response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text)
    })
  }
  const server = await listenHttp({ host, port }, serve, { connections: maxConnections })
  log.info({ context: 'metrics' }, `Serve metrics at ${originOf('http', { host, port: server.port })}${path}`)
  return server
}

/** Makes it once in `pauseMs` at most. Whoever asks gets the next one, with all others that wait for it. */
function forAll(make: () => Promise<string>): () => Promise<string> {
  let next: Promise<string> | null = null
  let lastAt = -Infinity
  const makeLater = async (): Promise<string> => {
    await sleep(Math.max(0, lastAt + pauseMs - performance.now()))
    next = null
    lastAt = performance.now()
    return make()
  }
  return () => (next ??= makeLater())
}
