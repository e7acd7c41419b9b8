/**
 * The model: what the bridge owes to stations and app, derived from its inputs and outputs alone, and each violation.
 */
import { idKey, isUnreadableId, parseFrame, type Call, type CallError } from '../../../src/ocpp/frame.ts'
import type { CallResult, CallResultError, Malformed, Send } from '../../../src/ocpp/frame.ts'
import { versions, type VersionRow } from '../../../src/ocpp/version.ts'
import { dataOf, type FakeStation, type RpcCall } from '../../support/fakes.ts'
import { ackStatus, nonceOf, outcomeOf, type Family, type Reply } from './app.ts'
import type { Clock } from './clock.ts'

/** How long a CALL waits in the queue before it is answered without the app. */
const patienceMs = 20_000
/** How long answers are kept, and how many of a station; one that waits for each answer can miss only the last. */
const replay = { ms: 15 * 60_000, entries: 8 }
const maxBadFrames = 20
/** How long a transaction message waits at least before its connection is closed over it, unless it fails. */
const leastPatienceMs = 3_000
/** Over one message that the app raises on. */
const maxCloses = 3
/** How many timed-out commands a late answer can still settle. */
const maxLate = 16
const maxRefusable = 8

/** How long, at least, an outcome is retried while the app is away. */
const tellMs = 15_000

/** An answer that a repeated CALL gets again. `isSure`: the CALL must not be performed again. */
type Stored = { readonly content: string; readonly text: string; readonly since: number; isSure: boolean }

/** One perform of a CALL; `result` is `null` until the app has replied. */
type Attempt = { readonly at: number; result: Reply | null }

/** A CALL or SEND that a session received. */
type Debt = {
  readonly kind: 'call' | 'send'
  readonly n: number | null
  readonly key: string
  readonly idText: string
  readonly action: string
  readonly content: string
  readonly isMoney: boolean
  readonly receivedAt: number
  state: 'owed' | 'answered' | 'given up'
  readonly attempts: Attempt[]
  /** Earlier messages with its id, if all had ended when it came; `null` if one had not. */
  readonly before: readonly Debt[] | null
  /** The app has broadcast an Ack for it. */
  isAcked: boolean
  /** The answer to repeat, if the CALL repeats an answered one. */
  readonly stored: Stored | null
}

/** The remote commands of one id on one connection. */
type Commands = {
  taken: number
  /** How many of them need no outcome. */
  untold: number
  sent: number
  /** Performs of `ack` and `error`, except late ones; and how many of those the app may have run. */
  attempts: number
  finished: number
  lateFinished: number
  /** When the first command came, when the last perform was made, and whether the session was ending then. */
  takenAt: number
  lastAt: number
  isLast: boolean
}

/** An answer of a station, and the kind of command that it settles. */
type Given = {
  readonly key: string
  readonly settles: 'open' | 'late' | 'refusal' | 'nothing'
  attempts: number
  finished: number
}

/** One connection of a station. */
export class Line {
  readonly name: string
  readonly at: number
  readonly station: FakeStation
  readonly row: VersionRow
  readonly owed = new Map<string, Debt>()
  /** All messages that the session received from the station, in order. */
  readonly queue: Debt[] = []
  /** The index of the message that was performed last. */
  served = -1
  /** Ids of malformed messages that must be answered at once. */
  readonly refusals: string[] = []
  badFrames = 0
  readonly mayClose = new Set<number>()
  readonly commands = new Map<string, Commands>()
  open: { readonly key: string; readonly sentAt: number } | null = null
  readonly late: string[] = []
  readonly given = new Map<number, Given>()
  /** Ids of received CALLRESULTs: the bridge may answer each with a CALLRESULTERROR in 2.1. */
  readonly results: string[] = []
  /** Commands whose CALLRESULT was malformed. */
  readonly broken = new Set<string>()
  /** The id of the CALL that was answered last. */
  lastAnswered: string | null = null
  /** Ids whose answer the station may still refuse, once each. */
  readonly refusable = new Set<string>()
  /** The status of the last boot answer, and whether a command has triggered messages since. */
  boot = 'unknown'
  isTriggered = false
  wasRefused = false
  /** 0 until the app has accepted the connection; then its number in the order of acceptance. */
  connected = 0
  identifier: string | null = null
  wasUnsubscribed = false
  readonly inFlight = new Set<RpcCall>()
  /** Disconnects that the app may have run, and those that it cannot have run. */
  disconnects = 0
  missedDisconnects = 0
  isTold = false

  constructor(name: string, at: number, station: FakeStation) {
    this.name = name
    this.at = at
    this.station = station
    this.row = versions[station.handshake.version]
  }

  get isOpen(): boolean {
    return !this.station.session.isClosed
  }

  get sn(): string | null {
    return this.identifier === null ? null : (JSON.parse(this.identifier) as { sn: string }).sn
  }

  commandsOf(key: string): Commands {
    const known = this.commands.get(key)
    const nothing = { taken: 0, untold: 0, sent: 0, attempts: 0, finished: 0, lateFinished: 0 }
    const commands = known ?? { ...nothing, takenAt: Infinity, lastAt: 0, isLast: false }
    if (known === undefined) this.commands.set(key, commands)
    return commands
  }
}

export class Ledger {
  readonly lines: Line[] = []
  /** The violations found, in order. */
  readonly faults: string[] = []
  isDraining = false
  readonly #bySid = new Map<string, Line>()
  readonly #debts = new Map<RpcCall, Debt>()
  readonly #outcomes = new Map<RpcCall, (reply: Reply) => void>()
  readonly #stored = new Map<string, Stored>()
  readonly #clock: Clock
  readonly #callTimeoutMs: number
  readonly #refusesTakeover: boolean
  /** How often a connection was closed while a message waited, by station and content. */
  readonly #closes = new Map<string, number>()
  #connects = 0

  constructor(clock: Clock, callTimeoutMs: number, refusesTakeover: boolean) {
    this.#refusesTakeover = refusesTakeover
    this.#clock = clock
    this.#callTimeoutMs = callTimeoutMs
  }

  add(line: Line): void {
    this.lines.push(line)
    this.#bySid.set(line.station.sid, line)
  }

  lineOf({ sid }: RpcCall): Line | undefined {
    return this.#bySid.get(sid)
  }

  /** The open connections of one station, the newest last. */
  alive(at: number): Line[] {
    return this.lines.filter(line => line.at === at && line.isOpen)
  }

  // Station to bridge

  /** Called before a session receives a text. */
  onReceived(line: Line, text: string): void {
    if (!line.isOpen) return
    const frame = parseFrame(text, line.station.handshake.version)
    if (frame.kind === 'ignored') return
    if (frame.kind === 'malformed') {
      if (frame.answer !== null) line.refusals.push(idKey(frame.answer.id))
      if (frame.brokenAnswer !== null) this.#onBrokenAnswer(line, frame.brokenAnswer)
      if (++line.badFrames >= maxBadFrames) line.mayClose.add(1002)
      return
    }
    if (frame.kind === 'callResult' || frame.kind === 'callError') return this.#onStationAnswer(line, frame)
    if (frame.kind !== 'callResultError') line.badFrames = 0
    if (frame.kind === 'callResultError') this.#onAnswerRefused(line, frame)
    else if (!this.isDraining) this.#onStationCall(line, frame)
  }

  /** Called after a session has received a text: malformed messages have been answered. */
  onTaken(line: Line): void {
    for (const key of line.refusals.splice(0))
      if (line.isOpen) this.#fault(line, `the malformed message ${key} got no answer`)
  }

  #onStationCall(line: Line, frame: Call | Send): void {
    const { kind, id, action } = frame
    const key = idKey(id)
    const content = `${action} ${frame.payload}`
    const before = line.owed.get(key)
    if (kind === 'call' && before !== undefined) {
      if (before.content === content) return
      before.state = 'given up'
    }
    const isMoney = kind === 'call' && line.row.transactionMessages.has(action)
    const debt: Debt = {
      ...{ kind, key, idText: id, action, content, isMoney, state: 'owed', attempts: [], isAcked: false },
      before: this.#endedBefore(line, key),
      n: nonceOf(JSON.parse(frame.payload) as object),
      receivedAt: this.#clock.now,
      stored: isMoney ? this.#storedFor(line, key, content) : null,
    }
    line.queue.push(debt)
    if (kind === 'call') line.owed.set(key, debt)
    const other = this.#stored.get(`${line.at} ${key}`)
    if (other !== undefined && other.content !== content) other.isSure = false
  }

  /** The answer that the same CALL has got before; `null` for a new CALL. */
  #storedFor(line: Line, key: string, content: string): Stored | null {
    const stored = this.#stored.get(`${line.at} ${key}`)
    return stored?.content === content ? stored : null
  }

  #isSure(stored: Stored): boolean {
    return stored.isSure && this.#clock.now - stored.since < replay.ms
  }

  #store(line: Line, debt: Debt, text: string): void {
    const name = `${line.at} ${debt.key}`
    // The bridge may keep either of two messages with the same id and different content.
    const isSure = debt.state !== 'given up' && (this.#stored.get(name)?.content ?? debt.content) === debt.content
    this.#stored.delete(name)
    const mine = [...this.#stored].filter(([other]) => other.startsWith(`${line.at} `))
    for (const [, oldest] of mine.slice(0, -(replay.entries - 1))) oldest.isSure = false
    this.#stored.set(name, { content: debt.content, text, since: debt.receivedAt, isSure })
  }

  #onStationAnswer(line: Line, answer: CallResult | CallError): void {
    const open = this.#openOf(line)
    const key = idKey(answer.id)
    const isOpen = open !== null && (key === open.key || (answer.kind === 'callError' && isUnreadableId(answer.id)))
    const late = line.late.indexOf(key)
    const settles = isOpen ? 'open' : late === -1 ? 'nothing' : 'late'
    const told = isOpen ? open.key : key
    // An answer to nothing does not reset the count of malformed messages.
    if (settles !== 'nothing') line.badFrames = 0
    if (isOpen) line.open = null
    else if (late !== -1) line.late.splice(late, 1)
    if (answer.kind === 'callResult') line.results.push(key)
    const m = nonceOf(JSON.parse(answer.kind === 'callResult' ? answer.payload : answer.details) as object)
    if (m !== null) line.given.set(m, { key: told, settles, attempts: 0, finished: 0 })
  }

  /** A malformed answer ends the open command, or is the late answer to one. */
  #onBrokenAnswer(line: Line, { id, kind }: NonNullable<Malformed['brokenAnswer']>): void {
    const key = idKey(id)
    const late = line.late.indexOf(key)
    if (this.#openOf(line)?.key === key) line.open = null
    else if (late !== -1) line.late.splice(late, 1)
    else return
    line.broken.add(key)
    if (kind === 'callResult') line.results.push(key)
  }

  /** 2.1: the station cannot read an answer; the app gets an `error`, like the one of a failed command. */
  #onAnswerRefused(line: Line, { id, details }: CallResultError): void {
    const key = idKey(id)
    if (!line.refusable.delete(key)) return
    this.onCommand(line, key)
    // Without a subscription, there is no channel to perform it.
    if (line.identifier === null) line.commandsOf(key).untold++
    const m = nonceOf(JSON.parse(details) as object)
    if (m !== null) line.given.set(m, { key, settles: 'refusal', attempts: 0, finished: 0 })
  }

  /** The command that is open, unless it has timed out. */
  #openOf(line: Line): Line['open'] {
    if (line.open !== null && this.#clock.now - line.open.sentAt >= this.#callTimeoutMs) {
      line.late.push(line.open.key)
      if (line.late.length > maxLate) line.late.shift()
      line.open = null
    }
    return line.open
  }

  // Bridge to station

  onSent(line: Line, text: string): void {
    const frame = parseFrame(text, line.station.handshake.version)
    switch (frame.kind) {
      case 'call':
        return this.#onCommandSent(line, frame)
      case 'callResult':
      case 'callError':
        return this.#onAnswerSent(line, frame, text)
      case 'callResultError': {
        const at = line.results.indexOf(idKey(frame.id))
        if (at === -1) return this.#fault(line, `${text} answers no CALLRESULT`)
        return void line.results.splice(at, 1)
      }
      case 'send':
      case 'malformed':
      case 'ignored':
        return this.#fault(line, `${text} is not a frame for a station`)
    }
  }

  onClosed(line: Line, code: number): void {
    const owed = [...line.owed.values()]
    if (code === 1001 && this.isDraining) {
      for (const debt of owed) if (!debt.isMoney) this.#fault(line, `drained without an answer to ${named(debt)}`)
    } else if (code === 1012) {
      const open = line.queue.filter(({ isMoney, state }) => isMoney && state !== 'answered')
      if (!open.some(debt => this.#mayClose(line, debt)))
        this.#fault(line, 'closed with 1012, and no transaction message waits for long, or is not taken')
      for (const { content } of owed) this.#closes.set(`${line.at} ${content}`, this.#closesOf(line, content) + 1)
    } else if (!line.mayClose.has(code)) this.#fault(line, `closed with ${code} for no reason`)
  }

  #onCommandSent(line: Line, { id, action }: Call): void {
    const key = idKey(id)
    const open = this.#openOf(line)
    const commands = line.commandsOf(key)
    if (open !== null) this.#fault(line, `the command ${key} went out while ${open.key} is open`)
    if (++commands.sent > commands.taken) this.#fault(line, `the app has not sent the command ${key}`)
    for (const debt of line.owed.values())
      if (debt.action === 'BootNotification') this.#fault(line, `the command ${key} went out before the boot answer`)
    if (line.boot === 'Rejected') this.#fault(line, `the command ${key} went to a rejected station`)
    if (line.boot === 'Pending' && line.row.refusedWhilePending.has(action))
      this.#fault(line, `the command ${key}, ${action}, went to a pending station`)
    line.open = { key, sentAt: this.#clock.now }
    if (action === 'TriggerMessage') line.isTriggered = true
  }

  #onAnswerSent(line: Line, answer: CallResult | CallError, text: string): void {
    const key = idKey(answer.id)
    const refusal = answer.kind === 'callError' ? line.refusals.indexOf(key) : -1
    if (refusal !== -1) return void line.refusals.splice(refusal, 1)
    const debt = line.owed.get(key)
    if (debt === undefined) return this.#fault(line, `${text} answers no CALL that waits`)
    line.owed.delete(key)
    line.lastAnswered = key
    line.refusable.delete(key)
    line.refusable.add(key)
    for (const oldest of [...line.refusable].slice(0, -maxRefusable)) line.refusable.delete(oldest)
    debt.state = 'answered'
    if (answer.id !== debt.idText) this.#fault(line, `${text} spells the id of ${named(debt)} otherwise`)
    const said = JSON.parse(answer.kind === 'callResult' ? answer.payload : answer.details) as AppWords
    const isReplayed = debt.stored?.text === text
    if (!isReplayed) this.#checkAnswer(line, debt, answer, said)
    if (debt.action === 'BootNotification' && answer.kind === 'callResult') this.#onBootAnswer(line, said)
    const isKept = answer.kind === 'callResult' || said.by !== undefined
    if (debt.isMoney && isKept && !isReplayed) this.#store(line, debt, text)
  }

  #checkAnswer(line: Line, debt: Debt, answer: CallResult | CallError, said: AppWords): void {
    if (said.by === 'reply' && said.n !== debt.n) this.#fault(line, `${named(debt)} got the answer to ${said.n}`)
    if (said.by === 'broadcast' && !this.#isBooked(line, debt))
      this.#fault(line, `${named(debt)} got an Ack that was for another`)
    // A CALLERROR of the bridge is right if the app has not accepted the station, or is away.
    const isAccepted = line.identifier !== null && (line.boot === 'unknown' || line.boot === 'Accepted')
    const isRefusal = answer.kind === 'callError' && said.by === undefined && !isAccepted
    // An Ack that is broadcast before the repeat is served is the answer to the repeat.
    const isNewAck = said.by === 'broadcast' && debt.isAcked
    if (debt.stored !== null && this.#isSure(debt.stored) && !isRefusal && !isNewAck)
      this.#fault(line, `${named(debt)} came again and got another answer`)
    const isSilent = debt.attempts.some(({ result }) => result !== null && isTaken(result))
    const isLast = this.#closesOf(line, debt.content) >= maxCloses
    if (debt.isMoney && answer.kind === 'callError' && said.by === undefined && isAccepted && !isSilent && !isLast)
      this.#fault(line, `${named(debt)} got a CALLERROR of the bridge's own`)
    const isTooLate = this.#clock.now - debt.receivedAt >= patienceMs
    const isExcused = debt.isAcked || isTooLate || this.isDraining
    if (
      debt.isMoney &&
      isAccepted &&
      !isExcused &&
      !this.#isAsked(line, debt) &&
      answer.kind === 'callError' &&
      said.by === undefined
    )
      this.#fault(line, `${named(debt)} is refused, and the app was not asked`)
    const isOwn = debt.action === 'BootNotification' || debt.action === 'Heartbeat'
    if (answer.kind === 'callResult' && !isOwn && !this.#isBooked(line, debt))
      this.#fault(line, `${named(debt)} is confirmed, and the app has not taken it`)
  }

  /** A repeated message closes the connection, too, where it waits long, or does not reach its stored answer. */
  #mayClose(line: Line, debt: Debt): boolean {
    const isSlow = this.#clock.now - debt.receivedAt >= leastPatienceMs
    const hasFailed = line.queue
      .filter(({ isMoney }) => isMoney)
      .some(({ attempts }) => attempts.some(({ result }) => result !== null && !isTaken(result)))
    return isSlow || hasFailed || this.isDraining || line.boot === 'Pending' || !this.#isBooked(line, debt)
  }

  #closesOf(line: Line, content: string): number {
    return this.#closes.get(`${line.at} ${content}`) ?? 0
  }

  /** Whether the message, or a superseded one with the same content, was performed since it came. */
  #isAsked(line: Line, debt: Debt): boolean {
    return line.queue
      .filter(({ key, content }) => key === debt.key && content === debt.content)
      .some(({ attempts }) => attempts.some(({ at }) => at >= debt.receivedAt))
  }

  /** Whether the app took the message, or an earlier one like it: performs of the two look the same. */
  #isBooked(line: Line, debt: Debt): boolean {
    const isBooked = ({ attempts, isAcked }: Debt): boolean =>
      isAcked || attempts.some(({ result }) => result !== null && isTaken(result))
    if (isBooked(debt)) return true
    const isSame = ({ key, content }: Debt): boolean => key === debt.key && content === debt.content
    const lines = debt.isMoney ? this.lines.filter(({ at }) => at === line.at) : [line]
    return lines.some(({ queue }) => queue.some(other => isSame(other) && isBooked(other)))
  }

  #onBootAnswer(line: Line, { status }: AppWords): void {
    line.boot = status ?? line.boot
    line.isTriggered = false
    if (line.boot === 'Pending' || line.boot === 'Rejected') line.wasRefused = true
  }

  // Bridge to app

  onRpc(call: RpcCall, family: Family): void {
    const line = this.lineOf(call)
    if (line === undefined) return void this.faults.push(`a call of an unknown session: ${call.name}`)
    const others = [...line.inFlight].filter(other => !(family === 'outcome' && !line.isOpen && isOutcome(other)))
    if (others.length > 0) this.#fault(line, `${call.name} while ${others[0]?.name ?? ''} is in flight`)
    line.inFlight.add(call)
    if (line.disconnects > 0) this.#fault(line, `${call.name} after its Disconnect`)
    if (!line.isOpen && family !== 'outcome' && family !== 'disconnect')
      this.#fault(line, `${call.name} of a closed session`)
    if ((family === 'connect') !== (line.connected === 0)) this.#fault(line, `${call.name} out of order`)
    if (family === 'subscribe') this.#checkOthers(line)
    if (family === 'disconnect') this.#onDisconnect(line)
    if (call.command === 'message' && call.identifier !== line.identifier)
      this.#fault(line, `${call.name} without a subscription`)
    if (family === 'perform') this.#onPerform(line, call)
    if (family === 'outcome') this.#onOutcome(line, call)
  }

  onReply(call: RpcCall, family: Family, reply: Reply): void {
    const line = this.lineOf(call)
    if (line === undefined) return
    line.inFlight.delete(call)
    const isYes = outcomeOf(reply) === 'ran' && isTaken(reply)
    if (family === 'connect' && isYes) this.#onConnected(line)
    if ((family === 'connect' || family === 'subscribe') && reply === 'failure') line.mayClose.add(1008)
    if (family === 'subscribe' && isYes) line.identifier = call.identifier ?? null
    if (family === 'unsubscribe' && outcomeOf(reply) === 'ran' && reply !== 'raised') {
      line.identifier = null
      line.wasUnsubscribed = true
    }
    if (family === 'disconnect') {
      line.isTold = true
      if (outcomeOf(reply) === 'notRun') [line.disconnects, line.missedDisconnects] = [0, line.missedDisconnects + 1]
    }
    if (reply === 'close') line.mayClose.add(1000)
    if (family === 'outcome') this.#outcomes.get(call)?.(reply)
    if (family === 'perform') this.#onPerformed(line, call, reply)
  }

  #onConnected(line: Line): void {
    line.connected = ++this.#connects
    const others = this.lines.filter(other => other !== line && other.at === line.at && other.connected > 0)
    if (this.#refusesTakeover) {
      if (others.some(({ isOpen }) => isOpen)) line.mayClose.add(1008)
      return
    }
    // The newest accepted connection wins, whichever is accepted first; older ones still in Connect are closed, too.
    for (const other of this.lines.filter(({ at }) => at === line.at))
      if (this.lines.some(newer => isNewer(this.lines, newer, other) && newer.connected > 0)) other.mayClose.add(1008)
  }

  /** The app has seen the end of the connections that it accepted before. */
  #checkOthers(line: Line): void {
    for (const other of this.lines)
      if (other.at === line.at && other.connected > 0 && other.connected < line.connected && !other.isTold)
        this.#fault(line, `subscribes before the end of ${other.name}`)
  }

  #onDisconnect(line: Line): void {
    line.disconnects++
    line.isTold = false
    for (const other of this.lines)
      if (other.at === line.at && other.connected > line.connected && other.identifier !== null)
        this.#fault(line, `is said to have left after ${other.name} has subscribed`)
  }

  #onPerform(line: Line, call: RpcCall): void {
    const data = dataOf(call)
    const n = nonceOf(data.payload)
    const attempt = Number(data['attempt'] ?? 1)
    const debt = this.#nextServed(line, n, attempt)
    if (debt === null) return this.#fault(line, `performs ${data.command} ${n}, attempt ${attempt}, out of order`)
    // An Ack may be broadcast for an id before its CALL was performed, and the CALL is still performed.
    const isAckedUnseen = debt.isAcked && debt.attempts.length === 0
    if (debt.state === 'answered' && !isAckedUnseen) this.#fault(line, `performs ${named(debt)}, which has its answer`)
    if (!this.#isAttempt(line, debt, attempt)) this.#fault(line, `performs ${named(debt)} as attempt ${attempt}`)
    const isHeldBack = line.boot === 'Rejected' || (line.boot === 'Pending' && !line.isTriggered)
    if (isHeldBack && debt.action !== 'BootNotification')
      this.#fault(line, `performs ${named(debt)} of a station that is ${line.boot}`)
    const stored = debt.isMoney && debt.state === 'owed' ? this.#storedFor(line, debt.key, debt.content) : null
    if (stored !== null && this.#isSure(stored)) this.#fault(line, `performs ${named(debt)} again after its answer`)
    debt.attempts.push({ at: this.#clock.now, result: null })
    this.#debts.set(call, debt)
  }

  /** 1, plus one for each attempt that the app may have run; attempts of the same earlier CALLs may count. */
  #isAttempt(line: Line, debt: Debt, attempt: number): boolean {
    const own = 1 + debt.attempts.filter(({ result }) => result !== null && mayHaveRun.includes(result)).length
    if (!debt.isMoney) return attempt === 1
    const same = this.#ofId(line, debt.key)
      .filter(({ debt: other }) => other !== debt && other.content === debt.content)
      .filter(({ debt: { receivedAt } }) => receivedAt <= debt.receivedAt)
    const earlier = same.flatMap(({ debt: { attempts } }) =>
      attempts.filter(({ result }) => result !== 'absent'),
    ).length
    return attempt >= own + this.#leastEarlier(line, debt) && attempt <= own + earlier
  }

  /** How many attempts of the same earlier CALLs must count: all of them if the app answered none. */
  #leastEarlier(line: Line, { key, content, before }: Debt): number {
    if (before === null || this.#ofId(line, key).length !== before.length + 1) return 0
    if (!before.every(other => other.content === content && !other.isAcked && other.before !== null)) return 0
    const attempts = before.flatMap(other => other.attempts)
    if (attempts.some(({ at, result }) => result === null || isTaken(result) || this.#clock.now - at >= replay.ms))
      return 0
    return attempts.filter(({ result }) => result === 'lost' || result === 'slow').length
  }

  /** What a station has sent under one id, on all its connections. */
  #ofId(line: Line, key: string): { readonly on: Line; readonly debt: Debt }[] {
    return this.lines
      .filter(({ at }) => at === line.at)
      .flatMap(on => on.queue.filter(debt => debt.key === key).map(debt => ({ on, debt })))
  }

  #endedBefore(line: Line, key: string): readonly Debt[] | null {
    const before = this.#ofId(line, key)
    return before.every(({ on, debt }) => on.isTold || debt.state === 'answered')
      ? before.map(({ debt }) => debt)
      : null
  }

  /** The CALL that is performed: a retry of the last one, or a later one. */
  #nextServed(line: Line, n: number | null, attempt: number): Debt | null {
    const current = line.queue[line.served]
    const isAgain = current?.n === n && mayAttempt(current) && this.#isAttempt(line, current, attempt)
    if (isAgain && current.state !== 'answered') return current
    const later = line.queue.filter((debt, at) => at > line.served && debt.n === n)
    const debt = later.find(({ state }) => state !== 'answered') ?? (isAgain ? current : later[0])
    const next = debt === undefined ? -1 : line.queue.indexOf(debt)
    if (next === -1) return null
    line.served = next
    return line.queue[next] ?? null
  }

  #onPerformed(line: Line, call: RpcCall, reply: Reply): void {
    const debt = this.#debts.get(call)
    const attempt = debt?.attempts.at(-1)
    if (debt === undefined || attempt === undefined) return
    attempt.result = reply
    // An answer that comes after the station has left is the answer to its repeated CALL.
    const status = reply === 'ack of another' ? null : ackStatus(reply)
    if (line.isOpen || !debt.isMoney || debt.state !== 'owed' || status === null) return
    const payload = JSON.stringify({ status, by: 'reply', n: debt.n })
    if (line.owed.get(debt.key) === debt) this.#store(line, debt, `[3,${debt.idText},${payload}]`)
  }

  #onOutcome(line: Line, call: RpcCall): void {
    const { id, command, payload, code, late, request } = dataOf(call)
    const key = String(id)
    const commands = line.commandsOf(key)
    const m = nonceOf(payload)
    const given = m === null ? undefined : line.given.get(m)
    const isLate = late === true
    if (m === null) this.#checkFailure(line, key, command, code, line.row.toStation.has(String(request)))
    else if (given?.key !== key || given.settles === 'nothing' || (given.settles === 'late') !== isLate)
      this.#fault(line, `performs an outcome of ${key} that its station did not send`)
    if (given !== undefined) {
      given.attempts++
      if (given.finished > 0) this.#fault(line, `performs the answer ${m} to ${key} again`)
    }
    if (!isLate) commands.attempts++
    commands.lastAt = this.#clock.now
    commands.isLast = !line.isOpen || this.isDraining
    this.#outcomes.set(call, reply => {
      if (outcomeOf(reply) === 'notRun') return
      if (given !== undefined) given.finished++
      if (isLate) commands.lateFinished++
      else commands.finished++
      if (commands.finished > commands.taken) this.#fault(line, `the command ${key} has ended more than once`)
      if (commands.lateFinished > commands.sent) this.#fault(line, `the command ${key} is late more than once`)
    })
  }

  /** Checks the failures that the bridge itself reports. */
  #checkFailure(line: Line, key: string, command: string, code: unknown, isKnown: boolean): void {
    const open = this.#openOf(line)
    const isTrue = {
      CallTimeout: line.late.includes(key) || [...line.given.values()].some(({ settles }) => settles === 'late'),
      ConnectionClosed: !line.isOpen || this.isDraining,
      NotAccepted: line.wasRefused,
      QueueFull: true,
      UnknownAction: !isKnown,
      InvalidId: true,
      InvalidPayload: true,
      InvalidResult: line.broken.has(key),
    }
    if (
      command !== 'Error' ||
      typeof code !== 'string' ||
      !Object.entries(isTrue).some(([c, yes]) => c === code && yes)
    )
      this.#fault(line, `performs ${String(code)} of ${key}, open is ${open?.key ?? 'none'}`)
  }

  // App to bridge

  /** A remote command has reached the session of this connection. */
  onCommand(line: Line, id: string): void {
    const commands = line.commandsOf(id)
    commands.taken++
    commands.takenAt = Math.min(commands.takenAt, this.#clock.now)
  }

  /** An Ack has been broadcast to the session of this connection. */
  onAck(line: Line, key: string): void {
    const debt = line.owed.get(key)
    if (debt !== undefined) debt.isAcked = true
  }

  // The end

  /** Nothing is owed on an open connection when the app has replied to everything. */
  checkRest(): void {
    for (const line of this.lines) {
      if (!line.isOpen) continue
      if (line.station.socket.unread.length > 0) this.#fault(line, 'is not read any more')
      for (const debt of line.owed.values()) this.#fault(line, `${named(debt)} got no answer`)
      this.#checkCommands(line, this.#openOf(line)?.key ?? null)
    }
  }

  /** Checks the state after every session has ended. */
  checkEnd(): void {
    for (const line of this.lines) {
      if (line.isOpen) this.#fault(line, 'is still open')
      // A Disconnect that did not reach the app is retried, unless its station or a drain does not wait for the retry.
      const isMissed = line.disconnects === 0 && line.missedDisconnects > 0
      if (line.disconnects !== (line.connected > 0 ? 1 : 0) && !isMissed)
        this.#fault(line, `${line.disconnects} Disconnects`)
      if (line.inFlight.size > 0) this.#fault(line, 'has calls in flight')
      this.#checkCommands(line, null)
      this.#checkPatience(line)
    }
  }

  /** An outcome that cannot have reached the app is retried for a while, and at the end of the session. */
  #checkPatience(line: Line): void {
    if (line.wasUnsubscribed || line.identifier === null) return
    for (const [key, { taken, untold, finished, takenAt, lastAt, isLast }] of line.commands)
      if (finished < taken - untold && !isLast && lastAt - takenAt < tellMs)
        this.#fault(line, `loses the outcome of ${key}`)
  }

  /** Every command has an outcome, unless the subscription has ended. */
  #checkCommands(line: Line, open: string | null): void {
    if (line.wasUnsubscribed || line.identifier === null) return
    for (const [key, { taken, untold, attempts }] of line.commands)
      if (attempts < taken - untold - (open === key ? 1 : 0))
        this.#fault(line, `${taken} commands ${key}, ${attempts} outcomes`)
    for (const [m, { key, settles, attempts }] of line.given)
      if ((settles === 'open' || settles === 'late') && attempts === 0)
        this.#fault(line, `the answer ${m} to ${key} was not performed`)
  }

  #fault(line: Line, fault: string): void {
    this.faults.push(`${line.name}: ${fault}`)
  }
}

/** The payload of an answer of the app. */
type AppWords = { readonly by?: string; readonly n?: number; readonly status?: string }

function named({ action, key, n }: Debt): string {
  return `${action} ${key} (${n})`
}

function isTaken(reply: Reply): boolean {
  return !['failure', 'raised', 'absent', 'lost', 'slow'].includes(reply)
}

function isOutcome({ name, command, data }: RpcCall): boolean {
  if (command !== 'message') return false
  return name === 'ack' || name === 'error' || ['Ack', 'Error'].includes(dataOf({ data: data ?? '{}' }).command)
}

function isNewer(lines: readonly Line[], one: Line, other: Line): boolean {
  return one.at === other.at && lines.indexOf(one) > lines.indexOf(other)
}

/** The ends of attempts that are followed by another one, and of those, the ends that the next one counts. */
const retried: readonly Reply[] = ['absent', 'lost', 'slow', 'raised']
const mayHaveRun: readonly Reply[] = ['lost', 'slow', 'raised']

/** Only a transaction message is retried, and only while no attempt has a reply other than an error. */
function mayAttempt({ kind, isMoney, attempts }: Debt): boolean {
  if (kind === 'send' || !isMoney) return false
  return attempts.every(({ result }) => result !== null && retried.includes(result))
}
