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
  /** `null` while nothing is held: an emptied array would keep its room. */
  #messages: Message[] | null = null
  #bytes = 0

  /** The memory they take, roughly. */
  get bytes(): number {
    return this.#bytes
  }

  push(message: Message): void {
    this.#messages ??= []
    this.#messages.push(message)
    this.#bytes += message.bytes + overheadBytes
  }

  shift(): Message | undefined {
    const message = this.#messages?.shift()
    if (message !== undefined) this.#bytes -= message.bytes + overheadBytes
    if (this.#bytes === 0) this.#messages = null
    return message
  }

  clear(): void {
    this.#messages = null
    this.#bytes = 0
  }
}
