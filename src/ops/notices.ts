/**
 * Rate-limits warnings: a problem that many stations or frames share is logged once, then at most every ten minutes.
 */
import type { Log } from './log.ts'

const againMs = 10 * 60 * 1000
/** Some keys contain what a peer chooses, such as its address, so the oldest are evicted. */
const maxKeys = 1_000

export class Notices {
  readonly #log: Log
  readonly #saidAt = new Map<string, number>()

  constructor(log: Log) {
    this.#log = log
  }

  /** Logs a warning, unless one with the same `key` was logged within ten minutes. @returns whether it did */
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
