/**
 * One connection to one address of the app, from the TCP handshake to its end: limits its opening, and pings it.
 *
 * Spec: RFC 9113 §3.4 (the server's preface), §6.7 (PING); gRPC over HTTP/2, "Requests".
 */
import type { Connection as Http2Connection } from '../../http2/connection.ts'
import { errorCodes } from '../../http2/frames.ts'
import type { Fields } from '../../http2/hpack.ts'
import { noAlpn, openConnection, type SocketOwner } from '../../http2/socket.ts'
import { authorityOf } from '../../ops/http/server.ts'
import { protov } from '../messages.ts'
import { mayExpectTls, withRemedy, type Trust } from '../trust.ts'

export type ConnectionSettings = {
  /** The name that the app is called by, and its certificate checked for. An IPv6 address is without brackets. */
  readonly host: string
  readonly port: number
  /** `null`: without TLS. */
  readonly trust: Trust | null
  /** How often it is pinged, and how long the answer may take. */
  readonly keepaliveMs: number
  readonly pongMs: number
}

export interface ConnectionOwner {
  /** The app has sent its preface: calls can be sent. */
  onReady(): void
  /** Once, whether it was ready or not: the connection takes no new calls. Those in flight may still end well. */
  onEnd(reason: string): void
  /** The app asks for fewer pings. */
  onTooManyPings(): void
}

/** How long the app may take to send its preface. */
const attemptMs = 5_000
const noPreface = `no HTTP/2 preface in ${attemptMs} ms`
/** grpc-js requires no ALPN, and waits for the preface without a limit. It is as strict about the rules of HTTP/2. */
const mayTryLibrary = 'if the app does speak gRPC there, rpc_impl=grpc-js may connect'

export class Connection implements SocketOwner {
  readonly http2: Http2Connection
  readonly #settings: ConnectionSettings
  readonly #owner: ConnectionOwner
  readonly #attempt: NodeJS.Timeout
  #keepalive: NodeJS.Timeout | undefined
  #pong: NodeJS.Timeout | undefined
  #isConnected = false
  #isReady = false

  /** @param address  one of the host's */
  constructor(address: string, settings: ConnectionSettings, owner: ConnectionOwner) {
    const { host, port, trust } = settings
    this.#settings = settings
    this.#owner = owner
    const tls = trust === null ? null : { host, ...trust }
    this.http2 = openConnection({ address, port, tls }, fieldsOf(settings), this)
    this.#attempt = setTimeout(() => this.http2.destroy(noPreface), attemptMs)
  }

  /** Takes no more calls; those in flight run to their end. */
  close(): void {
    this.http2.close('closed by the bridge')
  }

  onConnect(): void {
    this.#isConnected = true
  }

  onReady(): void {
    clearTimeout(this.#attempt)
    this.#isReady = true
    this.#keepalive = setInterval(() => this.#ping(), this.#settings.keepaliveMs)
    this.#owner.onReady()
  }

  onPong(): void {
    clearTimeout(this.#pong)
    this.#pong = undefined
  }

  onGoaway(code: number): void {
    if (code === errorCodes.enhanceYourCalm) this.#owner.onTooManyPings()
  }

  onEnd(reason: string): void {
    clearTimeout(this.#attempt)
    this.#owner.onEnd(this.#isReady ? reason : this.#whyNotReady(reason))
  }

  onClose(): void {
    clearInterval(this.#keepalive)
    clearTimeout(this.#pong)
  }

  #ping(): void {
    if (this.#pong !== undefined) return
    const { pongMs } = this.#settings
    this.#pong = setTimeout(() => this.http2.destroy(`no answer to a ping in ${pongMs} ms`), pongMs)
    this.http2.ping()
  }

  /** With the remedy. A peer that accepts the connection and sends no preface is something other than the app. */
  #whyNotReady(reason: string): string {
    if (!this.#isConnected) return withRemedy(reason)
    const failure =
      this.#settings.trust === null ? `${reason}; ${mayExpectTls}` : `the app does not speak HTTP/2 there: ${reason}`
    return reason === noAlpn || reason === noPreface ? `${failure}; ${mayTryLibrary}` : failure
  }
}

/** What all requests have; `rpc/grpc/call.ts` has the others. */
function fieldsOf(settings: ConnectionSettings): Fields {
  return [
    [':method', 'POST'],
    [':scheme', settings.trust === null ? 'http' : 'https'],
    [':authority', authorityOf(settings)],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['user-agent', 'ocpp-cable'],
    ['protov', protov],
  ]
}
