/**
 * The CALLs of a station that have no answer yet, by their id, and what the latest ones that have one asked.
 *
 * A station may send an unanswered CALL again under the same id (OCPP-J 1.6 errata 2025-04 §3.1, OCPP 2.1 Part 4
 * §4.1.4): it is forwarded once, and answered once. The same id with other content gives the first one up.
 */
import { idKey, type Call, type MessageId } from '../ocpp/frame.ts'
import type { VersionRow } from '../ocpp/version.ts'

/** A CALLRESULTERROR comes next after the CALLRESULT that it is about. */
const maxAnswered = 8

export class InFlight {
  readonly #calls = new Map<string, Call>()
  /** Their actions; `null` in a version in which nobody asks for them. */
  readonly #answered: Map<string, string> | null

  constructor(row: VersionRow) {
    this.#answered = row.answersResults ? new Map<string, string>() : null
  }

  /** @returns whether the CALL is to be served; not so if the same one is in flight */
  admit(call: Call): boolean {
    const key = idKey(call.id)
    const before = this.#calls.get(key)
    if (before?.action === call.action && before.payload === call.payload) return false
    this.#calls.set(key, call)
    return true
  }

  /** Whether the station still waits for this one: not so after another with its id. */
  isAwaited(call: Call): boolean {
    return this.#calls.get(idKey(call.id)) === call
  }

  done(call: Call): void {
    const key = idKey(call.id)
    this.#calls.delete(key)
    if (this.#answered === null) return
    this.#answered.delete(key)
    this.#answered.set(key, call.action)
    const [oldest] = this.#answered.keys()
    if (this.#answered.size > maxAnswered && oldest !== undefined) this.#answered.delete(oldest)
  }

  /** The action of a CALL that was answered lately, once; `null` if there was none with this id. */
  takeAnswered(id: MessageId): string | null {
    const action = this.#answered?.get(idKey(id)) ?? null
    this.#answered?.delete(idKey(id))
    return action
  }
}
