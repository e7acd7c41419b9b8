/**
 * What is kept of a connection for the admin API: when its last message came, counts, and the last CALLERRORs. Maps are
 * made on first use, and fields are written in place, because this runs for each message.
 */
import { idKey, type Call, type CallError } from '../../ocpp/frame.ts'
import { copyOf } from '../../ocpp/json.ts'

/** A CALLERROR in either direction. */
export type KeptError = {
  /** In ms of `World.now`. */
  readonly at: number
  readonly from: 'station' | 'bridge' | 'app'
  readonly id: string
  readonly action: string
  readonly code: string
  readonly description: string
  readonly cause: string
}

const maxErrors = 10
/** In characters: a station chooses the texts. */
const maxText = 255

export class ConnectionRecord {
  /** In ms of `World.now`. */
  lastMessageAt: number | null = null
  /** CALLs and SENDs of the station, by action; unknown actions count as `other`. */
  received: Map<string, number> | null = null
  /** Commands sent, by action. */
  sent: Map<string, number> | null = null
  #errors: KeptError[] | null = null

  /** The latest last. */
  get errors(): readonly KeptError[] {
    return this.#errors ?? []
  }

  /**
   * @param at in ms of `World.now`
   * @param cause `station`, `app`, or why the bridge gave the error
   */
  keepError(at: number, { id, action }: Call, { code, description }: CallError, cause: string): void {
    const from = cause === 'station' || cause === 'app' ? cause : 'bridge'
    const about = { id: shortCopy(idKey(id)), action: shortCopy(action) }
    this.#errors ??= []
    this.#errors.push({ at, from, ...about, code: shortCopy(code), description: shortCopy(description), cause })
    if (this.#errors.length > maxErrors) this.#errors.shift()
  }
}

function shortCopy(text: string): string {
  return copyOf(text.slice(0, maxText))
}
