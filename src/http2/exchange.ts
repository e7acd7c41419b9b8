/**
 * A request and its response, and who takes part: the types of `connection.ts`.
 *
 * Spec: RFC 9113 §8.1.
 */
import type { Fields } from './hpack.ts'

/**
 * One request with a body that is whole. Of the response, `onData` reports the body as it comes; then `onTrailers` or
 * `onEnd` comes, once. `onEnd` may also come before the response.
 */
export interface Exchange {
  readonly path: string
  readonly body: Buffer
  /** Written by the connection: 0 while the exchange has no stream. */
  streamId: number
  /** Written by the connection: 0 before the response. */
  status: number
  /**
   * The fields that this request has besides the connection's; called when its stream opens. They are not indexed.
   *
   * @returns `null` if the request is no longer wanted; nothing more is reported then
   */
  open(): Fields | null
  /** The bytes may be kept. */
  onData(bytes: Buffer): void
  /** The response has ended; one without a body may have its only fields here. */
  onTrailers(fields: Fields): void
  onEnd(end: End): void
}

/** Why a response has no trailers. */
export type End =
  /**
   * The server has not processed the request and never will (RFC 9113 §6.8, §8.7), or it was not sent: it is safe to
   * repeat.
   */
  | { readonly kind: 'refused' }
  /** Its fields are more than the server accepts. */
  | { readonly kind: 'unsendable' }
  /** By the server, with the code of RST_STREAM. */
  | { readonly kind: 'reset'; readonly code: number }
  /** The response is whole, without trailers. */
  | { readonly kind: 'ended' }
  /** By this client. */
  | { readonly kind: 'malformed'; readonly reason: string }
  /** The connection was lost. */
  | { readonly kind: 'lost'; readonly reason: string }

/** The connection's socket. */
export interface Wire {
  /** @returns `false` if no more should be written before the connection's `onDrain` */
  write(bytes: Buffer): boolean
  end(): void
  destroy(): void
}

export interface ConnectionOwner {
  /** The server's SETTINGS have come: streams can be opened. */
  onReady(): void
  onPong(): void
  /** The code of each GOAWAY. */
  onGoaway(code: number): void
  /** Once: the connection opens no more streams. Those that are open may still end well. */
  onEnd(reason: string): void
  /** Once, after `onEnd`: no stream is open any more. */
  onClose(): void
}
