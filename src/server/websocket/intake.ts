/**
 * What comes in on one socket: how much of it, in which turn of the event loop its session gets it, and when the socket
 * is paused.
 *
 * `receiver.ts` lets `ws` hand on a frame or two of a connection per turn, so no connection can keep a turn to itself.
 * Beyond that there is a budget of frames and bytes, of the connection until the app has accepted the station, then of
 * the station; and messages of stations that are not accepted share the turns of `limits/turnstile.ts`, whatever it
 * costs to read them.
 */
import type { Limit } from '../../ops/metrics.ts'
import { Budget, type Rate } from '../../ops/limits/budget.ts'
import type { Turns } from '../limits/turnstile.ts'
import { Held, type Message } from './held.ts'

/** The socket below. */
export interface Flow {
  readonly isPaused: boolean
  pause(): void
  resume(): void
}

export type IntakeSettings = {
  /** In bytes, of one message. */
  readonly maxMessageSize: number
  /** Frames per second, or KiB if that is more; of a station that the app has accepted, and of one that it has not. */
  readonly frameRate: number
  readonly unacceptedFrameRate: number
}

/** What the socket does for its intake. */
export interface IntakeEnd {
  receive(text: string, bytes: number): void
  /** The connection has to be closed. */
  exceeded(limit: Extract<Limit, 'flood' | 'overrun'>): void
  /** The connection is paused for a while. */
  slowed(): void
}

/** Limit on messages held for a session that takes none. Below it the socket is read, so that pings get their pongs. */
const maxHeldBytes = 1024 * 1024
/** Limit on data beyond one message from a paused socket: `ws` still emits all messages in the data it has read. */
const maxOverrunBytes = 1024 * 1024
/** So many seconds' worth may come at once; no message costs more. */
const burstSeconds = 5
/**
 * A station that is not accepted is closed this far beyond its budget. More than the CALLs of an impatient station in
 * the data that has been read when its socket is paused; a flood of control frames has ten times as many.
 */
const maxOverdraft = 1_000
const KiB = 1024
/** How much may arrive before the budget is checked, in its unit. */
export const settleAt = 64

export class Intake {
  /**
   * Whether a message may go straight to the session, if little is `unsettled`: most do, and nothing else runs for
   * them.
   */
  isOpen = false
  /** What has arrived and is not spent from the budget yet, in its unit. */
  unsettled = 0
  readonly #flow: Flow
  readonly #maxMessageSize: number
  readonly #end: IntakeEnd
  readonly #turnstile: Turns
  readonly #now: () => number
  readonly #held = new Held()
  #budget: Budget
  #isAccepted = false
  /** Whether the session takes no messages at present. */
  #isHolding = false
  /** Whether a message waits in the turnstile. */
  #isQueued = false
  /** Set while the socket is paused because the budget is overdrawn. */
  #refilling: NodeJS.Timeout | null = null
  #overrunBytes = 0
  #hasEnded = false
  /** Called once nothing is held any more. */
  #onEmpty: (() => void) | null = null

  /** @param turnstile where messages wait until the station is accepted; @param now monotonic, in ms */
  constructor(flow: Flow, settings: IntakeSettings, end: IntakeEnd, turnstile: Turns, now: () => number) {
    this.#flow = flow
    this.#maxMessageSize = settings.maxMessageSize
    this.#end = end
    this.#turnstile = turnstile
    this.#now = now
    this.#budget = new Budget(rateOf(settings.unacceptedFrameRate), now())
  }

  /** Whether the session takes no messages. */
  get isHolding(): boolean {
    return this.#isHolding
  }

  get isAccepted(): boolean {
    return this.#isAccepted
  }

  /** The station's own; `null` before it is accepted. */
  get acceptedBudget(): Budget | null {
    return this.#isAccepted ? this.#budget : null
  }

  /** @param budget the station's own, on whatever connection */
  accept(budget: Budget): void {
    if (this.#isAccepted) return
    this.#isAccepted = true
    this.unsettled = 0
    this.#budget = budget
    clearTimeout(this.#refilling ?? undefined)
    this.#refilling = null
    this.#deliver()
  }

  onMessage(text: string, bytes: number): void {
    if (!this.onFrame(bytes)) return
    if (this.isOpen) return this.#end.receive(text, bytes)
    if (this.#flow.isPaused && this.#isFlooded(bytes)) return
    this.#held.push({ text, bytes })
    this.isOpen = false
    if (!this.#isHolding) this.#deliver()
    if (this.#held.bytes > maxHeldBytes) this.#flow.pause()
  }

  /** Counts a frame. @returns whether the connection goes on */
  onFrame(bytes: number): boolean {
    const cost = Math.min(this.unsettled + costOf(bytes), this.#budget.burst)
    this.unsettled = 0
    const left = this.#budget.spend(cost, this.#now())
    if (this.#hasEnded) {
      // Reads on for the station's close frame until the budget is spent.
      if (left < 0) this.#flow.pause()
      return false
    }
    if (left >= 0) return true
    if (!this.#isAccepted && left < -maxOverdraft) {
      this.#end.exceeded('flood')
      return false
    }
    this.#slow()
    return true
  }

  hold(): void {
    this.#isHolding = true
    this.isOpen = false
  }

  release(): void {
    this.#isHolding = false
    this.#deliver()
  }

  /** The end of a connection waits for the messages before it, as it does where they are unread. */
  whenEmpty(run: () => void): void {
    this.#onEmpty = run
    if (!this.#isHolding) this.#deliver()
  }

  /** Takes nothing more. */
  stop(): void {
    this.#hasEnded = true
    this.isOpen = false
    clearTimeout(this.#refilling ?? undefined)
  }

  /** Drops what is held, and takes nothing more. */
  end(): void {
    this.stop()
    this.#isHolding = false
    this.#held.clear()
  }

  /** Hands on what is held, until the session takes no more. */
  #deliver(): void {
    if (!this.#isAccepted) this.#queue()
    else for (let message = this.#next(); message !== undefined; message = this.#next()) this.#hand(message)
    this.isOpen = this.#isAccepted && !this.#isHolding && !this.#hasEnded && this.#held.bytes === 0
    if (this.#held.bytes === 0 && !this.#isHolding) this.#emptied()
    this.#resume()
  }

  /** One message at a time, so that stations that are not accepted take turns. */
  #queue(): void {
    if (this.#isQueued || this.#isHolding || this.#held.bytes === 0) return
    this.#isQueued = true
    this.#turnstile.enter(() => {
      this.#isQueued = false
      const message = this.#next()
      if (message !== undefined) this.#hand(message)
      this.#deliver()
    })
  }

  #next(): Message | undefined {
    return this.#isHolding ? undefined : this.#held.shift()
  }

  #hand({ text, bytes }: Message): void {
    this.#end.receive(text, bytes)
  }

  #emptied(): void {
    const run = this.#onEmpty
    this.#onEmpty = null
    if (run === null) return
    if (this.#isAccepted) run()
    else this.#turnstile.enter(run)
  }

  #slow(): void {
    this.#flow.pause()
    if (this.#refilling !== null) return
    this.#end.slowed()
    this.#refilling = setTimeout(() => {
      this.#refilling = null
      if (this.#budget.spend(0, this.#now()) < 0) this.#slow()
      else this.#resume()
    }, this.#budget.msUntilZero()).unref()
  }

  #resume(): void {
    if (this.#hasEnded || this.#refilling !== null || !this.#flow.isPaused || this.#held.bytes > maxHeldBytes / 2)
      return
    this.#overrunBytes = 0
    this.#flow.resume()
  }

  /** A paused `ws` still emits the messages in the data it has already read, which may inflate a thousandfold. */
  #isFlooded(bytes: number): boolean {
    this.#overrunBytes += bytes
    if (this.#overrunBytes <= this.#maxMessageSize + maxOverrunBytes) return false
    this.#end.exceeded('overrun')
    return true
  }
}

/** In frames, or KiB if that is more. */
function costOf(bytes: number): number {
  return Math.max(1, bytes / KiB)
}

/** @param perSecond frames, or KiB if that is more */
export function rateOf(perSecond: number): Rate {
  return { perSecond, burst: perSecond * burstSeconds }
}
