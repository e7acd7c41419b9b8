/**
 * One station's conversation: its CALLs go to the app and the answers back, the app's commands go to the station and
 * their outcomes back. No network library and no clock: the socket, the app and the time come in.
 */
import { parseFrame, type Call, type Send } from '../ocpp/frame.ts'
import { isFromStation } from '../ocpp/version.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import { readMessage } from '../translate/messages.ts'
import { allowanceFor, type Allowance } from './allowance.ts'
import { Answering } from './calls/answering.ts'
import { Attaching } from './app/attaching.ts'
import { AppConnection } from './app/connection.ts'
import { Delivering } from './app/delivering.ts'
import { AppMessages } from './app/messages.ts'
import { Boot } from './boot.ts'
import { Commands, type StationAnswer } from './commands/commands.ts'
import { Outcomes, type PendingOutcome } from './commands/outcomes.ts'
import { Ending } from './ending.ts'
import type { Entry } from './entries.ts'
import { InFlight } from './calls/in-flight.ts'
import { Inbox, inboxLimits } from './inbox.ts'
import { MalformedMessages } from './malformed.ts'
import { Performing } from './calls/performing.ts'
import type { CloseCode, Fleet, Member, Who } from './ports.ts'
import { Collecting } from './reports/collecting.ts'
import type { SessionSettings } from './settings.ts'
import type { Station } from './station.ts'
import { Unanswered } from './transactions/unanswered.ts'
import { Validation } from './calls/validation.ts'
import { View } from './view/view.ts'

export class Session implements Member {
  readonly who: Who
  readonly handshake: StationHandshake
  readonly openedAt: number
  readonly attaching: Attaching
  readonly commands: Commands
  readonly delivering: Delivering | null
  readonly #station: Station<SessionSettings>
  readonly #fleet: Fleet
  #allowance: Allowance | null
  readonly #boot: Boot
  readonly #inFlight: InFlight
  readonly #inbox: Inbox<Entry>
  readonly #app: AppConnection
  readonly #outcomes: Outcomes
  readonly #malformed: MalformedMessages
  readonly #messages: AppMessages
  readonly #collecting: Collecting | null
  readonly #performing: Performing
  readonly #answering: Answering
  readonly #unanswered: Unanswered
  readonly #ending = new Ending()
  #isDraining = false

  constructor(station: Station<SessionSettings>, fleet: Fleet) {
    this.who = station.who
    this.handshake = station.handshake
    this.openedAt = station.world.now()
    this.#station = station
    this.#fleet = fleet
    this.#allowance = allowanceFor(station, fleet, this.openedAt)
    const inFlight = (this.#inFlight = new InFlight(station.row))
    const lane = (this.#inbox = new Inbox(this, station, inboxLimits))
    const app = (this.#app = new AppConnection(station, fleet, this))
    const boot = (this.#boot = new Boot(station, fleet.known))
    const validation = new Validation(station)
    const outcomes = (this.#outcomes = new Outcomes(station, app, lane))
    // Parts are listed, not spread: a spread gives each session hidden classes of its own, of some 200 bytes each.
    this.commands = new Commands(station, { app, outcomes, unanswered: fleet.unansweredCommands, boot, validation })
    this.#malformed = new MalformedMessages(station, { app, inbox: lane, known: fleet.known })
    const messages = (this.#messages = new AppMessages(station, this.commands))
    const collects = station.settings.collectReports && station.row.reports.size > 0
    const collecting = (this.#collecting = collects ? new Collecting(station, app, messages, lane) : null)
    const unanswered = (this.#unanswered = new Unanswered(station, fleet, this, inFlight))
    const attaching = (this.attaching = new Attaching(station, { app, boot, fleet, member: this, messages, lane }))
    const delivered = { app, attaching, fleet, messages, lane }
    const delivering = (this.delivering = fleet.backlog && new Delivering(station, fleet.backlog, delivered))
    const performed = { app, attaching, collecting, delivering, fleet, messages, unanswered }
    const performing = (this.#performing = new Performing(station, performed))
    const answered = { boot, fleet, inFlight, member: this, messages, performing, unanswered, validation }
    this.#answering = new Answering(station, answered)
    station.owner = this
  }

  get isHeard(): boolean {
    return this.#station.record.isHeard || this.#station.socket.answersPings
  }

  /** Made at each read: a kept one costs every idle station memory. */
  get view(): View {
    const [boot, inbox, answering, outcomes] = [this.#boot, this.#inbox, this.#answering, this.#outcomes]
    return new View(this.#station, { app: this.#app, boot, inbox, answering, commands: this.commands, outcomes })
  }

  get isClosed(): boolean {
    return this.#station.closed.aborted
  }

  /** Takes one message from the station. An answer settles its command at once; a CALL waits in the inbox. */
  receive(text: string, bytes: number): void {
    const { handshake, who, world, record, closed } = this.#station
    if (closed.aborted) return
    try {
      world.meter.totals.client_msg_total.value++
      record.lastMessageAt = world.now()
      world.trace?.(who, 'received', text)
      if (this.#app.connectionIdentifiers === null && this.#allowance?.admits(bytes, record.lastMessageAt) === false)
        return this.close(1008, 'Too much data before the app accepted the station')
      const frame = parseFrame(text, handshake.version)
      switch (frame.kind) {
        case 'call':
        case 'send':
          return this.#onCall(frame, bytes)
        case 'callResult':
        case 'callError':
          return this.#onAnswer(frame, bytes)
        case 'callResultError':
          return this.#outcomes.ofAnswer(frame, this.#inFlight.takeAnswered(frame.id))
        case 'malformed':
          if (frame.brokenAnswer !== null) this.#onAnswer(frame.brokenAnswer, bytes)
          if (this.#malformed.take(frame, text)) this.close(1002, 'Too many malformed messages')
          return
        case 'ignored':
          return this.#malformed.ignore(frame, text)
      }
    } catch (error) {
      this.onFault(error)
    }
  }

  deliver(data: string): void {
    if (this.#station.closed.aborted) return
    try {
      const message = readMessage(data)
      if (message.kind === 'command') this.commands.add(message)
      else if (message.kind !== 'answer' || !this.#answering.settle(message.frame)) this.#messages.take([message])
    } catch (error) {
      this.onFault(error)
    }
  }

  get ended(): Promise<void> {
    return this.#ending.done
  }

  probe(): void {
    this.#station.socket.probe()
  }

  /** @returns `null` for a CALL that nothing had to be awaited for, such as a Heartbeat */
  serve(entry: Entry): Promise<boolean> | null {
    const { traces } = this.#station.world
    try {
      const accepts =
        entry.kind === 'call'
          ? (traces?.ofCall(this, entry, async () => this.#serveCall(entry)) ?? this.#serveCall(entry))
          : this.#serveOther(entry)
      if (accepts !== true) return accepts
      this.onServed(entry, true)
    } catch (error) {
      this.onFault(error)
    }
    return null
  }

  /** A bug ends only the session that met it. */
  onFault(error: unknown): void {
    this.#station.world.log.error({ ...this.who, error }, 'a bug in the bridge ended a session')
    this.close(1011, 'Internal error')
  }

  /** Ends the session from this side. Answers sent before are still delivered. */
  close(code: CloseCode, reason: string): void {
    if (this.#station.closed.aborted) return
    this.#station.socket.close(code, reason)
    this.#end(code, reason)
  }

  gone(code: number, reason: string): void {
    if (!this.#station.closed.aborted) this.#end(code, reason)
  }

  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true
    this.#performing.stopRetrying()
    this.#outcomes.stop()
    this.commands.stop()
    const timer = this.#station.after(graceMs, () => this.#emptyInbox())
    await this.#inbox.idle()
    clearTimeout(timer)
    await this.#unanswered.storing?.idle()
    this.close(1001, 'Server restart')
    await this.ended
  }

  expedite(): Promise<void> {
    return this.#ending.expedite()
  }

  #onCall(call: Call | Send, bytes: number): void {
    const { row, world, record } = this.#station
    const isKnown = call.kind === 'call' ? isFromStation(row, call.action) : row.sends.has(call.action)
    this.#onGood(isKnown)
    record.onReceived(isKnown ? call.action : 'other')
    // The station sends it again on its next connection.
    if (this.#isDraining) return
    if (call.kind === 'call') {
      const admitted = this.#inFlight.admit(call)
      if (admitted === 'repeated') return this.#answering.onRepeated(call.id)
      if (admitted === 'superseding') this.#answering.onSuperseded(call.id)
      if (call.action === 'BootNotification') this.commands.hold()
    }
    this.#inbox.push({ kind: 'call', call, receivedAt: world.now() }, bytes)
    // A CALL that waits keeps no more than its text.
    call.value = undefined
  }

  /** An answer to a command of an earlier connection counts once the app has accepted the station. */
  #onAnswer(answer: StationAnswer, bytes: number): void {
    if (this.commands.settle(answer)) return this.#onGood()
    if (this.#app.identifier === null && !this.#isDraining) return this.#inbox.push({ kind: 'answer', answer }, bytes)
    if (this.commands.settleEarlier(answer)) this.#onGood()
  }

  #onGood(isHeard = true): void {
    this.#malformed.inARow = 0
    this.#station.record.isHeard ||= isHeard
  }

  #serveCall({ call, receivedAt }: Entry & { kind: 'call' }): Promise<boolean> | true {
    return call.kind === 'send' ? this.#answering.performSend(call) : this.#answering.answer(call, receivedAt)
  }

  async #serveOther(entry: Exclude<Entry, { kind: 'call' }>): Promise<boolean> {
    if (entry.kind === 'attach' || entry.kind === 'own') return this.attaching.serve(entry)
    if (entry.kind === 'answer') {
      const attached = await this.attaching.attachUnprompted()
      if (this.commands.settleEarlier(entry.answer)) this.#onGood()
      return attached !== 'refused'
    }
    if (entry.kind === 'report') await this.#collecting?.report(entry.whole)
    else if (entry.kind === 'outcome') await this.#tell(entry)
    else await this.delivering?.serve(entry)
    return true
  }

  onServed(entry: Entry, isAccepted: boolean): void {
    if (entry.kind === 'call' && entry.call.kind === 'call' && entry.call.action === 'BootNotification')
      this.commands.release()
    if (!isAccepted) this.close(1008, 'Not authorized')
    if (this.#app.connectionIdentifiers !== null) this.#allowance = null
    const { closing } = this.#station
    if (closing !== null) this.close(closing.code, closing.reason)
  }

  async #tell(outcome: PendingOutcome): Promise<void> {
    const reply = await this.#outcomes.tell(outcome)
    if (reply !== null) this.#messages.takeReply(reply)
    this.#inbox.stationFirst = this.#outcomes.isFailing
    // An outcome that the app has makes room for one more command.
    this.commands.next()
  }

  /** What waits for the app goes on without it: CALLs are answered, outcomes and reports are kept for the end. */
  #emptyInbox(): void {
    this.#answering.endWait()
    this.#outcomes.leaveLane()
    this.#collecting?.leaveLane()
    for (const entry of this.#inbox.take()) {
      if (entry.kind === 'outcome') this.#outcomes.keepForEnd(entry)
      else if (entry.kind === 'report') this.#collecting?.keepForEnd(entry)
      else if (entry.kind === 'answer') this.commands.dropAnswer()
      else if (entry.kind === 'delivery') this.delivering?.drop(entry)
      else if (entry.kind !== 'call') this.attaching.drop(entry)
      else if (entry.call.kind === 'call') this.#answering.answerWithoutApp(entry.call, entry.receivedAt)
    }
  }

  #end(code: number, reason: string): void {
    this.#station.end()
    this.#performing.stopRetrying()
    this.#fleet.remove(this, { code, reason })
    void this.#finish()
  }

  /** Work in progress ends first: the app sees the session's Disconnect last. */
  async #finish(): Promise<void> {
    try {
      this.commands.end()
      this.#emptyInbox()
      await this.#inbox.idle()
      await this.#collecting?.end()
      for (const reply of await this.#outcomes.end()) this.#messages.takeReply(reply)
    } catch (error) {
      this.onFault(error)
    }
    await this.#ending.run(this.#app.queueDisconnect())
  }
}
