/**
 * Two Charging Stations, the real hub with its sessions, and the app. The steps act on them, and the ledger records
 * every message between them.
 */
import type { TestContext } from 'node:test'
import type { HubSettings } from '../../../src/fleet/hub.ts'
import { Session } from '../../../src/session/session.ts'
import type { Version } from '../../../src/ocpp/version.ts'
import { FakeWorld, quiet, type RpcCall } from '../../support/fakes.ts'
import { App, families, type Moods, type Reply } from './app.ts'
import { Clock } from './clock.ts'
import { Collections } from './collections.ts'
import { Ledger, Line } from './ledger.ts'

export type Setup = {
  readonly versions: readonly [Version, Version]
  /** Whether a station that reconnects has credentials, and takes over before the app has accepted it. */
  readonly hasCredentials: boolean
  readonly settings: Partial<HubSettings>
  readonly moods: Moods
  /** Whether the run waits until nothing more happens before the end. */
  readonly restsFirst: boolean
  readonly ending: 'drained' | 'vanish' | 'closed by the app'
}

/** A CALL that a station has sent. */
type Said = { readonly id: string; readonly action: string; readonly payload: string }

const answerTexts = {
  result: (id: string, n: number) => `[3,${id},{"n":${n}}]`,
  error: (id: string, n: number) => `[4,${id},"GenericError","",{"n":${n}}]`,
  'broken result': (id: string) => `[3,${id},[]]`,
  'broken error': (id: string) => `[4,${id}]`,
} as const
export type AnswerKind = keyof typeof answerTexts

const callTimeoutMs = 30_000
/** `--ocpp_call_queue` */
const callQueue = 3
const drainGraceMs = 10_000

class ModelWorld extends FakeWorld {
  override readonly now: () => number
  override readonly date: () => Date
  override readonly newId: () => string

  constructor(t: TestContext, settings: Partial<HubSettings>, clock: Clock, onId: (id: string) => void) {
    super(t, settings)
    clock.install()
    let ids = 0
    this.now = () => clock.now
    this.date = () => new Date(clock.now)
    this.newId = () => {
      const id = `id-${++ids}`
      onId(id)
      return id
    }
  }
}

export class Scene {
  readonly clock = new Clock()
  readonly ledger: Ledger
  readonly app: App
  readonly #world: ModelWorld
  readonly #setup: Setup
  readonly #collections = new Collections()
  readonly #said: Said[][] = [[], []]
  /** The steps so far, in words. */
  readonly #story: string[] = []
  #isAtRest = true
  /** Whether the streams that the ledger knew had been applied when the current step began. */
  #wasAtRest = true
  /** The connection that gets a command without an id. */
  #minting: Line | null = null
  #count = 0

  constructor(t: TestContext, setup: Setup) {
    this.#setup = setup
    this.ledger = new Ledger(this.clock, callTimeoutMs, setup.settings.takeover === 'refuse')
    const settings = { callTimeoutMs, callQueue, ...setup.settings }
    this.#collections.install()
    this.#world = new ModelWorld(t, settings, this.clock, id => {
      if (this.#minting !== null) this.ledger.onCommand(this.#minting, id)
    })
    this.app = new App(setup.moods, this.clock, {
      onCall: (call, family) => this.ledger.onRpc(call, family),
      onReply: (call, family, reply) => this.ledger.onReply(call, family, reply),
      otherId: call => this.#waitingId(call),
      command: call => this.#commandIn(call),
    })
    this.#world.rpc.otherwise(this.app.say)
    for (const at of [0, 1]) this.plug(at)
  }

  /** The newest open connection of a station, or the one before. */
  line(at: number, isOld = false): Line | undefined {
    const alive = this.ledger.alive(at)
    return isOld ? alive.at(-2) : alive.at(-1)
  }

  versionOf(at: number): Version {
    return this.#setup.versions[at] ?? 'ocpp1.6'
  }

  // What a station does

  plug(at: number): void {
    const authorization = this.#setup.hasCredentials ? { authorization: `Basic ${at}` } : {}
    const before = this.ledger.alive(at)
    if (this.#setup.hasCredentials) for (const line of before) line.mayClose.add(1008)
    const station = this.#world.plug(`CP${at}`, { version: this.versionOf(at), ...authorization })
    const { session, socket } = station
    const line = new Line(`CP${at}, connection ${this.ledger.lines.length + 1}`, at, station)
    this.ledger.add(line)
    const send = socket.send.bind(socket)
    socket.send = text => {
      if (socket.closed === null) this.ledger.onSent(line, text)
      send(text)
    }
    const close = socket.close.bind(socket)
    socket.close = (code, reason) => {
      if (socket.closed === null) this.ledger.onClosed(line, code)
      close(code, reason)
    }
    socket.read(text => {
      this.ledger.onReceived(line, text)
      session.receive(text, Buffer.byteLength(text))
      this.ledger.onTaken(line)
    })
  }

  call(at: number, action: string, isOld: boolean): void {
    const n = ++this.#count
    // Some stations send numbers.
    const id = n % 5 === 0 ? String(n) : JSON.stringify(`c${n}`)
    this.#say(at, { id, action, payload: JSON.stringify({ n, ...this.#bootOf(at, action, n) }) }, isOld)
  }

  /** @param back how many CALLs ago */
  repeat(at: number, back: number, isOld: boolean): void {
    const said = this.#said[at]?.at(-1 - back)
    if (said !== undefined) this.#send(at, `[2,${said.id},"${said.action}",${said.payload}]`, isOld)
  }

  reuse(at: number, action: string, isOld: boolean): void {
    const n = ++this.#count
    const id = this.#said[at]?.at(-1)?.id ?? '"none"'
    this.#say(at, { id, action, payload: JSON.stringify({ n, ...this.#bootOf(at, action, n) }) }, isOld)
  }

  sendUnanswered(at: number, action: string): void {
    const n = ++this.#count
    this.#send(at, `[6,"s${n}","${action}",{"n":${n}}]`, false)
  }

  rubbish(at: number, text: string, times: number): void {
    for (let time = 0; time < times; time++) this.#send(at, text, false)
  }

  answer(at: number, kinds: readonly AnswerKind[], whose: 'open' | 'late' | 'unreadable' | 'nothing'): void {
    const line = this.line(at)
    const ids = { open: line?.open?.key, late: line?.late[0], unreadable: '-1', nothing: `x${++this.#count}` }
    const id = JSON.stringify(ids[whose] ?? 'none')
    for (const kind of kinds) this.#send(at, answerTexts[kind](id, ++this.#count), false)
  }

  /** 2.1: the station cannot read the last answer. */
  refuseAnswer(at: number): void {
    const id = JSON.stringify(this.line(at)?.lastAnswered ?? 'none')
    this.#send(at, `[5,${id},"FormatViolation","",{"n":${++this.#count}}]`, false)
  }

  vanish(at: number, isOld: boolean): void {
    this.line(at, isOld)?.station.vanish()
  }

  // What the app does

  reply(which: number, reply: Reply): void {
    this.app.pending[which % this.app.pending.length]?.reply(reply)
  }

  command(at: number, message: { readonly id?: string; readonly action: string; readonly payload?: unknown }): void {
    const { id, action, payload = { requestedMessage: 'Heartbeat', type: 'Hard' } } = message
    const line = this.#listener(at)
    if (line !== null && id !== undefined) this.ledger.onCommand(line, id)
    if (id === undefined) this.#minting = line
    const isTaken = this.#broadcast(at, line, { command: action, ...(id === undefined ? {} : { id }), payload })
    this.#minting = null
    if (line !== null && !isTaken && id !== undefined) line.commandsOf(id).taken--
  }

  newCommandId(prefix = 'r'): string {
    return `${prefix}${++this.#count}`
  }

  /** Broadcasts an Ack or an Error for the CALL that was performed last. */
  ack(at: number, command: 'Ack' | 'Error'): void {
    const line = this.#listener(at)
    const debt = line?.queue[line.served]
    if (line !== null && debt !== undefined) this.ledger.onAck(line, debt.key)
    const id = JSON.parse(debt?.idText ?? '"nobody"') as unknown
    this.#broadcast(at, line, { command, id, payload: { status: 'Accepted', by: 'broadcast' } })
  }

  words(at: number, text: string): void {
    this.#broadcast(at, this.#listener(at), text)
  }

  closeRemotely(at: number): void {
    for (const line of this.ledger.alive(at)) if (line.connected > 0) line.mayClose.add(1000)
    const connectionIdentifiers = JSON.stringify({ station_id: `CP${at}` })
    this.#world.hub.deliver({ kind: 'disconnect', connectionIdentifiers })
  }

  // Time

  /** Begins a step that these words describe. */
  begin(words: string): void {
    this.#story.push(words)
    this.#wasAtRest = this.#isAtRest
    this.#isAtRest = false
  }

  async rest(): Promise<void> {
    await quiet()
    this.#isAtRest = true
  }

  /** Throws the first violation. */
  check(): void {
    const [fault] = this.ledger.faults
    if (fault !== undefined) throw new Error([fault, ...this.#story].join('\n    '))
    const said = this.#world.log.lines.find(({ level }) => level === 'error')
    if (said !== undefined) throw new Error(`logged as an error: ${said.message}`, { cause: said.fields })
  }

  /** Ends all sessions, and checks that nothing is left. */
  async end(): Promise<void> {
    const { restsFirst, ending } = this.#setup
    if (restsFirst) {
      this.begin('all comes to rest')
      await this.#settle()
      this.ledger.checkRest()
      this.check()
    }
    this.begin(`the end: ${ending}`)
    let isDrained = ending !== 'drained'
    if (ending === 'drained') {
      this.ledger.isDraining = true
      void this.#world.hub.drain(drainGraceMs).then(() => (isDrained = true))
    }
    if (ending === 'closed by the app') for (const at of [0, 1]) this.closeRemotely(at)
    // The app may not have accepted one yet.
    if (ending !== 'drained') for (const line of this.ledger.lines) if (line.isOpen) line.station.vanish()
    await this.clock.pass(5_000)
    await this.#settle()
    if (!isDrained) this.ledger.faults.push('the drain does not end')
    this.ledger.checkEnd()
    this.#checkNothingIsLeft()
    this.check()
  }

  /** Checks that the stations can connect again, and that they leave nothing either. */
  async again(): Promise<void> {
    this.begin('the stations come again')
    this.ledger.isDraining = false
    for (const at of [0, 1]) {
      this.plug(at)
      this.call(at, 'BootNotification', false)
    }
    await this.#settle()
    this.ledger.checkRest()
    for (const at of [0, 1]) this.vanish(at, false)
    await this.#settle()
    this.ledger.checkEnd()
    this.#checkNothingIsLeft()
    this.check()
  }

  /** Restores the global collections. */
  close(): void {
    this.#collections.remove()
  }

  /** Lets the app reply to everything from now on, and time pass until no timer is left. */
  async #settle(): Promise<void> {
    for (const family of families) this.app.moods[family] = 'silent'
    for (const pending of [...this.app.pending]) pending.reply('silent')
    await quiet()
    for (let round = 0; round < 10 && this.clock.size > 0; round++) await this.clock.pass(35_000)
    await this.rest()
  }

  #checkNothingIsLeft(): void {
    const { hub, disconnects } = this.#world
    const left = {
      sessions: hub.size,
      streams: hub.streamCount,
      disconnects: disconnects.size,
      timers: this.clock.size,
      calls: this.app.pending.length,
      stations: [0, 1].filter(at => this.line(at) === undefined && hub.claims.mayReplace(handshakeOf(this.ledger, at)))
        .length,
      held: this.#collections.count(isOfASession),
    }
    for (const [what, count] of Object.entries(left))
      if (count > 0) this.ledger.faults.push(`${count} ${what} are left`)
  }

  #bootOf(at: number, action: string, n: number): object {
    if (action !== 'BootNotification') return {}
    const serialNumber = n % 4 === 0 ? `SN-CP${at}-new` : `SN-CP${at}`
    return { chargePointSerialNumber: serialNumber, chargingStation: { serialNumber } }
  }

  #say(at: number, said: Said, isOld: boolean): void {
    this.#said[at]?.push(said)
    this.#send(at, `[2,${said.id},"${said.action}",${said.payload}]`, isOld)
  }

  #send(at: number, text: string, isOld: boolean): void {
    this.line(at, isOld)?.station.socket.arrive(text)
  }

  /** The connection that gets a broadcast to a station, by the replies of the app; these may not be applied yet. */
  #listener(at: number): Line | null {
    const alive = this.ledger.alive(at)
    const subscribed = alive.findLast(({ identifier }) => identifier !== null)
    const leaving = this.#wasAtRest ? undefined : alive.findLast(({ wasUnsubscribed }) => wasUnsubscribed)
    return subscribed ?? leaving ?? null
  }

  /** @returns whether a connection got it */
  #broadcast(at: number, line: Line | null, message: object | string): boolean {
    const missed = this.#missed()
    this.#world.broadcast(line?.sn ?? `SN-CP${at}`, message)
    const isTaken = this.#missed() === missed
    if (isTaken && line === null)
      this.ledger.faults.push(`a connection without a subscription gets the stream of CP${at}`)
    if (!isTaken && line !== null && this.#wasAtRest) this.ledger.faults.push(`${line.name} does not get its stream`)
    return isTaken
  }

  #missed(): number {
    const missed = (reason: string): number => this.#world.meter.total('ocpp_dropped_total', { reason })
    return missed('no_station') + missed('not_ocpp')
  }

  #waitingId(call: RpcCall): unknown {
    const line = this.ledger.lineOf(call)
    const waiting = line?.queue.slice(line.served + 1).find(({ state }) => state === 'owed')
    return waiting === undefined ? 'nobody' : (JSON.parse(waiting.idText) as unknown)
  }

  #commandIn(call: RpcCall): object {
    const id = this.newCommandId()
    const line = this.ledger.lineOf(call)
    if (line?.isOpen === true) this.ledger.onCommand(line, id)
    return { command: 'Reset', id, payload: { type: 'Soft' } }
  }
}

function handshakeOf({ lines }: Ledger, at: number): Parameters<FakeWorld['hub']['claims']['mayReplace']>[0] {
  const line = lines.find(other => other.at === at)
  if (line === undefined) throw new Error('no such station')
  return line.station.handshake
}

/** A session, or an object that only a session refers to: a CALL, an outcome. */
function isOfASession(value: unknown): boolean {
  if (value instanceof Session) return true
  if (typeof value !== 'object' || value === null) return false
  return 'outcome' in value || ('kind' in value && value.kind === 'call' && 'payload' in value)
}
