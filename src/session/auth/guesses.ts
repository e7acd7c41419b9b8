/**
 * Attempts to authenticate, counted by address and station, and by address. An attempt with the right key is taken
 * back.
 *
 * Beyond the free attempts for a station, one more is allowed after each wait. It goes to one of the credentials that
 * were put off and came back, by a draw in which each has one lot however often it asks: a station repeats its key, and
 * new guesses have no lot. So guessing gets slower, and no station is kept out by guesses, not even by those from its
 * own address.
 */
import { Budget } from '../../ops/limits/budget.ts'
import { networkOf } from '../../ops/limits/network.ts'
import type { Meter } from '../../ops/metrics.ts'
import { remember } from '../../ops/recent.ts'
import { addressOf, type StationHandshake } from '../../translate/handshake.ts'
import { credentialsDigest } from '../transactions/credentials.ts'
import { Lots, type Drawing } from './lots.ts'

/**
 * For one station from one address: so many attempts are free, then each one doubles the wait. The longest wait is
 * short, so that a right key from the same address soon wins a draw.
 */
const perStation = { free: 5, leastMs: 1_000, mostMs: 5_000 }
/** Attempts further apart than this do not add up. */
const forgottenAfterMs = 15 * 60_000
/**
 * For all stations behind one address: so many attempts at once, and a second. 10,000 stations may have one address.
 */
const perAddress = { burst: 10_000, perSecond: 50 }
/**
 * The Retry-After of an address beyond its limit: another attempt would be allowed sooner, but not to all of its
 * stations.
 */
const addressSeconds = 60
const maxEntries = 100_000

/** `at`: of the latest attempt, or of the latest draw. `id`: the spelling that was tried; `null` for several. */
type Guess = { readonly attempts: number; readonly at: number; readonly id: string | null }
type Guesser = Pick<StationHandshake, 'stationId' | 'env'>

export class Guesses {
  readonly #now: () => number
  readonly #meter: Meter
  readonly #guesses = new Map<string, Guess>()
  /** What the app has not judged yet: how many connections wait with each digest of credentials. */
  readonly #pending = new Map<string, Map<string, number>>()
  readonly #budgets = new Map<string, Budget>()
  readonly #lots: Lots

  constructor(drawing: Drawing) {
    this.#now = drawing.now
    this.#meter = drawing.meter
    this.#lots = new Lots(drawing)
  }

  /**
   * In how many seconds credentials that are not known to be right may be tried; `null` if they may be now. Credentials
   * that have to wait take part in the draws from the next time on.
   */
  waitSeconds(guesser: Guesser): number | null {
    const addressSeconds = this.addressWaitSeconds(guesser)
    if (addressSeconds !== null) return addressSeconds
    const [key, digest] = [keyOf(guesser), credentialsDigest(guesser)]
    const guess = this.#recent(key)
    if (guess.attempts + this.#othersPending(key, digest) < perStation.free) return null
    this.#lots.visit(key, digest)
    if (this.#lots.hasWon(key, digest)) return null
    const now = this.#now()
    const leftMs = guess.at + waitMsOf(guess) - now
    if (leftMs > 0) return Math.ceil(leftMs / 1000)
    this.#keep(key, { ...guess, at: now })
    this.#lots.draw(key, digest)
    return this.#lots.hasWon(key, digest) ? null : Math.ceil(waitMsOf(guess) / 1000)
  }

  /**
   * An attempt that the app judges. Until it has, the attempt counts as a wrong one, so that guesses at the same time
   * add up. The same credentials at once are one attempt: a station that reconnects does not wait for itself.
   *
   * @returns ends the attempt, whatever the app has said; may be called twice
   */
  begin(guesser: Guesser): () => void {
    const [key, digest] = [keyOf(guesser), credentialsDigest(guesser)]
    const pending = this.#pending.get(key) ?? new Map<string, number>()
    const guess = this.#recent(key)
    // The first attempt starts the wait.
    if (guess.at === 0) this.#keep(key, { ...guess, at: this.#now() })
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
    const [key, digest] = [keyOf(guesser), credentialsDigest(guesser)]
    const { attempts, at, id } = this.#recent(key)
    const tried = attempts === 0 || id === guesser.stationId ? guesser.stationId : null
    // The wait after an attempt that was drawn began with the draw.
    this.#keep(key, { attempts: attempts + 1, at: this.#lots.hasWon(key, digest) ? at : this.#now(), id: tried })
    this.#lots.delete(key, digest)
    this.addUnknown(guesser)
  }

  /** Counts an attempt for its address only: the station does not exist, or its key cannot be guessed. */
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
    const attempts = Math.max(0, (before?.attempts ?? 0) - 1)
    if (before !== undefined) this.#guesses.set(key, { ...before, attempts })
    // One that was drawn need not win another draw.
    if (attempts >= perStation.free) this.#lots.win(key, credentialsDigest(guesser))
    this.takeBackUnknown(guesser)
  }

  /** The same of an attempt that counted for its address only. */
  takeBackUnknown(guesser: Guesser): void {
    this.#budgets.get(networkAt(guesser))?.spend(-1, this.#now())
  }

  /** Forgets the attempts, unless some were for another spelling: that may be another station. */
  onAccepted(guesser: Guesser): void {
    const key = keyOf(guesser)
    const guess = this.#guesses.get(key)
    if (guess?.attempts === 0 || guess?.id === guesser.stationId) this.#guesses.delete(key)
  }

  #keep(key: string, guess: Guess): void {
    remember(this.#guesses, key, guess, { limit: maxEntries, kind: 'guesses', meter: this.#meter })
  }

  #recent(key: string): Guess {
    const guess = this.#guesses.get(key)
    return guess !== undefined && this.#now() - guess.at < forgottenAfterMs ? guess : { attempts: 0, at: 0, id: null }
  }

  /** How many other credentials the app judges at the moment. */
  #othersPending(key: string, digest: string): number {
    const pending = this.#pending.get(key)
    return pending === undefined ? 0 : pending.size - (pending.has(digest) ? 1 : 0)
  }
}

/** What the limits count as one address. */
export function networkAt(guesser: Pick<StationHandshake, 'env'>): string {
  return networkOf(addressOf(guesser))
}

function waitMsOf({ attempts }: Guess): number {
  const beyond = Math.max(0, attempts - perStation.free)
  return Math.min(perStation.leastMs * 2 ** beyond, perStation.mostMs)
}

/** Apps may treat identities that differ only in case, or in blanks at their end, as the same: databases often do. */
function keyOf(guesser: Guesser): string {
  return `${networkAt(guesser)} ${guesser.stationId.trimEnd().toLowerCase()}`
}
