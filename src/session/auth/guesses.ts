/**
 * Failed authentications, counted by address and station, and by address. Guessing gets slower, and no station is kept out
 * by what others guess from elsewhere.
 */
import { setRecent } from '../../ops/recent.ts'
import type { StationHandshake } from '../../translate/handshake.ts'

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
type Bucket = { readonly left: number; readonly at: number }
type Guesser = Pick<StationHandshake, 'stationId' | 'env'>

export class Guesses {
  readonly #now: () => number
  readonly #guesses = new Map<string, Guess>()
  readonly #buckets = new Map<string, Bucket>()

  /** @param now monotonic, in ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /** In how many seconds credentials that are not known to be right may be tried; `null` if they may be now. */
  waitSeconds(guesser: Guesser): number | null {
    const leftMs = (this.#guesses.get(keyOf(guesser))?.until ?? 0) - this.#now()
    if (leftMs > 0) return Math.ceil(leftMs / 1000)
    return this.#leftOf(networkOf(guesser)) < 1 ? addressSeconds : null
  }

  onFailure(guesser: Guesser): void {
    const at = this.#now()
    const [key, network] = [keyOf(guesser), networkOf(guesser)]
    const before = this.#guesses.get(key)
    const failures = before !== undefined && at - before.at < forgottenAfterMs ? before.failures + 1 : 1
    const beyond = failures - perStation.free
    const waitMs = beyond < 0 ? 0 : Math.min(perStation.leastMs * 2 ** beyond, perStation.mostMs)
    setRecent(this.#guesses, key, { failures, at, until: at + waitMs }, maxEntries)
    setRecent(this.#buckets, network, { left: Math.max(0, this.#leftOf(network) - 1), at }, maxEntries)
  }

  onAccepted(guesser: Guesser): void {
    this.#guesses.delete(keyOf(guesser))
  }

  #leftOf(network: string): number {
    const bucket = this.#buckets.get(network)
    if (bucket === undefined) return perAddress.burst
    const gained = ((this.#now() - bucket.at) / 1000) * perAddress.perSecond
    return Math.min(perAddress.burst, bucket.left + gained)
  }
}

function keyOf(guesser: Guesser): string {
  return `${networkOf(guesser)} ${guesser.stationId}`
}

/** The address; of IPv6 the first 64 bits, because a peer has all the addresses of such a network. */
function networkOf({ env }: Guesser): string {
  const address = env.headers['REMOTE_ADDR'] ?? ''
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const before = head.split(':').filter(group => group !== '')
  const after = tail?.split(':').filter(group => group !== '') ?? []
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after].slice(0, 4).join(':')
}
