/**
 * Rate-limits warnings: a problem that many stations or frames share is logged once, then at most every ten minutes.
 */
import type { Log } from './log.ts'
import { setRecent } from './recent.ts'

const againMs = 10 * 60 * 1000
/** Some keys contain what a peer chooses, such as its address, so the oldest are evicted. */
const maxKeys = 1_000
/** Details are what the app or a station wrote, and may differ each time. */
const maxDetails = 10

type Notice = { readonly since: number; readonly details: Set<string> }

export class Notices {
  readonly #log: Log
  readonly #notices = new Map<string, Notice>()

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * Warns, unless the same key and detail was logged in the last ten minutes, or ten other details of the key were.
   *
   * @returns whether it did
   */
  once(key: string, fields: object | (() => object), message: string, detail = ''): boolean {
    const now = performance.now()
    const before = this.#notices.get(key)
    const isRecent = before !== undefined && now - before.since < againMs
    const notice = isRecent ? before : { since: now, details: new Set<string>() }
    if (notice.details.has(detail) || notice.details.size >= maxDetails) return false
    notice.details.add(detail)
    setRecent(this.#notices, key, notice, maxKeys)
    this.#log.warn(typeof fields === 'function' ? (fields as () => object)() : fields, message)
    return true
  }
}
