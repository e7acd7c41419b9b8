/**
 * The app's side of one station: Action Cable's connection, its one subscription, and what the app keeps in them.
 *
 * Source: AnyCable `node/node.go` (the order in which a reply is applied) and `protocol/protocol.go` (the states sent).
 */
import {
  mergeState,
  type Command,
  type CommandReply,
  type Identifier,
  type SessionEnv,
  type State,
} from '../cable/rpc.ts'
import { readTransmission } from '../translate/messages.ts'
import type { Rpc, Streams } from './ports.ts'

/** The identifier of a station's subscription: compact, `channel` first, no other keys. */
export function identifierFor(channel: string, sn: string): Identifier {
  return JSON.stringify({ channel, sn }) as Identifier
}

/** Whether one of Action Cable's own messages is in a reply. */
export function hasSaid({ transmissions }: CommandReply, type: string): boolean {
  return transmissions.some(transmission => {
    const message = readTransmission(transmission)
    return message.kind === 'cable' && message.type === type
  })
}

export class AppConnection {
  readonly #sid: string
  readonly #handshake: SessionEnv
  readonly #rpc: Rpc
  readonly #streams: Streams
  #connectionIdentifiers: string | null = null
  #identifier: Identifier | null = null
  #cstate: State = {}
  #istate: State = {}

  constructor(sid: string, handshake: SessionEnv, rpc: Rpc, streams: Streams) {
    this.#sid = sid
    this.#handshake = handshake
    this.#rpc = rpc
    this.#streams = streams
  }

  /** The app's own words for who this is, compared as a text; `null` before Connect succeeded. */
  get connectionIdentifiers(): string | null {
    return this.#connectionIdentifiers
  }

  /** The identifier that is subscribed, `null` if none is. */
  get identifier(): Identifier | null {
    return this.#identifier
  }

  /**
   * @param queueDeadline as in `Rpc`
   * @returns the app's words for who this is, `null` where it lets the station not in
   */
  async connect(signal: AbortSignal, queueDeadline?: () => number): Promise<string | null> {
    const reply = await this.#rpc.connect({ sid: this.#sid, env: this.#env({}) }, signal, queueDeadline)
    if (reply.status === 'failure') return null
    this.#connectionIdentifiers = reply.connectionIdentifiers
    this.#cstate = mergeState(this.#cstate, reply.cstate)
    return reply.connectionIdentifiers
  }

  /**
   * Subscribes; the reply is a failure also where it rejects in words, and then no stream is joined.
   *
   * @param queueDeadline as in `Rpc`
   */
  async subscribe(identifier: Identifier, signal: AbortSignal, queueDeadline?: () => number): Promise<CommandReply> {
    const reply = await this.#command({ command: 'subscribe', identifier, data: '' }, signal, queueDeadline)
    if (reply.status === 'failure' || hasSaid(reply, 'reject_subscription')) {
      this.#apply({ ...reply, streams: [], stopAllStreams: true, istate: {} })
      return { ...reply, status: 'failure' }
    }
    this.#identifier = identifier
    this.#apply(reply)
    return reply
  }

  async unsubscribe(signal: AbortSignal): Promise<void> {
    const identifier = this.#identifier
    if (identifier === null) return
    const reply = await this.#command({ command: 'unsubscribe', identifier, data: '' }, signal)
    this.#identifier = null
    this.#apply({ ...reply, streams: [], stopAllStreams: true, istate: {} })
    this.#istate = {}
  }

  /**
   * Performs a channel action; there must be a subscription.
   *
   * @param data   a JSON object
   * @param queueDeadline as in `Rpc`
   */
  async perform(data: string, signal: AbortSignal, queueDeadline?: () => number): Promise<CommandReply> {
    if (this.#identifier === null) throw new Error('perform without a subscription')
    const reply = await this.#command({ command: 'message', identifier: this.#identifier, data }, signal, queueDeadline)
    this.#apply(reply)
    return reply
  }

  async disconnect(signal: AbortSignal): Promise<void> {
    if (this.#connectionIdentifiers === null) return
    const identifier = this.#identifier
    const hasState = identifier !== null && Object.keys(this.#istate).length > 0
    const call = {
      sid: this.#sid,
      env: this.#env(hasState ? { [identifier]: JSON.stringify(this.#istate) } : {}),
      connectionIdentifiers: this.#connectionIdentifiers,
      subscriptions: identifier === null ? [] : [identifier],
    }
    await this.#rpc.disconnect(call, signal)
  }

  #command(
    { command, identifier, data }: Command,
    signal: AbortSignal,
    queueDeadline?: () => number,
  ): Promise<CommandReply> {
    if (this.#connectionIdentifiers === null) throw new Error('a command without a connection')
    const call = {
      command,
      identifier,
      data,
      sid: this.#sid,
      env: this.#env(this.#istate),
      connectionIdentifiers: this.#connectionIdentifiers,
    }
    return this.#rpc.command(call, signal, queueDeadline)
  }

  /** Streams stop before they start: `stop_all_streams; stream_from "x"` ends with x. */
  #apply(reply: CommandReply): void {
    if (reply.stopAllStreams) this.#streams.leaveAll()
    else for (const stream of reply.stoppedStreams) this.#streams.leave(stream)
    for (const stream of reply.streams) this.#streams.join(stream)
    this.#istate = mergeState(this.#istate, reply.istate)
    this.#cstate = mergeState(this.#cstate, reply.cstate)
  }

  #env(istate: State): SessionEnv {
    const { url, headers } = this.#handshake
    return { url, headers, cstate: this.#cstate, istate }
  }
}
