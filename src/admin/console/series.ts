/**
 * Samples counters and queues at intervals, so that a console that opens now can show the last ten minutes.
 */
import type { Counts } from '../ports.ts'
import type { Sample } from './answers.ts'

/** How things stand at the end of an interval. */
export type Levels = Pick<Sample, 'stations' | 'rpcPending' | 'disconnects' | 'outbox'>

export type SeriesSources = {
  counts(): Counts
  levels(): Levels
  /** A time of day. */
  timeNow(): string
}

const everySeconds = 5
const kept = 120

export class Series {
  readonly seconds = everySeconds
  readonly #sources: SeriesSources
  readonly #samples: Sample[] = []
  readonly #timer: NodeJS.Timeout
  #before: Counts

  constructor(sources: SeriesSources) {
    this.#sources = sources
    this.#before = sources.counts()
    this.#timer = setInterval(() => this.sample(), everySeconds * 1000).unref()
  }

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples
  }

  /** Ends an interval. */
  sample(): void {
    const now = this.#sources.counts()
    this.#samples.push({ at: this.#sources.timeNow(), ...ratesOf(this.#before, now), ...this.#sources.levels() })
    if (this.#samples.length > kept) this.#samples.shift()
    this.#before = now
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

function ratesOf(before: Counts, now: Counts): Omit<Sample, keyof Levels | 'at'> {
  const rate = (name: 'received' | 'sent' | 'errors' | 'rpcCalls' | 'rpcErrors') =>
    Math.round(((now[name] - before[name]) / everySeconds) * 10) / 10
  const inBuckets = now.rpcDurations.inBuckets.map((count, at) => count - (before.rpcDurations.inBuckets[at] ?? 0))
  const calls = inBuckets.reduce((sum, count) => sum + count, 0)
  const seconds = now.rpcDurations.seconds - before.rpcDurations.seconds
  return {
    received: rate('received'),
    sent: rate('sent'),
    errors: rate('errors'),
    rpcCalls: rate('rpcCalls'),
    rpcErrors: rate('rpcErrors'),
    rpcMeanMs: calls === 0 ? null : toMs(seconds / calls),
    rpcP95Ms: calls === 0 ? null : toMs(quantile(0.95, inBuckets, now.rpcDurations.bounds)),
  }
}

/** Linear within a bucket; of the last bucket, which has no end, its beginning. */
function quantile(share: number, inBuckets: readonly number[], bounds: readonly number[]): number {
  let left = share * inBuckets.reduce((sum, count) => sum + count, 0)
  for (const [at, count] of inBuckets.entries()) {
    const from = bounds[at - 1] ?? 0
    if (count > 0 && left <= count) return from + ((bounds[at] ?? from) - from) * (left / count)
    left -= count
  }
  return bounds.at(-1) ?? 0
}

function toMs(seconds: number): number {
  return Math.round(seconds * 10_000) / 10
}
