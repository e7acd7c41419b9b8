/**
 * A block of fields in several frames: HEADERS, and the CONTINUATION frames after it.
 *
 * Pure. Spec: RFC 9113 §4.3, §6.2 and §6.10.
 */
import { flagBits, frameTypes, Http2Error } from './frames.ts'

/** A block in more frames is an attack, as CONTINUATION may be empty. */
const maxFrames = 100

type Whole = { readonly id: number; readonly flags: number; readonly block: Buffer }

export class Fragments {
  /** Whether the next frame has to be CONTINUATION. */
  isPending = false
  readonly #maxBytes: number
  #id = 0
  #flags = 0
  #parts: Buffer[] = []

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Takes the content of HEADERS without END_HEADERS. */
  start(id: number, flags: number, content: Buffer): void {
    this.isPending = true
    this.#id = id
    this.#flags = flags
    this.#parts = [content]
  }

  /** @returns the block once it is whole, with the flags of its HEADERS */
  add(type: number, flags: number, id: number, payload: Buffer): Whole | null {
    if (type !== frameTypes.continuation || id !== this.#id)
      throw new Http2Error('protocolError', 'another frame between HEADERS and their CONTINUATION')
    this.#parts.push(payload)
    const bytes = this.#parts.reduce((sum, { length }) => sum + length, 0)
    if (this.#parts.length > maxFrames || bytes > this.#maxBytes)
      throw new Http2Error('enhanceYourCalm', 'CONTINUATION without an end')
    if ((flags & flagBits.endHeaders) === 0) return null
    const block = Buffer.concat(this.#parts)
    this.isPending = false
    this.#parts = []
    return { id, flags: (this.#flags & flagBits.endStream) | flagBits.endHeaders, block }
  }
}
