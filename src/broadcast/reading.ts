/**
 * How much of NATS is read in a turn of the event loop. The library does not expose its socket, so this file uses
 * fields that are not its interface; the test fails if a release changes them.
 */
import type { Socket } from 'node:net'
import type { NatsConnection } from 'nats'
import { afterWrites } from '../ops/event-loop/turn-end.ts'

type Inside = { readonly protocol: { readonly transport: { readonly socket: Socket } } }

/** Of one read, in bytes, where more has arrived. */
const wholeRead = 65_536

/**
 * Stops behind a whole read until the next turn: of a publication of 8 MB, up to 2 MB would be read at a stretch, and
 * the library copies each byte several times. To be called again after a reconnect, which has a socket of its own.
 */
export function readInTurns(connection: NatsConnection): void {
  const { socket } = (connection as NatsConnection & Inside).protocol.transport
  socket.on('data', (chunk: Buffer) => {
    if (chunk.length < wholeRead) return
    socket.pause()
    afterWrites(() => socket.resume())
  })
}
