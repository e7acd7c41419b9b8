/**
 * Commands of an operator: sent like those of the app, and answered with what the station answers.
 */
import type { CommandOutcome } from '../../translate/commands.ts'
import type { Member } from '../../session/ports.ts'
import { idKey, messageId } from '../../ocpp/frame.ts'
import { jsonText, parseJson, type JsonText } from '../../ocpp/json.ts'
import type { Clock } from '../clock.ts'
import { ProblemError, type ProblemName } from '../problems.ts'
import { limits } from '../limits.ts'

export type Command = {
  readonly action: string
  readonly payload: JsonText
  readonly timeoutMs: number
  readonly notify: boolean
}

/** The bridge's own codes, `CommandFailure`. */
const problemsByFailure: ReadonlyMap<string, ProblemName> = new Map<string, ProblemName>([
  ['InvalidPayload', 'invalid-payload'],
  ['UnknownAction', 'unknown-action'],
  ['InvalidId', 'invalid-id'],
  ['NotAccepted', 'not-accepted'],
  ['QueueFull', 'queue-full'],
  ['NotSent', 'not-sent'],
  ['KeyNotStored', 'key-not-stored'],
  ['CallTimeout', 'call-timeout'],
  ['ConnectionClosed', 'connection-closed'],
  ['InvalidResult', 'invalid-result'],
])

export class Calls {
  readonly #clock: Clock
  readonly #newId: () => string
  #open = 0

  constructor(clock: Clock, newId: () => string) {
    this.#clock = clock
    this.#newId = newId
  }

  /**
   * Sends a command. Rejects with `ProblemError` where the station does not answer with a CALLRESULT.
   *
   * @returns JSON text, with the payload as the station sent it
   */
  async call(session: Member, { action, payload, timeoutMs, notify }: Command): Promise<string> {
    // Before, the peer may be anyone who knows the identity.
    if (session.view.state === 'attaching')
      throw new ProblemError('not-accepted', 'The app has not accepted the connection of the station yet')
    if (this.#open >= limits.calls) throw new ProblemError('too-many-requests', `${limits.calls} calls are open`)
    const since = this.#clock.now()
    const id = messageId(this.#newId())
    this.#open++
    try {
      const outcome = await new Promise<CommandOutcome>(onEnd => {
        session.commands.add({ kind: 'command', id, action, payload }, { timeoutMs, notify, onEnd })
      })
      if (outcome.kind === 'error') throw problemOf(outcome)
      const milliseconds = Math.round((this.#clock.now() - since) * 10) / 10
      const about = jsonText({ id: idKey(id), action, milliseconds, violations: outcome.violations })
      return `${about.slice(0, -1)},"payload":${outcome.payload}}`
    } finally {
      this.#open--
    }
  }
}

function problemOf({ id, failure, code, message, payload, details }: CommandOutcome & { readonly kind: 'error' }) {
  const about = { id: idKey(id), code, description: message }
  if (failure !== null) return new ProblemError(problemsByFailure.get(failure) ?? 'internal', message, about)
  const given = parseJson(details ?? payload)
  return new ProblemError('call-error', `${code}: ${message}`, { ...about, details: given })
}
