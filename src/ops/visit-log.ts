/**
 * The lines that each connection of a station writes. A station in a reconnect loop would fill a disk with them, so
 * their number is limited for each station and for each address, and what was left out is counted.
 */
import type { Log } from './log.ts'
import { Budget, type Rate } from './limits/budget.ts'
import { networkOf } from './limits/network.ts'
import { setRecent } from './recent.ts'

/** Ten reconnects within a minute are a loop, or a network to look at; the first five of them show which. */
const perStation: Rate = { burst: 10, perSecond: 10 / 60 }
/**
 * Behind one address may be a proxy: 10,000 stations reconnect, are rejected and come again, and each line is written.
 */
const perAddress: Rate = { burst: 40_000, perSecond: 100 }
/** Clients choose their identities; the oldest are evicted. */
const maxKeys = 20_000
const reportMs = 60_000

export type Visit = { readonly station: string; readonly remoteAddress: string }

type Visitor = { readonly budget: Budget; leftOut: number }

export class VisitLog {
  readonly #log: Pick<Log, 'info'>
  readonly #now: () => number
  readonly #stations = new Map<string, Visitor>()
  readonly #addresses = new Map<string, Visitor>()
  #report: NodeJS.Timeout | null = null

  /** @param now monotonic, in ms */
  constructor(log: Pick<Log, 'info'>, now: () => number) {
    this.#log = log
    this.#now = now
  }

  info(fields: Visit & Readonly<Record<string, unknown>>, message: string): void {
    const isWithin =
      this.#take(this.#stations, fields.station, perStation) &&
      this.#take(this.#addresses, networkOf(fields.remoteAddress), perAddress)
    if (isWithin) return this.#log.info(fields, message)
    if (this.#report === null) this.#report = setTimeout(() => this.#reportLeftOut(), reportMs).unref()
  }

  #take(visitors: Map<string, Visitor>, key: string, rate: Rate): boolean {
    const now = this.#now()
    const visitor = visitors.get(key) ?? { budget: new Budget(rate, now), leftOut: 0 }
    setRecent(visitors, key, visitor, maxKeys)
    const isWithin = visitor.budget.take(1, now)
    if (!isWithin) visitor.leftOut++
    return isWithin
  }

  #reportLeftOut(): void {
    this.#report = null
    for (const [station, num] of taken(this.#stations)) this.#log.info({ station, num }, ofStation)
    for (const [network, num] of taken(this.#addresses)) this.#log.info({ network, num }, ofNetwork)
  }
}

const ofStation = 'left out lines of a station that keeps reconnecting'
const ofNetwork = 'left out lines of stations of one address'

function* taken(visitors: ReadonlyMap<string, Visitor>): Generator<[key: string, num: number]> {
  for (const [key, visitor] of visitors) {
    if (visitor.leftOut > 0) yield [key, visitor.leftOut]
    visitor.leftOut = 0
  }
}
