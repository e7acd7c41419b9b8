/**
 * What leaves to stations: the messages of one turn of the event loop go out at its end, in one write for each station.
 * Back-to-back writes cost half as much as writes with other work between them: the first one wakes the reader.
 *
 * Spec: RFC 6455 §5.1 (a server does not mask) and §5.2.
 */
import type { Socket as TcpSocket } from 'node:net'
import type { Meter } from '../../ops/metrics.ts'
import { atTurnEnd } from '../../ops/event-loop/turn-end.ts'

type Connection = Pick<TcpSocket, 'cork' | 'uncork' | 'write' | 'writableCorked' | 'writableLength'>
type Compressing = { send(text: string): void }

export type OutgoingSettings = {
  /** Limit on bytes buffered for a station that does not read; 0: no limit. */
  readonly maxPendingSize: number
}

/** Shared by all sockets. */
export class Outgoing<Socket> {
  readonly #settings: OutgoingSettings
  readonly #meter: Meter
  readonly #watched: Set<Socket>
  /** Those with messages of this turn. */
  readonly #corked = new Map<Connection, Socket>()

  /** @param watched gets the sockets whose messages the system does not take at once */
  constructor(settings: OutgoingSettings, meter: Meter, watched: Set<Socket>) {
    this.#settings = settings
    this.#meter = meter
    this.#watched = watched
  }

  /**
   * Frames that `ws` writes itself keep their order; closing does not wait for the end of the turn.
   *
   * The pending-size limit counts the data buffered before this message, but not data that waits for compression:
   * neither a single large message nor the bridge's own delay makes a station slow.
   *
   * @param compressing sends the message where compression is negotiated; else `null`
   * @returns whether the station reads fast enough to get it
   */
  send(connection: Connection, socket: Socket, text: string, compressing: Compressing | null): boolean {
    const { maxPendingSize } = this.#settings
    if (maxPendingSize > 0 && connection.writableLength > maxPendingSize) {
      // The messages of this turn have not been offered to the kernel yet.
      connection.uncork()
      if (connection.writableLength > maxPendingSize) return false
    }
    const bytes = Buffer.byteLength(text)
    this.#meter.totals.data_sent_total.value += bytes
    if (connection.writableCorked === 0) {
      connection.cork()
      if (this.#corked.size === 0) atTurnEnd(this.#flush)
      this.#corked.set(connection, socket)
    }
    if (compressing === null) connection.write(textFrame(text, bytes), 'latin1')
    else compressing.send(text)
    return true
  }

  readonly #flush = (): void => {
    for (const [connection, socket] of this.#corked) {
      connection.uncork()
      if (connection.writableLength > 0) this.#watched.add(socket)
    }
    this.#corked.clear()
  }
}

const finalText = 0x81

/**
 * A text message as one frame, in which each character is a byte: Node writes such a text without a copy in a buffer.
 *
 * @param bytes the text's length as UTF-8, below 4 GiB
 */
export function textFrame(text: string, bytes: number): string {
  // ASCII is its own UTF-8.
  const content = bytes === text.length ? text : Buffer.from(text).toString('latin1')
  if (bytes < 126) return String.fromCharCode(finalText, bytes) + content
  if (bytes < 2 ** 16) return String.fromCharCode(finalText, 126, bytes >>> 8, bytes & 255) + content
  const length = [0, 0, 0, 0, bytes >>> 24, (bytes >>> 16) & 255, (bytes >>> 8) & 255, bytes & 255]
  return String.fromCharCode(finalText, 127, ...length) + content
}
