/**
 * Attaches a station for its CALLs, or unprompted where it says nothing; finds out the serial number of a station that
 * reconnects without a boot, and subscribes it anew.
 *
 * Spec: OCPP-J 1.6 §5.4, OCPP 2.0.1 Part 4 §5.3, OCPP 2.1 Part 4 §5.4 (a reconnect needs no boot).
 */
import { isAway, RpcError } from '../../cable/rpc.ts'
import { parseObject, type JsonText } from '../../ocpp/json.ts'
import type { CommandOutcome } from '../../translate/commands.ts'
import type { Boot } from '../boot.ts'
import type { OwnOutcome } from '../commands/outcomes.ts'
import { ownId } from '../commands/own.ts'
import type { AttachAttempt, Fleet, Member } from '../ports.ts'
import type { Station } from '../station.ts'
import { Attachment, type Attached, type AttachmentSettings } from './attachment.ts'
import { hasSaid, type AppConnection } from './connection.ts'
import { reportRejected, warnOfError } from './errors.ts'
import type { Refused } from './hints.ts'
import type { AppMessages } from './messages.ts'

/** How long after its attach a station may take to boot. */
const bootsWithinMs = 30_000

export type AttachingSettings = AttachmentSettings & {
  /** Whether a station whose serial number only a boot tells may be asked for another boot. */
  readonly triggerBoot: boolean
}

/** An unprompted attach that takes its turn in the inbox. */
type PendingAttach = { readonly kind: 'attach'; readonly settle: (attempt: AttachAttempt) => void }

/** What the inbox holds besides the station's messages and what the app is told of them. */
export type AttachEntry = PendingAttach | OwnOutcome

export type AttachingParts = {
  readonly fleet: Fleet
  readonly member: Member
  readonly app: AppConnection
  readonly boot: Boot
  readonly messages: AppMessages
  readonly lane: { push(entry: PendingAttach, bytes: null): void }
}

export class Attaching {
  readonly #station: Station<AttachingSettings>
  readonly #parts: AttachingParts
  readonly #attachment: Attachment
  #isById = false
  /** Whether the app rejected the station's id, which stood for its serial number. */
  #isIdRejected = false
  /** Whether the station was asked for its serial number on this connection, or cannot be. */
  #hasAsked = false
  /** What the station answered. */
  #told: string | null = null

  constructor(station: Station<AttachingSettings>, parts: AttachingParts) {
    this.#station = station
    this.#parts = parts
    this.#attachment = new Attachment(station, parts.app, parts.fleet, parts.member)
  }

  /** A station that was told to boot again will do so. */
  get isSettled(): boolean {
    return !this.#parts.boot.isUnknown || (this.#isAttached && !this.#isById)
  }

  get isWanted(): boolean {
    if (this.isSettled) return false
    const canAttach = !this.#isAttached && (!this.#isIdRejected || this.#told !== null)
    return canAttach || !this.#hasAsked
  }

  /**
   * Takes over from older connections where the app has accepted this one before the upgrade; with a known sn, attaches
   * it.
   */
  onOpen(): void {
    const { connected, settings } = this.#station
    if (connected === null) return
    void this.#attachment.claim(connected.reply.connectionIdentifiers)
    if (settings.sn === 'station_id') void this.unprompted()
  }

  /** Attaches the station unprompted, in its turn. */
  unprompted(): Promise<AttachAttempt> {
    return new Promise(settle => this.#parts.lane.push({ kind: 'attach', settle }, null))
  }

  /**
   * Attaches the station for one of its messages. Rejects with `RpcError`.
   *
   * @param boot the payload of a BootNotification, `null` for any other message
   * @param queueDeadline as in `Rpc`
   * @returns whether the app accepts the station
   */
  async attach(boot: JsonText | null, queueDeadline?: () => number): Promise<boolean> {
    if (boot === null && this.#isAttached) return true
    if (boot !== null && this.#isOfAnother(boot)) return false
    const attached = await this.#attach(boot, queueDeadline)
    if (!attached.isAccepted) this.#onRefused(attached)
    return attached.isAccepted
  }

  /** @returns whether the station may stay connected */
  async serve(entry: AttachEntry): Promise<boolean> {
    if (entry.kind === 'own') return (await this.#onAnswer(entry.outcome)) !== 'refused'
    let attempt: AttachAttempt = 'skipped'
    try {
      attempt = await this.attachUnprompted()
    } finally {
      entry.settle(attempt)
    }
    if (attempt === 'accepted' || attempt === 'idRejected') this.#ask()
    return attempt !== 'refused'
  }

  /** Attaches the station without a CALL of its own, if that is wanted. Requires its turn in the inbox. */
  async attachUnprompted(): Promise<AttachAttempt> {
    if (this.#station.closed.aborted || !this.isWanted) return 'skipped'
    try {
      const attached = await this.#attach(null)
      if (attached.isAccepted) return 'accepted'
      // The station may still tell a serial number that the app knows.
      if (this.#isIdRejected) return 'idRejected'
      this.#onRefused(attached)
      return 'refused'
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError(this.#station, 'attach', error)
      if (error.code === 'aborted') return 'skipped'
      return isAway(error) ? 'away' : 'raised'
    }
  }

  /** Gives up an entry that was taken out of the inbox. */
  drop(entry: AttachEntry): void {
    if (entry.kind === 'attach') entry.settle('skipped')
  }

  async #attach(boot: JsonText | null, queueDeadline?: () => number): Promise<Attached> {
    const { handshake, world, who } = this.#station
    const attached = await (boot === null
      ? this.#attachment.attachAs(this.#told, queueDeadline)
      : this.#attachment.attach(boot, queueDeadline))
    const { subscribed, isAccepted, isById } = attached
    this.#isById = isById
    this.#isIdRejected = isById && !isAccepted
    this.#told = null
    if (subscribed !== null) this.#parts.messages.takeReply(subscribed.reply)
    if (isAccepted) this.#parts.fleet.backlog?.onAccepted(handshake, this.#parts.app.session)
    if (subscribed !== null && isAccepted && !hasSaid(subscribed.reply, 'confirm_subscription'))
      world.once('unconfirmed', who, 'the app accepted a subscription without confirming it')
    return attached
  }

  get #isAttached(): boolean {
    return this.#parts.app.identifier !== null && !(this.#isById && this.#told !== null)
  }

  /** Asks a station whose serial number is not known for it: once on a connection. */
  #ask(): void {
    const { row, settings, world } = this.#station
    if (!this.#isById || this.#hasAsked) return
    this.#hasAsked = true
    const { action, payload, triggersBoot } = row.serialNumberQuery
    if (triggersBoot && !settings.triggerBoot) return this.#warnOfId()
    this.#parts.messages.take([{ kind: 'command', id: ownId(world.newId()), action, payload }])
  }

  /** Subscribes the station by the serial number in its answer, unless a boot has told one meanwhile. */
  async #onAnswer(outcome: CommandOutcome): Promise<AttachAttempt> {
    const query = this.#station.row.serialNumberQuery
    if (this.#parts.app.identifier !== null && !this.#isById) return 'skipped'
    this.#told = outcome.kind === 'ack' ? query.serialNumber(parseObject(outcome.payload)) : null
    if (this.#told !== null) return this.attachUnprompted()
    this.#warnOfId()
    return 'skipped'
  }

  /** Warns of a station that stays without a serial number; it may still boot, by itself or because it was asked to. */
  #warnOfId(): void {
    const { who, world } = this.#station
    const warn = (): void => {
      if (this.#station.closed.aborted || this.isSettled) return
      if (this.#isIdRejected) world.once('rejected id', who, idRejectedText)
      else world.once('serial number', who, byIdText)
    }
    this.#station.after(bootsWithinMs, warn).unref()
  }

  /** Whether a boot has another serial number than the station's certificate (2.0.1 Part 2 B01.FR.11 and 12). */
  #isOfAnother(boot: JsonText): boolean {
    const { handshake, row, who, world } = this.#station
    const { serialNumber } = handshake
    if (serialNumber === undefined) return false
    const told = row.ownSerialNumbers(parseObject(boot)).filter(number => number !== undefined)
    if (told.length === 0 || told.includes(serialNumber)) return false
    world.meter.count('failed_auths_total')
    world.once(`serial ${who.station}`, { ...who, serialNumber, told }, otherSerialText)
    return true
  }

  #onRefused({ subscribed }: Attached): void {
    const { handshake, who } = this.#station
    this.#parts.fleet.backlog?.onRejected(handshake)
    const refused: Refused =
      subscribed === null
        ? { kind: 'connect', withheld: handshake.withheld === true }
        : { kind: 'subscribe', said: hasSaid(subscribed.reply, 'reject_subscription') }
    const fields = subscribed === null ? who : { ...who, identifier: subscribed.identifier }
    reportRejected(this.#station, refused, fields)
  }
}

const otherSerialText =
  'a station booted with another serial number than that of its client certificate: it was rejected'
const byIdText =
  'a station has not booted on this connection, and its serial number is not known: until it boots, its sn is its id, and broadcasts to a serial number in its boots do not reach it; --ocpp_sn=station_id avoids this'
const idRejectedText =
  'a station has not booted on this connection, its serial number is not known, and the app rejected its id as sn: until it boots, no broadcast reaches it; --ocpp_sn=station_id avoids this'
