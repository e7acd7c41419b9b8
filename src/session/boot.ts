/**
 * Whether a station has been accepted on this connection, and what may pass until it is.
 *
 * Spec: OCPP 1.6 §4.2 and errata J 2025-04 §3.10; OCPP 2.0.1 Part 2 B01 to B03.
 */
import type { Call } from '../ocpp/frame.ts'
import { parseObject, type JsonText } from '../ocpp/json.ts'
import type { VersionRow } from '../ocpp/version.ts'

/**
 * `unknown` until this connection has seen the answer to a boot; everything passes until then, because a station that
 * reconnects does not boot again (OCPP 2.1 Part 4 §5.4).
 */
type BootStatus = 'unknown' | 'accepted' | 'pending' | 'rejected'

const statuses: ReadonlyMap<unknown, BootStatus> = new Map([
  ['Accepted', 'accepted'],
  ['Pending', 'pending'],
  ['Rejected', 'rejected'],
])

export class Boot {
  readonly #row: VersionRow
  #status: BootStatus = 'unknown'
  readonly #triggered = new Set<string>()

  constructor(row: VersionRow) {
    this.#row = row
  }

  /** Reads the status from the answer that the station gets. */
  onAnswer(payload: JsonText): void {
    this.#status = statuses.get(parseObject(payload)['status']) ?? this.#status
    this.#triggered.clear()
  }

  /** While pending, a command may ask for a message that would otherwise be refused (B02.FR.02). */
  onCommand({ action, payload }: Call): void {
    if (this.#status !== 'pending') return
    for (const triggered of this.#row.triggeredBy(action, parseObject(payload))) this.#triggered.add(triggered)
  }

  /** Whether a station's CALL may pass; otherwise it is refused with SecurityError (B01.FR.10, B02.FR.09, B03.FR.07). */
  passesCall(action: string): boolean {
    if (this.#status === 'unknown' || this.#status === 'accepted') return true
    return action === 'BootNotification' || (this.#status === 'pending' && this.#triggered.has(action))
  }

  passesCommand(action: string): boolean {
    if (this.#status === 'pending') return !this.#row.refusedWhilePending.has(action)
    return this.#status !== 'rejected'
  }
}
