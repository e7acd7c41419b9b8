/**
 * What a session needs of the world, made of fakes: an app that does as a test says, sockets that keep what they are
 * sent, a clock that stands until it is moved. Nothing here waits for real time.
 */
import type { TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { CommandCall, CommandReply, ConnectCall, ConnectReply, DisconnectCall } from '../../src/cable/rpc.ts'
import { RpcError, type StreamName } from '../../src/cable/rpc.ts'
import type { Version } from '../../src/ocpp/version.ts'
import type { Meter } from '../../src/ops/metrics.ts'
import { Disconnects, type DisconnectLimits } from '../../src/fleet/disconnects.ts'
import { Hub, type HubSettings } from '../../src/fleet/hub.ts'
import type { Log } from '../../src/ops/log.ts'
import type {
  CloseCode,
  DurableMemory,
  Fleet,
  Member,
  QueuedDisconnect,
  Rpc,
  Schemas,
  StationSocket,
  World,
} from '../../src/session/ports.ts'
import { Transactions, type KeptStart } from '../../src/session/transactions/transactions.ts'
import type { Session } from '../../src/session/session.ts'
import type { StationHandshake, StationId } from '../../src/translate/handshake.ts'
import { openSchemas } from '../../src/validation/schemas.ts'

/** Resolves when all that can happen without a further event has happened: no promise of the fakes is on its way. */
export function quiet(): Promise<void> {
  return setImmediate()
}

/**
 * What a promise resolves with, if that needs no further event; rejects where the world comes to rest without it. So a
 * test that waits for what never comes fails by itself, and at once.
 */
async function soon<Value>(promise: Promise<Value>): Promise<Value> {
  const nothing = Symbol('nothing')
  for (let turn = 0; turn < 5; turn++) {
    const value = await Promise.race([promise, quiet().then(() => nothing)])
    if (typeof value !== 'symbol') return value
  }
  throw new Error('all has come to rest, and what is waited for has not come')
}

/** What came in, in order, and those who wait for more. */
export class Mailbox<Item> {
  readonly all: Item[] = []
  readonly #unread: Item[] = []
  readonly #readers: { readonly wants: (item: Item) => boolean; readonly take: (item: Item) => void }[] = []

  put(item: Item): void {
    this.all.push(item)
    const at = this.#readers.findIndex(({ wants }) => wants(item))
    if (at === -1) this.#unread.push(item)
    else this.#readers.splice(at, 1)[0]?.take(item)
  }

  /** The first item of its kind that nobody has read yet. */
  next(wants: (item: Item) => boolean = () => true): Promise<Item> {
    const at = this.#unread.findIndex(wants)
    const [item] = at === -1 ? [] : this.#unread.splice(at, 1)
    if (item !== undefined) return Promise.resolve(item)
    return soon(new Promise(take => this.#readers.push({ wants, take })))
  }
}

/** One RPC as the app saw it: `connect`, `disconnect`, `subscribe`, `unsubscribe`, or the channel action performed. */
export type RpcCall = ConnectCall & Partial<CommandCall> & Partial<DisconnectCall> & { readonly name: string }

/** The fields in which a reply differs from the app's usual one: yes to all, and no Ack. */
export type Said = Partial<CommandReply> & { readonly connectionIdentifiers?: string }
export type Script = (call: RpcCall) => Said | Promise<Said>

/** A call that the app has, and has not replied to. */
type Held = {
  arrived(): Promise<RpcCall>
  release(said?: Said): void
  reject(error: Error): void
}

export class FakeRpc implements Rpc {
  readonly made = new Mailbox<RpcCall>()
  readonly #always = new Map<string, Script>()
  readonly #next = new Map<string, Script[]>()
  #otherwise: Script = () => ({})
  /** Calls without a reply; each is rejected by its function. */
  readonly #open = new Set<(error: RpcError) => void>()
  #isAborted = false

  /** What the app says to every call of this name; a throw rejects the call. */
  on(name: string, script: Script): void {
    this.#always.set(name, script)
  }

  /** What the app says to the next call of this name. */
  once(name: string, script: Script): void {
    this.#next.set(name, [...(this.#next.get(name) ?? []), script])
  }

  /** What the app says to calls that no other script is for. */
  otherwise(script: Script): void {
    this.#otherwise = script
  }

  /** Keeps the app from replying to the next call of this name, until the test lets it. */
  hold(name: string): Held {
    let arrive: (call: RpcCall) => void = () => undefined
    let release: (said: Said) => void = () => undefined
    let reject: (error: Error) => void = () => undefined
    const arrived = new Promise<RpcCall>(resolve => (arrive = resolve))
    const said = new Promise<Said>((resolve, fail) => ([release, reject] = [resolve, fail]))
    this.once(name, call => (arrive(call), said))
    return { arrived: () => soon(arrived), release: (late = {}) => release(late), reject: error => reject(error) }
  }

  /** The names of the calls so far, in the order they were made; of one session, or of all. */
  names(sid?: string): string[] {
    return this.made.all.filter(call => sid === undefined || call.sid === sid).map(({ name }) => name)
  }

  next(name: string): Promise<RpcCall> {
    return this.made.next(call => call.name === name)
  }

  async connect(call: ConnectCall, signal: AbortSignal): Promise<ConnectReply> {
    const connectionIdentifiers = JSON.stringify({ station_id: call.env.url.split('/').at(-1) })
    const usual = {
      status: 'success',
      connectionIdentifiers,
      transmissions: ['{"type":"welcome"}'],
      cstate: {},
    } as const
    return { ...usual, ...(await this.#say({ name: 'connect', ...call }, signal)) }
  }

  async command(call: CommandCall, signal: AbortSignal): Promise<CommandReply> {
    const { command, identifier } = call
    const usual = { ...emptyReply, stopAllStreams: command === 'unsubscribe' }
    if (command === 'subscribe') {
      usual.streams = [streamOf((JSON.parse(identifier) as { sn: string }).sn)]
      usual.transmissions = [JSON.stringify({ identifier, type: 'confirm_subscription' })]
    }
    const name = command === 'message' ? (dataOf(call).action ?? 'receive') : command
    return { ...usual, ...(await this.#say({ name, ...call }, signal)) }
  }

  async disconnect(call: DisconnectCall, signal: AbortSignal): Promise<void> {
    await this.#say({ name: 'disconnect', ...call }, signal)
  }

  abort(): void {
    this.#isAborted = true
    for (const reject of this.#open) reject(new RpcError('aborted', 'unknown', 'the bridge is stopping'))
  }

  async #say(call: RpcCall, signal: AbortSignal): Promise<Said> {
    if (signal.aborted || this.#isAborted) throw new RpcError('aborted', 'notRun', 'the session ended')
    this.made.put(call)
    const script = this.#next.get(call.name)?.shift() ?? this.#always.get(call.name) ?? this.#otherwise
    let reject: (error: RpcError) => void = () => undefined
    const aborted = new Promise<never>((_, fail) => (reject = fail))
    this.#open.add(reject)
    try {
      return await Promise.race([script(call), aborted])
    } finally {
      this.#open.delete(reject)
    }
  }
}

const emptyReply: CommandReply & { streams: readonly StreamName[]; transmissions: readonly string[] } = {
  status: 'success',
  disconnect: false,
  stopAllStreams: false,
  stoppedStreams: [],
  streams: [],
  transmissions: [],
  cstate: {},
  istate: {},
}

/** What a channel action is performed with. */
export type PerformData = {
  readonly action?: string
  readonly id: string | number
  readonly command: string
  readonly payload: object
  readonly [more: string]: unknown
}

export function dataOf({ data }: { readonly data?: string }): PerformData {
  return JSON.parse(data ?? '{}') as PerformData
}

/** The stream that the channel's `stream_for "ev/SN"` is. */
export function streamOf(sn: string): StreamName {
  return `ocpp:ev/${sn}` as StreamName
}

/** What the channel's `transmit` puts into a reply. */
export function transmitted(...messages: readonly object[]): Said {
  return { transmissions: messages.map(message => `{"identifier":"I","message":${JSON.stringify(message)}}`) }
}

/** A script that acks the CALL which is performed. */
export function acks(payload: object): Script {
  return call => transmitted({ command: 'Ack', id: dataOf(call).id, payload })
}

/** A script that gives no reply. */
export function fails(error: Error): Script {
  return () => {
    throw error
  }
}

/** The ways in which the app gives no reply. */
export const faults = {
  absent: new RpcError('unavailable', 'notRun', 'connect ECONNREFUSED 10.0.0.7'),
  lost: new RpcError('unavailable', 'unknown', 'the connection to 10.0.0.7 was lost'),
  slow: new RpcError('timeout', 'unknown', 'no reply in 3000 ms'),
  raised: new RpcError('application', 'ran', 'undefined method `charge!` for nil'),
} as const

/** What a session asks of its fleet, written down. */
export class FakeFleet implements Fleet {
  readonly transactions = new Transactions(() => 0)
  readonly streams = new Set<StreamName>()
  readonly claimed: string[] = []
  readonly serialNumbers: string[] = []
  /** Resolves when the app has seen the end of the connections before. */
  before = Promise.resolve()

  constructor(...serialNumbers: readonly string[]) {
    this.serialNumbers.push(...serialNumbers)
  }

  join(stream: StreamName): void {
    this.streams.add(stream)
  }

  leave(stream: StreamName): void {
    this.streams.delete(stream)
  }

  leaveAll(): void {
    this.streams.clear()
  }

  claim(_member: Member, connectionIdentifiers: string): Promise<void> {
    this.claimed.push(connectionIdentifiers)
    return this.before
  }

  serialNumberOf(): string | null {
    return this.serialNumbers.at(-1) ?? null
  }

  onSubscribed(_stationId: StationId, serialNumber: string): void {
    this.serialNumbers.push(serialNumber)
  }

  bootInterval(): number {
    return 10
  }

  remove(): void {
    this.streams.clear()
  }

  queueDisconnect(): QueuedDisconnect {
    return { done: Promise.resolve(), expedite: () => undefined }
  }
}

type Closed = { readonly code: CloseCode; readonly reason: string }

export class FakeSocket implements StationSocket {
  readonly sent = new Mailbox<string>()
  readonly #closing: Promise<Closed>
  closed: Closed | null = null
  isPaused = false
  /** What has come over the wire, and is not read while the socket is paused. */
  readonly unread: string[] = []
  /** The heartbeat interval that it was last told to expect, in ms. */
  heartbeatIntervalMs: number | null = null
  #onText: (text: string) => void = () => undefined
  #onClose: (closed: Closed) => void = () => undefined

  constructor() {
    this.#closing = new Promise(resolve => (this.#onClose = resolve))
  }

  /** How the bridge closes it. */
  end(): Promise<Closed> {
    return soon(this.#closing)
  }

  /** @param onText who reads the socket */
  read(onText: (text: string) => void): void {
    this.#onText = onText
  }

  arrive(text: string): void {
    this.unread.push(text)
    this.#deliver()
  }

  send(text: string): void {
    if (this.closed === null) this.sent.put(text)
  }

  close(code: CloseCode, reason: string): void {
    if (this.closed !== null) return
    this.closed = { code, reason }
    this.#onClose(this.closed)
  }

  expectHeartbeats(intervalMs: number): void {
    this.heartbeatIntervalMs = intervalMs
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.#deliver()
  }

  #deliver(): void {
    for (let text = this.unread[0]; text !== undefined && !this.isPaused; text = this.unread[0]) {
      this.unread.shift()
      this.#onText(text)
    }
  }
}

/** A Charging Station that says what a test has it say. */
export class FakeStation {
  readonly session: Session
  readonly socket: FakeSocket
  readonly handshake: StationHandshake
  readonly sid: string
  #calls = 0

  constructor(session: Session, socket: FakeSocket) {
    this.session = session
    this.socket = socket
    this.handshake = session.handshake
    this.sid = session.who.sid
    socket.read(text => session.receive(text, Buffer.byteLength(text)))
  }

  says(...frames: readonly unknown[]): void {
    for (const frame of frames) this.socket.arrive(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  /** @returns the CALL's id */
  call(action: string, payload: object = {}, id: string = String(++this.#calls)): string {
    this.says([2, id, action, payload])
    return id
  }

  /** The next frame that the station gets. */
  async next(): Promise<unknown[]> {
    return JSON.parse(await this.socket.sent.next()) as unknown[]
  }

  /** All frames that the station has got. */
  get got(): unknown[][] {
    return this.socket.sent.all.map(text => JSON.parse(text) as unknown[])
  }

  /** Boots it, with the serial number `SN` + the station's id unless another is given. */
  async boot(sn = `SN-${this.handshake.stationId}`): Promise<unknown[]> {
    this.call('BootNotification', { chargePointSerialNumber: sn }, `boot ${++this.#calls}`)
    return this.next()
  }

  /** Its connection breaks. */
  vanish(): void {
    this.session.gone(1006, '')
  }

  /** The app has seen the end of its session. */
  ended(): Promise<void> {
    return soon(this.session.ended)
  }
}

export class FakeMeter implements Meter {
  readonly observed: [metric: string, seconds: number][] = []
  readonly #counts: {
    readonly metric: string
    readonly labels: Readonly<Record<string, string>>
    readonly by: number
  }[] = []

  count(metric: string, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.#counts.push({ metric, labels, by })
  }

  observe(metric: string, _labels: Readonly<Record<string, string>>, seconds: number): void {
    this.observed.push([metric, seconds])
  }

  total(metric: string, labels: Readonly<Record<string, string>> = {}): number {
    const counts = this.#counts.filter(
      count =>
        count.metric === metric && Object.entries(labels).every(([label, value]) => count.labels[label] === value),
    )
    return counts.reduce((sum, { by }) => sum + by, 0)
  }
}

export class FakeLog implements Log {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] = []
  readonly debug = this.#level('debug')
  readonly info = this.#level('info')
  readonly warn = this.#level('warn')
  readonly error = this.#level('error')

  child(): Log {
    return this
  }

  /** The sentences of one level. */
  said(level: string): string[] {
    return this.lines.filter(line => line.level === level).map(({ message }) => message)
  }

  #level(level: string) {
    return (fields: object, message: string): void => void this.lines.push({ level, fields, message })
  }
}

export function handshakeFor(
  stationId: string,
  offer: { version?: Version; authorization?: string } = {},
): StationHandshake {
  const { version = 'ocpp1.6', authorization } = offer
  const headers = { REMOTE_ADDR: '192.0.2.1', ...(authorization === undefined ? {} : { authorization }) }
  const env = { url: `http://csms.example/ocpp/${stationId}`, headers, cstate: {}, istate: {} }
  return { kind: 'station', stationId: stationId as StationId, version, subprotocol: version, env }
}

/** Where the clock of a test stands at first. */
export const dawn = Date.UTC(2026, 0, 2, 3, 4, 5)

/** What a store is asked to keep, written down. */
export class FakeMemory implements DurableMemory {
  readonly serialNumbers: readonly (readonly [StationId, string])[]
  readonly starts: readonly KeptStart[]
  readonly kept: unknown[] = []

  constructor({ serialNumbers = [], starts = [] }: Partial<Pick<DurableMemory, 'serialNumbers' | 'starts'>> = {}) {
    this.serialNumbers = serialNumbers
    this.starts = starts
  }

  keepSerialNumber(stationId: StationId, serialNumber: string): void {
    this.kept.push([stationId, serialNumber])
  }

  keepStart(start: KeptStart): void {
    this.kept.push(start)
  }

  dropStart(stationId: StationId, transactionId: string): void {
    this.kept.push([stationId, 'ended', transactionId])
  }
}

/** A hub with the whole world around it; time stands, timers too, until `pass`. */
export class FakeWorld implements World {
  readonly rpc = new FakeRpc()
  readonly meter = new FakeMeter()
  readonly log = new FakeLog()
  readonly trace: World['trace'] = null
  readonly schemas: Schemas
  readonly disconnects: Disconnects
  readonly hub: Hub
  /** What was said by `once`, each key a single time. */
  readonly notices = new Map<string, string>()
  readonly #t: TestContext
  #ids = 0

  constructor(
    t: TestContext,
    settings: Partial<HubSettings> = {},
    limits: Partial<DisconnectLimits> = {},
    durable: DurableMemory | null = null,
  ) {
    t.mock.timers.reset()
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: dawn })
    this.#t = t
    this.schemas = officialSchemas
    this.disconnects = new Disconnects({ mode: 'auto', ratePerSecond: 100, backlog: 100, ...limits }, this)
    this.hub = new Hub({ ...usualSettings, ...settings }, this.disconnects, this, durable)
  }

  /** A station's socket opens. */
  plug(stationId: string, offer: { version?: Version; authorization?: string } = {}): FakeStation {
    const socket = new FakeSocket()
    return new FakeStation(this.hub.admit(handshakeFor(stationId, offer), socket), socket)
  }

  /** The app broadcasts to the stream of a serial number. */
  broadcast(sn: string, message: object | string, excludeSid: string | null = null): void {
    const data = typeof message === 'string' ? message : JSON.stringify(message)
    this.hub.deliver({ kind: 'stream', stream: streamOf(sn), data, excludeSid })
  }

  /** Time passes, in steps between which everything comes to rest. */
  async pass(ms: number, stepMs = 10): Promise<void> {
    await quiet()
    for (let left = ms; left > 0; left -= stepMs) {
      this.#t.mock.timers.tick(Math.min(left, stepMs))
      await quiet()
    }
  }

  readonly once = (key: string, _fields: object, message: string, detail = ''): void => {
    const id = `${key} ${detail}`.trim()
    if (!this.notices.has(id)) this.notices.set(id, message)
  }

  /** Mocked time stands for both clocks. */
  readonly now = (): number => Date.now()
  readonly date = (): Date => new Date()
  readonly random = (): number => 0.5
  readonly newId = (): string => `id-${++this.#ids}`
}

/** One for all tests of a file: what is compiled stays compiled. */
const officialSchemas = openSchemas()

/** Messages are not held against their schemas: most tests' payloads are empty. */
export const usualSettings: HubSettings = {
  channel: 'OCPPChannel',
  sn: 'serial',
  granularActions: true,
  heartbeatIntervalMs: 30_000,
  timestamps: 'milliseconds',
  silentAck: 'safe',
  ackTimeoutMs: 0,
  forwardHeartbeats: false,
  callTimeoutMs: 30_000,
  callQueue: 50,
  silentAnswers: {},
  validateIn: 'off',
  validateOut: 'off',
  validateAcks: 'off',
  validation: [],
  collectReports: false,
  reportTimeoutMs: 60_000,
  takeover: 'newest',
}
