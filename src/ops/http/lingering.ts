/**
 * Lingering close (RFC 9112 §9.6): a connection that has its last answer is still read for a while. Closing at once
 * would reset it while its client sends, and the answer would be lost.
 */
import type { Duplex } from 'node:stream'

/** How long a client may take to read its answer and to close. One that never does would hold the descriptor. */
const graceMs = 2_000
/**
 * Between two reads of 64 KiB, over all these connections: 13 MB a second. Each read allocates a buffer, and the
 * garbage of an unlimited flood takes a core.
 */
const readEveryMs = 5

/** Sends the last bytes, and closes. What still arrives is discarded. */
export function endWith(stream: Duplex, text: string): void {
  destroyLater(stream)
  stream.on('error', () => stream.destroy())
  discard(stream)
  stream.end(text)
}

/** Frees the descriptor of a connection that does not close by itself in time. */
export function destroyLater(stream: Duplex): void {
  const overdue = setTimeout(() => stream.destroy(), graceMs).unref()
  stream.once('close', () => clearTimeout(overdue))
}

/**
 * A listener for the `end` of each TLS connection, a station's or not. Behind a reset that follows a request, Node may
 * never report that the answer was written, and what waits for that would wait for ever.
 */
export function destroyThisLater(this: Duplex): void {
  destroyLater(this)
}

/** Connections that are paused until it is their turn. */
const paused = new Set<Duplex>()
let isScheduled = false

function discard(stream: Duplex): void {
  stream.on('data', () => {
    stream.pause()
    paused.add(stream)
    schedule()
  })
  stream.once('close', () => paused.delete(stream))
  stream.resume()
}

function schedule(): void {
  if (isScheduled || paused.size === 0) return
  isScheduled = true
  setTimeout(readNext, readEveryMs)
}

function readNext(): void {
  isScheduled = false
  const [next] = paused
  if (next === undefined) return
  paused.delete(next)
  next.resume()
  schedule()
}
