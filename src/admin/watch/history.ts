/**
 * The last frames of each station, bounded for each and in total. Where they are too many in total, the station that
 * has been silent for longest loses its frames first.
 */
import { setRecent } from '../../ops/recent.ts'
import type { FrameView } from '../answers.ts'

type Ring = { readonly frames: FrameView[]; bytes: number }

/** What a frame costs beside its text. */
const frameBytes = 400

export class History {
  readonly #maxBytes: number
  /** The station with the latest frame last. */
  readonly #rings = new Map<string, Ring>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Oldest first. */
  of(stationId: string): readonly FrameView[] {
    return this.#rings.get(stationId)?.frames ?? []
  }

  /** @param most how many frames of this station are kept */
  keep(frame: FrameView, most: number): void {
    const ring = this.#rings.get(frame.station) ?? { frames: [], bytes: 0 }
    setRecent(this.#rings, frame.station, ring, Infinity)
    ring.frames.push(frame)
    ring.bytes += bytesOf(frame)
    this.#bytes += bytesOf(frame)
    while (ring.frames.length > most) this.#dropOldest(ring)
    for (const [stationId, oldest] of this.#rings) {
      if (this.#bytes <= this.#maxBytes) return
      while (oldest.frames.length > 0 && this.#bytes > this.#maxBytes) this.#dropOldest(oldest)
      if (oldest.frames.length === 0) this.#rings.delete(stationId)
    }
  }

  /** Forgets the frames of the stations that a function names. */
  forget(isForgotten: (stationId: string) => boolean): void {
    for (const [stationId, { bytes }] of this.#rings) {
      if (!isForgotten(stationId)) continue
      this.#rings.delete(stationId)
      this.#bytes -= bytes
    }
  }

  #dropOldest(ring: Ring): void {
    const dropped = ring.frames.shift()
    if (dropped === undefined) return
    ring.bytes -= bytesOf(dropped)
    this.#bytes -= bytesOf(dropped)
  }
}

/** At most: a character takes one byte or two. */
function bytesOf({ frame }: FrameView): number {
  return frameBytes + 2 * frame.length
}
