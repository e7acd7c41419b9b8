/**
 * Decides what becomes of a transaction message that cannot be performed: it is stored and confirmed, or the connection
 * is closed, so that the station keeps the message, or the message gets the bridge's CALLERROR.
 *
 * The table of causes is `translate/unanswered.ts`. All times are in ms of `World.now`.
 */
import type { Call } from '../../ocpp/frame.ts'
import { closedOver, type Cause } from '../../translate/unanswered.ts'
import type { Debts, Fleet, Member } from '../ports.ts'
import type { Station } from '../station.ts'
import { credentialsDigest } from './credentials.ts'
import type { Tracked } from './digest.ts'
import { Storing, type Storable, type StoringSettings } from './storing.ts'

export type UnansweredSettings = StoringSettings & {
  readonly unanswered: 'close' | 'error'
}

/** How long a message may wait; stations in the field give up after 5 s at the earliest, most after 30 s. */
const patience = { usualMs: 15_000, awayMs: 5_000, errorMs: 20_000, leastMs: 1_000 }
/** A fleet's closes are spread over this share of the time before the limit. */
const spread = 1 / 3
/** A station that sends a message again after some time is closed before that. */
const beforeResent = 0.8

export class Unanswered {
  /** Whether the connection is closed over a message; otherwise each one gets the CALLERROR. */
  readonly closes: boolean
  /** How long a message may wait while the app is known to be away; the limit is looked at then. */
  awayMs: number
  /** How long it may wait otherwise. */
  longestMs: number
  /** Whether the station owes a message that an earlier connection was closed over. */
  isOwing: boolean
  /** `null` where nothing is stored. */
  readonly storing: Storing | null
  readonly #station: Station<UnansweredSettings>
  readonly #member: Pick<Member, 'close'>
  readonly #debts: Debts
  /** Of the credentials. */
  readonly #digest: string
  readonly #share: number

  /** @param inFlight the station's CALLs that have no answer */
  constructor(
    station: Station<UnansweredSettings>,
    fleet: Pick<Fleet, 'debts' | 'backlog' | 'transactions'>,
    member: Pick<Member, 'close'>,
    inFlight: { done(call: Call): boolean },
  ) {
    const { debts, backlog } = fleet
    const { stationId } = station.handshake
    this.#station = station
    this.#digest = credentialsDigest(station.handshake)
    this.#member = member
    this.#debts = debts
    this.closes = station.settings.unanswered === 'close'
    this.storing = backlog === null || !this.closes ? null : new Storing(station, fleet, backlog, inFlight)
    this.isOwing = debts.owes(stationId, this.#digest)
    this.#share = 1 - spread * station.world.random()
    this.longestMs = this.closes ? patience.usualMs * this.#share : patience.errorMs
    this.awayMs = this.closes ? patience.awayMs * this.#share : patience.errorMs
    this.#limit(debts.patienceMs(stationId))
  }

  /** How long a message may wait as of now. */
  get patienceMs(): number {
    return this.#station.world.rpc.presence.isAway ? this.awayMs : this.longestMs
  }

  /** The station has sent an unanswered message again on this connection, `afterMs` after the first time. */
  onResent(afterMs: number): void {
    if (!this.closes || afterMs >= patience.usualMs) return
    this.#debts.onResent(this.#station.handshake.stationId, afterMs)
    this.#limit(afterMs)
  }

  /**
   * Stores a message that cannot be performed, or closes the connection over it, if one of them is its remedy.
   *
   * @returns whether the message gets no answer but the confirmation of a stored one
   */
  leave(message: Storable, cause: Cause): boolean {
    const { call, tracked, attempts, isSuperseded } = message
    const { closed, who, world } = this.#station
    if (tracked === null || !this.closes || isSuperseded) return false
    if (closed.aborted || message.isStored || (cause !== 'unauthorized' && this.keep(message, cause))) return true
    if (this.#debts.closesOf(tracked, this.#digest) >= closedOver[cause].closes) {
      const fields = { ...who, action: call.action, key: tracked.key, attempts, reason: cause }
      world.log.error({ ...fields, wholeMessage: call.payload }, lostText)
      return false
    }
    this.#close(message, tracked, cause)
    return true
  }

  /** @returns whether the message is being stored, if nothing fails; otherwise the connection is closed over it */
  keep(message: Storable, cause: Cause): boolean {
    if (this.storing?.accepts(message, cause) !== true) return false
    void this.store(message).then(isStored => {
      if (!isStored && message.tracked !== null) this.#close(message, message.tracked, cause)
    })
    return true
  }

  /** @returns whether the message is stored, and confirmed to the station */
  async store(message: Storable): Promise<boolean> {
    const { tracked } = message
    if (tracked === null || (await this.storing?.store(message, tracked)) !== true) return false
    if (this.isOwing) this.settle(tracked)
    return true
  }

  /** A message of an owing station has its answer. */
  settle(message: Tracked): void {
    this.#debts.onAnswered(message, this.#digest)
    this.isOwing = this.#debts.owes(message.stationId, this.#digest)
  }

  #close({ call, attempts }: Storable, tracked: Tracked, cause: Cause): void {
    const { closed, who, world } = this.#station
    if (closed.aborted) return
    world.meter.count('ocpp_unanswered_total', { cause })
    const fields = { ...who, action: call.action, key: tracked.key, attempts, reason: cause }
    world.once(`unanswered ${cause}`, fields, closedText)
    if (cause === 'unauthorized') this.#member.close(1008, 'Not authorized')
    // The bridge stops, and closes every connection.
    else if (cause !== 'ended') {
      this.#debts.onClosed(tracked, cause, this.#digest)
      this.#member.close(1012, 'The message could not be processed')
    }
  }

  #limit(resentMs: number): void {
    const ms = Math.max(patience.leastMs, resentMs * beforeResent) * this.#share
    if (!this.closes || ms >= this.longestMs) return
    this.longestMs = ms
    this.awayMs = Math.min(this.awayMs, ms)
  }
}

const closedText =
  'closed the connection of a station over a transaction message that could not be performed: it keeps the message and sends it again'
const lostText =
  'a transaction message could not be performed on several connections and gets a CALLERROR: the station may discard it, book it by hand'
