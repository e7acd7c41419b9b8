/**
 * The app over gRPC: the calls of `protos/rpc.proto` as bytes on a channel, our own or that of grpc-js; and its
 * replies.
 *
 * The messages are written and read here, without descriptors, as they are the most frequent ones; `client.test.ts`
 * holds them against `rpc.proto`. Spec: Protocol Buffers, "Encoding"; gRPC over HTTP/2, "Length-Prefixed-Message".
 */
import { RpcError, type Caller, type CommandCall, type CommandReply, type ConnectCall } from '../../cable/rpc.ts'
import type { ConnectReply, DisconnectCall, SessionEnv, State, StreamName } from '../../cable/rpc.ts'
import type { Cancellation } from '../../session/ports.ts'
import { errorReply } from '../messages.ts'
import { aborted, maxReplyItems, tooLarge, tooManyItems, type OpenTransport, type SizeLimits } from '../transport.ts'

/** A unary call, as a channel sends it. */
export type Request<Reply> = {
  readonly path: string
  /** Metadata. */
  readonly sid: string
  /** Further metadata: of the span that the call belongs to. */
  readonly trace: State | undefined
  /** The message after its prefix. */
  readonly bytes: Buffer
  /** Reads the reply's message. @throws RpcError for other bytes, and for the status ERROR */
  readonly deserialize: (bytes: Buffer) => Reply
  /** As in `Transport`. */
  readonly signal: Cancellation
  /** In ms of `performance.now()`; `Infinity` for none. */
  readonly deadline: number
}

/** Connects to the app, and carries bytes there and back. */
export interface Channel {
  /** Waits for a connection if there is none. Rejects as a `Transport` does. */
  send<Reply>(request: Request<Reply>): Promise<Reply>
  /** The others are as in `OpenTransport`. */
  isConnected(): boolean
  problem(withinMs: number): Promise<RpcError | null>
  abort(): void
  close(): void
}

type Send<Call, Reply> = (call: Call, signal: Cancellation, deadline?: number) => Promise<Reply>

/** One byte for "compressed", four for the message's length. */
export const prefixBytes = 5

export class GrpcClient implements OpenTransport {
  readonly connect: Send<ConnectCall, ConnectReply> = this.#method('Connect', connectText, connectReply)
  readonly command: Send<CommandCall, CommandReply> = this.#method('Command', commandText, commandReply)
  readonly disconnect: Send<DisconnectCall, void> = this.#method('Disconnect', disconnectText, disconnectReply)
  readonly #channel: Channel
  readonly #limits: SizeLimits
  #isAborted = false

  constructor(channel: Channel, limits: SizeLimits) {
    this.#channel = channel
    this.#limits = limits
  }

  isConnected(): boolean {
    return this.#channel.isConnected()
  }

  problem(withinMs: number): Promise<RpcError | null> {
    return this.#channel.problem(withinMs)
  }

  abort(): void {
    this.#isAborted = true
    this.#channel.abort()
  }

  close(): Promise<void> {
    this.#channel.close()
    return Promise.resolve()
  }

  #method<Call extends Caller, Reply>(
    name: string,
    textOf: (call: Call) => string,
    deserialize: (bytes: Buffer) => Reply,
  ): Send<Call, Reply> {
    const path = `/anycable.RPC/${name}`
    return (call, signal, deadline = Infinity) => {
      if (signal.aborted || this.#isAborted) return Promise.reject(aborted())
      const text = textOf(call)
      if (text.length > this.#limits.sent) return Promise.reject(tooLarge(text.length, this.#limits))
      const bytes = Buffer.allocUnsafe(prefixBytes + text.length)
      bytes[0] = 0
      bytes.writeUInt32BE(text.length, 1)
      bytes.write(text, prefixBytes, 'latin1')
      return this.#channel.send({ path, sid: call.sid, trace: call.trace, bytes, deserialize, signal, deadline })
    }
  }
}

// Messages are put together as text in which a character is a byte.

function connectText({ env }: ConnectCall): string {
  return String.fromCharCode(3 * 8 + 2) + envText(env).slice(1)
}

function commandText({ command, identifier, connectionIdentifiers, data, env }: CommandCall): string {
  return field(1, command) + field(2, identifier) + field(3, connectionIdentifiers) + field(4, data) + envText(env)
}

function disconnectText({ connectionIdentifiers, subscriptions, env }: DisconnectCall): string {
  const names = subscriptions.map(identifier => field(2, identifier)).join('')
  return field(1, connectionIdentifiers) + names + envText(env)
}

type Known = Omit<SessionEnv, 'headers'> & { readonly text: string }

/** The latest `env` of each session, by its headers, which stay the same object. */
const knownEnvs = new WeakMap<State, Known>()

/** The field 5, as in most messages. */
function envText(env: SessionEnv): string {
  const { url, headers, cstate, istate } = env
  const known = knownEnvs.get(headers)
  if (known?.cstate === cstate && known.istate === istate && known.url === url) return known.text
  const content = field(1, url) + mapText(2, headers) + mapText(3, cstate) + mapText(4, istate)
  const joined = String.fromCharCode(5 * 8 + 2) + varint(content.length) + content
  // Without the pieces that V8 keeps a joined string as.
  const text = Buffer.from(joined, 'latin1').toString('latin1')
  knownEnvs.set(headers, { url, cstate, istate, text })
  return text
}

function mapText(number: number, map: State): string {
  const tag = String.fromCharCode(number * 8 + 2)
  const entries = Object.entries(map).map(([key, value]) => field(1, key) + field(2, value))
  return entries.map(entry => tag + varint(entry.length) + entry).join('')
}

/** A text, whose number is below 16. */
function field(number: number, text: string): string {
  const bytes = Buffer.byteLength(text)
  // ASCII is its own UTF-8.
  const content = bytes === text.length ? text : Buffer.from(text).toString('latin1')
  const tag = number * 8 + 2
  if (bytes < 128) return String.fromCharCode(tag, bytes) + content
  if (bytes < 2 ** 14) return String.fromCharCode(tag, (bytes & 127) | 128, bytes >>> 7) + content
  return String.fromCharCode(tag) + varint(bytes) + content
}

function varint(value: number): string {
  return value < 128 ? String.fromCharCode(value) : String.fromCharCode((value & 127) | 128) + varint(value >>> 7)
}

/** A place in a message, and the field that was read last. */
type Cursor = {
  readonly bytes: Buffer
  readonly end: number
  at: number
  /** The field's number, and in its last three bits the wire type. */
  tag: number
  /** The field's value for wire type 0; for 2 the length of its content, which ends at `at`. */
  value: number
  /** The content for wire type 2, should it be a text. */
  text: string
  /** How many more fields with a length may come. */
  left: number
}

function cursorAt(bytes: Buffer, at: number, end: number, left = maxReplyItems): Cursor {
  return { bytes, end, at, tag: 0, value: 0, text: '', left }
}

/** By their numbers; any other is ERROR, also one that is omitted. */
const statuses: readonly (CommandReply['status'] | undefined)[] = [undefined, 'success', 'failure']
type Changes = { readonly cstate: State; readonly istate: State }
const noChanges: Changes = { cstate: {}, istate: {} }

function connectReply(bytes: Buffer): ConnectReply {
  const cursor = cursorAt(bytes, 0, bytes.length)
  const transmissions: string[] = []
  let [number, connectionIdentifiers, message] = [0, '', '']
  let env = noChanges
  while (next(cursor)) {
    if (cursor.tag === 0x08) number = cursor.value
    else if (cursor.tag === 0x12) connectionIdentifiers = cursor.text
    else if (cursor.tag === 0x1a) transmissions.push(cursor.text)
    else if (cursor.tag === 0x22) message = cursor.text
    else if (cursor.tag === 0x2a) {
      cursor.left++ // its entries count instead
      env = changesAt(cursor, env)
    }
  }
  const status = statuses[number]
  if (status === undefined) throw errorReply(message)
  if (status === 'failure') return { status, transmissions }
  return { status, connectionIdentifiers, transmissions, cstate: env.cstate }
}

function commandReply(bytes: Buffer): CommandReply {
  const cursor = cursorAt(bytes, 0, bytes.length)
  const [streams, transmissions, stoppedStreams]: [StreamName[], string[], StreamName[]] = [[], [], []]
  let [number, disconnect, stopAllStreams, message] = [0, false, false, '']
  let env = noChanges
  while (next(cursor)) {
    const { tag, value } = cursor
    if (tag === 0x08) number = value
    else if (tag === 0x10) disconnect = value !== 0
    else if (tag === 0x18) stopAllStreams = value !== 0
    else if (tag === 0x22) streams.push(cursor.text as StreamName)
    else if (tag === 0x2a) transmissions.push(cursor.text)
    else if (tag === 0x32) message = cursor.text
    else if (tag === 0x3a) {
      cursor.left++ // its entries count instead
      if (value > 0) env = changesAt(cursor, env)
    } else if (tag === 0x42) stoppedStreams.push(cursor.text as StreamName)
  }
  const status = statuses[number]
  if (status === undefined) throw errorReply(message)
  const { cstate, istate } = env
  return { status, disconnect, stopAllStreams, stoppedStreams, streams, transmissions, cstate, istate }
}

/** FAILURE is not an error: nobody awaits the answer to a Disconnect. */
function disconnectReply(bytes: Buffer): void {
  const cursor = cursorAt(bytes, 0, bytes.length)
  let [number, message] = [0, '']
  while (next(cursor)) {
    if (cursor.tag === 0x08) number = cursor.value
    else if (cursor.tag === 0x12) message = cursor.text
  }
  if (statuses[number] === undefined) throw errorReply(message)
}

/** An EnvResponse; of one that comes in parts, the maps are joined. */
function changesAt(outer: Cursor, before: Changes): Changes {
  const { bytes, at, value, left } = outer
  const cursor = cursorAt(bytes, at - value, at, left)
  const entries: { cstate: [string, string][]; istate: [string, string][] } = { cstate: [], istate: [] }
  while (next(cursor)) {
    if (cursor.tag === 0x0a) entries.cstate.push(entryAt(cursor))
    else if (cursor.tag === 0x12) entries.istate.push(entryAt(cursor))
  }
  outer.left = cursor.left
  return {
    cstate: { ...before.cstate, ...Object.fromEntries(entries.cstate) },
    istate: { ...before.istate, ...Object.fromEntries(entries.istate) },
  }
}

function entryAt({ bytes, at, value }: Cursor): [string, string] {
  const cursor = cursorAt(bytes, at - value, at)
  const entry: [string, string] = ['', '']
  while (next(cursor)) {
    if (cursor.tag === 0x0a) entry[0] = cursor.text
    else if (cursor.tag === 0x12) entry[1] = cursor.text
  }
  return entry
}

/** Reads the next field; `false` at the end. Throws for bytes that are not a message, and for one field too many. */
function next(cursor: Cursor): boolean {
  const { bytes, end } = cursor
  // Each costs two bytes on the wire, and much more as a value.
  if (cursor.left < 0) throw tooManyItems()
  if (cursor.at === end) return false
  for (const part of ['tag', 'value'] as const) {
    let [number, scale, byte] = [0, 1, 128]
    while (byte >= 128) {
      if (cursor.at >= end || scale > 2 ** 63) throw notRpc()
      byte = bytes[cursor.at++] ?? 0
      number += (byte & 127) * scale
      scale *= 128
    }
    cursor[part] = number
    if (part === 'tag' && number % 8 !== 0 && number % 8 !== 2) return skipFixed(cursor)
  }
  if (cursor.tag < 8) throw notRpc()
  if (cursor.tag % 8 === 0) return true
  const from = cursor.at
  cursor.at += cursor.value
  if (cursor.at > end) throw notRpc()
  cursor.left--
  cursor.text = bytes.toString('utf8', from, cursor.at)
  return true
}

/** Numbers of a fixed length, which `rpc.proto` does not have yet. */
function skipFixed(cursor: Cursor): true {
  const bytes = { 1: 8, 5: 4 }[cursor.tag % 8]
  if (bytes === undefined || cursor.at + bytes > cursor.end) throw notRpc()
  cursor.at += bytes
  return true
}

function notRpc(): RpcError {
  return new RpcError('application', 'ran', 'the reply is not a message of rpc.proto')
}
