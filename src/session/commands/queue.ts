/** Commands that wait for a station, in order. */
import { isSameId, type MessageId } from '../../ocpp/frame.ts'
import type { Command } from './unanswered.ts'

/** Payload bytes that may wait for a station; the first command is taken whatever its size. */
const maxBytes = 4 * 1024 * 1024

export class CommandQueue {
  #calls: readonly Command[] = []
  #bytes = 0

  get length(): number {
    return this.#calls.length
  }

  get first(): Command | undefined {
    return this.#calls[0]
  }

  get calls(): readonly Command[] {
    return this.#calls
  }

  hasId(id: MessageId): boolean {
    return this.#calls.some(other => isSameId(other.id, id))
  }

  /** @param most how many commands may wait */
  hasRoomFor({ payload }: Command, most: number): boolean {
    if (this.length >= most) return false
    return this.length === 0 || this.#bytes + Buffer.byteLength(payload) <= maxBytes
  }

  add(call: Command): void {
    this.#calls = [...this.#calls, call]
    this.#bytes += Buffer.byteLength(call.payload)
  }

  /** @returns whether it was there */
  remove(call: Command): boolean {
    if (!this.#calls.includes(call)) return false
    this.#calls = this.#calls.filter(other => other !== call)
    this.#bytes -= Buffer.byteLength(call.payload)
    return true
  }

  /** @returns those that were there */
  clear(): readonly Command[] {
    const calls = this.#calls
    this.#calls = []
    this.#bytes = 0
    return calls
  }
}
