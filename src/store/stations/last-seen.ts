/**
 * Which stations were connected, and how the connections of the others ended. A change is written a little later,
 * together with others: no station and no other write waits for it, and stations that leave together cost a few
 * transactions.
 */
import { setRecent } from '../../ops/recent.ts'
import type { LastSeen } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import type { Store } from '../store.ts'

const writeAfterMs = 1_000
/** How often the time is kept that tells the next process until when the bridge ran. */
const aliveEveryMs = 60_000
/** For one transaction, which other writes may have to wait for. */
const stationsAtOnce = 2_000
/** Changes that wait: the disk keeps no more stations. */
const maxWaiting = 10_000

/** The end of connections that were open when their process was killed, or the machine lost its power. */
const killed = { code: 1006, reason: 'The bridge ended without a shutdown' } as const

/**
 * @param now in ms since the epoch
 * @param onFailure called when changes were not kept
 */
export async function openSeenStations(
  store: Pick<Store, 'call'>,
  now: () => number,
  onFailure: (error: unknown) => void,
): Promise<SeenStations> {
  const { aliveAt, stations } = await store.call('lastSeen')
  const before = stations.map(seen =>
    seen.end === null ? { ...seen, at: Math.max(seen.at, aliveAt), end: killed } : seen,
  )
  // Before the stations of this process are written.
  if (stations.some(({ end }) => end === null)) store.call('endSeen', aliveAt, killed).catch(onFailure)
  return new SeenStations(
    store,
    now,
    onFailure,
    before.sort((one, other) => one.at - other.at),
  )
}

export class SeenStations {
  /** Those of the last process; the one seen last is last. */
  readonly before: readonly LastSeen[]
  readonly #store: Pick<Store, 'call'>
  readonly #now: () => number
  readonly #onFailure: (error: unknown) => void
  /** The last refusals of `before`. */
  readonly #refusals: ReadonlyMap<StationId, LastSeen['refusal']>
  readonly #waiting = new Map<StationId, LastSeen>()
  #alive: NodeJS.Timeout | null = null
  #timer: NodeJS.Timeout | null = null
  #isWriting = false
  #isClosed = false

  constructor(
    store: Pick<Store, 'call'>,
    now: () => number,
    onFailure: (error: unknown) => void,
    before: readonly LastSeen[],
  ) {
    this.#store = store
    this.#now = now
    this.#onFailure = onFailure
    this.before = before
    this.#refusals = new Map(before.map(({ stationId, refusal }) => [stationId, refusal]))
  }

  keep(seen: LastSeen): void {
    if (this.#isClosed) return
    // While another process used the store, this one did not know of a refusal before.
    const refusal = seen.refusal ?? this.#refusals.get(seen.stationId) ?? null
    setRecent(this.#waiting, seen.stationId, { ...seen, refusal }, maxWaiting)
    this.#timer ??= setTimeout(() => void this.#write(), writeAfterMs)
    this.#alive ??= setInterval(() => void this.#write(), aliveEveryMs)
  }

  /** Hands all that waits to the store. May be called twice. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#alive ?? undefined)
    clearTimeout(this.#timer ?? undefined)
    while (this.#waiting.size > 0) this.#writeNext().catch(this.#onFailure)
  }

  async #write(): Promise<void> {
    this.#timer = null
    // What comes meanwhile is written by the write under way.
    if (this.#isWriting) return
    this.#isWriting = true
    try {
      do await this.#writeNext()
      while (this.#waiting.size > 0)
    } catch (error) {
      this.#waiting.clear()
      this.#onFailure(error)
    } finally {
      this.#isWriting = false
    }
  }

  #writeNext(): Promise<void> {
    const next = [...this.#waiting.values()].slice(0, stationsAtOnce)
    for (const { stationId } of next) this.#waiting.delete(stationId)
    return this.#store.call('keepSeen', next, this.#now())
  }
}
