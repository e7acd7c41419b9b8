/**
 * One connection to one address of the app, from its first byte to its end.
 *
 * Spec: RFC 9113 §3.4 (the server's preface), §6.7 (PING), §6.8 (GOAWAY).
 */
import { connect, constants, type ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { clear } from '../deadline.ts'
import type { Ask } from '../service.ts'
import { mayExpectTls, withRemedy } from '../trust.ts'
import { authorityOf, socketTo, type Peer } from './socket.ts'
import { unary, type Wire } from './unary.ts'

export type LinkSettings = Peer & {
  /** How often it is tried, and how long the answer may take. */
  readonly keepaliveMs: number
  readonly pongMs: number
  /** Of a reply's message, in bytes. */
  readonly maxReceived: number
}

export interface LinkEvents {
  /** The app has spoken: calls can be sent. */
  ready(): void
  /** Once, `ready` or not: it takes no new calls any more. Those under way may still end well. */
  ended(reason: string): void
  /** The app wants fewer pings. */
  tooManyPings(): void
}

/** How long the app may take to speak. */
const attemptMs = 5_000
/** So that no reply of the usual size waits for leave to go on. */
const windowBytes = 2 ** 20
const connectionWindowBytes = 8 * windowBytes
const { NGHTTP2_ENHANCE_YOUR_CALM } = constants

export class Link implements Wire {
  readonly session: ClientHttp2Session
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly maxReceived: number
  readonly #socket: Socket
  readonly #events: LinkEvents
  readonly #attempt: NodeJS.Timeout
  #beat: NodeJS.Timeout | null = null
  #pong: NodeJS.Timeout | null = null
  #lastStream = Infinity
  #endCode: number | null = null
  #calls = 0
  #isConnected = false
  #hasEnded = false

  constructor(address: string, settings: LinkSettings, events: LinkEvents) {
    this.scheme = settings.trust === null ? 'http' : 'https'
    this.authority = authorityOf(settings.name)
    this.maxReceived = settings.maxReceived
    this.#events = events
    this.#socket = socketTo(address, settings)
    this.session = connect(`${this.scheme}://${this.authority}`, {
      createConnection: () => this.#socket,
      settings: { enablePush: false, initialWindowSize: windowBytes },
      // The guard bounds the calls at a time; Node's 10 MB would refuse ten of 1 MiB.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    })
    this.#attempt = setTimeout(() => this.#drop(this.#whyNotReady(`it has said nothing in ${attemptMs} ms`)), attemptMs)
    this.session.once('connect', () => {
      this.#isConnected = true
      if (!this.session.destroyed) this.session.setLocalWindowSize(connectionWindowBytes)
    })
    this.session.once('remoteSettings', () => this.#onReady(settings))
    this.session.on('goaway', (code: number, lastStream: number) => this.#onGoaway(code, lastStream))
    this.session.on('error', (error: Error) => this.#onError(error))
    this.session.once('close', () => this.#onClose())
    // Also after the session has let go of it.
    this.#socket.on('error', () => undefined)
  }

  get lastStream(): number {
    return this.#lastStream
  }

  get endCode(): number | null {
    return this.#endCode
  }

  /** Whether a call can be sent. */
  get isOpen(): boolean {
    return !this.#hasEnded && !this.session.closed && !this.session.destroyed
  }

  call(ask: Ask): Promise<Buffer> {
    return unary(this, ask)
  }

  onExhausted(): void {
    this.#end('the connection has no more streams')
  }

  onCallStart(): void {
    this.#calls++
  }

  onCallEnd(): void {
    this.#calls--
    if (this.#hasEnded && this.#calls === 0) this.#destroy()
  }

  /** Takes no more calls; those under way run to their end. */
  close(): void {
    this.#end('it is closed here')
    if (this.#calls === 0) this.#destroy()
  }

  #onReady({ keepaliveMs, pongMs }: LinkSettings): void {
    clearTimeout(this.#attempt)
    if (this.#hasEnded) return
    this.#beat = setInterval(() => this.#ping(pongMs), keepaliveMs)
    this.#events.ready()
  }

  #ping(pongMs: number): void {
    if (this.session.destroyed) return this.#drop('the connection was lost')
    if (this.#pong !== null) return
    this.#pong = setTimeout(() => this.#drop(`no answer to a ping in ${pongMs} ms`), pongMs)
    this.session.ping(error => {
      if (error === null) this.#stopPong()
    })
  }

  #stopPong(): void {
    clear(this.#pong)
    this.#pong = null
  }

  #stopPings(): void {
    clear(this.#beat)
    this.#stopPong()
  }

  /** With NO_ERROR the calls under way go on. With any other code Node.js ends them, after this. */
  #onGoaway(code: number, lastStream: number): void {
    this.#lastStream = Math.min(this.#lastStream, lastStream)
    this.#endCode = code
    if (code === NGHTTP2_ENHANCE_YOUR_CALM) this.#events.tooManyPings()
    this.#end(`the app has ended the connection, with HTTP/2 code ${code}`)
    if (this.#calls === 0) this.#destroy()
  }

  #onError(error: Error): void {
    this.#end(this.#whyNotReady(error.message))
  }

  #onClose(): void {
    this.#end(this.#whyNotReady('the app closed the connection'))
    this.#stopPings()
  }

  /** With what is to be done about it. Connected, and no gRPC heard: somebody else is at that port. */
  #whyNotReady(said: string): string {
    if (this.#beat !== null) return said
    if (!this.#isConnected) return withRemedy(said)
    return this.scheme === 'http' ? `${said}; ${mayExpectTls}` : `the app does not speak HTTP/2 there: ${said}`
  }

  #drop(reason: string): void {
    this.#end(reason)
    this.#destroy(new Error(reason))
  }

  #end(reason: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    clearTimeout(this.#attempt)
    this.#events.ended(reason)
  }

  /** The socket too: its other side may never close it. What was written before is given to the system first. */
  #destroy(error?: Error): void {
    this.#stopPings()
    this.session.destroy(error)
    setImmediate(() => this.#socket.destroy())
  }
}
