/**
 * How long the bridge waits for the disk: a station waits for the answer meanwhile. A disk that has hung or failed is
 * not waited for again for a while, so that it does not stop live messages.
 */
import type { DurableOutbox, World } from '../../session/ports.ts'

/** A disk that takes longer counts as failed. */
const patienceMs = 5_000
/** After a failure, unless an operation succeeds before. */
const failingMs = 30_000

export class Disk {
  readonly #onFailure: DurableOutbox['onFailure']
  readonly #world: Pick<World, 'now'>
  /** In ms of `World.now`. */
  #failingUntil = -Infinity
  /** Operations that have exceeded their time, and are not over. */
  #overdue = 0

  constructor(onFailure: DurableOutbox['onFailure'], world: Pick<World, 'now'>) {
    this.#onFailure = onFailure
    this.#world = world
  }

  /** Whether an operation has failed or hung in the last 30 s, and none has succeeded since. */
  get isFailing(): boolean {
    return this.#world.now() < this.#failingUntil
  }

  /** Whether a read would only wait behind operations that hang. */
  get isHanging(): boolean {
    return this.isFailing && this.#overdue > 0
  }

  onSuccess(): void {
    this.#failingUntil = -Infinity
  }

  /**
   * Waits for an operation; for none while the disk hangs, where it may still succeed later.
   *
   * @returns `null` where the disk fails, or takes longer
   */
  async wait<Result>(operation: Promise<Result>, withinMs = patienceMs): Promise<Result | null> {
    const ms = this.isHanging ? 0 : Math.min(withinMs, patienceMs)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#awaitLate(operation)
        reject(new Error(`the disk did not reply in ${ms} ms`))
      }, ms)
    })
    try {
      const result = await Promise.race([operation, late])
      this.onSuccess()
      return result
    } catch (error) {
      this.#failingUntil = this.#world.now() + failingMs
      this.#onFailure(error)
      return null
    } finally {
      clearTimeout(timer)
    }
  }

  #awaitLate(operation: Promise<unknown>): void {
    this.#overdue++
    const onOver = (): void => {
      this.#overdue--
    }
    operation.then(() => {
      onOver()
      this.onSuccess()
    }, onOver)
  }
}
