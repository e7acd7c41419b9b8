/**
 * What each address has: its open connections, and its budget of upgrades. Remembers as much as it has to, and no more.
 */
import { Budget, type Rate } from '../../ops/limits/budget.ts'
import { networkOf } from '../../ops/limits/network.ts'
import { setRecent } from '../../ops/recent.ts'

export type AddressLimits = {
  /** Open connections of one address; 0: no limit. */
  readonly connPerAddress: number
  /** Upgrades of one address per second; 0: no limit. */
  readonly upgradeRate: number
}

/** So many seconds' worth of upgrades may come at once: a whole fleet behind one address reconnects together. */
export const burstSeconds = 40
/** Beyond the limit on connections, so many more still get an answer. */
const answeredBeyond = 50
/** Budgets of addresses; the ones used longest ago are dropped first, and an address that comes back begins anew. */
const maxBudgets = 10_000

export class Addresses {
  readonly #limits: AddressLimits
  readonly #now: () => number
  readonly #connections = new Map<string, number>()
  readonly #budgets = new Map<string, Budget>()

  /** @param now monotonic, in ms */
  constructor(limits: AddressLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /** @returns whether the address has so many connections that this one must be closed without an answer */
  onConnected(address: string): boolean {
    const network = networkOf(address)
    const count = (this.#connections.get(network) ?? 0) + 1
    this.#connections.set(network, count)
    const { connPerAddress: limit } = this.#limits
    return limit > 0 && count > limit + answeredBeyond
  }

  onDisconnected(address: string): void {
    const network = networkOf(address)
    const count = (this.#connections.get(network) ?? 0) - 1
    if (count > 0) this.#connections.set(network, count)
    else this.#connections.delete(network)
  }

  /** Whether it has more connections than it may have. */
  isFull(address: string): boolean {
    const { connPerAddress: limit } = this.#limits
    return limit > 0 && (this.#connections.get(networkOf(address)) ?? 0) > limit
  }

  /** Counts an upgrade. @returns whether it is one too many; those that are refused cost nothing */
  isTooFast(address: string): boolean {
    const { upgradeRate } = this.#limits
    if (upgradeRate === 0) return false
    const network = networkOf(address)
    const now = this.#now()
    const budget = this.#budgets.get(network) ?? new Budget(rateOf(upgradeRate), now)
    setRecent(this.#budgets, network, budget, maxBudgets)
    return !budget.take(1, now)
  }
}

function rateOf(perSecond: number): Rate {
  return { perSecond, burst: perSecond * burstSeconds }
}
