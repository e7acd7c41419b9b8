/**
 * One station's conversation: its CALLs go to the app and the answers back, the app's commands to it and theirs back.
 *
 * No network library and no clock of its own: the socket, the app and the time come in.
 */
import { messageId, serializeFrame } from '../ocpp/frame.ts'
import type { Answer, Call, CallResultError, Frame, Send } from '../ocpp/frame.ts'
import { isFromStation } from '../ocpp/version.ts'
import type { DropReason } from '../ops/metrics.ts'
import type { RemoteCommand } from '../translate/messages.ts'
import type { ValidationSettings } from '../translate/validation.ts'
import { Answering, type AnsweringSettings } from './answering.ts'
import { AppMessages } from './app-messages.ts'
import { Boot } from './boot.ts'
import { OutgoingCalls, type OutgoingSettings } from './calls.ts'
import { Collecting, type CollectingSettings } from './collecting.ts'
import { AppConnection } from './connection.ts'
import { Ending } from './ending.ts'
import { Inbox } from './inbox.ts'
import { Incoming } from './incoming.ts'
import { InFlight } from './inflight.ts'
import { Outcomes, type Untold } from './outcomes.ts'
import { Performing, type PerformingSettings } from './performing.ts'
import type { CloseCode, StationSocket, Surroundings } from './ports.ts'
import type { Whole } from './reports.ts'
import type { Station } from './station.ts'
import { Validation } from './validation.ts'

export type SessionSettings = AnsweringSettings &
  CollectingSettings &
  OutgoingSettings &
  PerformingSettings &
  ValidationSettings

type Entry =
  | { readonly kind: 'call'; readonly call: Call | Send; readonly receivedAt: number }
  | ({ readonly kind: 'outcome' } & Untold)
  | { readonly kind: 'report'; readonly whole: Whole }

const inboxLimits = { entries: 64, bytes: 1024 * 1024 }

export class Session {
  readonly station: Station<SessionSettings>
  /** As `Date` counts. */
  readonly openedAt: number
  /** Whether the station has sent a CALL or SEND yet that its version knows: those of others never reach the app. */
  isHeard = false
  readonly #socket: StationSocket
  readonly #surroundings: Surroundings
  readonly #connection: AppConnection
  readonly #incoming: Incoming
  readonly #said: AppMessages
  readonly #collecting: Collecting | null
  readonly #answering: Answering
  readonly #calls: OutgoingCalls
  readonly #outcomes: Outcomes
  readonly #inbox: Inbox<Entry>
  readonly #closed = new AbortController()
  readonly #unheld = new AbortController()
  readonly #ending = new Ending()
  /** Resolves when the app has seen the end of the session, or cannot be told. */
  readonly ended = this.#ending.done
  readonly #inFlight: InFlight

  constructor(station: Station<SessionSettings>, socket: StationSocket, surroundings: Surroundings) {
    const { handshake, row, who, world } = station
    this.station = station
    this.openedAt = world.now().getTime()
    this.#socket = socket
    this.#surroundings = surroundings
    const boot = new Boot(row)
    const validation = new Validation(station)
    this.#inFlight = new InFlight(row)
    this.#connection = new AppConnection(who.sid, handshake.env, world.rpc, surroundings.streams)
    this.#incoming = new Incoming(station, {
      onCall: (call, bytes) => this.#onCall(call, bytes),
      onAnswer: answer => this.#onAnswer(answer),
      onCallResultError: error => this.#onCallResultError(error),
      onBrokenAnswer: answer => this.#calls.settleBroken(answer),
      send: answer => this.#send(answer),
      isLetIn: () => this.#connection.connectionIdentifiers !== null,
      close: (code, reason) => this.close(code, reason),
    })
    this.#said = new AppMessages({
      answer: answer => this.#onAppAnswer(answer),
      command: command => this.#onCommand(command),
      drop: (reason, message) => this.#drop(reason, message),
    })
    this.#outcomes = new Outcomes(station, this.#connection, {
      push: untold => this.#inbox.push({ kind: 'outcome', ...untold }, null),
      onRoom: () => this.#calls.next(),
      apply: reply => this.#said.apply(reply),
      drop: message => this.#drop('outcome', message),
    })
    this.#collecting = this.#newCollecting()
    this.#answering = this.#newAnswering(boot, validation)
    const isCall = (entry: Entry): boolean => entry.kind === 'call' && this.#outcomes.isTroubled
    this.#inbox = new Inbox(entry => this.#serve(entry), socket, inboxLimits, isCall)
    this.#calls = new OutgoingCalls(station, boot, {
      validation,
      hasRoom: () => this.#outcomes.hasRoom,
      send: call => this.#send(call),
      done: outcome => this.#outcomes.ofCommand(outcome),
    })
  }

  get isClosed(): boolean {
    return this.#closed.signal.aborted
  }

  /** Takes one message of the station. An answer settles its command here and now; a CALL waits in line. */
  receive(text: string): void {
    if (!this.isClosed) this.#guarded(() => this.#incoming.receive(text))
  }

  /** Takes what the app broadcast to one of the session's streams. */
  deliver(data: string): void {
    if (!this.isClosed) this.#guarded(() => this.#said.deliver(data))
  }

  /** Ends the session from this side. The answers sent before are still delivered. */
  close(code: CloseCode, reason: string): void {
    if (this.isClosed) return
    this.#socket.close(code, reason)
    this.#end(code, reason)
  }

  /** The socket is gone. */
  gone(code: number, reason: string): void {
    if (!this.isClosed) this.#end(code, reason)
  }

  /** Answers what has come in, without the app after `graceMs`, takes no more, and closes. */
  async drain(graceMs: number): Promise<void> {
    this.#unheld.abort()
    this.#outcomes.stop()
    this.#calls.stop()
    const timer = setTimeout(() => this.#giveUp(), graceMs)
    await this.#inbox.idle()
    clearTimeout(timer)
    this.close(1001, 'Server restart')
    await this.ended
  }

  /** Has the app told of the end at once: the station is back. Resolves with `ended`. */
  hurry(): Promise<void> {
    return this.#ending.hurry()
  }

  #newCollecting(): Collecting | null {
    const { row, settings } = this.station
    if (!settings.collectReports || row.reports.size === 0) return null
    return new Collecting(this.station, this.#connection, {
      apply: reply => this.#said.apply(reply),
      onOverdue: whole => this.#inbox.push({ kind: 'report', whole }, null),
    })
  }

  #newAnswering(boot: Boot, validation: Validation): Answering {
    const shared = { registry: this.#surroundings.registry, closed: this.#closed.signal }
    const performing = new Performing(this.station, {
      ...shared,
      connection: this.#connection,
      collecting: this.#collecting,
      apply: reply => this.#said.apply(reply),
      unheld: this.#unheld.signal,
    })
    const send = (answer: Answer): void => this.#send(answer)
    return new Answering(this.station, { ...shared, boot, inFlight: this.#inFlight, validation, performing, send })
  }

  #onAnswer(answer: Answer): boolean {
    const isAwaited = this.#calls.settle(answer)
    if (!isAwaited) this.#drop('answer_to_nothing', 'a station answered a command that nobody sent')
    return isAwaited
  }

  #onCall(frame: Call | Send, bytes: number): void {
    const { row, world } = this.station
    this.isHeard ||= frame.kind === 'call' ? isFromStation(row, frame.action) : row.sends.has(frame.action)
    // Draining: the station sends it again on its next connection.
    if (this.#unheld.signal.aborted) return
    if (frame.kind === 'call') {
      if (!this.#inFlight.admit(frame)) return this.#drop('repeated', 'a station repeated a CALL that is in flight')
      this.#answering.onCall()
      if (frame.action === 'BootNotification') this.#calls.hold()
    }
    this.#inbox.push({ kind: 'call', call: frame, receivedAt: world.now().getTime() }, bytes)
  }

  async #serve(entry: Entry): Promise<void> {
    try {
      if (entry.kind === 'outcome') await this.#outcomes.tell(entry)
      else if (entry.kind === 'report') await this.#collecting?.report(entry.whole)
      else if (entry.call.kind === 'send') this.#onAsked(await this.#answering.performSend(entry.call))
      else await this.#answer(entry.call, entry.receivedAt)
      if (this.#said.closing !== null) this.close(this.#said.closing.code, this.#said.closing.reason)
    } catch (error) {
      this.#onFault(error)
    }
  }

  #guarded(take: () => void): void {
    try {
      take()
    } catch (error) {
      this.#onFault(error)
    }
  }

  /** A bug ends the session that met it alone. */
  #onFault(error: unknown): void {
    const { who, world } = this.station
    world.log.error({ ...who, error }, 'a fault of the bridge ended a session')
    this.close(1011, 'Internal error')
  }

  async #answer(call: Call, receivedAt: number): Promise<void> {
    const isAccepted = await this.#answering.answer(call, receivedAt)
    if (call.action === 'BootNotification') this.#calls.release()
    this.#onAsked(isAccepted)
  }

  /** @param isAccepted by the app; it has to go otherwise */
  #onAsked(isAccepted: boolean): void {
    if (isAccepted) return
    const { who, world } = this.station
    world.meter.count('failed_auths_total')
    world.log.info(who, 'the app does not accept the station')
    this.close(1008, 'Not authorized')
  }

  /** Whatever waits for the app goes without it: CALLs are answered, outcomes are told at the end. */
  #giveUp(): void {
    this.#outcomes.leaveLane()
    for (const entry of this.#inbox.take()) {
      if (entry.kind === 'outcome') this.#outcomes.putAside(entry)
      else if (entry.kind === 'report') this.#collecting?.putAside(entry.whole)
      else if (entry.call.kind === 'call') this.#answering.giveUp(entry.call, entry.receivedAt)
    }
  }

  #onAppAnswer(answer: Answer): void {
    if (!this.#answering.settle(answer)) this.#drop('ack_for_nothing', 'the app answered a CALL that does not wait')
  }

  #onCommand({ id, action, payload }: RemoteCommand): void {
    if (this.isClosed) return this.#drop('closed', 'the app sent a command to a station that has left')
    this.#calls.add({ kind: 'call', id: id ?? messageId(this.station.world.newId()), action, payload })
  }

  /** The app is told, as of a command that failed: `id` and `request` are those of the station's own CALL. */
  #onCallResultError({ id, code, description, details }: CallResultError): void {
    const request = this.#inFlight.takeAnswered(id)
    if (request === null) return this.#drop('answer_to_nothing', 'a station refused an answer that nobody sent')
    const outcome = { kind: 'error', id, request, late: false, failure: null } as const
    this.#outcomes.ofAnswer({ ...outcome, code, message: description, payload: details })
  }

  #send(frame: Frame): void {
    if (this.isClosed) return
    const { handshake, who, world } = this.station
    const text = serializeFrame(frame, handshake.version)
    world.meter.count('server_msg_total')
    world.trace?.(who, 'sent', text)
    this.#socket.send(text)
  }

  #drop(reason: DropReason, message: string): void {
    const { who, world } = this.station
    world.meter.count('ocpp_dropped_total', { reason })
    world.once(message, who, message)
  }

  #end(code: number, reason: string): void {
    const { who, world } = this.station
    this.#closed.abort()
    this.#unheld.abort()
    this.#surroundings.leave()
    world.log.info({ ...who, code, reason }, 'station disconnected')
    this.#calls.end()
    this.#giveUp()
    const disconnect = (): Promise<void> => this.#connection.disconnect(new AbortController().signal)
    const told = this.#inbox.idle().then(() => this.#collecting?.end())
    void this.#ending.run(
      told.then(() => this.#outcomes.end()).catch((error: unknown) => this.#onFault(error)),
      () => (this.#connection.connectionIdentifiers === null ? null : this.#surroundings.farewell(disconnect)),
    )
  }
}
