/**
 * Server-sent events to clients, each of which has a bounded buffer: what does not fit is lost to that client alone,
 * and counted. Nothing waits for a client.
 *
 * Spec: HTML Living Standard §9.2 (`text/event-stream`).
 */
import type { ServerResponse } from 'node:http'
import { ProblemError } from '../problems.ts'
import { limits } from '../limits.ts'

/** A client of a stream. */
export interface Stream {
  /** @param text an event, from `eventText` */
  send(text: string): void
  /** Whether an event sent now would be lost. */
  readonly isFull: boolean
}

/** Begins to send to a client, and returns how to stop. */
export type Start = (stream: Stream) => () => void

export function eventText(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

export class Streams {
  readonly #open = new Map<Client, () => void>()
  readonly #heartbeat: NodeJS.Timeout

  constructor(heartbeatMs: number = limits.heartbeatSeconds * 1000) {
    this.#heartbeat = setInterval(() => {
      for (const client of this.#open.keys()) client.beat()
    }, heartbeatMs).unref()
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Answers a request with a stream. Throws `ProblemError` when too many are open.
   *
   * @param start begins to send, and returns how to stop
   */
  open(response: ServerResponse, start: Start): void {
    if (this.#open.size >= limits.streams)
      throw new ProblemError('too-many-requests', `${limits.streams} streams are open`)
    // A client that does not read stays until its connection breaks.
    response.socket?.setTimeout(0)
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.flushHeaders()
    const client = new Client(response)
    const stop = start(client)
    this.#open.set(client, stop)
    response.once('close', () => {
      this.#open.delete(client)
      stop()
    })
  }

  /** Ends all streams. */
  close(): void {
    clearInterval(this.#heartbeat)
    for (const client of this.#open.keys()) client.end()
  }
}

class Client implements Stream {
  readonly #response: ServerResponse
  #lost = 0

  constructor(response: ServerResponse) {
    this.#response = response
    response.on('drain', () => this.#report())
  }

  get isFull(): boolean {
    return this.#response.writableLength >= limits.streamBytes
  }

  send(text: string): void {
    if (this.isFull) {
      this.#lost++
      return
    }
    this.#report()
    this.#response.write(text)
  }

  /** A comment: proxies and clients give up on a connection that is silent. */
  beat(): void {
    if (!this.isFull) this.#response.write(':\n\n')
  }

  end(): void {
    this.#response.end()
  }

  /** Tells how many events were lost, once there is room. */
  #report(): void {
    if (this.#lost === 0 || this.isFull) return
    this.#response.write(eventText('lost', { count: this.#lost }))
    this.#lost = 0
  }
}
