/**
 * A station's CALLs that have no answer yet, by id, and the actions of the latest ones that have one.
 *
 * A station may send an unanswered CALL again under the same id (OCPP-J 1.6 errata 2025-04 §3.1, OCPP 2.1 Part 4
 * §4.1.4): it is forwarded once and answered once. The same id with other content supersedes the first CALL.
 */
import { idKey, type Call, type MessageId } from '../../ocpp/frame.ts'
import { copyOf } from '../../ocpp/json.ts'
import type { VersionRow } from '../../ocpp/version.ts'
import { setRecent } from '../../ops/recent.ts'

/** A CALLRESULTERROR directly follows the CALLRESULT that it is about. */
const maxAnswered = 8
const none: readonly Call[] = []

export class InFlight {
  /**
   * Rarely more than one, and limited by the inbox. Replaced, not changed: a list that has grown keeps 150 bytes for an
   * idle station.
   */
  #calls = none
  /** Actions by id; `null` in a version that has no CALLRESULTERROR. */
  readonly #answered: Map<string, string> | null

  constructor(row: VersionRow) {
    this.#answered = row.answersResults ? new Map<string, string>() : null
  }

  /** @returns how the CALL stands to one in flight with the same id; a `repeated` one is not served */
  admit(call: Call): 'new' | 'repeated' | 'superseding' {
    const key = idKey(call.id)
    const at = this.#calls.findIndex(({ id }) => idKey(id) === key)
    const before = this.#calls[at]
    if (before?.action === call.action && before.payload === call.payload) return 'repeated'
    // `concat`, because a spread allocates room for 17 elements.
    this.#calls = before === undefined ? this.#calls.concat(call) : this.#calls.with(at, call)
    return before === undefined ? 'new' : 'superseding'
  }

  /** @returns whether the station waited for the answer: `false` if another CALL has superseded this one */
  done(call: Call): boolean {
    if (!this.#calls.includes(call)) return false
    this.#calls = this.#calls.length === 1 ? none : this.#calls.filter(other => other !== call)
    if (this.#answered !== null) setRecent(this.#answered, copyOf(idKey(call.id)), call.action, maxAnswered)
    return true
  }

  /** The action of a CALL that was answered lately, once; `null` if there is none with this id. */
  takeAnswered(id: MessageId): string | null {
    const action = this.#answered?.get(idKey(id)) ?? null
    this.#answered?.delete(idKey(id))
    return action
  }
}
