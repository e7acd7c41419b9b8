/**
 * The app's side of one station: Action Cable's connection, its one subscription, and the states the app keeps in them.
 *
 * Source: AnyCable `node/node.go` (the order in which a reply is applied) and `protocol/protocol.go` (the states sent).
 */
import {
  noState,
  RpcError,
  type Command,
  type CommandReply,
  type Connected,
  type Identifier,
  type SessionEnv,
  type State,
} from '../../cable/rpc.ts'
import { readTransmission } from '../../translate/messages.ts'
import { hasAcceptedCredentials } from '../allowance.ts'
import { verdictOf } from '../auth/verdict.ts'
import type { AppSession, Cancellation, Fleet, Member, QueuedDisconnect } from '../ports.ts'
import type { Station } from '../station.ts'

/** The identifier of a station's subscription: compact, `channel` first, no other keys. */
export function identifierFor(channel: string, sn: string): Identifier {
  return JSON.stringify({ channel, sn }) as Identifier
}

/** Whether a reply holds a message of Action Cable's own of this type. */
export function hasSaid({ transmissions }: CommandReply, type: string): boolean {
  return transmissions.some(transmission => {
    const message = readTransmission(transmission)
    return message.kind === 'cable' && message.type === type
  })
}

/** Of each state of a station; the app gets it back in every call. Characters are UTF-16 units. */
const stateLimits = { keys: 1_000, characters: 64 * 1024 }

/**
 * The state after a reply, which carries changed keys only: an empty value deletes its key. A change beyond the limits
 * deletes its key, too: no value is better than an old one.
 *
 * @returns `dropped`: how many changes were beyond the limits
 */
export function mergeState(state: State, changes: State): { readonly state: State; readonly dropped: number } {
  const changed = Object.entries(changes)
  if (changed.length === 0) return { state, dropped: 0 }
  let dropped = 0
  const merged = new Map(Object.entries(state))
  let left = stateLimits.characters
  for (const [key, value] of merged) left -= key.length + value.length
  for (const [key, value] of changed) {
    const before = merged.get(key)
    if (before !== undefined) left += key.length + before.length
    merged.delete(key)
    if (value === '') continue
    const size = key.length + value.length
    if (merged.size >= stateLimits.keys || size > left) {
      dropped++
      continue
    }
    merged.set(key, value)
    left -= size
  }
  return { state: Object.fromEntries(merged), dropped }
}

const stateText = 'dropped state of the app: it keeps too much for one station'

type Attached = Pick<Station, 'handshake' | 'who' | 'world' | 'closed' | 'closing' | 'connected' | 'drop'>

export class AppConnection {
  readonly #station: Attached
  readonly #fleet: Fleet
  readonly #member: Member
  #connectionIdentifiers: string | null = null
  #identifier: Identifier | null = null
  #cstate = noState
  #istate = noState
  /** Transmissions of Connect and unsubscribe replies, taken with the reply to the subscribe that follows. */
  #transmissions: readonly string[] = []

  /** @param member the session whose streams the app starts and stops */
  constructor(station: Attached, fleet: Fleet, member: Member) {
    this.#station = station
    this.#fleet = fleet
    this.#member = member
    if (station.connected !== null) this.#onAccepted(station.connected.reply)
  }

  /** The app's name for this connection, opaque text; `null` before Connect has succeeded. */
  get connectionIdentifiers(): string | null {
    return this.#connectionIdentifiers
  }

  /** The identifier subscribed, `null` if none is. */
  get identifier(): Identifier | null {
    return this.#identifier
  }

  /** What the app restores this connection from; `null` without a subscription. */
  get session(): AppSession | null {
    const [connectionIdentifiers, identifier] = [this.#connectionIdentifiers, this.#identifier]
    if (connectionIdentifiers === null || identifier === null) return null
    return { version: this.#station.handshake.version, connectionIdentifiers, identifier, env: this.#env(this.#istate) }
  }

  /**
   * Rejects with `RpcError`, and closes the session, if the station is put off because of guesses: sockets that were
   * opened before do not add up to more guesses.
   *
   * @param queueDeadline as in `Rpc`
   * @returns the app's name for this connection, `null` if the app rejects the station
   */
  async connect(queueDeadline?: () => number): Promise<string | null> {
    const { handshake, who, world, closed } = this.#station
    // With keys of its own, the bridge has checked this station's before the upgrade.
    if (world.keys === null && this.#fleet.known.isPutOff(handshake)) throw this.#putOff()
    const endAttempt = this.#fleet.known.onAsking(handshake)
    const isReturning = hasAcceptedCredentials(handshake, this.#fleet)
    const call = { sid: who.sid, env: this.#env(noState), isReturning }
    const reply = await world.rpc.connect(call, closed, queueDeadline).finally(() => endAttempt?.())
    if (reply.status === 'failure') {
      this.#fleet.known.onRejected(handshake, verdictOf(reply))
      if (reply.transmissions.some(text => readTransmission(text).kind !== 'cable'))
        this.#station.drop('closed', 'dropped messages of the app to a station that it rejected')
      return null
    }
    this.#onAccepted(reply)
    return reply.connectionIdentifiers
  }

  /**
   * Subscribes. `reject_subscription` counts as a failure even when the status is SUCCESS; a failure joins no stream.
   *
   * @param queueDeadline as in `Rpc`
   * @returns the reply, with the transmissions of the Connect and unsubscribe before it at the front
   */
  async subscribe(identifier: Identifier, queueDeadline?: () => number): Promise<CommandReply> {
    const { closed } = this.#station
    const reply = await this.#command('subscribe', identifier, '', closed, queueDeadline)
    const transmissions = [...this.#transmissions, ...reply.transmissions]
    this.#transmissions = []
    if (reply.status === 'failure' || hasSaid(reply, 'reject_subscription')) {
      this.#apply({ ...reply, streams: [], stopAllStreams: true, istate: {} })
      return { ...reply, transmissions, status: 'failure' }
    }
    this.#identifier = identifier
    this.#apply(reply)
    return { ...reply, transmissions }
  }

  async unsubscribe(): Promise<void> {
    const identifier = this.#identifier
    if (identifier === null) return
    const reply = await this.#command('unsubscribe', identifier, '', this.#station.closed)
    this.#identifier = null
    this.#transmissions = [...this.#transmissions, ...reply.transmissions]
    this.#apply({ ...reply, streams: [], stopAllStreams: true, istate: {} })
    this.#istate = noState
  }

  /**
   * Performs a channel action; requires a subscription.
   *
   * @param data   a JSON object
   * @param signal cancels the call; by default the end of the session does
   * @param queueDeadline as in `Rpc`
   */
  perform(
    data: string,
    signal: Cancellation = this.#station.closed,
    queueDeadline?: () => number,
  ): Promise<CommandReply> {
    if (this.#identifier === null) throw new Error('perform without a subscription')
    return this.#command('message', this.#identifier, data, signal, queueDeadline).then(reply => {
      this.#apply(reply)
      return reply
    })
  }

  /** Performs a channel action that the end of the session does not cancel. */
  performToTheEnd(data: string): Promise<CommandReply> {
    return this.perform(data, new AbortController().signal)
  }

  /** Queues the Disconnect; `null` if the app has not accepted the connection. */
  queueDisconnect(): QueuedDisconnect | null {
    if (this.#connectionIdentifiers === null) return null
    return this.#fleet.queueDisconnect(this.#station.handshake.stationId, () => this.disconnect())
  }

  /** Sends Disconnect, for a connection that the app has accepted. */
  async disconnect(): Promise<void> {
    if (this.#connectionIdentifiers === null) return
    const identifier = this.#identifier
    const hasState = identifier !== null && Object.keys(this.#istate).length > 0
    const call = {
      sid: this.#station.who.sid,
      env: this.#env(hasState ? { [identifier]: JSON.stringify(this.#istate) } : noState),
      connectionIdentifiers: this.#connectionIdentifiers,
      subscriptions: identifier === null ? [] : [identifier],
    }
    await this.#station.world.rpc.disconnect(call, new AbortController().signal)
  }

  /** The station gets its answer as from an app that is away: what it sends again later is not lost. */
  #putOff(): RpcError {
    const reason = 'Too many failed authentications'
    this.#station.closing ??= { code: 1008, reason }
    return new RpcError('exhausted', 'notRun', reason, { isLocal: true })
  }

  #onAccepted({ transmissions, connectionIdentifiers, cstate }: Connected['reply']): void {
    this.#transmissions = transmissions
    this.#connectionIdentifiers = connectionIdentifiers
    this.#cstate = this.#merged(this.#cstate, cstate)
  }

  #command(
    command: Command['command'],
    identifier: Identifier,
    data: string,
    signal: Cancellation,
    queueDeadline?: () => number,
  ): Promise<CommandReply> {
    if (this.#connectionIdentifiers === null) throw new Error('a command without a connection')
    const { who, world } = this.#station
    const connectionIdentifiers = this.#connectionIdentifiers
    const call = { command, identifier, data, sid: who.sid, env: this.#env(this.#istate), connectionIdentifiers }
    return world.rpc.command(call, signal, queueDeadline)
  }

  /** Streams stop before they start: `stop_all_streams; stream_from "x"` ends with x. */
  #apply(reply: CommandReply): void {
    if (reply.stopAllStreams) this.#fleet.leaveAll(this.#member)
    else for (const stream of reply.stoppedStreams) this.#fleet.leave(stream, this.#member)
    for (const stream of reply.streams) this.#fleet.join(stream, this.#member)
    this.#istate = this.#merged(this.#istate, reply.istate)
    this.#cstate = this.#merged(this.#cstate, reply.cstate)
  }

  #merged(before: State, changes: State): State {
    if (Object.keys(changes).length === 0) return before
    const { state, dropped } = mergeState(before, changes)
    for (let left = dropped; left > 0; left--) this.#station.drop('state', stateText)
    return state
  }

  #env(istate: State): SessionEnv {
    const { url, headers } = this.#station.handshake.env
    return { url, headers, cstate: this.#cstate, istate }
  }
}
