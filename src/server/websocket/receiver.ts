/**
 * What `ws` holds of a message that is not whole yet, its limits on one message, which it only takes for all
 * connections of a server at once, and in which turn of the event loop it parses what has arrived and hands it on. It
 * exposes none of them, so this file uses fields that are not its interface; the tests fail if a release changes them.
 */
import { atTurnEnd } from '../../ops/event-loop/turn-end.ts'
import type { Turns } from '../limits/turnstile.ts'

type Limits = {
  _maxPayload: number
}

type Done = (error?: Error) => void
type Parse = (done: Done) => void
type Write = (this: Receiver, chunk: Buffer, encoding: string, done: Done) => void

type Receiver = Limits & {
  /** Parses what has been read, up to the end of a message that waits for another turn of the event loop. */
  startLoop?: Parse
  /** Gets what the socket reads. */
  _write: Write
  /** Whether a message is handed on in the turn in which it is parsed. */
  _allowSynchronousEvents: boolean
  readonly writableLength: number
  _maxFragments: number
  _maxBufferedChunks: number
  /** Read, and not parsed yet. */
  _bufferedBytes: number
  readonly _buffers: Buffer[]
  /** Of the last frame. */
  _opcode: number
  /** Of the fragments before, inflated. */
  _messageLength: number
  readonly _fragments: Buffer[]
  /** The opcode of a fragmented message in progress, else 0. */
  readonly _fragmented: number
  /** 0 between two frames. */
  readonly _state: number
}

type Inside = {
  pause(): void
  readonly _receiver: Receiver
  readonly _extensions: { readonly 'permessage-deflate'?: Limits }
}

export type MessageLimits = {
  /** In bytes, inflated; a longer message closes the connection with 1009. */
  readonly bytes: number
  /** More of them close the connection with 1008. */
  readonly fragments: number
}

/** Libraries make fragments of 1 KiB or more; a station that is not accepted sends 64 KiB at most. */
export const maxFragments = { accepted: 1024, unaccepted: 256 }

const closeOpcode = 8
/** A part that arrives alone takes as much as this besides its bytes. */
const overheadBytes = 200
/** How many parts of one frame may arrive alone, for each KiB of the limit. */
const partsPerKiB = 16

/** @param ws must be open */
export function limitMessages(ws: object, { bytes, fragments }: MessageLimits): void {
  const { _receiver: receiver, _extensions: extensions } = ws as Inside
  receiver._maxPayload = bytes
  receiver._maxFragments = fragments
  receiver._maxBufferedChunks = Math.ceil(bytes / 1024) * partsPerKiB
  const deflate = extensions['permessage-deflate']
  if (deflate !== undefined) deflate._maxPayload = bytes
}

/** Parses each frame in its turn. Until then the receiver is busy, and `ws` reads what fits into its buffer. */
export function parseInTurn(ws: object, turnstile: Turns): void {
  const { _receiver: receiver } = ws as Inside
  const { startLoop: parse } = Object.getPrototypeOf(receiver) as { readonly startLoop: Parse }
  receiver.startLoop = done => turnstile.enter(() => parse.call(receiver, done))
}

/**
 * Parses what is read without a turn. A frame that is read alone, as most are, is handed on at once; of several, each
 * waits for another turn. What still waits for its turn comes first.
 */
export function parseAtOnce(ws: object): void {
  const { _receiver: receiver } = ws as Inside
  delete receiver.startLoop
  receiver._write = take
}

/** Those that have handed on a frame in this turn: TLS has a chunk for each record, and a turn may read many. */
const served = new Set<Receiver>()
const endTurn = (): void => served.clear()

function take(this: Receiver, chunk: Buffer, encoding: string, done: Done): void {
  const isNew = this._state === 0 && this._bufferedBytes === 0 && this.writableLength === chunk.length
  const isAtOnce = isNew && frameBytes(chunk) === chunk.length && !served.has(this)
  if (isAtOnce) {
    atTurnEnd(endTurn)
    served.add(this)
  }
  this._allowSynchronousEvents = isAtOnce
  const { _write: write } = Object.getPrototypeOf(this) as { readonly _write: Write }
  write.call(this, chunk, encoding, done)
}

/** Of a client's frame, its head included (RFC 6455 §5.2); one of 64 KiB or more is never read whole. */
function frameBytes(first: Buffer): number {
  const length = (first[1] ?? 0) & 127
  if (length < 126) return 6 + length
  return length === 126 && first.length >= 4 ? 8 + first.readUInt16BE(2) : Infinity
}

export function isCompressed(ws: object): boolean {
  return (ws as Inside)._extensions['permessage-deflate'] !== undefined
}

/** Bytes that wait for the rest of their message; `null` if none is in progress. */
export function unfinishedBytes(ws: object): number | null {
  const { _receiver: receiver } = ws as Inside
  const waiting = Object.hasOwn(receiver, 'startLoop') ? receiver.writableLength : 0
  // What is being parsed is in both.
  const arrived = Math.max(receiver._bufferedBytes, waiting)
  if (receiver._state === 0 && receiver._fragmented === 0 && arrived === 0) return null
  const parts = receiver._buffers.length + receiver._fragments.length
  return arrived + receiver._messageLength + parts * overheadBytes
}

/**
 * Makes it ignore all that has come, as `ws` itself does behind a close frame, and read nothing more: after an error of
 * its own, `ws` goes on to read whatever comes, as fast as it comes.
 */
export function ignoreRest(ws: object): void {
  const { _receiver: receiver } = ws as Inside
  receiver._buffers.length = 0
  receiver._bufferedBytes = 0
  receiver._fragments.length = 0
  receiver._messageLength = 0
  receiver._opcode = closeOpcode
  // `ws` resumes the socket in a tick of its own.
  process.nextTick(() => (ws as Inside).pause())
}
