/**
 * Validates one station's messages against their schemas, as its settings say. Violations are counted each time, and
 * logged once for each action and violation.
 *
 * Spec: OCPP 2.0.1 Part 4 §4.1.2 (both sides may reject what does not conform); stations in the field often do not.
 */
import type { ErrorCode } from '../../ocpp/errors.ts'
import type { Call, Send } from '../../ocpp/frame.ts'
import type { JsonText } from '../../ocpp/json.ts'
import { violationCode, violationsInWords, type Violation } from '../../ocpp/violations.ts'
import {
  modeOf,
  optionOf,
  rulesFor,
  type Direction,
  type ValidationRule,
  type ValidationSettings,
} from '../../translate/validation.ts'
import type { Station } from '../station.ts'

export type Finding = {
  readonly violations: readonly Violation[]
  /** What to tell the sender if the message is refused; `null` if it is not. */
  readonly refusal: { readonly code: ErrorCode; readonly words: string } | null
}

const nothing: Finding = { violations: [], refusal: null }

export class Validation {
  readonly #station: Station<ValidationSettings>
  readonly #rules: readonly ValidationRule[]

  constructor(station: Station<ValidationSettings>) {
    this.#station = station
    this.#rules = rulesFor(station.handshake.stationId, station.settings)
  }

  /** A station's CALL or SEND. A transaction message is never refused: it would be lost, or sent again without end. */
  ofCall({ action, payload, value }: Call | Send): Finding {
    return this.#check('in', action, 'request', payload, !this.#station.row.transactionMessages.has(action), value)
  }

  /** A station's answer to a remote command; refused only in a version that can tell the station. */
  ofResult(action: string, payload: JsonText): Finding {
    return this.#check('in', action, 'response', payload, this.#station.row.answersResults)
  }

  /** A remote command. */
  ofCommand(action: string, payload: JsonText): Finding {
    return this.#check('out', action, 'request', payload, true)
  }

  /** The app's answer to a station. The answer to a transaction message is never refused: the app has booked it. */
  ofAck(action: string, payload: JsonText): Finding {
    return this.#check('acks', action, 'response', payload, !this.#station.row.transactionMessages.has(action))
  }

  #check(
    direction: Direction,
    action: string,
    message: 'request' | 'response',
    payload: JsonText,
    mayRefuse: boolean,
    value?: unknown,
  ): Finding {
    const { handshake, row, settings, world, who, record } = this.#station
    const rules = this.#rules
    const mode = rules.length === 0 ? settings[optionOf[direction]] : modeOf(direction, action, rules, settings)
    if (mode === 'off') return nothing
    const violations = world.schemas.violations(handshake.version, action, message, payload, value)
    const [first] = violations
    if (first === undefined) return nothing
    const { number: version } = row
    world.meter.count('ocpp_violation_total', { version, action, direction })
    if (direction === 'in') record.keepViolation(world.now(), action, first)
    const words = violationsInWords(violations)
    const fields = { ...who, version, action, violations: words }
    world.once(`violation ${version} ${direction} ${action}`, fields, sentences[direction], words)
    const isRefused = mayRefuse && mode === 'strict'
    return { violations, refusal: isRefused ? { code: violationCode(row.violations, first), words } : null }
  }
}

const sentences: Readonly<Record<Direction, string>> = {
  in: 'a message from a station violates its official schema',
  out: 'a remote command of the app violates its official schema',
  acks: 'an answer of the app violates its official schema',
}
