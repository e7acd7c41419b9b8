/**
 * A queue that limits the time its work takes per turn of the event loop. The work is that of stations that the app has
 * not accepted, as `docs/security.md` lists it, so that neither a wave of reconnects nor an attack delays the accepted
 * ones.
 *
 * Independent of HTTP; the clock is passed in. Has no timer, so there is nothing to close.
 */
import { TurnShare } from '../../ops/event-loop/turn-share.ts'

/** Must not throw. */
type Work = () => void

/** Per turn of the event loop: enough for an upgrade or two. An accepted station waits for it twice in a call. */
export const turnMs = 0.25

/** Where work waits for its turn. */
export type Turns = Pick<Turnstile, 'enter' | 'enterAlone'>

export class Turnstile {
  readonly #share: TurnShare
  /** In order of arrival, each with whether it has the rest of its turn to itself. */
  readonly #waiting = new Map<Work, boolean>()
  #isRunning = false

  /** @param now in ms, from any origin */
  constructor(now: () => number) {
    this.#share = new TurnShare(turnMs, now, () => this.#run())
  }

  /** Runs it at once if none is queued and the current turn has time left; otherwise queues it. */
  enter(work: Work): void {
    this.#add(work, false)
  }

  /**
   * As `enter`, for work that goes on after it has returned, such as a handshake in OpenSSL: the rest of the turn is
   * left to it.
   */
  enterAlone(work: Work): void {
    this.#add(work, true)
  }

  /** Runs all that is queued now. */
  runAll(): void {
    this.#run(true)
  }

  #add(work: Work, isAlone: boolean): void {
    this.#waiting.set(work, isAlone)
    // What enters from within is next in the loop that runs.
    if (!this.#isRunning) this.#run()
  }

  /** Runs at least one per turn, however long it takes. */
  #run(isAll = false): void {
    this.#isRunning = true
    for (const [work, isAlone] of this.#waiting) {
      if (this.#share.isSpent && !isAll) break
      this.#waiting.delete(work)
      this.#share.run(work)
      if (isAlone) this.#share.spendAll()
    }
    this.#isRunning = false
  }
}
