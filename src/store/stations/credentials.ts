/**
 * Which stations the app has accepted before, and with which credentials: what is stored while the app is away is
 * stored for them only. Of the credentials a keyed digest is kept, never themselves.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { setRecent } from '../../ops/recent.ts'
import type { StationId } from '../../translate/handshake.ts'
import { maxStations, type Operations, type StoredCredentials } from '../operations.ts'
import type { Store } from '../store.ts'

/** How old a stored acceptance may become before it is written again: one write per Connect would gain nothing. */
const keepAgainMs = 24 * 60 * 60_000

/**
 * @param now in ms since the epoch
 * @param onFailure called when a change was not kept; it counts in this process all the same
 */
export async function openCredentials(
  store: Store,
  now: () => number,
  onFailure: (error: unknown) => void,
): Promise<Credentials> {
  return new Credentials(store, now, onFailure, await store.call('credentials'))
}

export class Credentials {
  readonly #store: Store
  readonly #now: () => number
  readonly #onFailure: (error: unknown) => void
  readonly #key: Uint8Array
  /** The one accepted last is last. */
  readonly #accepted = new Map<string, StoredCredentials>()

  constructor(
    store: Store,
    now: () => number,
    onFailure: (error: unknown) => void,
    { key, accepted }: ReturnType<Operations['credentials']>,
  ) {
    this.#store = store
    this.#now = now
    this.#onFailure = onFailure
    this.#key = key
    for (const each of accepted) this.#accepted.set(each.station, each)
  }

  /** @param credentials the Authorization header; empty for a station without one */
  wasAccepted(stationId: StationId, credentials: string): boolean {
    return this.#find(stationId, credentials) !== null
  }

  /** The app has accepted the station. */
  onAccepted(stationId: StationId, credentials: string): void {
    const at = this.#now()
    const before = this.#find(stationId, credentials)
    const isKept = before !== null && at - before.at < keepAgainMs
    const kept = isKept ? before : { station: stationId, digest: this.#digestOf(stationId, credentials), at }
    const evicted = setRecent<string, StoredCredentials>(this.#accepted, stationId, kept, maxStations)
    if (!isKept) this.#store.call('keepCredentials', kept).catch(this.#onFailure)
    if (evicted !== null) this.#store.call('dropCredentials', evicted).catch(this.#onFailure)
  }

  /** The app has rejected credentials that it accepted before. Other ones say nothing about those. */
  onRejected(stationId: StationId, credentials: string): void {
    if (!this.wasAccepted(stationId, credentials)) return
    this.#accepted.delete(stationId)
    this.#store.call('dropCredentials', stationId).catch(this.#onFailure)
  }

  #find(stationId: StationId, credentials: string): StoredCredentials | null {
    const accepted = this.#accepted.get(stationId)
    if (accepted === undefined || !timingSafeEqual(accepted.digest, this.#digestOf(stationId, credentials))) return null
    return accepted
  }

  #digestOf(stationId: StationId, credentials: string): Uint8Array {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([stationId, credentials]))
      .digest()
  }
}
