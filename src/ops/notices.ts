/**
 * Says a thing that many stations share once, and again only after a while: one line per fault, not one per frame.
 */
import type { Log } from './log.ts'

const againMs = 10 * 60 * 1000
/** Some keys hold what a stranger chose, such as an address: the oldest make room. */
const maxKeys = 1_000

export class Notices {
  readonly #log: Log
  readonly #saidAt = new Map<string, number>()

  constructor(log: Log) {
    this.#log = log
  }

  /** Warns, unless the same `key` was warned of in the last ten minutes; whether it did. */
  once(key: string, fields: object, message: string): boolean {
    const now = Date.now()
    const before = this.#saidAt.get(key)
    if (before !== undefined && now - before < againMs) return false
    this.#saidAt.delete(key)
    this.#saidAt.set(key, now)
    const [oldest] = this.#saidAt.keys()
    if (this.#saidAt.size > maxKeys && oldest !== undefined) this.#saidAt.delete(oldest)
    this.#log.warn(fields, message)
    return true
  }
}
