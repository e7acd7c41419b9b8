/**
 * The counts of one metric, by the values of its labels.
 */

export type Labels = Readonly<Record<string, string>>
export type Count = { readonly labels: Labels; value: number }
/** A level for each label, in the order of the names; below the last one, a count. */
type Level = Map<string | undefined, Level | Count>

/**
 * How many series one metric may have. The busiest, `ocpp_call_total`, has 1,600 at most: this is for a mistake in the
 * program, which would otherwise fill the operator's database.
 */
const maxCounts = 5_000

export class Tally {
  readonly names: readonly string[]
  /** For whoever looks counts up by itself; without labels, the one count. */
  readonly root: Level | Count
  readonly #counts: Count[] = []

  constructor(names: readonly string[]) {
    this.names = names
    this.root = new Map()
    // Without labels there is one series, and it is exposed before it counts.
    if (names.length === 0) this.#counts.push((this.root = { labels: {}, value: 0 }))
  }

  /** In the order in which they were first counted. */
  get counts(): readonly Count[] {
    return this.#counts
  }

  /** The count of labels that have none yet. Beyond the limit, every label is `other`. */
  begin(given: Labels): Count {
    const isFull = this.#counts.length >= maxCounts
    const labels = Object.fromEntries(this.names.map(name => [name, isFull ? 'other' : (given[name] ?? '')]))
    let level = this.root as Level
    for (const name of this.names.slice(0, -1)) level = below(level, labels[name])
    const last = labels[this.names.at(-1) ?? '']
    const found = level.get(last) as Count | undefined
    if (found !== undefined) return found
    const count = { labels, value: 0 }
    level.set(last, count)
    this.#counts.push(count)
    return count
  }
}

function below(level: Level, value: string | undefined): Level {
  const next = (level.get(value) as Level | undefined) ?? new Map<string | undefined, Level | Count>()
  level.set(value, next)
  return next
}
