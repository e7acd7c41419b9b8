/**
 * Broadcasts over NATS: a plain subscription, so every node gets every publication. The only import of `nats`.
 *
 * Core NATS stores nothing, so publications are lost while the bridge is disconnected; `connected()` is for readiness.
 * Source: AnyCable `broadcast/legacy_nats.go`; unlike AnyCable, the bridge retries forever.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Authenticator,
  connect,
  type ConnectionOptions,
  credsAuthenticator,
  Events,
  type NatsConnection,
  type NatsError,
  nkeyAuthenticator,
} from 'nats'
import type { Log } from '../ops/log.ts'
import { maxPublicationLength, type Deliver } from '../cable/broadcast.ts'
import { readInTurns } from './reading.ts'

export type NatsOptions = {
  /** `nats://[user:password@|token@]host[:4222]`, or `tls://…`. The first credentials found apply to all servers. */
  readonly servers: readonly string[]
  readonly channel: string
  readonly dontRandomizeServers: boolean
  /** A `.creds` file: JWT and seed. */
  readonly credentialsFile?: string
  /** A file with the seed of a user nkey (`SU…`), alone or between other lines. */
  readonly nkeySeedFile?: string
  /** The token, if no URL has it. */
  readonly token?: string
  /** PEM files. If set, TLS is mandatory. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
}

export type NatsSubscription = { close(): Promise<void>; connected(): boolean }

const CONNECT_MS = 2000
const RETRY_MS = { first: 250, most: 5000 }
const DRAIN_MS = 3000
/** Two unanswered pings mark a vanished server as lost, within 30 s. */
const PING_MS = 10_000

/**
 * Subscribes, and stays subscribed until `close()`.
 *
 * Returns after the first attempt, even if it failed; retries run in the background. Throws only for invalid options,
 * such as an invalid address or an unreadable file.
 *
 * @param deliver  receives every publication in order; an error thrown by it ends the process
 */
export async function openNats(options: NatsOptions, deliver: Deliver, log: Log): Promise<NatsSubscription> {
  const subscription = new Subscription(options, deliver, log.child({ context: 'broadcast', provider: 'nats' }))
  await subscription.open()
  return subscription
}

class Subscription implements NatsSubscription {
  readonly #channel: string
  readonly #connectionOptions: ConnectionOptions
  readonly #deliver: Deliver
  readonly #log: Log
  /** For the log, without credentials. */
  readonly #servers: string
  readonly #closing = new AbortController()
  #connection: NatsConnection | null = null
  #connected = false
  /** The errors already logged in the current outage; each is logged once. */
  readonly #faults = new Set<string>()
  #closed: Promise<void> | null = null

  constructor(options: NatsOptions, deliver: Deliver, log: Log) {
    this.#channel = options.channel
    this.#connectionOptions = connectionOptions(options)
    this.#servers = String(this.#connectionOptions.servers)
    this.#deliver = deliver
    this.#log = log
  }

  async open(): Promise<void> {
    this.#log.info({ channel: this.#channel, servers: this.#servers }, 'subscribing to broadcasts')
    const attempted = await this.#subscribe()
    void this.#stay(attempted)
  }

  connected(): boolean {
    return this.#connected
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#end())
  }

  /** Retries the first connection, and connections that the library has closed. It handles other reconnects itself. */
  async #stay(connection: NatsConnection | null): Promise<void> {
    let waitMs = RETRY_MS.first
    for (;;) {
      const reason = await connection?.closed()
      if (this.#connected) this.#lost(reason ?? new Error('connection closed'))
      await this.#pause(waitMs)
      if (this.#isClosing()) return
      connection = await this.#subscribe()
      waitMs = connection === null ? Math.min(waitMs * 2, RETRY_MS.most) : RETRY_MS.first
    }
  }

  /** Sleeps half to all of `ms`: the jitter spreads the nodes of a cluster. `close()` ends the sleep. */
  async #pause(ms: number): Promise<void> {
    await sleep(ms / 2 + Math.random() * (ms / 2), undefined, { signal: this.#closing.signal }).catch(() => null)
  }

  async #subscribe(): Promise<NatsConnection | null> {
    let connection: NatsConnection | null = null
    try {
      connection = await connect(this.#connectionOptions)
      if (this.#isClosing()) return await closed(connection)
      this.#connection = connection
      void this.#watch(connection)
      const refused = this.#listen(connection)
      // The server answers the ping of `flush` only after it has refused or accepted the subscription.
      await Promise.race([connection.flush(), refused])
      this.#back(connection)
      return connection
    } catch (error) {
      this.#lost(error)
      return connection && closed(connection)
    }
  }

  /** Never resolves. Rejects if the server refuses the subscription, now or after a reconnect. */
  #listen(connection: NatsConnection): Promise<never> {
    const refused = new Promise<never>((_, reject) => {
      connection.subscribe(this.#channel, {
        callback: (error: NatsError | null, message) => {
          if (error === null) handOver(this.#deliver, textOf(message.data))
          else reject(error)
        },
      })
    })
    refused.catch((error: unknown) => {
      this.#lost(error)
      void connection.close()
    })
    return refused
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type, data } of connection.status()) {
      const said = typeof data === 'string' ? data : type
      if (type === Events.Disconnect) this.#lost(new Error(`disconnected from ${said}`))
      else if (type === Events.Reconnect) this.#back(connection)
      else if (type === Events.Error && said !== 'PERMISSIONS_VIOLATION') this.#complain(new Error(said))
    }
  }

  #back(connection: NatsConnection): void {
    if (this.#isClosing()) return
    readInTurns(connection)
    this.#connected = true
    this.#faults.clear()
    this.#log.info({ server: connection.getServer(), channel: this.#channel }, 'subscribed to broadcasts')
  }

  #lost(error: unknown): void {
    this.#connected = false
    this.#complain(error)
  }

  #complain(error: unknown): void {
    const fault = error instanceof Error ? error.message : String(error)
    if (this.#isClosing() || this.#faults.has(fault)) return
    this.#faults.add(fault)
    this.#log.warn({ error, servers: this.#servers }, 'no broadcasts from NATS, retrying')
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  async #end(): Promise<void> {
    const wasConnected = this.#connected
    this.#connected = false
    this.#closing.abort()
    if (this.#connection === null) return
    if (wasConnected) await Promise.race([this.#connection.drain(), sleep(DRAIN_MS, undefined, { ref: false })])
    await this.#connection.close()
  }
}

const decoder = new TextDecoder()

/** Delivered in place of a text that is dropped for its length: decoding 8 MB takes 7 ms. */
const tooLong = ' '.repeat(maxPublicationLength + 1)
/** A UTF-16 unit takes three bytes of UTF-8 at most. */
const bytesPerUnit = 3

function textOf(data: Uint8Array): string {
  return data.length > bytesPerUnit * maxPublicationLength ? tooLong : decoder.decode(data)
}

/** Rethrows outside the library: a throw inside ends its reader, and the process would run on without broadcasts. */
function handOver(deliver: Deliver, text: string): void {
  try {
    deliver(text)
  } catch (error) {
    setImmediate(() => {
      throw new Error('a broadcast could not be delivered', { cause: error })
    })
  }
}

async function closed(connection: NatsConnection): Promise<null> {
  await connection.close()
  return null
}

/** The library accepts no credentials or scheme in an address, and would read digits of a password as the port. */
function connectionOptions(options: NatsOptions): ConnectionOptions {
  const { servers, dontRandomizeServers, token, tls } = options
  const urls = servers.map(serverUrl)
  const authenticator = authenticatorOf(options)
  const user = urls.find(url => url.username !== '')
  const secure = tls ?? (urls.some(url => url.protocol === 'tls:') ? {} : undefined)
  return {
    servers: urls.map(url => url.host),
    noRandomize: dontRandomizeServers,
    name: 'ocpp-cable',
    timeout: CONNECT_MS,
    pingInterval: PING_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS.first,
    reconnectJitter: 1000,
    reconnectJitterTLS: 1000,
    ...(user !== undefined && credentialsOf(user)),
    ...(token !== undefined && { token }),
    ...(authenticator !== null && { authenticator }),
    ...(secure !== undefined && { tls: tlsOptions(secure) }),
  }
}

function serverUrl(server: string): URL {
  const url = new URL(server.includes('://') ? server : `nats://${server}`)
  if (url.protocol !== 'nats:' && url.protocol !== 'tls:')
    throw new Error(`not a NATS address: ${url.protocol}//${url.host}`)
  return url
}

function credentialsOf({ username, password }: URL): ConnectionOptions {
  const name = decodeURIComponent(username)
  return password === '' ? { token: name } : { user: name, pass: decodeURIComponent(password) }
}

function authenticatorOf({ credentialsFile, nkeySeedFile }: NatsOptions): Authenticator | null {
  if (credentialsFile !== undefined) {
    const authenticator = credsAuthenticator(readFileSync(credentialsFile))
    return proven(authenticator, `${credentialsFile} is not a NATS credentials file (JWT and seed)`)
  }
  if (nkeySeedFile === undefined) return null
  const [seed = ''] = /\bSU[A-Z2-7]{56}\b/.exec(readFileSync(nkeySeedFile, 'utf8')) ?? []
  return proven(nkeyAuthenticator(Buffer.from(seed)), `${nkeySeedFile} contains no NATS user seed (SU…)`)
}

/** Tests the authenticator once, so that an invalid file is not mistaken for an unreachable server. */
function proven(authenticator: Authenticator, problem: string): Authenticator {
  try {
    authenticator('a nonce')
    return authenticator
  } catch (cause) {
    throw new Error(problem, { cause })
  }
}

function tlsOptions({
  caFile,
  certFile,
  keyFile,
}: NonNullable<NatsOptions['tls']>): NonNullable<ConnectionOptions['tls']> {
  return {
    ...(caFile !== undefined && { ca: readFileSync(caFile, 'utf8') }),
    ...(certFile !== undefined && { cert: readFileSync(certFile, 'utf8') }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile, 'utf8') }),
  }
}
