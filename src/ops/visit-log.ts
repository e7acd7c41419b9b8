/**
 * The lines that each connection of a station writes. A station in a reconnect loop would fill a disk with them, so their
 * number is limited for each station and for each address, and what was left out is counted.
 */
import type { Log } from './log.ts'
import { setRecent } from './recent.ts'

/** How many lines may be written at once, and how many more every minute. */
type Limit = { readonly burst: number; readonly perMinute: number }

/** Ten reconnects within a minute are a loop, or a network to look at; the first five of them show which. */
const perStation: Limit = { burst: 10, perMinute: 10 }
/** Behind one address may be a proxy: 10,000 stations reconnect, are rejected and come again, and each line is written. */
const perAddress: Limit = { burst: 40_000, perMinute: 6_000 }
/** Whoever connects chooses the identity, and the oldest are evicted. */
const maxKeys = 20_000
const reportMs = 60_000

export type Visit = { readonly station: string; readonly remoteAddress: string }

type Budget = { left: number; at: number; leftOut: number }

export class VisitLog {
  readonly #log: Pick<Log, 'info'>
  readonly #now: () => number
  readonly #stations = new Map<string, Budget>()
  readonly #addresses = new Map<string, Budget>()
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

  #take(budgets: Map<string, Budget>, key: string, { burst, perMinute }: Limit): boolean {
    const now = this.#now()
    const budget = budgets.get(key) ?? { left: burst, at: now, leftOut: 0 }
    setRecent(budgets, key, budget, maxKeys)
    budget.left = Math.min(burst, budget.left + ((now - budget.at) / 60_000) * perMinute)
    budget.at = now
    const isWithin = budget.left >= 1
    if (isWithin) budget.left--
    else budget.leftOut++
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

function* taken(budgets: ReadonlyMap<string, Budget>): Generator<[key: string, num: number]> {
  for (const [key, budget] of budgets) {
    if (budget.leftOut > 0) yield [key, budget.leftOut]
    budget.leftOut = 0
  }
}

/** The network of an IPv6 address, of which one host has 2^64 addresses; an IPv4 address as it is. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = ''] = address.split('::')
  return `${head.split(':').slice(0, 4).join(':')}::/64`
}
