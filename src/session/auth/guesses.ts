/**
 * Attempts to authenticate, counted by address and station, and by address. An attempt with the right key is taken back.
 * Guessing gets slower, and no station is kept out by what others guess from elsewhere.
 */
import { Budget } from '../../ops/limits/budget.ts'
import { networkOf } from '../../ops/limits/network.ts'
import type { Meter } from '../../ops/metrics.ts'
import { remember, type Surroundings } from '../../ops/recent.ts'
import { addressOf, type StationHandshake } from '../../translate/handshake.ts'
import { credentialsDigest } from '../transactions/credentials.ts'

/**
 * For one station from one address: so many attempts are free, then each one doubles the wait. The longest wait is short,
 * so that a right key from the same address comes in soon.
 */
const perStation = { free: 5, leastMs: 1_000, mostMs: 10_000 }
/** Attempts further apart than this do not add up. */
const forgottenAfterMs = 15 * 60_000
/** For all stations behind one address: so many attempts at once, and a second. 10,000 stations may have one address. */
const perAddress = { burst: 10_000, perSecond: 50 }
/** The Retry-After of an address beyond its limit: another attempt would be allowed sooner, but not to all of its stations. */
const addressSeconds = 60
const maxEntries = 100_000

type Guess = { readonly attempts: number; readonly at: number }
type Guesser = Pick<StationHandshake, 'stationId' | 'env'>

export class Guesses {
  readonly #now: () => number
  readonly #meter: Meter
  readonly #guesses = new Map<string, Guess>()
  /** What the app has not judged yet: how many connections wait with each digest of credentials. */
  readonly #pending = new Map<string, Map<string, number>>()
  readonly #budgets = new Map<string, Budget>()

  constructor({ now, meter }: Surroundings) {
    this.#now = now
    this.#meter = meter
  }

  /** In how many seconds credentials that are not known to be right may be tried; `null` if they may be now. */
  waitSeconds(guesser: Guesser): number | null {
    const guess = this.#recent(keyOf(guesser))
    const leftMs = Math.max(guess.at + waitMsOf(guess) - this.#now(), this.#msOfPending(guesser, guess))
    return leftMs > 0 ? Math.ceil(leftMs / 1000) : this.addressWaitSeconds(guesser)
  }

  /**
   * An attempt that the app judges. Until it has, the attempt counts as a wrong one, so that guesses at the same time add
   * up. The same credentials at once are one attempt: a station that reconnects does not wait for itself.
   *
   * @returns ends the attempt, whatever the app has said; may be called twice
   */
  begin(guesser: Guesser): () => void {
    const [key, digest] = [keyOf(guesser), credentialsDigest(guesser)]
    const pending = this.#pending.get(key) ?? new Map<string, number>()
    this.#pending.set(key, pending.set(digest, (pending.get(digest) ?? 0) + 1))
    let isPending = true
    return () => {
      if (!isPending) return
      isPending = false
      const left = (pending.get(digest) ?? 0) - 1
      if (left > 0) pending.set(digest, left)
      else pending.delete(digest)
      if (pending.size === 0) this.#pending.delete(key)
    }
  }

  /** The same, by what has come from the address for any station. */
  addressWaitSeconds(guesser: Guesser): number | null {
    const left = this.#budgets.get(networkAt(guesser))?.spend(0, this.#now()) ?? perAddress.burst
    return left < 1 ? addressSeconds : null
  }

  /** Counts an attempt. Where its check takes time, this is called before: attempts at the same time add up too. */
  add(guesser: Guesser): void {
    const at = this.#now()
    const key = keyOf(guesser)
    const attempts = this.#recent(key).attempts + 1
    remember(this.#guesses, key, { attempts, at }, { limit: maxEntries, kind: 'guesses', meter: this.#meter })
    this.addUnknown(guesser)
  }

  /** Counts an attempt for a station that does not exist. */
  addUnknown(guesser: Guesser): void {
    const at = this.#now()
    const network = networkAt(guesser)
    const budget = this.#budgets.get(network) ?? new Budget(perAddress, at)
    budget.take(1, at)
    remember(this.#budgets, network, budget, { limit: maxEntries, kind: 'guessers', meter: this.#meter })
  }

  /** Takes an attempt back: its key was right, or was not checked. */
  takeBack(guesser: Guesser): void {
    const key = keyOf(guesser)
    const before = this.#guesses.get(key)
    if (before !== undefined) this.#guesses.set(key, { ...before, attempts: Math.max(0, before.attempts - 1) })
    this.#budgets.get(networkAt(guesser))?.spend(-1, this.#now())
  }

  onAccepted(guesser: Guesser): void {
    this.#guesses.delete(keyOf(guesser))
  }

  #recent(key: string): Guess {
    const guess = this.#guesses.get(key)
    return guess !== undefined && this.#now() - guess.at < forgottenAfterMs ? guess : { attempts: 0, at: 0 }
  }

  /** Beyond the free attempts, the next one waits until the app has judged those before it. */
  #msOfPending(guesser: Guesser, { attempts }: Guess): number {
    const pending = this.#pending.get(keyOf(guesser))
    if (pending === undefined) return 0
    const others = pending.size - (pending.has(credentialsDigest(guesser)) ? 1 : 0)
    return others > 0 && attempts + others >= perStation.free ? perStation.leastMs : 0
  }
}

/** What the limits count as one address. */
export function networkAt(guesser: Pick<StationHandshake, 'env'>): string {
  return networkOf(addressOf(guesser))
}

function waitMsOf({ attempts }: Guess): number {
  const beyond = attempts - perStation.free
  return beyond < 0 ? 0 : Math.min(perStation.leastMs * 2 ** beyond, perStation.mostMs)
}

function keyOf(guesser: Guesser): string {
  return `${networkAt(guesser)} ${guesser.stationId}`
}
