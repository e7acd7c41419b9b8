/**
 * One host of the app by its name: a line to each of its addresses. The addresses are looked up at the start, and again
 * when one of them fails.
 */
import { clear } from './deadline.ts'
import { Line } from './line.ts'
import type { LinkSettings } from './link.ts'

/** All addresses of a name, as `node:dns/promises` tells them. */
export type Lookup = (name: string, options: { readonly all: true }) => Promise<readonly { readonly address: string }[]>

/** At most one look-up in it. */
const lookupPauseMs = 1_000

export class Host {
  readonly #settings: LinkSettings
  readonly #lookup: Lookup
  readonly #changed: () => void
  readonly #lines = new Map<string, Line>()
  #problem: string | null = null
  #lookedUpAt = -Infinity
  /** Until the first look-up has an answer, and until the next has one after it had none. */
  #isLookingUp = true
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(settings: LinkSettings, lookup: Lookup, changed: () => void) {
    this.#settings = settings
    this.#lookup = lookup
    this.#changed = changed
    void this.#lookUp()
  }

  get lines(): readonly Line[] {
    return [...this.#lines.values()]
  }

  /** Whether there is a connection, or one may be soon. */
  get isHopeful(): boolean {
    return this.#lines.size === 0 ? this.#isLookingUp : this.lines.some(line => line.isHopeful)
  }

  /** Why there is no connection, as far as it is known. */
  get problem(): string | null {
    return this.#problem ?? this.lines.find(line => line.problem !== null)?.problem ?? null
  }

  close(): void {
    this.#isClosed = true
    clear(this.#timer)
    for (const line of this.#lines.values()) line.close()
  }

  #lookUpSoon(): void {
    if (this.#timer !== null || this.#isLookingUp || this.#isClosed) return
    const ms = Math.max(0, this.#lookedUpAt + lookupPauseMs - Date.now())
    this.#timer = setTimeout(() => void this.#lookUp(), ms)
  }

  async #lookUp(): Promise<void> {
    this.#timer = null
    this.#isLookingUp = true
    this.#lookedUpAt = Date.now()
    const { host } = this.#settings.name
    const found = await this.#lookup(host, { all: true }).catch((error: unknown) => error)
    this.#isLookingUp = false
    if (this.#isClosed) return
    if (Array.isArray(found) && found.length > 0) this.#use(found as Awaited<ReturnType<Lookup>>)
    else
      this.#miss(`Name resolution failed for ${host}: ${found instanceof Error ? found.message : 'it has no address'}`)
    this.#changed()
  }

  /** An address that is no more the name's takes no new calls. */
  #use(found: readonly { readonly address: string }[]): void {
    this.#problem = null
    const addresses = new Set(found.map(({ address }) => address))
    for (const [address, line] of this.#lines) {
      if (addresses.has(address)) continue
      this.#lines.delete(address)
      line.close()
    }
    for (const address of addresses) {
      if (!this.#lines.has(address)) this.#lines.set(address, this.#open(address))
    }
  }

  /** Addresses that are known stay in use: a resolver that fails is no reason to lose the app. */
  #miss(problem: string): void {
    if (this.#lines.size > 0) return
    this.#problem = problem
    this.#lookUpSoon()
  }

  #open(address: string): Line {
    return new Line(address, this.#settings, { changed: this.#changed, failed: () => this.#lookUpSoon() })
  }
}
