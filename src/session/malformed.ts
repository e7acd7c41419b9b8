/**
 * What becomes of a station's messages that are not frames: answered where the version allows it, explained in the log,
 * and counted, so that a peer which sends nothing else is closed or slowed down.
 */
import { createHash } from 'node:crypto'
import { faults } from '../ocpp/faults.ts'
import { isUnreadableId, type Ignored, type Malformed } from '../ocpp/frame.ts'
import { jsonFaultAt } from '../ocpp/json/fault.ts'
import type { Excerpt } from '../ops/log.ts'
import type { AppConnection } from './app/connection.ts'
import type { KnownStations } from './known-stations.ts'
import type { Station } from './station.ts'

export type MalformedParts = {
  readonly app: Pick<AppConnection, 'connectionIdentifiers'>
  readonly inbox: { slow(ms: number): void }
  readonly known: Pick<KnownStations, 'hasAccepted'>
}

/** In a row, without a good frame between them. */
const maxInARow = 20
/** How long a station that may be charging is not read, for each further one. */
const pauseMs = 1_000
/** How far into a message its action is looked for: behind an id of 255 characters. */
const headLength = 400
/**
 * Until a message of a station that the app has yet to accept is logged after all: a silent one is attached by then.
 */
const againMs = 10_000

export class MalformedMessages {
  /** Whoever takes a good frame sets it to 0. */
  inARow = 0
  readonly #station: Station
  readonly #parts: MalformedParts
  /** Whether a CALL has come whose id can be read. */
  #hasCalled = false

  constructor(station: Station, parts: MalformedParts) {
    this.#station = station
    this.#parts = parts
  }

  /**
   * Answers a malformed message, and warns of it.
   *
   * A station that may be charging is never closed for its messages: it is slowed down.
   *
   * @returns whether to close the connection
   */
  take({ fault, answer }: Malformed, text: string): boolean {
    const { world, who, socket, record } = this.#station
    world.meter.count('failed_client_msg_total')
    world.log.debug({ ...who, fault }, 'received a malformed message')
    if (answer !== null) {
      this.#station.send(answer)
      this.#hasCalled ||= !isUnreadableId(answer.id)
      record.isHeard ||= this.#hasCalled
    }
    this.#warn(fault, text)
    this.#keepEnergy(text)
    this.inARow++
    if (!this.#mayBeCharging) return this.inARow >= maxInARow
    // What a closed connection has left is not worth the wait.
    if (this.inARow > maxInARow && socket.isOpen) this.#parts.inbox.slow(pauseMs)
    return false
  }

  /** Warns of a message that is ignored: a station's signs of life once in each spelling, its unknown types once. */
  ignore({ as }: Ignored, text: string): void {
    const { world, who, record } = this.#station
    record.isHeard = true
    const fields = { ...who, frame: text }
    if (as === 'signOfLife') world.once(this.#key('sign of life'), fields, signOfLifeText, `${who.station} ${text}`)
    else world.once(this.#key('message type'), fields, unknownTypeText, who.station)
  }

  get #isAccepted(): boolean {
    const { app, known } = this.#parts
    return app.connectionIdentifiers !== null || known.hasAccepted(this.#station.handshake)
  }

  /** A station that sends CALLs is attached soon, and then the app decides. */
  get #mayBeCharging(): boolean {
    return this.#hasCalled || this.#station.world.rpc.presence.isAway || this.#isAccepted
  }

  #warn(fault: Malformed['fault'], text: string): void {
    const { world, who } = this.#station
    const place = () => (fault === 'notJson' || fault === 'brokenJson' ? placeOf(text) : { frame: text })
    const detail = `${who.station} ${fault}`
    world.once(this.#key('malformed'), () => ({ ...who, problem: faults[fault], ...place() }), malformedText, detail)
  }

  /** Logs a message that carries the energy of a transaction: the station may not send it again. */
  #keepEnergy(text: string): void {
    const action = [...this.#station.row.energyMessages].find(each => calls(text, each))
    if (action === undefined) return
    const digest = createHash('sha256').update(text).digest('base64url')
    this.#logWhole({ action, wholeMessage: text }, digest)
  }

  /** Strangers may have used up the limit that this peer shares with them: it is asked again once it is accepted. */
  #logWhole(message: { readonly action: string; readonly wholeMessage: string }, digest: string): void {
    const { world, who, closed } = this.#station
    const key = this.#key('energy', digest)
    const isLogged = world.once(key, { ...who, ...message }, energyText, `${who.station} ${digest}`)
    if (isLogged || this.#isAccepted || closed.aborted) return
    this.#station.after(againMs, () => this.#logWhole(message, digest))
  }

  /** Peers that the app has not accepted share a key, and with it a limit: they choose their ids and their number. */
  #key(...parts: readonly string[]): string {
    return this.#isAccepted ? [this.#station.who.station, ...parts].join(' ') : `${parts[0]} of a peer`
  }
}

const malformedText = 'a message of a station cannot be read'
const energyText = 'a message with the energy of a transaction cannot be read: book it by hand'
const signOfLifeText = 'ignored a short text of a station that is not an OCPP message'
const unknownTypeText = 'ignored a message of a station: its version has no such message type'

/**
 * Whether a message calls an action, as an element of its own before the payload. One that begins as an answer does
 * not; one that has lost its beginning may.
 */
function calls(text: string, action: string): boolean {
  const head = text.slice(0, headLength).replace(/\{[^]*/, '')
  const isAnotherType = /^\s*\[\s*["']?(?!2\b)\d/.test(head)
  return !isAnotherType && head.split(/[\s,"'[\]]+/).includes(action)
}

/** Where a message stops being JSON: the position, the text before it, and the character there. */
function placeOf(text: string): object {
  // A byte order mark is skipped.
  const position = jsonFaultAt(text.replace(/^\ufeff/, ' '))
  const excerpt: Excerpt = { text, at: position }
  return { position, excerpt, found: text[position] ?? 'the end of the message' }
}
