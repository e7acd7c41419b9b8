/**
 * Messages that have arrived while their session takes none, in order.
 */

export type Message = {
  readonly text: string
  /** Its size on the wire, decompressed. */
  readonly bytes: number
}

/** What a message takes besides its text: many tiny ones must not take more memory than their bytes say. */
const overheadBytes = 100

export class Held {
  readonly #messages: Message[] = []
  #bytes = 0

  /** The memory they take, roughly. */
  get bytes(): number {
    return this.#bytes
  }

  push(message: Message): void {
    this.#messages.push(message)
    this.#bytes += message.bytes + overheadBytes
  }

  shift(): Message | undefined {
    const message = this.#messages.shift()
    if (message !== undefined) this.#bytes -= message.bytes + overheadBytes
    return message
  }

  clear(): void {
    this.#messages.length = 0
    this.#bytes = 0
  }
}
