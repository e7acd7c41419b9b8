/**
 * How much of NATS is read in a turn of the event loop. The library does not expose its socket, so this file uses
 * fields that are not its interface. The tests fail if a release changes them; the bridge then reads as the library
 * does.
 */
import type { Socket } from 'node:net'
import { afterWrites } from '../ops/event-loop/turn-end.ts'

type Inside = { readonly protocol?: { readonly transport?: { readonly socket?: Socket } } }

/** In bytes: one read of libuv, where more has arrived. */
const perTurn = 65_536

/** Pauses the socket for the rest of a turn after 64 KiB. To be called again after a reconnect: its socket is new. */
export function readInTurns(connection: object): void {
  const socket = (connection as Inside).protocol?.transport?.socket
  let read = 0
  const goOn = (): void => {
    read = 0
    if (socket?.isPaused() === true) socket.resume()
  }
  socket?.on('data', (chunk: Buffer) => {
    if (read === 0) afterWrites(goOn)
    read += chunk.length
    if (read >= perTurn) socket.pause()
  })
}
