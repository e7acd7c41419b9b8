/**
 * Holds one station's messages against their schemas, as its settings say, and tells what was found: counted each time,
 * logged once for an action.
 *
 * Spec: OCPP 2.0.1 Part 4 §4.1.2 (both sides may reject what does not conform); stations in the field often do not.
 */
import type { ErrorCode } from '../ocpp/errors.ts'
import { callError, type Call, type CallError, type Send } from '../ocpp/frame.ts'
import type { JsonText } from '../ocpp/json.ts'
import { versions, type Version, type VersionRow } from '../ocpp/version.ts'
import { violationCode, violationsInWords, type Violation } from '../ocpp/violations.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import { validationFor, type Direction, type ValidationMode, type ValidationSettings } from '../translate/validation.ts'
import type { World } from './ports.ts'

/** `isRefused`: the mode is strict, and there are violations. */
export type Finding = { readonly violations: readonly Violation[]; readonly isRefused: boolean }

const nothing: Finding = { violations: [], isRefused: false }

export class Validation {
  readonly #version: Version
  readonly #row: VersionRow
  readonly #modeOf: (direction: Direction, action: string) => ValidationMode
  readonly #world: World
  readonly #who: object

  /** @param who names the station on log lines */
  constructor({ stationId, version }: StationHandshake, settings: ValidationSettings, world: World, who: object) {
    this.#version = version
    this.#row = versions[version]
    this.#modeOf = validationFor(stationId, settings)
    this.#world = world
    this.#who = who
  }

  /** A station's CALL or SEND. A transaction message is never refused: it would be lost, or sent again for ever. */
  ofCall({ action, payload }: Call | Send): Finding {
    const finding = this.#check('in', action, 'request', payload)
    return this.#row.transactionMessages.has(action) ? { ...finding, isRefused: false } : finding
  }

  /** A station's answer to a remote command. */
  ofResult(action: string, payload: JsonText): Finding {
    return this.#check('in', action, 'response', payload)
  }

  /** A remote command. */
  ofCommand(action: string, payload: JsonText): Finding {
    return this.#check('out', action, 'request', payload)
  }

  /** The app's answer to a station. One to a transaction message is never refused: the app has booked it. */
  ofAck(action: string, payload: JsonText): Finding {
    const finding = this.#check('acks', action, 'response', payload)
    return this.#row.transactionMessages.has(action) ? { ...finding, isRefused: false } : finding
  }

  /** The CALLERROR for a CALL that is refused. */
  refusalOf({ id }: Call, violations: readonly Violation[]): CallError {
    return callError(id, this.codeOf(violations), violationsInWords(violations))
  }

  /** The code that tells a station of violations: the first one's, or that of a message which is no frame. */
  codeOf([first]: readonly Violation[]): ErrorCode {
    return first === undefined ? 'FormatViolation' : violationCode(this.#row.violations, first)
  }

  #check(direction: Direction, action: string, message: 'request' | 'response', payload: JsonText): Finding {
    const mode = this.#modeOf(direction, action)
    if (mode === 'off') return nothing
    const violations = this.#world.schemas.violations(this.#version, action, message, payload)
    if (violations.length === 0) return nothing
    const { number: version } = this.#row
    this.#world.meter.count('ocpp_violation_total', { version, action, direction })
    const fields = { ...this.#who, version, action, violations: violationsInWords(violations) }
    this.#world.once(`violation ${version} ${direction} ${action}`, fields, sentences[direction])
    return { violations, isRefused: mode === 'strict' }
  }
}

const sentences: Readonly<Record<Direction, string>> = {
  in: 'a message of a station breaks its official schema',
  out: 'a remote command of the app breaks its official schema',
  acks: 'an answer of the app breaks its official schema',
}
