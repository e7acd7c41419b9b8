/**
 * One HTTP/2 connection to one address of the app, from the TCP handshake to its end.
 *
 * Spec: RFC 9113 §3.4 (the server's preface), §6.7 (PING), §6.8 (GOAWAY).
 */
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { authorityOf } from '../../ops/server.ts'
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
  /** Of a reply's message, in bytes. */
  readonly maxReceived: number
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
/** Wide enough for a reply of the usual size not to wait for a window update. */
const windowBytes = 2 ** 20
const connectionWindowBytes = 8 * windowBytes
const { NGHTTP2_ENHANCE_YOUR_CALM } = constants

export class Connection {
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly maxReceived: number
  readonly #session: ClientHttp2Session
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  readonly #attempt: NodeJS.Timeout
  #keepalive: NodeJS.Timeout | undefined
  #pong: NodeJS.Timeout | undefined
  #lastStream = Infinity
  #goawayCode: number | null = null
  #calls = 0
  #isConnected = false
  #isReady = false
  #hasEnded = false

  /** @param address  one of the host's */
  constructor(address: string, settings: ConnectionSettings, owner: ConnectionOwner) {
    this.scheme = settings.trust === null ? 'http' : 'https'
    this.authority = authorityOf(settings)
    this.maxReceived = settings.maxReceived
    this.#owner = owner
    this.#socket = openSocket(address, settings)
    this.#session = connect(`${this.scheme}://${this.authority}`, {
      createConnection: () => this.#socket,
      settings: { enablePush: false, initialWindowSize: windowBytes },
      // The guard limits the calls in flight; Node's 10 MB would refuse ten of 1 MiB.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    })
    this.#attempt = setTimeout(() => this.#drop(this.#whyNotReady(`no HTTP/2 preface in ${attemptMs} ms`)), attemptMs)
    this.#session.once('connect', () => {
      this.#isConnected = true
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(connectionWindowBytes)
    })
    this.#session.once('remoteSettings', () => this.#onReady(settings))
    this.#session.on('goaway', (code: number, lastStream: number) => this.#onGoaway(code, lastStream))
    this.#session.on('error', (error: Error) => this.#end(this.#whyNotReady(error.message)))
    this.#session.once('close', () => this.#onClose())
    // The session may have detached from it by then.
    this.#socket.on('error', () => undefined)
  }

  /** Whether a call can be sent. */
  get isOpen(): boolean {
    return !this.#hasEnded && !this.#session.closed && !this.#session.destroyed
  }

  get isLost(): boolean {
    return this.#session.destroyed
  }

  /** The last stream that the app has looked at, or may look at, by its GOAWAY. */
  get lastStream(): number {
    return this.#lastStream
  }

  /** `null` before a GOAWAY. */
  get goawayCode(): number | null {
    return this.#goawayCode
  }

  /** Opens a stream for a call, which then has to tell its end. Throws where the session has just ended. */
  request(headers: Record<string, string>): ClientHttp2Stream {
    const stream = this.#session.request(headers)
    this.#calls++
    return stream
  }

  /** The call has settled; its stream may not have closed yet. */
  onCallEnd(): void {
    this.#calls--
    if (this.#hasEnded && this.#calls === 0) this.#destroy()
  }

  /** No stream id is left (RFC 9113 §5.1.1). */
  onExhausted(): void {
    this.#end('the connection has no more stream ids')
  }

  /** Takes no more calls; those in flight run to their end. */
  close(): void {
    this.#end('closed by the bridge')
    if (this.#calls === 0) this.#destroy()
  }

  #onReady({ keepaliveMs, pongMs }: ConnectionSettings): void {
    clearTimeout(this.#attempt)
    if (this.#hasEnded) return
    this.#isReady = true
    this.#keepalive = setInterval(() => this.#ping(pongMs), keepaliveMs)
    this.#owner.onReady()
  }

  #ping(pongMs: number): void {
    if (this.#session.destroyed) return this.#drop('the connection was lost')
    if (this.#pong !== undefined) return
    this.#pong = setTimeout(() => this.#drop(`no answer to a ping in ${pongMs} ms`), pongMs)
    this.#session.ping(error => {
      if (error !== null) return
      clearTimeout(this.#pong)
      this.#pong = undefined
    })
  }

  /** After NO_ERROR the calls in flight go on. After any other code Node.js ends their streams. */
  #onGoaway(code: number, lastStream: number): void {
    this.#lastStream = Math.min(this.#lastStream, lastStream)
    this.#goawayCode = code
    if (code === NGHTTP2_ENHANCE_YOUR_CALM) this.#owner.onTooManyPings()
    this.#end(`the app closed the connection with HTTP/2 code ${code}`)
    if (this.#calls === 0) this.#destroy()
  }

  #onClose(): void {
    this.#end(this.#whyNotReady('the app closed the connection'))
    this.#stopPings()
  }

  /** With the remedy. A peer that accepts the connection and sends no preface is something other than the app. */
  #whyNotReady(reason: string): string {
    if (this.#isReady) return reason
    if (!this.#isConnected) return withRemedy(reason)
    return this.scheme === 'http' ? `${reason}; ${mayExpectTls}` : `the app does not speak HTTP/2 there: ${reason}`
  }

  #drop(reason: string): void {
    this.#end(reason)
    this.#destroy(new Error(reason))
  }

  #end(reason: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    clearTimeout(this.#attempt)
    this.#owner.onEnd(reason)
  }

  /** Also ends the socket, whose other side may never close it; what was written before is flushed first. */
  #destroy(error?: Error): void {
    this.#stopPings()
    this.#session.destroy(error)
    setImmediate(() => this.#socket.destroy())
  }

  #stopPings(): void {
    clearInterval(this.#keepalive)
    clearTimeout(this.#pong)
  }
}

function openSocket(address: string, { host, port, trust }: ConnectionSettings): Socket {
  if (trust === null) return connectTcp({ host: address, port })
  return connectTls({
    host: address,
    port,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: trust.verify,
    ...(trust.ca !== null && { ca: trust.ca }),
    // RFC 6066 §3: an address is not a server name.
    ...(isIP(host) === 0 && { servername: host }),
  })
}
