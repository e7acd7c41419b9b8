/**
 * One host of the app by its name: all addresses of it. They are looked up at the start, again when one of them fails,
 * and again and again while one has no connection: the app may have moved.
 */
import { clear } from '../deadline.ts'
import { pausesMs } from '../grpc-settings.ts'
import { Address } from './address.ts'
import type { LinkSettings } from './link.ts'

/** All addresses of a name, as `node:dns/promises` tells them. */
export type Lookup = (name: string, options: { readonly all: true }) => Promise<readonly { readonly address: string }[]>

export class Host {
  readonly #settings: LinkSettings
  readonly #lookup: Lookup
  readonly #changed: () => void
  /** By their numbers. */
  readonly #addresses = new Map<string, Address>()
  #problem: string | null = null
  #lookedUpAt = -Infinity
  /** Until the first look-up has an answer, and until the next has one after it had none. */
  #isLookingUp = true
  /** Since the last look-up. */
  #hasFailed = false
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(settings: LinkSettings, lookup: Lookup, changed: () => void) {
    this.#settings = settings
    this.#lookup = lookup
    this.#changed = changed
    void this.#lookUp()
  }

  get addresses(): readonly Address[] {
    return [...this.#addresses.values()]
  }

  /** Whether there is a connection, or one may be soon. */
  get isHopeful(): boolean {
    return this.#addresses.size === 0 ? this.#isLookingUp : this.addresses.some(address => address.isHopeful)
  }

  /** Why there is no connection, as far as it is known. */
  get problem(): string | null {
    return this.#problem ?? this.addresses.find(({ problem }) => problem !== null)?.problem ?? null
  }

  close(): void {
    this.#isClosed = true
    clear(this.#timer)
    for (const address of this.#addresses.values()) address.close()
  }

  #lookUpSoon(): void {
    if (this.#timer !== null || this.#isLookingUp || this.#isClosed) return
    const ms = Math.max(0, this.#lookedUpAt + pausesMs.lookup - Date.now())
    this.#timer = setTimeout(() => this.#onTimer(), ms)
  }

  /** Not where all that had no connection has one by now. */
  #onTimer(): void {
    this.#timer = null
    if (this.#hasFailed || !this.#isWhole) void this.#lookUp()
  }

  get #isWhole(): boolean {
    return this.#addresses.size > 0 && this.addresses.every(({ link }) => link !== null)
  }

  async #lookUp(): Promise<void> {
    this.#isLookingUp = true
    this.#hasFailed = false
    this.#lookedUpAt = Date.now()
    const { host } = this.#settings.name
    const found = await this.#lookup(host, { all: true }).catch(textOf)
    this.#isLookingUp = false
    if (this.#isClosed) return
    if (typeof found === 'string') this.#miss(`Name resolution failed for ${host}: ${found}`)
    else if (found.length === 0) this.#miss(`Name resolution failed for ${host}: it has no address`)
    else this.#use(found)
    // An attempt at an address that is silent takes seconds: not only when it has failed.
    if (!this.#isWhole) this.#lookUpSoon()
    this.#changed()
  }

  /** An address that is no more the name's takes no new calls. */
  #use(found: readonly { readonly address: string }[]): void {
    this.#problem = null
    const ips = new Set(found.map(({ address }) => address))
    for (const [ip, address] of this.#addresses) {
      if (ips.has(ip)) continue
      this.#addresses.delete(ip)
      address.close()
    }
    for (const ip of ips) {
      if (!this.#addresses.has(ip)) this.#addresses.set(ip, this.#open(ip))
    }
  }

  /** Addresses that are known stay in use: a resolver that fails is no reason to lose the app. */
  #miss(problem: string): void {
    if (this.#addresses.size === 0) this.#problem = problem
  }

  #open(ip: string): Address {
    return new Address(ip, this.#settings, { changed: this.#changed, failed: () => this.#onFailure() })
  }

  #onFailure(): void {
    this.#hasFailed = true
    this.#lookUpSoon()
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
