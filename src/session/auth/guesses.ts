/**
 * Failed authentications, counted by address and station, and by address. Slows down guessing. Guesses
 * from one address never lock out a station at another.
 */
import { Budget } from '../../ops/limits/budget.ts'
import { networkOf } from '../../ops/limits/network.ts'
import { setRecent } from '../../ops/recent.ts'
import { addressOf, type StationHandshake } from '../../translate/handshake.ts'

/** For one station from one address: so many failures are free, then each one doubles the wait. */
const perStation = { free: 5, leastMs: 1_000, mostMs: 5 * 60_000 }
/** Failures further apart than this do not add up. */
const forgottenAfterMs = 15 * 60_000
/** For all stations behind one address: so many failures at once, and a second. 10,000 stations may have one address. */
const perAddress = { burst: 10_000, perSecond: 50 }
/** The Retry-After of an address beyond its limit: another failure would be allowed sooner, but not to all of its stations. */
const addressSeconds = 60
const maxEntries = 100_000

type Guess = { readonly failures: number; readonly at: number; readonly until: number }
type Guesser = Pick<StationHandshake, 'stationId' | 'env'>

export class Guesses {
  readonly #now: () => number
  readonly #guesses = new Map<string, Guess>()
  readonly #budgets = new Map<string, Budget>()

  /** @param now monotonic, in ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /** In how many seconds credentials that are not known to be right may be tried; `null` if they may be now. */
  waitSeconds(guesser: Guesser): number | null {
    const leftMs = (this.#guesses.get(keyOf(guesser))?.until ?? 0) - this.#now()
    if (leftMs > 0) return Math.ceil(leftMs / 1000)
    const left = this.#budgets.get(networkAt(guesser))?.spend(0, this.#now()) ?? perAddress.burst
    return left < 1 ? addressSeconds : null
  }

  onFailure(guesser: Guesser): void {
    const at = this.#now()
    const [key, network] = [keyOf(guesser), networkAt(guesser)]
    const before = this.#guesses.get(key)
    const failures = before !== undefined && at - before.at < forgottenAfterMs ? before.failures + 1 : 1
    const beyond = failures - perStation.free
    const waitMs = beyond < 0 ? 0 : Math.min(perStation.leastMs * 2 ** beyond, perStation.mostMs)
    setRecent(this.#guesses, key, { failures, at, until: at + waitMs }, maxEntries)
    const budget = this.#budgets.get(network) ?? new Budget(perAddress, at)
    budget.take(1, at)
    setRecent(this.#budgets, network, budget, maxEntries)
  }

  onAccepted(guesser: Guesser): void {
    this.#guesses.delete(keyOf(guesser))
  }
}

function keyOf(guesser: Guesser): string {
  return `${networkAt(guesser)} ${guesser.stationId}`
}

function networkAt(guesser: Guesser): string {
  return networkOf(addressOf(guesser))
}
