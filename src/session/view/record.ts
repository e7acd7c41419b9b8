/**
 * What is kept of a connection: whether its station has shown life, and for the admin API when its last message came,
 * counts, and the last errors. Maps are made on first use, and fields are written in place, because this runs for each
 * message.
 */
import { idKey, type Call, type CallError } from '../../ocpp/frame.ts'
import { copyOf, emptyObject, isObject, parseObject, type JsonText } from '../../ocpp/json.ts'
import type { Version } from '../../ocpp/version.ts'
import type { Violation } from '../../ocpp/violations.ts'
import { redactDescription } from '../../ops/redact/redact.ts'
import type { StationId } from '../../translate/handshake.ts'

/** A CALLERROR in either direction, or a CALLRESULT to the station that refuses a card. */
export type KeptError = {
  /** In ms of `World.now`. */
  readonly at: number
  readonly from: 'station' | 'bridge' | 'app'
  readonly id: string
  readonly action: string
  /** The code of the CALLERROR, or the status of the card. */
  readonly code: string
  /** `***` where it may repeat a secret. */
  readonly description: string
  readonly cause: string
}

/** How many messages of a connection broke their official schema, and where the latest did. */
export type KeptViolation = {
  /** In ms of `World.now`. */
  readonly at: number
  readonly action: string
  readonly path: string
  readonly rule: string
  readonly count: number
}

/** How a connection ended. */
export type SessionEnd = { readonly code: number; readonly reason: string }

/** How the last connection of a station ended; `at` in ms of `World.now`. */
export type Departure = SessionEnd & {
  readonly at: number
  readonly version: Version
  readonly address: string
  readonly sn: string | null
  /** The last ones of the connection, the latest last. */
  readonly errors: readonly KeptError[]
  /** When its last connections ended, in ms of `World.now`, the latest last; a few. */
  readonly ends: readonly number[]
}

/** The last refused upgrade of a station; `at` in ms of `World.now`. */
export type RefusedUpgrade = {
  readonly at: number
  readonly status: number
  readonly reason: string
  readonly address: string
}

/** What the next process shows of a station. Times in ms since the epoch. */
export type LastSeen = {
  readonly stationId: StationId
  /** When it was accepted, or left. */
  readonly at: number
  readonly version: Version
  readonly address: string
  readonly sn: string | null
  readonly refusal: RefusedUpgrade | null
  /** `null` while it is connected. */
  readonly end: SessionEnd | null
}

const maxErrors = 10
/** In characters: a station chooses the texts. */
const maxText = 255

export class ConnectionRecord {
  /**
   * Whether a message has come that shows that a station sent it: a known or a broken CALL, an answer, a sign of life.
   */
  isHeard = false
  /** In ms of `World.now`. */
  lastMessageAt: number | null = null
  /** CALLs and SENDs of the station, by action; unknown actions count as `other`. */
  received: Map<string, number> | null = null
  /** Commands sent, by action. */
  sent: Map<string, number> | null = null
  violation: KeptViolation | null = null
  #errors: KeptError[] | null = null

  /** The latest last. */
  get errors(): readonly KeptError[] {
    return this.#errors ?? []
  }

  onReceived(action: string): void {
    this.received ??= new Map<string, number>()
    this.received.set(action, (this.received.get(action) ?? 0) + 1)
  }

  /** @param at in ms of `World.now` */
  keepViolation(at: number, action: string, { path, rule }: Violation): void {
    const count = (this.violation?.count ?? 0) + 1
    this.violation = { at, action: shortCopy(action), path: shortCopy(path), rule, count }
  }

  /**
   * @param at in ms of `World.now`
   * @param cause `station`, `app`, or why the bridge gave the error
   */
  keepError(at: number, { id, action, payload }: Call, error: CallError, cause: string): void {
    const from = cause === 'station' || cause === 'app' ? cause : 'bridge'
    const code = redactDescription(error.code, emptyObject)
    const description = redactDescription(error.description, payload)
    this.#keep({ at, from, id: idKey(id), action, code, description, cause })
  }

  /**
   * @param payload of a CALLRESULT that may refuse a card
   * @param cause `app`, `replayed`, or why the bridge gave the answer
   */
  keepRefusal(at: number, { id, action }: Call, payload: JsonText, cause: string): void {
    const { idTagInfo, idTokenInfo } = parseObject(payload)
    const info = idTagInfo ?? idTokenInfo
    const status = isObject(info) ? info['status'] : undefined
    if (typeof status !== 'string' || status === 'Accepted') return
    const isOfApp = cause === 'app' || cause === 'replayed'
    const why = isOfApp ? ({ from: 'app', cause: 'refused by the app' } as const) : ({ from: 'bridge', cause } as const)
    this.#keep({ at, id: idKey(id), action, code: status, description: 'the status of the card', ...why })
  }

  #keep({ id, action, code, description, ...rest }: KeptError): void {
    const short = { id: shortCopy(id), action: shortCopy(action), code: shortCopy(code) }
    this.#errors ??= []
    this.#errors.push({ ...rest, ...short, description: shortCopy(description) })
    if (this.#errors.length > maxErrors) this.#errors.shift()
  }
}

function shortCopy(text: string): string {
  return copyOf(text.slice(0, maxText))
}
