/**
 * Reads the first bytes of a connection before the server, or TLS, gets it.
 */
import type { Socket } from 'node:net'

export type Ahead<Reading> = {
  /** How long the bytes may take, in ms. */
  readonly timeoutMs: number
  /**
   * Reads all bytes so far; `null`: more are needed. Its own limit on their number ends the reading, and it looks at
   * the bytes of earlier calls no further: a peer may send them one by one.
   */
  readonly read: (bytes: Buffer) => Reading | null
  /** Called once. The connection is read no further, and keeps none of the bytes: see `giveBack`. */
  readonly onRead: (reading: Reading, bytes: Buffer) => void
  readonly onOverdue: () => void
  /** Called when the peer ends the connection before it has sent enough; the connection is destroyed. */
  readonly onEnd?: () => void
}

export function readAhead<Reading>(socket: Socket, ahead: Ahead<Reading>): void {
  const gather = gatherer()
  const stop = (): void => {
    clearTimeout(overdue)
    socket.off('readable', onReadable).off('end', onEnd).off('close', stop)
  }
  const overdue = setTimeout(() => {
    stop()
    ahead.onOverdue()
  }, ahead.timeoutMs)
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return
    const bytes = gather(chunk)
    const reading = ahead.read(bytes)
    if (reading === null) return
    stop()
    ahead.onRead(reading, bytes)
  }
  const onEnd = (): void => {
    ahead.onEnd?.()
    socket.destroy()
  }
  socket.on('readable', onReadable).on('end', onEnd).on('close', stop)
}

/** Returns all chunks so far. Its memory doubles, so that bytes which come one by one are copied a few times only. */
function gatherer(): (chunk: Buffer) => Buffer {
  let memory: Buffer = Buffer.alloc(0)
  let length = 0
  return chunk => {
    const end = length + chunk.length
    if (end <= memory.length) chunk.copy(memory, length)
    else memory = length === 0 ? chunk : Buffer.concat([memory.subarray(0, length), chunk], 2 * end)
    length = end
    return memory.subarray(0, length)
  }
}

/** Gives bytes back as if they had not been read: Node leaves the mode of 'readable' in the next tick. */
export function giveBack(socket: Socket, bytes: Buffer, accept: () => void): void {
  if (bytes.length > 0) socket.unshift(bytes)
  setImmediate(() => {
    if (!socket.destroyed) accept()
  })
}
