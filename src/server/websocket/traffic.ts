/**
 * How many bytes have really moved on a connection. Node counts a write as sent when all of it has left, and a TLS
 * record as read when all of it has arrived; its handles know more, but are not its interface. So this file reads
 * fields of theirs, and the tests fail if a release changes them.
 */
import type { Socket } from 'node:net'

export type Traffic = {
  /** That have arrived; under TLS, before decryption. */
  readonly arrived: number
  /** That the system has taken from the process to send. */
  readonly taken: number
}

type Handle = {
  readonly bytesRead?: number
  /** Including those in the queue. */
  readonly bytesWritten?: number
  /** Bytes that the system has not taken yet. Under TLS, it stands still while a block of records is written. */
  readonly writeQueueSize?: number
  /** The TCP handle, of a TLS handle. */
  readonly _parent?: Handle | null
}

type Inside = {
  /** `null` once the connection is closed. */
  readonly _handle?: Handle | null
}

type Counted = Pick<Socket, 'bytesRead' | 'bytesWritten' | 'writableLength'>

/** Both only grow on an open connection. Without a handle that counts, they are Node's own figures. */
export function trafficOf(connection: Counted): Traffic {
  let handle = (connection as Counted & Inside)._handle ?? {}
  while (handle._parent != null) handle = handle._parent
  const { bytesRead, bytesWritten, writeQueueSize } = handle
  if (bytesRead === undefined || bytesWritten === undefined || writeQueueSize === undefined)
    return { arrived: connection.bytesRead, taken: connection.bytesWritten - connection.writableLength }
  return { arrived: bytesRead, taken: bytesWritten - writeQueueSize }
}
