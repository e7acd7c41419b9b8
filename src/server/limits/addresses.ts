/**
 * What each address has: its open connections, and its budget of upgrades. Remembers as much as it has to, and no more.
 */
import { isIPv6 } from 'node:net'
import { Budget, type Rate } from './budget.ts'

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
    const key = keyOf(address)
    const count = (this.#connections.get(key) ?? 0) + 1
    this.#connections.set(key, count)
    const { connPerAddress: limit } = this.#limits
    return limit > 0 && count > limit + answeredBeyond
  }

  onDisconnected(address: string): void {
    const key = keyOf(address)
    const count = (this.#connections.get(key) ?? 0) - 1
    if (count > 0) this.#connections.set(key, count)
    else this.#connections.delete(key)
  }

  /** Whether it has more connections than it may have. */
  isFull(address: string): boolean {
    const { connPerAddress: limit } = this.#limits
    return limit > 0 && (this.#connections.get(keyOf(address)) ?? 0) > limit
  }

  /** Counts an upgrade. @returns whether it is one too many; those that are refused cost nothing */
  isTooFast(address: string): boolean {
    const { upgradeRate } = this.#limits
    if (upgradeRate === 0) return false
    const key = keyOf(address)
    const now = this.#now()
    const budget = this.#budgets.get(key) ?? new Budget(rateOf(upgradeRate), now)
    this.#budgets.delete(key)
    this.#budgets.set(key, budget)
    for (const [oldest] of this.#budgets) {
      if (this.#budgets.size <= maxBudgets) break
      this.#budgets.delete(oldest)
    }
    if (budget.spend(1, now) >= 0) return false
    budget.spend(-1, now)
    return true
  }
}

function rateOf(perSecond: number): Rate {
  return { perSecond, burst: perSecond * burstSeconds }
}

/** An IPv6 host has a whole /64 of addresses. */
function keyOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === '' ? [] : tail.split(':')
  const zeros = address.includes('::') ? Array<string>(8 - groups.length - last.length).fill('0') : []
  return [...groups, ...zeros, ...last].slice(0, 4).join(':')
}
