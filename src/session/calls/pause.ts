/**
 * A wait that can be cut short.
 */

/** One wait at a time. */
export class Pause {
  #end: (() => void) | null = null

  /** Resolves after `ms`, or as soon as `end` is called. */
  wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.end(), ms)
      this.#end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Ends the wait in progress, if there is one. A wait that begins later is not affected. */
  end(): void {
    this.#end?.()
    this.#end = null
  }
}
