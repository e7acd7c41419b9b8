/**
 * The keys of stations, where the bridge itself holds them (`ocpp_auth_file`).
 */
import type { NewKey } from '../../ocpp/settings/keys.ts'
import type { StationId } from '../../translate/handshake.ts'

/** `unknown`: there is no such station. `wrong`: it has another key, or there is none in the header. */
export type KeyVerdict = 'right' | 'wrong' | 'unknown'

/** In each, `authorization` is the header of HTTP Basic; empty if there is none. */
export interface StationKeys {
  /** The verdict without a costly check; `null` if that is needed. */
  recall(stationId: StationId, authorization: string): KeyVerdict | null
  /** Whether the station's key is known to be one that nobody can guess: its check costs little. */
  isRandom(stationId: StationId): boolean
  /** Whether a check of the same is in progress, which `check` would join. */
  isChecking(stationId: StationId, authorization: string): boolean
  /** Never rejects. `busy`: too many checks wait. @param address of the peer; addresses take turns */
  check(stationId: StationId, authorization: string, address: string): Promise<KeyVerdict | 'busy'>
  /**
   * Makes keys valid beside those of the station, which is about to get them.
   *
   * @returns why they are not on the disk, and so neither valid nor to be sent; `null` if they are. Never rejects
   */
  offer(stationId: StationId, keys: readonly string[]): Promise<string | null>
  /** What the station has said of a key that it was offered; `never` also where it did not get it. */
  onNewKey(stationId: StationId, key: NewKey): void
}
