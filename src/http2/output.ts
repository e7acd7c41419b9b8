/**
 * The frames that a connection sends: those of one turn of the event loop leave in one write.
 *
 * Pure but for its `Wire`, and for `atTurnEnd`. Spec: RFC 9113 §4.1.
 */
import { atTurnEnd } from '../ops/event-loop/turn-end.ts'
import type { Wire } from './exchange.ts'
import { frameHeadBytes, frameTypes } from './frames.ts'

const chunkBytes = 2 ** 14
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

export class Output {
  /** The socket takes no more for now: only frames that answer the server's should be added. */
  isBlocked = false
  /** The last stream whose HEADERS the socket has. */
  writtenId = 0
  readonly #wire: Wire
  /** Frames from the first position on are not written yet; the next one begins at the second. */
  #chunk = Buffer.allocUnsafe(chunkBytes)
  #from = 0
  #at = preface.copy(this.#chunk)
  #lastId = 0
  #isScheduled = false

  constructor(wire: Wire) {
    this.#wire = wire
  }

  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    const { length } = payload
    if (this.#at + frameHeadBytes + length > this.#chunk.length) this.#startChunk(frameHeadBytes + length)
    const [chunk, at] = [this.#chunk, this.#at]
    chunk.writeUInt32BE(length * 256 + type, at)
    chunk[at + 4] = flags
    chunk.writeUInt32BE(streamId, at + 5)
    this.#at = at + frameHeadBytes + payload.copy(chunk, at + frameHeadBytes)
    if (type === frameTypes.headers) this.#lastId = streamId
    if (this.#isScheduled) return
    this.#isScheduled = true
    atTurnEnd(this.flush)
  }

  readonly flush = (): void => {
    this.#isScheduled = false
    if (this.#from === this.#at) return
    const frames = this.#chunk.subarray(this.#from, this.#at)
    this.#from = this.#at
    this.writtenId = this.#lastId
    if (!this.#wire.write(frames)) this.isBlocked = true
  }

  /** The socket keeps the bytes of the previous one until it has sent them. */
  #startChunk(bytes: number): void {
    this.flush()
    this.#chunk = Buffer.allocUnsafe(Math.max(bytes, chunkBytes))
    this.#from = 0
    this.#at = 0
  }
}
