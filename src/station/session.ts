/**
 * One station's conversation: its CALLs go to the app and the answers back, the app's commands to it and theirs back.
 *
 * No network library and no clock of its own: the socket, the app and the time come in.
 */
import type { Call, CallError, CallResult, CallResultError, Frame, Ignored, Malformed, Send } from '../ocpp/frame.ts'
import { messageId, parseFrame, serializeFrame } from '../ocpp/frame.ts'
import { versions, type VersionRow } from '../ocpp/version.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import type { RemoteCommand } from '../translate/messages.ts'
import type { ValidationSettings } from '../translate/validation.ts'
import { Answering, type AnsweringSettings } from './answering.ts'
import { AppMessages } from './app-messages.ts'
import { Boot } from './boot.ts'
import { OutgoingCalls } from './calls.ts'
import { AppConnection } from './connection.ts'
import { Ending } from './ending.ts'
import { Inbox } from './inbox.ts'
import { InFlight } from './inflight.ts'
import { Outcomes, type Untold } from './outcomes.ts'
import { Performing, type PerformingSettings } from './performing.ts'
import type { CloseCode, StationSocket, Surroundings, World } from './ports.ts'
import { Validation } from './validation.ts'

export type SessionSettings = AnsweringSettings &
  PerformingSettings &
  ValidationSettings & {
    readonly callTimeoutMs: number
    /** How many remote commands may wait for a station, the open one not counted. */
    readonly callQueue: number
  }

type Entry =
  | { readonly kind: 'call'; readonly call: Call | Send; readonly receivedAt: number }
  | ({ readonly kind: 'outcome' } & Untold)
  | { readonly kind: 'report' }

const inboxLimits = { entries: 64, bytes: 1024 * 1024 }
const maxBadFrames = 20

export class Session {
  readonly handshake: StationHandshake
  readonly sid: string
  /** As `Date` counts. */
  readonly openedAt: number
  /** Whether the station has sent a CALL yet. */
  isHeard = false
  readonly #row: VersionRow
  readonly #socket: StationSocket
  readonly #surroundings: Surroundings
  readonly #world: World
  readonly #who: { readonly sid: string; readonly station: string }
  readonly #connection: AppConnection
  readonly #app: AppMessages
  readonly #performing: Performing
  readonly #answering: Answering
  readonly #calls: OutgoingCalls
  readonly #outcomes: Outcomes
  readonly #inbox: Inbox<Entry>
  readonly #closed = new AbortController()
  readonly #unheld = new AbortController()
  readonly #ending = new Ending()
  /** Resolves when the app has seen the end of the session. */
  readonly ended = this.#ending.done
  readonly #inFlight: InFlight
  readonly #untold: Untold[] = []
  #badFrames = 0

  constructor(
    handshake: StationHandshake,
    socket: StationSocket,
    settings: SessionSettings,
    surroundings: Surroundings,
    world: World,
  ) {
    this.handshake = handshake
    this.sid = world.newId()
    this.openedAt = world.now().getTime()
    this.#row = versions[handshake.version]
    this.#socket = socket
    this.#surroundings = surroundings
    this.#world = world
    this.#who = { sid: this.sid, station: handshake.stationId }
    const { registry, streams } = surroundings
    const [closed, unheld] = [this.#closed.signal, this.#unheld.signal]
    const boot = new Boot(this.#row)
    const validation = new Validation(handshake, settings, world, this.#who)
    const inFlight = new InFlight(this.#row)
    this.#inFlight = inFlight
    this.#connection = new AppConnection(this.sid, handshake.env, world.rpc, streams)
    this.#app = new AppMessages({
      answer: frame => this.#onAppAnswer(frame),
      command: command => this.#onCommand(command),
      drop: (reason, message) => this.#drop(reason, message),
    })
    this.#outcomes = new Outcomes(this.#row, settings.granularActions, this.#connection, world, {
      push: untold => this.#inbox.push({ kind: 'outcome', ...untold }, 0),
      apply: reply => this.#app.apply(reply),
      drop: message => this.#drop('outcome', message),
    })
    this.#performing = new Performing(handshake.stationId, this.#row, settings, world, this.#who, {
      ...{ connection: this.#connection, registry, closed, unheld },
      apply: reply => this.#app.apply(reply),
      onOverdue: () => this.#inbox.push({ kind: 'report' }, 0),
    })
    this.#answering = new Answering(handshake, settings, world, this.#who, {
      ...{ boot, registry, inFlight, validation, performing: this.#performing, closed },
      send: answer => this.#send(answer),
    })
    const isCall = (entry: Entry): boolean => entry.kind === 'call' && this.#outcomes.isTroubled
    this.#inbox = new Inbox(entry => this.#serve(entry), socket, inboxLimits, isCall)
    const outgoing = { limit: settings.callQueue, timeoutMs: settings.callTimeoutMs }
    this.#calls = new OutgoingCalls(this.#row, boot, outgoing, {
      validation,
      send: call => this.#send(call),
      done: outcome => this.#outcomes.ofCommand(outcome),
    })
  }

  get isClosed(): boolean {
    return this.#closed.signal.aborted
  }

  /** Takes one message of the station. An answer settles its command here and now; a CALL waits in line. */
  receive(text: string): void {
    if (this.isClosed) return
    this.#world.meter.count('client_msg_total')
    this.#world.trace?.(this.#who, 'received', text)
    this.#guarded(() => this.#onFrame(parseFrame(text, this.handshake.version), text.length))
  }

  /** Takes what the app broadcast to one of the session's streams. */
  deliver(data: string): void {
    if (!this.isClosed) this.#guarded(() => this.#app.deliver(data))
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

  #onFrame(frame: Frame | Malformed | Ignored, bytes: number): void {
    if (frame.kind === 'malformed') return this.#onMalformed(frame)
    if (frame.kind === 'ignored') return
    this.#badFrames = 0
    switch (frame.kind) {
      case 'call':
      case 'send':
        return this.#onCall(frame, bytes)
      case 'callResult':
      case 'callError':
        if (!this.#calls.settle(frame)) this.#drop('answer_to_nothing', 'a station answered a command that nobody sent')
        return
      case 'callResultError':
        return this.#onCallResultError(frame)
    }
  }

  #onCall(frame: Call | Send, bytes: number): void {
    this.isHeard = true
    // Draining: the station sends it again on its next connection.
    if (this.#unheld.signal.aborted) return
    if (frame.kind === 'call') {
      if (!this.#inFlight.admit(frame)) return this.#drop('repeated', 'a station repeated a CALL that is in flight')
      if (frame.action === 'BootNotification') this.#calls.hold()
    }
    this.#inbox.push({ kind: 'call', call: frame, receivedAt: this.#world.now().getTime() }, bytes)
  }

  async #serve(entry: Entry): Promise<void> {
    try {
      if (entry.kind === 'outcome') await this.#outcomes.tell(entry)
      else if (entry.kind === 'report') await this.#performing.overdue()
      else if (entry.call.kind === 'send') this.#onAnswered(await this.#answering.performSend(entry.call))
      else await this.#answer(entry.call, entry.receivedAt)
      if (this.#app.closing !== null) this.close(this.#app.closing.code, this.#app.closing.reason)
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
    this.#world.log.error({ ...this.#who, error }, 'a fault of the bridge ended a session')
    this.close(1011, 'Internal error')
  }

  async #answer(call: Call, receivedAt: number): Promise<void> {
    const by = await this.#answering.answer(call, receivedAt)
    if (call.action === 'BootNotification') this.#calls.release()
    this.#onAnswered(by)
  }

  #onAnswered(by: string): void {
    if (by !== 'unauthorized') return
    this.#world.meter.count('failed_auths_total')
    this.#world.log.info(this.#who, 'the app does not accept the station')
    this.close(1008, 'Not authorized')
  }

  /** Whatever waits for the app goes without it: CALLs are answered, outcomes are told at the end. */
  #giveUp(): void {
    for (const entry of this.#inbox.take()) {
      if (entry.kind === 'outcome') this.#untold.push(entry)
      else if (entry.kind === 'call' && entry.call.kind === 'call') this.#answering.giveUp(entry.call, entry.receivedAt)
    }
  }

  #onAppAnswer(frame: CallResult | CallError): void {
    if (!this.#answering.settle(frame)) this.#drop('ack_for_nothing', 'the app answered a CALL that does not wait')
  }

  #onCommand({ id, action, payload }: RemoteCommand): void {
    if (this.isClosed) return this.#drop('closed', 'the app sent a command to a station that has left')
    this.#calls.add({ kind: 'call', id: id ?? messageId(this.#world.newId()), action, payload })
  }

  /** The app is told, as of a command that failed: `id` and `request` are those of the station's own CALL. */
  #onCallResultError({ id, code, description, details }: CallResultError): void {
    const request = this.#inFlight.answeredAction(id)
    if (request === null) return this.#drop('answer_to_nothing', 'a station refused an answer that nobody sent')
    const outcome = { kind: 'error', id, request, late: false, failure: null } as const
    this.#outcomes.add({ ...outcome, code, message: description, payload: details })
  }

  #onMalformed({ fault, answer, resultOf }: Malformed): void {
    this.#world.meter.count('failed_client_msg_total')
    this.#world.log.debug({ ...this.#who, fault }, 'a malformed message')
    if (answer !== null) this.#send(answer)
    if (resultOf !== null) this.#calls.settleUnreadable(resultOf)
    if (++this.#badFrames >= maxBadFrames) this.close(1002, 'Too many malformed messages')
  }

  #send(frame: Frame): void {
    if (this.isClosed) return
    const text = serializeFrame(frame, this.handshake.version)
    this.#world.meter.count('server_msg_total')
    this.#world.trace?.(this.#who, 'sent', text)
    this.#socket.send(text)
  }

  #drop(reason: string, message: string): void {
    this.#world.meter.count('ocpp_dropped_total', { reason })
    this.#world.once(message, this.#who, message)
  }

  #end(code: number, reason: string): void {
    this.#closed.abort()
    this.#unheld.abort()
    this.#surroundings.leave()
    this.#world.log.info({ ...this.#who, code, reason }, 'station disconnected')
    this.#calls.end()
    this.#giveUp()
    const disconnect = (): Promise<void> => this.#connection.disconnect(new AbortController().signal)
    const told = this.#inbox.idle().then(() => this.#performing.end())
    void this.#ending.run(
      told.then(() => this.#outcomes.end(this.#untold)).catch((error: unknown) => this.#onFault(error)),
      () => (this.#connection.connectionIdentifiers === null ? null : this.#surroundings.farewell(disconnect)),
    )
  }
}
