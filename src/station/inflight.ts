/**
 * The CALLs of a station that have no answer yet, by their id.
 *
 * A station may send an unanswered CALL again under the same id (OCPP-J 1.6 errata 2025-04 §3.1, OCPP 2.1 Part 4
 * §4.1.4): it is forwarded once, and answered once. The same id with other content gives the first one up.
 */
import { idKey, type Call } from '../ocpp/frame.ts'

export class InFlight {
  readonly #calls = new Map<string, Call>()

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
    if (this.isAwaited(call)) this.#calls.delete(idKey(call.id))
  }
}
