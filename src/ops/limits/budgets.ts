/**
 * Budgets by key, such as an address. Whoever leaves and comes back finds what was left of its budget.
 */
import { setRecent } from '../recent.ts'
import { Budget, type Rate } from './budget.ts'

/** Beyond them, the ones used longest ago are dropped. */
const maxBudgets = 10_000

export class Budgets<Key> {
  readonly #rate: Rate
  readonly #now: () => number
  /** Those that were not full when they were last looked at. */
  readonly #budgets = new Map<Key, Budget>()

  /** @param now monotonic, in ms */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate
    this.#now = now
  }

  of(key: Key): Budget {
    const budget = this.#budgets.get(key) ?? new Budget(this.#rate, this.#now())
    this.keep(key, budget)
    return budget
  }

  /** Has a key find a budget that was in use for longer than it is remembered. */
  keep(key: Key, budget: Budget): void {
    const now = this.#now()
    for (const [oldest, each] of this.#budgets) {
      if (!each.isFull(now)) break
      this.#budgets.delete(oldest)
    }
    setRecent(this.#budgets, key, budget, maxBudgets)
  }
}
