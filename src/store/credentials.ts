/**
 * Which stations the app has accepted before, and with which credentials: what is stored while the app is away is stored
 * for them only. Of the credentials a keyed digest is kept, never themselves.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { StationId } from '../translate/handshake.ts'
import type { Store } from './store.ts'

/** @param onFailure called when a change was not kept; it counts in this process all the same */
export async function openCredentials(store: Store, onFailure: (error: unknown) => void): Promise<Credentials> {
  const { key, digests } = await store.call('credentials')
  return new Credentials(store, onFailure, key, digests as [StationId, Uint8Array][])
}

export class Credentials {
  readonly #store: Store
  readonly #onFailure: (error: unknown) => void
  readonly #key: Uint8Array
  readonly #digests: Map<StationId, Uint8Array>

  constructor(
    store: Store,
    onFailure: (error: unknown) => void,
    key: Uint8Array,
    digests: readonly (readonly [StationId, Uint8Array])[],
  ) {
    this.#store = store
    this.#onFailure = onFailure
    this.#key = key
    this.#digests = new Map(digests)
  }

  /** @param credentials the Authorization header; empty for a station without one */
  wasAccepted(stationId: StationId, credentials: string): boolean {
    const digest = this.#digests.get(stationId)
    return digest !== undefined && timingSafeEqual(digest, this.#digestOf(stationId, credentials))
  }

  /** The app has accepted the station. */
  onAccepted(stationId: StationId, credentials: string): void {
    if (this.wasAccepted(stationId, credentials)) return
    const digest = this.#digestOf(stationId, credentials)
    this.#digests.set(stationId, digest)
    this.#store.call('keepCredentials', stationId, digest).catch(this.#onFailure)
  }

  /** The app has rejected credentials that it accepted before. Other ones say nothing about those. */
  onRejected(stationId: StationId, credentials: string): void {
    if (!this.wasAccepted(stationId, credentials)) return
    this.#digests.delete(stationId)
    this.#store.call('dropCredentials', stationId).catch(this.#onFailure)
  }

  #digestOf(stationId: StationId, credentials: string): Uint8Array {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([stationId, credentials]))
      .digest()
  }
}
