/**
 * Fakes of everything a session needs: an app with scripted replies, sockets that record what is sent, a clock that a
 * test moves. Nothing here waits for real time.
 */
import type { TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { CommandCall, CommandReply, ConnectCall, ConnectReply, DisconnectCall } from '../../src/cable/rpc.ts'
import { RpcError, type StreamName } from '../../src/cable/rpc.ts'
import type { Version } from '../../src/ocpp/version.ts'
import { totalsOf, type Meter } from '../../src/ops/metrics.ts'
import { Disconnects, type DisconnectLimits } from '../../src/fleet/disconnects.ts'
import { KnownStations } from '../../src/session/known-stations.ts'
import { Hub, type HubSettings } from '../../src/fleet/hub.ts'
import type { Log } from '../../src/ops/log.ts'
import type {
  Cancellation,
  CloseCode,
  Debts,
  DurableMemory,
  LastSeen,
  Fleet,
  Member,
  QueuedDisconnect,
  Rpc,
  Schemas,
  StationSocket,
  World,
} from '../../src/session/ports.ts'
import { UnansweredCommands } from '../../src/session/commands/unanswered.ts'
import { Transactions, type KeptStart } from '../../src/session/transactions/transactions.ts'
import type { Session } from '../../src/session/session.ts'
import { profileOf, type Profile } from '../../src/translate/certificate.ts'
import type { StationHandshake, StationId } from '../../src/translate/handshake.ts'
import { openSchemas } from '../../src/validation/schemas.ts'

/** Resolves when no promise of the fakes is pending any more without a further event. */
export function quiet(): Promise<void> {
  return setImmediate()
}

/**
 * What a promise resolves with, if that needs no further event; otherwise rejects. So a test fails at once when it
 * waits for something that never comes.
 */
async function soon<Value>(promise: Promise<Value>): Promise<Value> {
  const nothing = Symbol('nothing')
  for (let turn = 0; turn < 5; turn++) {
    const value = await Promise.race([promise, quiet().then(() => nothing)])
    if (typeof value !== 'symbol') return value
  }
  throw new Error('all has come to rest, and what is waited for has not come')
}

/** Items in the order in which they came, and readers that wait for more. */
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

  /** The first unread item that matches. */
  next(wants: (item: Item) => boolean = () => true): Promise<Item> {
    const at = this.#unread.findIndex(wants)
    const [item] = at === -1 ? [] : this.#unread.splice(at, 1)
    if (item !== undefined) return Promise.resolve(item)
    return soon(new Promise(take => this.#readers.push({ wants, take })))
  }
}

/**
 * One RPC as the app received it: `connect`, `disconnect`, `subscribe`, `unsubscribe`, or the performed channel action.
 */
export type RpcCall = ConnectCall & Partial<CommandCall> & Partial<DisconnectCall> & { readonly name: string }

/** The fields in which a reply differs from the usual one: success without an Ack. */
export type Said = Partial<CommandReply> & { readonly connectionIdentifiers?: string }
export type Script = (call: RpcCall) => Said | Promise<Said>

/** A call that the app has received and not replied to. */
type Held = {
  arrived(): Promise<RpcCall>
  release(said?: Said): void
  reject(error: Error): void
}

export class FakeRpc implements Rpc {
  readonly made = new Mailbox<RpcCall>()
  /** What the bridge knows of the app; a test says it. */
  presence = { isAway: false, repliedAt: -Infinity }
  capacity = 28
  pending = 0
  /** How often the bridge has looked whether the app is back. */
  checks = 0
  readonly #always = new Map<string, Script>()
  readonly #next = new Map<string, Script[]>()
  #otherwise: Script = () => ({})
  /** Calls without a reply; each is rejected by its function. */
  readonly #open = new Set<(error: RpcError) => void>()
  #isAborted = false

  /** Sets the reply to every call of this name; a throw rejects the call. */
  on(name: string, script: Script): void {
    this.#always.set(name, script)
  }

  /** Sets the reply to the next call of this name. */
  once(name: string, script: Script): void {
    this.#next.set(name, [...(this.#next.get(name) ?? []), script])
  }

  /** Sets the reply to calls without another script. */
  otherwise(script: Script): void {
    this.#otherwise = script
  }

  /** Holds the reply to the next call of this name until the test releases it. */
  hold(name: string): Held {
    let arrive: (call: RpcCall) => void = () => undefined
    let release: (said: Said) => void = () => undefined
    let reject: (error: Error) => void = () => undefined
    const arrived = new Promise<RpcCall>(resolve => (arrive = resolve))
    const said = new Promise<Said>((resolve, fail) => ([release, reject] = [resolve, fail]))
    this.once(name, call => (arrive(call), said))
    return { arrived: () => soon(arrived), release: (late = {}) => release(late), reject: error => reject(error) }
  }

  /** The names of the calls so far, in order, of one session or of all. */
  names(sid?: string): string[] {
    return this.made.all.filter(call => sid === undefined || call.sid === sid).map(({ name }) => name)
  }

  next(name: string): Promise<RpcCall> {
    return this.made.next(call => call.name === name)
  }

  async connect(call: ConnectCall, signal: Cancellation): Promise<ConnectReply> {
    const connectionIdentifiers = JSON.stringify({ station_id: call.env.url.split('/').at(-1) })
    const usual = {
      status: 'success',
      connectionIdentifiers,
      transmissions: ['{"type":"welcome"}'],
      cstate: {},
    } as const
    return { ...usual, ...(await this.#say({ name: 'connect', ...call }, signal)) }
  }

  async command(call: CommandCall, signal: Cancellation): Promise<CommandReply> {
    const { command, identifier } = call
    const usual = { ...emptyReply, stopAllStreams: command === 'unsubscribe' }
    if (command === 'subscribe') {
      usual.streams = [streamOf((JSON.parse(identifier) as { sn: string }).sn)]
      usual.transmissions = [JSON.stringify({ identifier, type: 'confirm_subscription' })]
    }
    const name = command === 'message' ? (dataOf(call).action ?? 'receive') : command
    return { ...usual, ...(await this.#say({ name, ...call }, signal)) }
  }

  async disconnect(call: DisconnectCall, signal: Cancellation): Promise<void> {
    await this.#say({ name: 'disconnect', ...call }, signal)
  }

  check(): Promise<void> {
    this.checks++
    return Promise.resolve()
  }

  abort(): void {
    this.#isAborted = true
    for (const reject of this.#open) reject(new RpcError('aborted', 'unknown', 'the bridge is stopping'))
  }

  async #say(call: RpcCall, signal: Cancellation): Promise<Said> {
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

/** The data of a perform. */
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

/** The stream of the channel's `stream_for "ev/SN"`. */
export function streamOf(sn: string): StreamName {
  return `ocpp:ev/${sn}` as StreamName
}

/** A reply with messages of the channel's `transmit`. */
export function transmitted(...messages: readonly object[]): Said {
  return { transmissions: messages.map(message => `{"identifier":"I","message":${JSON.stringify(message)}}`) }
}

/** A script that acks the performed CALL. */
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

/** A fleet that records what a session asks of it. */
export class FakeFleet implements Fleet {
  readonly transactions = new Transactions(() => 0)
  readonly debts: Debts = {
    owes: () => false,
    closesOf: () => 0,
    onClosed: () => undefined,
    onAnswered: () => undefined,
    patienceMs: () => Infinity,
    onResent: () => undefined,
  }
  readonly backlog = null
  readonly unansweredCommands = new UnansweredCommands(() => 0)
  readonly known = new KnownStations({ now: () => 0, random: () => 0, meter: new FakeMeter() })
  readonly streams = new Set<StreamName>()
  readonly claimed: string[] = []
  readonly serialNumbers: string[] = []
  /** Resolves when the app has seen the end of the earlier connections. */
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

  onSubscribed(_member: Member, sn: string, isKnown: boolean): void {
    if (isKnown) this.serialNumbers.push(sn)
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
  isOpen = true
  /** What has arrived and is unread while the socket is paused. */
  readonly unread: string[] = []
  /** The last expected heartbeat interval, in ms. */
  heartbeatIntervalMs: number | null = null
  /** Whether it has answered a ping. */
  answersPings = false
  /** Whether it answers a probe. */
  isMute = false
  /** Whether the limits on stations that the app has not accepted have ended. */
  isAccepted = false
  /** Whether its messages may be large before that. */
  /** Which of its messages may be large before the app accepts the station. */
  large: 'none' | 'plain' | 'all' = 'none'
  /** How often it was asked whether it answers pings. */
  probes = 0
  #onText: (text: string) => void = () => undefined
  #onClose: (closed: Closed) => void = () => undefined

  constructor() {
    this.#closing = new Promise(resolve => (this.#onClose = resolve))
  }

  /** How the bridge closes it. */
  end(): Promise<Closed> {
    return soon(this.#closing)
  }

  /** @param onText receives each text */
  read(onText: (text: string) => void): void {
    this.#onText = onText
  }

  arrive(text: string): void {
    this.unread.push(text)
    this.#deliver()
  }

  accept(): void {
    this.isAccepted = true
  }

  expectLargeMessages(isProven: boolean): boolean {
    this.large = isProven ? 'all' : 'plain'
    return true
  }

  send(text: string): void {
    if (this.closed === null) this.sent.put(text)
  }

  close(code: CloseCode, reason: string): void {
    if (this.closed !== null) return
    this.closed = { code, reason }
    this.isOpen = false
    this.#onClose(this.closed)
  }

  probe(): void {
    this.probes++
    this.answersPings ||= !this.isMute
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

/** A Charging Station that a test controls. */
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

  /** The next frame that the station receives. */
  async next(): Promise<unknown[]> {
    return JSON.parse(await this.socket.sent.next()) as unknown[]
  }

  /** All frames that the station has received. */
  get got(): unknown[][] {
    return this.socket.sent.all.map(text => JSON.parse(text) as unknown[])
  }

  /** Boots it, with the serial number `SN` + the station's id unless another is given. */
  async boot(sn = `SN-${this.handshake.stationId}`): Promise<unknown[]> {
    this.call('BootNotification', { chargePointSerialNumber: sn }, `boot ${++this.#calls}`)
    return this.next()
  }

  /** Breaks the connection. */
  vanish(): void {
    this.session.gone(1006, '')
  }

  /** Resolves when the app has seen the end of the session. */
  ended(): Promise<void> {
    return soon(this.session.ended)
  }
}

export class FakeMeter implements Meter {
  readonly isRead = true
  readonly totals = totalsOf(() => ({ value: 0 }))
  readonly observed: [metric: string, seconds: number][] = []
  readonly #labels: Readonly<Record<string, string>>[] = []
  readonly #counts: {
    readonly metric: string
    readonly labels: Readonly<Record<string, string>>
    readonly by: number
  }[] = []

  count(metric: string, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.#counts.push({ metric, labels, by })
  }

  observe(metric: string, labels: Readonly<Record<string, string>>, seconds: number): void {
    this.observed.push([metric, seconds])
    this.#labels.push(labels)
  }

  /** The labels and values of one histogram. */
  observationsOf(metric: string): [labels: Readonly<Record<string, string>>, seconds: number][] {
    const all = this.observed.map(([name, seconds], at) => ({ name, seconds, labels: this.#labels[at] ?? {} }))
    return all.filter(({ name }) => name === metric).map(({ labels, seconds }) => [labels, seconds])
  }

  total(metric: string, labels: Readonly<Record<string, string>> = {}): number {
    const counts = this.#counts.filter(
      count =>
        count.metric === metric && Object.entries(labels).every(([label, value]) => count.labels[label] === value),
    )
    const { value } = (this.totals as Readonly<Record<string, { value: number }>>)[metric] ?? { value: 0 }
    return counts.reduce((sum, { by }) => sum + by, value)
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

  /** The messages of one level. */
  said(level: string): string[] {
    return this.lines.filter(line => line.level === level).map(({ message }) => message)
  }

  #level(level: string) {
    return (fields: object, message: string): void => void this.lines.push({ level, fields, message })
  }
}

export function handshakeFor(
  stationId: string,
  offer: {
    version?: Version
    authorization?: string
    serialNumber?: string
    proven?: Profile
    fingerprint?: string
  } = {},
): StationHandshake {
  const { version = 'ocpp1.6', authorization, serialNumber, proven = 0, fingerprint } = offer
  const headers = {
    REMOTE_ADDR: '192.0.2.1',
    ...(authorization !== undefined && { authorization }),
    ...(fingerprint !== undefined && { 'x-ssl-client-fingerprint': fingerprint }),
  }
  const env = { url: `http://csms.example/ocpp/${stationId}`, headers, cstate: {}, istate: {} }
  return {
    kind: 'station',
    stationId: stationId as StationId,
    version,
    subprotocol: version,
    env,
    profile: profileOf({ encrypted: false, authorization: authorization ?? '', certificate: null }),
    proven,
    ...(serialNumber !== undefined && { serialNumber }),
  }
}

/** The initial time of a test's clock. */
export const dawn = Date.UTC(2026, 0, 2, 3, 4, 5)

/** A store that records what it is asked to keep. */
export class FakeMemory implements DurableMemory {
  readonly serialNumbers: readonly (readonly [StationId, string])[]
  readonly starts: readonly KeptStart[]
  durableOutbox: DurableMemory['durableOutbox'] = null
  readonly lastSeen: readonly LastSeen[]
  readonly kept: unknown[] = []
  /** Stations as they were last kept. */
  readonly seen = new Map<StationId, LastSeen>()

  constructor({ serialNumbers = [], starts = [], lastSeen = [] }: Partial<FakeMemory> = {}) {
    this.lastSeen = lastSeen
    this.serialNumbers = serialNumbers
    this.starts = starts
  }

  onOpened(listener: () => void): void {
    listener()
  }

  onProofs(listener: Parameters<DurableMemory['onProofs']>[0]): void {
    listener([])
  }

  keepSerialNumber(stationId: StationId, serialNumber: string): void {
    this.kept.push([stationId, serialNumber])
  }

  keepSeen(seen: LastSeen): void {
    this.seen.set(seen.stationId, seen)
  }

  keepProof(): void {
    // No test of sessions looks at it.
  }

  keepStart(start: KeptStart): void {
    this.kept.push(start)
  }

  dropStart(stationId: StationId, transactionId: string): void {
    this.kept.push([stationId, 'ended', transactionId])
  }
}

/** A hub and its world; time and timers stand still until `pass`. */
export class FakeWorld implements World {
  readonly rpc = new FakeRpc()
  keys: World['keys'] = null
  readonly meter = new FakeMeter()
  readonly log = new FakeLog()
  trace: World['trace'] = null
  events: World['events'] = null
  traces: World['traces'] = null
  readonly schemas: Schemas
  readonly disconnects: Disconnects
  readonly hub: Hub
  /** The warnings of `once`, one for each key. */
  readonly notices = new Map<string, string>()
  /** The fields of those lines, by the same keys. */
  readonly noticeFields = new Map<string, object>()
  readonly #t: TestContext
  #ids = 0

  constructor(
    t: TestContext,
    settings: Partial<HubSettings> = {},
    limits: Partial<DisconnectLimits> = {},
    durable: DurableMemory | null = null,
    now = dawn,
    absentMs?: number,
  ) {
    t.mock.timers.reset()
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now })
    this.#t = t
    this.schemas = officialSchemas
    this.disconnects = new Disconnects({ mode: 'auto', ratePerSecond: 100, backlog: 100, ...limits }, this)
    this.hub = new Hub({ ...usualSettings, ...settings }, this.disconnects, this, durable, absentMs)
  }

  /** Opens a station's socket. */
  plug(stationId: string, offer: Parameters<typeof handshakeFor>[1] = {}): FakeStation {
    const socket = new FakeSocket()
    return new FakeStation(this.hub.admit(handshakeFor(stationId, offer), socket), socket)
  }

  /** Broadcasts to the stream of a serial number. */
  broadcast(sn: string, message: object | string, excludeSid: string | null = null): void {
    const data = typeof message === 'string' ? message : JSON.stringify(message)
    this.hub.deliver({ kind: 'stream', stream: streamOf(sn), data, excludeSid })
  }

  /** Moves the clock in steps and lets everything settle between them. */
  async pass(ms: number, stepMs = 10): Promise<void> {
    await quiet()
    for (let left = ms; left > 0; left -= stepMs) {
      this.#t.mock.timers.tick(Math.min(left, stepMs))
      await quiet()
    }
  }

  readonly visitLog = this.log
  readonly once = (key: string, fields: object | (() => object), message: string, detail = ''): boolean => {
    const id = `${key} ${detail}`.trim()
    const details = [...this.notices.keys()].filter(other => other.startsWith(`${key} `))
    if (this.notices.has(id) || details.length >= 10) return false
    this.notices.set(id, message)
    this.noticeFields.set(id, typeof fields === 'function' ? (fields as () => object)() : fields)
    return true
  }

  /** Both clocks use the mocked time. */
  readonly now = (): number => Date.now()
  readonly date = (): Date => new Date()
  readonly random = (): number => 0.5
  readonly newId = (): string => `id-${++this.#ids}`
}

/** One for all tests of a file, because compiling schemas is slow. */
const officialSchemas = openSchemas()

/** Without validation, because most tests' payloads are empty. */
export const usualSettings: HubSettings = {
  channel: 'OCPPChannel',
  sn: 'serial',
  granularActions: true,
  heartbeatIntervalMs: 30_000,
  timestamps: 'milliseconds',
  silentAck: 'safe',
  unanswered: 'close',
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
  outboxDecide: 'refuse',
  outboxTtlMs: 7 * 24 * 3_600_000,
  takeover: 'newest',
  triggerBoot: false,
  bootTimeoutMs: 60_000,
  profileDowngrade: [],
}
