/**
 * Frames of a station as a timeline: a CALL and its answer are one entry.
 *
 * Pure: no DOM.
 */
import type { FrameView } from '../../admin/answers.ts'

export type Entry = {
  /** Tells entries apart. */
  readonly key: string
  readonly at: string
  /** Who began it. */
  readonly from: 'station' | 'app'
  readonly action: string | null
  readonly id: string | null
  /** The frame that began it; `null` for an answer whose CALL was not seen. */
  readonly first: FrameView | null
  readonly answer: FrameView | null
}

/** What an entry came to: in a word, and whether it is trouble. */
export type Result = { readonly word: string; readonly isError: boolean }

const most = 500

export class Timeline {
  /** Latest first. */
  #entries: Entry[] = []
  readonly #seen = new Set<string>()
  #count = 0

  get entries(): readonly Entry[] {
    return this.#entries
  }

  /** A frame that is known already, from the history, is left out. */
  add(frame: FrameView): void {
    const same = `${frame.at} ${frame.sid} ${frame.direction} ${frame.type} ${frame.id ?? ''} ${frame.frame.length}`
    if (this.#seen.has(same)) return
    this.#seen.add(same)
    if (isAnswer(frame)) this.#answer(frame)
    else this.#begin({ first: frame, answer: null }, frame)
  }

  #answer(frame: FrameView): void {
    const at = this.#entries.findIndex(({ first, answer }) => answer === null && isAnsweredBy(first, frame))
    const entry = this.#entries[at]
    if (entry === undefined) this.#begin({ first: null, answer: frame }, frame)
    else this.#entries = this.#entries.with(at, { ...entry, answer: frame })
  }

  #begin(frames: Pick<Entry, 'first' | 'answer'>, { at, direction, action, id }: FrameView): void {
    const isByStation = (direction === 'received') === (frames.first !== null)
    const from = isByStation ? 'station' : 'app'
    const entry: Entry = { key: String(++this.#count), at, from, action, id, ...frames }
    // The history may come after the first frames of the stream.
    const later = this.#entries.findIndex(other => other.at <= at)
    const place = later === -1 ? this.#entries.length : later
    this.#entries = this.#entries.toSpliced(place, 0, entry).slice(0, most)
    if (this.#seen.size > 4 * most) this.#seen.clear()
  }
}

function isAnswer({ type }: FrameView): boolean {
  return type === 'callResult' || type === 'callError' || type === 'callResultError'
}

function isAnsweredBy(first: FrameView | null, answer: FrameView): boolean {
  if (first === null || first.sid !== answer.sid || first.id !== answer.id || first.type !== 'call') return false
  // A CALLRESULTERROR goes the way of the CALL.
  return (first.direction === answer.direction) === (answer.type === 'callResultError')
}

/** The frame as JSON; `null` where it is cut or malformed. */
export function frameJson({ frame }: FrameView): readonly unknown[] | null {
  try {
    const parsed: unknown = JSON.parse(frame)
    return Array.isArray(parsed) ? parsed : null
  } catch {
    return null
  }
}

/** The payload of a CALL, SEND or CALLRESULT; `undefined` where it cannot be read. */
export function payloadOf(frame: FrameView): unknown {
  const at = { call: 3, send: 3, callResult: 2 }[frame.type as string]
  return at === undefined ? undefined : frameJson(frame)?.[at]
}

/** The status in an answer, the code of an error, or how the entry stands. */
export function resultOf({ first, answer }: Entry): Result {
  if (first?.type === 'malformed') return { word: 'cannot be read', isError: true }
  if (first?.type === 'send') return { word: 'sent', isError: false }
  if (answer === null) return { word: 'no answer yet', isError: false }
  if (answer.type !== 'callResult') {
    const code = frameJson(answer)?.[2]
    return { word: typeof code === 'string' ? code : 'error', isError: true }
  }
  return { word: statusIn(payloadOf(answer)) ?? 'answered', isError: answer.isError }
}

function statusIn(payload: unknown): string | null {
  if (typeof payload !== 'object' || payload === null) return null
  const { status, idTagInfo, idTokenInfo } = payload as Readonly<Record<string, unknown>>
  if (typeof status === 'string') return status
  return idTagInfo === undefined && idTokenInfo === undefined ? null : statusIn(idTagInfo ?? idTokenInfo)
}
