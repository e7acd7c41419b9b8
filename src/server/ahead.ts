/**
 * Reads the first bytes of a connection before the server, or TLS, gets it.
 */
import type { Socket } from 'node:net'

export type Ahead<Reading> = {
  /** How long the bytes may take, in ms. */
  readonly timeoutMs: number
  /** Reads all bytes so far; `null`: more are needed. Its own limit on their number ends the reading. */
  readonly read: (bytes: Buffer) => Reading | null
  /** Called once. The connection is read no further, and keeps none of the bytes: see `giveBack`. */
  readonly onRead: (reading: Reading, bytes: Buffer) => void
  readonly onOverdue: () => void
  /** Called when the peer ends the connection before it has sent enough; the connection is destroyed. */
  readonly onEnd?: () => void
}

export function readAhead<Reading>(socket: Socket, ahead: Ahead<Reading>): void {
  let bytes: Buffer = Buffer.alloc(0)
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
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
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

/** Gives bytes back as if they had not been read: Node leaves the mode of 'readable' in the next tick. */
export function giveBack(socket: Socket, bytes: Buffer, accept: () => void): void {
  if (bytes.length > 0) socket.unshift(bytes)
  setImmediate(() => {
    if (!socket.destroyed) accept()
  })
}
