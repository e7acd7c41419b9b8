/**
 * What is counted of one metric, by the values of its labels.
 */

export type Labels = Readonly<Record<string, string>>
export type Series<Value> = { readonly labels: Labels; value: Value }
/** A level for each label, in the order of the names; below the last one, a series. */
type Level<Value> = Map<string | undefined, Level<Value> | Series<Value>>

/**
 * How many series one metric may have. The busiest, `ocpp_call_total`, has 1,600 at most: this is for a mistake in the
 * program, which would otherwise fill the operator's database.
 */
const maxSeries = 5_000

export class Tally<Value> {
  readonly #names: readonly string[]
  readonly #initial: () => Value
  readonly #root: Level<Value> | Series<Value>
  readonly #all: Series<Value>[] = []

  /** @param initial the value of a new series */
  constructor(names: readonly string[], initial: () => Value) {
    this.#names = names
    this.#initial = initial
    this.#root = new Map()
    // Without labels there is one series, and it is exposed before it counts.
    if (names.length === 0) this.#all.push((this.#root = { labels: {}, value: initial() }))
  }

  /** In the order in which they were first counted. */
  get all(): readonly Series<Value>[] {
    return this.#all
  }

  /** The series of labels; a new one, if they have none yet. Beyond the limit, every label is `other`. */
  of(labels: Labels): Series<Value> {
    let found: Level<Value> | Series<Value> | undefined = this.#root
    for (const name of this.#names) found = found instanceof Map ? found.get(labels[name]) : undefined
    return found === undefined || found instanceof Map ? this.#begin(labels) : found
  }

  #begin(given: Labels): Series<Value> {
    const isFull = this.#all.length >= maxSeries
    const labels = Object.fromEntries(this.#names.map(name => [name, isFull ? 'other' : (given[name] ?? '')]))
    let level = this.#root as Level<Value>
    for (const name of this.#names.slice(0, -1)) level = below(level, labels[name])
    const last = labels[this.#names.at(-1) ?? '']
    const found = level.get(last) as Series<Value> | undefined
    if (found !== undefined) return found
    const series = { labels, value: this.#initial() }
    level.set(last, series)
    this.#all.push(series)
    return series
  }
}

function below<Value>(level: Level<Value>, value: string | undefined): Level<Value> {
  const next =
    (level.get(value) as Level<Value> | undefined) ?? new Map<string | undefined, Level<Value> | Series<Value>>()
  level.set(value, next)
  return next
}
