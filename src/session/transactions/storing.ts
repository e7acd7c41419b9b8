/**
 * Stores a station's transaction messages for an app that cannot take them, and confirms them to the station: only
 * after they are on the disk, and only where no decision of the app is needed, or the operator lets the bridge accept.
 */
import type { Answer, Call } from '../../ocpp/frame.ts'
import type { SilentSettings } from '../../translate/answers.ts'
import { confirmationFor, isDecidable, needsDecision } from '../../translate/stored.ts'
import type { Cause } from '../../translate/unanswered.ts'
import type { Backlog, Fleet } from '../ports.ts'
import type { Station } from '../station.ts'
import { mintedIdOf, type Tracked } from './digest.ts'
import type { TransactionOutcome } from './transactions.ts'

export type StoringSettings = SilentSettings & {
  /** What becomes of a message that needs a decision of the app, and cannot be performed. */
  readonly outboxDecide: 'refuse' | 'accept'
}

/** A CALL that may be stored. */
export type Storable = {
  readonly call: Call
  readonly receivedAt: number
  readonly tracked: Tracked | null
  readonly attempts: number
  readonly isSuperseded: boolean
  /** Whether the message is in the outbox, or on its way there: the station is answered from here. */
  isStored: boolean
}

/**
 * From a message's arrival until its answer or its close, as `Unanswered` has it; the disk has the last second at
 * least.
 */
const longestMs = 15_000
const leastDiskMs = 1_000

export class Storing {
  readonly #station: Station<StoringSettings>
  readonly #fleet: Pick<Fleet, 'transactions'>
  readonly #backlog: Backlog
  readonly #inFlight: { done(call: Call): boolean }
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    station: Station<StoringSettings>,
    fleet: Pick<Fleet, 'transactions'>,
    backlog: Backlog,
    inFlight: { done(call: Call): boolean },
  ) {
    this.#station = station
    this.#fleet = fleet
    this.#backlog = backlog
    this.#inFlight = inFlight
  }

  /**
   * Whether a message can be stored instead of being performed.
   *
   * @param cause why it cannot be performed; `null` for a message that was not tried, and is not decided for the app
   */
  accepts({ call, tracked, isSuperseded }: Storable, cause: Cause | null): boolean {
    const { handshake, closed } = this.#station
    if (tracked === null || isSuperseded || closed.aborted) return false
    if (needsDecision(call.action, call.payload) && !this.#mayDecide(call.action, cause)) return false
    return this.#backlog.knows(handshake)
  }

  /** Whether a message has to queue behind stored ones, and can. */
  isBehind(message: Storable): boolean {
    return this.#backlog.has(this.#station.handshake.stationId) && this.accepts(message, null)
  }

  /** @returns whether the message is stored, and confirmed to the station */
  store(message: Storable, tracked: Tracked): Promise<boolean> {
    message.isStored = true
    const storing = this.#store(message, tracked)
    this.#last = storing
    return storing
  }

  /**
   * The app has answered a message that is stored, or about to be: it need not get the message again. It gets a
   * StartTransaction again, because it does not know the transaction id that the station has.
   *
   * @param answer what the station gets if the message cannot be stored; `null` if the app has not booked it
   */
  onTaken({ tracked, attempts }: Storable, answer: Answer | null): void {
    if (tracked === null) return
    if (tracked.transaction !== 'begins') this.#backlog.onTaken(tracked)
    this.#recordFirst(tracked, { attempts, answer })
  }

  /** Resolves when no message is on its way to the disk any more. */
  async idle(): Promise<void> {
    for (let last = null; last !== this.#last;) {
      last = this.#last
      await last
    }
  }

  /** An app that has aborted the action has decided. */
  #mayDecide(action: string, cause: Cause | null): boolean {
    return (
      this.#station.settings.outboxDecide === 'accept' && isDecidable(action) && cause !== null && cause !== 'refused'
    )
  }

  async #store(message: Storable, tracked: Tracked): Promise<boolean> {
    const { call } = message
    const { handshake, settings } = this.#station
    const { transactions } = this.#fleet
    const before = transactions.find(tracked)
    const known = before.answer
    // On earlier connections, too.
    const attempts = Math.max(message.attempts, before.attempts)
    const isKept = known !== null || (await this.#append(message, attempts, tracked))
    if (!isKept) {
      message.isStored = false
      this.#recordFirst(tracked, { attempts, answer: null })
      return false
    }
    const { version } = handshake
    const minted = mintedIdOf({ key: tracked.key, action: call.action, version })
    const payload = confirmationFor(call.action, version, call.payload, settings, minted)
    const answer = known ?? ({ kind: 'callResult', payload } as const)
    if (known === null) transactions.record(tracked, { attempts, answer: { ...answer, id: call.id } })
    this.#confirm(message, answer)
    return true
  }

  /** Keeps an answer that is known already: the station has it, or will get it. */
  #recordFirst(tracked: Tracked, outcome: TransactionOutcome): void {
    const { transactions } = this.#fleet
    if (transactions.find(tracked).answer === null) transactions.record(tracked, outcome)
  }

  #append({ call, receivedAt }: Storable, attempts: number, { key, content }: Tracked): Promise<boolean> {
    const { handshake, world } = this.#station
    const { stationId, version } = handshake
    const { id, action, payload } = call
    const storedAt = world.date().getTime()
    const withinMs = Math.max(leastDiskMs, receivedAt + longestMs - world.now())
    const message = { stationId, version, id, key, content, action, payload, attempts, storedAt }
    return this.#backlog.append(message, withinMs)
  }

  #confirm({ call, receivedAt }: Storable, answer: ReturnType<Fleet['transactions']['find']>['answer']): void {
    const { row, world, closed } = this.#station
    const isAwaited = this.#inFlight.done(call)
    if (!isAwaited || closed.aborted || answer === null) return
    this.#station.send({ ...answer, id: call.id })
    world.meter.count('ocpp_call_total', { version: row.number, action: call.action, answer: 'stored' })
    world.meter.observe('ocpp_call_seconds', { version: row.number }, (world.now() - receivedAt) / 1000)
  }
}
