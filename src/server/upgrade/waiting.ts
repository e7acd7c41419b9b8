/**
 * Reads a connection while its upgrade waits for a decision: only who reads sees that the client has left.
 */
import type { Duplex } from 'node:stream'
import { destroyThis } from '../connections.ts'

/** More than the first messages of a station that does not wait for its answer; beyond it, nothing is read. */
export const maxEarlyBytes = 16 * 1024

/**
 * Destroys a connection whose client ends it while it waits.
 *
 * @returns ends the wait, and returns what was read; whoever takes over has to read on in the same tick
 */
export function readWhileWaiting(stream: Duplex): () => Buffer {
  const chunks: Buffer[] = []
  let bytes = 0
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= maxEarlyBytes) stream.pause()
  }
  // Without unread bytes, Node tells of the end at once.
  if (stream.readableEnded) stream.destroy()
  stream.on('data', onData).on('end', destroyThis)
  return () => {
    stream.off('data', onData).off('end', destroyThis)
    // Begins to flow in the next tick, whether or not it was paused, with what is given back first.
    stream.pause().resume()
    return Buffer.concat(chunks)
  }
}
