/**
 * Broadcasts over NATS: a plain subscription, so that every node gets every publication. The only import of `nats`.
 *
 * What is published while NATS is not reached is lost (core NATS keeps nothing): `connected()` is for readiness.
 * Source: AnyCable `broadcast/legacy_nats.go`; unlike it, this one never gives up.
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
import type { Deliver } from '../cable/broadcast.ts'

export type NatsOptions = {
  /** `nats://[user:password@|token@]host[:4222]`, or `tls://…`. The first credentials found hold for all of them. */
  readonly servers: readonly string[]
  readonly channel: string
  readonly dontRandomizeServers: boolean
  /** A `.creds` file: JWT and seed. */
  readonly credentialsFile?: string
  /** A file with the seed of a user nkey (`SU…`), bare or with lines around it. */
  readonly nkeySeedFile?: string
  /** Where it does not stand in an address. */
  readonly token?: string
  /** PEM files; given, the connection is encrypted or not made at all. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
}

export type NatsSubscription = { close(): Promise<void>; connected(): boolean }

const CONNECT_MS = 2000
const RETRY_MS = { first: 250, most: 5000 }
const DRAIN_MS = 3000
/** A server that vanished without a word is noticed after two unanswered pings, within half a minute. */
const PING_MS = 10_000

/**
 * Subscribes, and stays subscribed until `close()`.
 *
 * Returns after the first attempt, also where that failed: it goes on in the background. Throws only where the options
 * themselves are at fault (an address that is none, a file that cannot be read).
 *
 * @param deliver  gets each publication, in the order they came; if it throws, that ends the process
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
  /** For the log: without their credentials. */
  readonly #servers: string
  readonly #closing = new AbortController()
  #connection: NatsConnection | null = null
  #connected = false
  /** What was logged of this outage: a retry that fails in the same way says nothing. */
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
    this.#log.info({ channel: this.#channel, servers: this.#servers }, 'subscribing for broadcasts')
    const attempted = await this.#subscribe()
    void this.#stay(attempted)
  }

  connected(): boolean {
    return this.#connected
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#end())
  }

  /** The library reconnects by itself once it was connected; the first time, and after it gave up, it is done here. */
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

  /** Half the time to all of it, so that the nodes of a cluster do not come all at once; ends early at `close()`. */
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
      // The answer to a ping comes after the refusal of a subscription, if there is one.
      await Promise.race([connection.flush(), refused])
      this.#back(connection.getServer())
      return connection
    } catch (error) {
      this.#lost(error)
      return connection && closed(connection)
    }
  }

  /** Rejects if the server refuses the subscription, also later, after a reconnect; never resolves. */
  #listen(connection: NatsConnection): Promise<never> {
    const refused = new Promise<never>((_, reject) => {
      connection.subscribe(this.#channel, {
        callback: (error: NatsError | null, message) => {
          if (error === null) handOver(this.#deliver, message.string())
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
      else if (type === Events.Reconnect) this.#back(connection.getServer())
      else if (type === Events.Error && said !== 'PERMISSIONS_VIOLATION') this.#complain(new Error(said))
    }
  }

  #back(server: string): void {
    if (this.#isClosing()) return
    this.#connected = true
    this.#faults.clear()
    this.#log.info({ server, channel: this.#channel }, 'subscribed to broadcasts')
  }

  #lost(error: unknown): void {
    this.#connected = false
    this.#complain(error)
  }

  #complain(error: unknown): void {
    const fault = error instanceof Error ? error.message : String(error)
    if (this.#isClosing() || this.#faults.has(fault)) return
    this.#faults.add(fault)
    this.#log.warn({ error, servers: this.#servers }, 'no broadcasts from NATS for now, trying again')
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

/** A throw in the library's reader would end the reader, and the process would live on without broadcasts. */
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

/** The library takes neither credentials nor a scheme from an address, and reads a digit of a password as the port. */
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
    throw new Error(`no NATS address: ${url.protocol}//${url.host}`)
  return url
}

function credentialsOf({ username, password }: URL): ConnectionOptions {
  const name = decodeURIComponent(username)
  return password === '' ? { token: name } : { user: name, pass: decodeURIComponent(password) }
}

function authenticatorOf({ credentialsFile, nkeySeedFile }: NatsOptions): Authenticator | null {
  if (credentialsFile !== undefined) {
    const authenticator = credsAuthenticator(readFileSync(credentialsFile))
    return proven(authenticator, `${credentialsFile} is no NATS credentials file (a JWT and a seed)`)
  }
  if (nkeySeedFile === undefined) return null
  const [seed = ''] = /\bSU[A-Z2-7]{56}\b/.exec(readFileSync(nkeySeedFile, 'utf8')) ?? []
  return proven(nkeyAuthenticator(Buffer.from(seed)), `${nkeySeedFile} holds no seed of a NATS user (SU…)`)
}

/** Tried here, once: a file that is at fault would else look like a server that cannot be reached. */
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
