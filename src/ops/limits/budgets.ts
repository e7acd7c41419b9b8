/**
 * Budgets by key, such as an address. Whoever leaves and comes back finds what was left of its budget.
 */
import { setRecent } from '../recent.ts'
import { Budget, type Rate } from './budget.ts'

/** The budgets used longest ago are dropped first: they have refilled since, unless there are more keys than these. */
const maxBudgets = 10_000

export class Budgets<Key> {
  readonly #rate: Rate
  readonly #now: () => number
  readonly #budgets = new Map<Key, Budget>()

  /** @param now monotonic, in ms */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate
    this.#now = now
  }

  of(key: Key): Budget {
    const budget = this.#budgets.get(key) ?? new Budget(this.#rate, this.#now())
    setRecent(this.#budgets, key, budget, maxBudgets)
    return budget
  }
}
