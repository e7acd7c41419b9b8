/**
 * One name of the app: a subchannel for each of its addresses.
 *
 * The name is looked up at the start and after each lost connection, as the app may have moved, and again while an
 * address has no connection: every second while none has, and ever less often once another one has.
 */
import type { Connection } from '../../http2/connection.ts'
import type { ConnectionSettings } from './connection.ts'
import { backoffMs } from './settings.ts'
import { Subchannel, type SubchannelOwner } from './subchannel.ts'

/** All addresses of a name, as `node:dns/promises` returns them. */
export type Lookup = (name: string, options: { readonly all: true }) => Promise<readonly { readonly address: string }[]>

/** The pause between look-ups that only an address causes which never had a connection. */
const maxLookupMs = 2 * 60_000

export class Resolver implements SubchannelOwner {
  readonly #settings: ConnectionSettings
  readonly #lookup: Lookup
  readonly #onChange: () => void
  /** By address. */
  readonly #subchannels = new Map<string, Subchannel>()
  #problem: string | null = null
  #lookedUpAt = -Infinity
  /** Until the first look-up has ended, and during the one after a look-up that failed. */
  #isLookingUp = true
  /** Since the last look-up. */
  #hasLost = false
  /** Until the next look-up while some address has a connection. */
  #pauseMs = maxLookupMs
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(settings: ConnectionSettings, lookup: Lookup, onChange: () => void) {
    this.#settings = settings
    this.#lookup = lookup
    this.#onChange = onChange
    void this.#lookUp()
  }

  /** Those that calls can be sent on. */
  get connections(): readonly Connection[] {
    return [...this.#subchannels.values()].flatMap(({ connection }) => connection ?? [])
  }

  get hasConnection(): boolean {
    return this.connections.length > 0
  }

  /** Whether there is a connection, or may be one soon. */
  get isHopeful(): boolean {
    if (this.#subchannels.size === 0) return this.#isLookingUp
    return [...this.#subchannels.values()].some(({ isHopeful }) => isHopeful)
  }

  /** Why there is no connection, as far as is known. */
  get problem(): string | null {
    const problems = [...this.#subchannels.values()].map(({ problem }) => problem)
    return this.#problem ?? problems.find(problem => problem !== null) ?? null
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const subchannel of this.#subchannels.values()) subchannel.close()
  }

  onReady(): void {
    if (!this.#isLookupDue) clearTimeout(this.#timer)
    this.#onChange()
  }

  onLost(): void {
    this.#hasLost = true
    this.#pauseMs = backoffMs.lookup
    if (!this.hasConnection) for (const subchannel of this.#subchannels.values()) subchannel.connectNow()
    this.#scheduleLookup()
    this.#onChange()
  }

  onAttemptFailed(): void {
    this.#scheduleLookup()
    this.#onChange()
  }

  #scheduleLookup(): void {
    if (this.#isLookingUp || this.#isClosed) return
    const pauseMs = this.hasConnection ? this.#pauseMs : backoffMs.lookup
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, this.#lookedUpAt + pauseMs - performance.now()))
  }

  #onTimer(): void {
    if (this.#isLookupDue) void this.#lookUp()
  }

  get #isLookupDue(): boolean {
    return this.#hasLost || this.#subchannels.size === 0 || this.connections.length < this.#subchannels.size
  }

  async #lookUp(): Promise<void> {
    this.#isLookingUp = true
    this.#hasLost = false
    this.#lookedUpAt = performance.now()
    const { host } = this.#settings
    const found = await this.#lookup(host, { all: true }).catch(textOf)
    this.#isLookingUp = false
    if (this.#isClosed) return
    this.#pauseMs = Math.min(maxLookupMs, 2 * this.#pauseMs)
    if (typeof found === 'string') this.#onFailure(`Name resolution failed for ${host}: ${found}`)
    else if (found.length === 0) this.#onFailure(`Name resolution failed for ${host}: no address`)
    else this.#use(found)
    // An attempt at an address that never answers takes seconds to fail.
    if (this.#isLookupDue) this.#scheduleLookup()
    this.#onChange()
  }

  /** An address that the name no longer has takes no new calls. */
  #use(found: readonly { readonly address: string }[]): void {
    this.#problem = null
    const addresses = new Set(found.map(({ address }) => address))
    for (const [address, subchannel] of this.#subchannels) {
      if (addresses.has(address)) continue
      this.#subchannels.delete(address)
      subchannel.close()
    }
    for (const address of addresses) {
      if (!this.#subchannels.has(address)) this.#subchannels.set(address, new Subchannel(address, this.#settings, this))
    }
  }

  /** Known addresses stay in use: a resolver that fails must not cost the connection to the app. */
  #onFailure(problem: string): void {
    if (this.#subchannels.size === 0) this.#problem = problem
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
