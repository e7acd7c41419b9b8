/**
 * A station that sends what the plan has for it, and holds what comes back against what may come back.
 */
import type { Version } from '../../src/ocpp/version.ts'
import { problemOfResponse } from '../ocpp/schemas.ts'
import { whim, type Party, type Performed } from './app.ts'
import { expectationFor, keyOf, split, type Expectation, type Message } from './expected.ts'
import { readFrame, type Received } from './judge.ts'
import { openLink, within, type Link } from './link.ts'
import type { Command } from './plan.ts'

export type Surroundings = {
  readonly url: string
  readonly maxMessageSize: number
  /** Gives a remote command to a station: resolves when the bridge has taken it. */
  broadcast(stationId: string, command: Command): Promise<void>
  /** Ends the run. */
  fail(problem: string): void
}

type Sent = { readonly index: number; readonly expectation: Expectation }
type Asked = {
  readonly command: Command
  /** The payloads of the answers sent, as JSON text. */
  readonly payloads: string[]
  told: number
  onEvent(): void
}

/** After so many bad messages in a row, the bridge reads one a second of a station that the app has accepted. */
const maxBadFrames = 20

export class Attacker implements Party {
  readonly id: string
  readonly version: Version
  readonly #world: Surroundings
  #link: Link | null = null
  #sent: Sent[] = []
  #received: (Received & { readonly text: string })[] = []
  /** What may still be performed, each once. */
  #performable: string[] = []
  readonly #commands = new Map<string, Asked>()
  /** Commands that ended with their connection: each may have one late outcome. */
  readonly #unanswered = new Set<string>()
  /** How many messages have come since the last one that is well-formed. */
  #badFrames = 0
  #settled = 0
  #awaited: { readonly id: string; answered(): void } | null = null

  constructor(id: string, version: Version, world: Surroundings) {
    this.id = id
    this.version = version
    this.#world = world
  }

  async send(index: number, message: Message, command: Command | null): Promise<void> {
    const asked = command === null ? null : await this.#ask(command)
    await this.#deliver(index, message)
    if (asked !== null) await this.#deliver(index, { bytes: Buffer.from(asked.command.answer), binary: false })
  }

  /** Waits until all that was sent has had its answers, and judges them. */
  async settle(): Promise<void> {
    const link = await this.#opened()
    const id = `"settled-${++this.#settled}"`
    const answered = new Promise<'answered'>(resolve => {
      this.#awaited = {
        id,
        answered() {
          resolve('answered')
        },
      }
    })
    this.#performable.push(`{"action":"heartbeat","id":${id},"command":"Heartbeat","payload":{}`)
    link.send({ bytes: Buffer.from(`[2,${id},"Heartbeat",{}]`), binary: false })
    this.#badFrames = 0
    const how = await within(Promise.race([answered, link.closed]), `a Heartbeat is not answered; ${this.#range()}`)
    if (how !== 'answered') throw new Error(`closed with ${how}; ${this.#range()}`)
    this.#judge(false)
  }

  async close(): Promise<void> {
    await this.#link?.close()
  }

  async perform(data: string): Promise<Performed> {
    type Names = 'action' | 'id' | 'command' | 'late'
    const { action, id, command, late } = JSON.parse(data) as Readonly<Record<Names, unknown>>
    if (late === true && this.#unanswered.delete(String(id))) return {}
    const asked = this.#commands.get(String(id))
    if (asked !== undefined && (command === 'Ack' || command === 'Error')) {
      this.#onTold(asked, data, action)
      return {}
    }
    const at = this.#performable.findIndex(
      head => data.startsWith(head) && (data[head.length] === '}' || data[head.length] === ','),
    )
    if (at === -1)
      this.#world.fail(`${this.id} never sent, or once only, what was performed: ${shown(data)}; ${this.#range()}`)
    // A try after one of unknown outcome says so.
    else if (!/,"attempt":\d+\}$/.test(data)) this.#performable.splice(at, 1)
    return whim(this.version, JSON.stringify(id), String(command))
  }

  async #opened(): Promise<Link> {
    if (this.#link !== null) return this.#link
    this.#link = await openLink(this.#world.url, this.id, this.version, text => this.#receive(text))
    await this.settle() // the first CALL attaches the station, and its commands can reach it
    return this.#link
  }

  async #deliver(index: number, message: Message): Promise<void> {
    const link = await this.#opened()
    const expectation = expectationFor(message, this.version, this.#world.maxMessageSize)
    this.#sent.push({ index, expectation })
    if (expectation.performed !== null) this.#performable.push(expectation.performed)
    this.#noteAnswer(message)
    link.send(message)
    this.#badFrames = expectation.isGood ? 0 : this.#badFrames + 1
    if (expectation.closes !== null) return this.#closedWith(expectation.closes)
    if (this.#badFrames >= maxBadFrames) await this.settle()
  }

  async #closedWith(expected: number): Promise<void> {
    const code = await within(this.#link?.closed ?? Promise.resolve(0), `not closed with ${expected}; ${this.#range()}`)
    if (code !== expected) throw new Error(`closed with ${code}, and not with ${expected}; ${this.#range()}`)
    this.#judge(true)
  }

  /** Resolves when the command has come, or the app was told why it did not. */
  async #ask(command: Command): Promise<Asked> {
    await this.settle() // a boot may be under way, and with it a change of the subscription
    return new Promise<Asked>((resolve, reject) => {
      const asked: Asked = { command, payloads: [], told: 0, onEvent: () => resolve(asked) }
      this.#commands.set(command.id, asked)
      const arrived = new Promise<void>(come => (asked.onEvent = come))
      const asking = this.#world.broadcast(this.id, command).then(() => arrived)
      within(asking, `the command ${command.id} is neither sent nor refused`).then(() => resolve(asked), reject)
    })
  }

  #noteAnswer({ bytes }: Message): void {
    if (this.#commands.size === 0) return
    const { texts } = split(bytes.toString())
    for (const { payloads } of this.#commands.values()) payloads.push(texts[2] === 'null' ? '{}' : (texts[2] ?? ''))
  }

  #onTold(asked: Asked, data: string, action: unknown): void {
    asked.told++
    asked.onEvent()
    const { command } = asked
    const { code, request } = JSON.parse(data) as Readonly<Record<'code' | 'request', unknown>>
    if (code === 'ConnectionClosed') this.#unanswered.add(command.id)
    const isAck =
      action === 'ack' && asked.payloads.some(payload => data.includes(`"command":"Ack","payload":${payload}`))
    const isError = action === 'error' && typeof code === 'string'
    const wrongs = ['UnknownAction', 'InvalidId', 'InvalidPayload', 'QueueFull', 'CallTimeout']
    if ((!isAck && !isError) || request !== command.action || asked.told > 1 || wrongs.includes(String(code)))
      this.#world.fail(`the command ${command.id} (${command.action}) ends for the ${asked.told}. time: ${shown(data)}`)
  }

  #receive(text: string): void {
    try {
      const frame = readFrame(text, this.version)
      if (frame.type === 2) this.#onCall(frame)
      else this.#received.push({ ...frame, text })
      if (frame.type !== 2 && frame.id === this.#awaited?.id) this.#awaited.answered()
    } catch (error) {
      this.#world.fail(`${this.id} was sent what is no frame: ${String(error)}\n  ${shown(text)}; ${this.#range()}`)
    }
  }

  #onCall({ id, payload }: Received): void {
    const asked = this.#commands.get(keyOf(id))
    if (asked === undefined || payload !== asked.command.payload) throw new Error('a command that nobody gave')
    asked.onEvent()
  }

  #judge(isClosed: boolean): void {
    const [sent, received] = [this.#sent, this.#received]
    const problem = this.#problemOf(sent, received, isClosed)
    if (problem !== null) throw new Error(`${problem}; ${this.#range()}`)
    this.#sent = []
    this.#received = []
    this.#awaited = null
    if (isClosed) {
      this.#link = null
      return
    }
    this.#performable = []
    for (const [id, { told }] of this.#commands)
      if (told !== 1) throw new Error(`the command ${id} has ended ${told} times; ${this.#range()}`)
    this.#commands.clear()
  }

  #problemOf(sent: readonly Sent[], received: readonly Received[], isClosed: boolean): string | null {
    const left = received.filter(({ id }) => id !== this.#awaited?.id)
    const take = (ids: readonly string[], types: readonly number[]): Received | null => {
      const found = ids.map(id => left.find(other => other.id === id && types.includes(other.type))).find(Boolean)
      if (found !== undefined) left.splice(left.indexOf(found), 1)
      return found ?? null
    }
    // What is unreadable is answered to "-1", which may be a CALL's own id: so what must be answered is served first.
    const groups = [...callsByKey(sent).values()].map(calls => ({
      calls,
      ids: calls.flatMap(({ expectation }) => expectation.answeredTo),
    }))
    for (const { calls, ids } of groups) {
      const answer = take(ids, [3]) ?? take(ids, [4])
      if (answer === null && !isClosed) return `no answer to ${about(calls)}`
      const [call, ...more] = calls
      const problem = call && answer && more.length === 0 ? this.#problemOfAnswer(call.expectation, answer) : null
      if (problem !== null) return `${problem}: ${about(calls)}`
    }
    const others = sent.filter(({ expectation }) => expectation.call === null && expectation.answeredTo.length > 0)
    for (const one of others.filter(({ expectation }) => !expectation.mayBeSilent))
      if (take(one.expectation.answeredTo, [4]) === null && !isClosed) return `no answer to ${about([one])}`
    // Of several CALLs with one id, those before the last may have been given up.
    for (const { calls, ids } of groups) calls.slice(1).forEach(() => take(ids, [3, 4]))
    for (const one of others.filter(({ expectation }) => expectation.mayBeSilent)) take(one.expectation.answeredTo, [4])
    // 2.1 may say of an answer that it could not be read (Part 4 §4.2.3).
    const unasked = left.filter(({ type, id }) => type !== 5 || !this.#commands.has(keyOf(id)))
    return unasked.length === 0 ? null : `an answer to nothing that asks for one: ${JSON.stringify(unasked[0])}`
  }

  #problemOfAnswer({ call, performed }: Expectation, { type, payload }: Received): string | null {
    if (call === null) return null
    if (type === 4) return null
    if (performed === null) return 'a CALLRESULT to what no station may ask'
    return problemOfResponse(this.version, call.action, payload)
  }

  #range(): string {
    const indexes = this.#sent.map(({ index }) => index)
    return indexes.length === 0 ? 'nothing sent' : `among the messages ${indexes[0] ?? ''}-${indexes.at(-1) ?? ''}`
  }
}

function callsByKey(sent: readonly Sent[]): Map<string, Sent[]> {
  const calls = new Map<string, Sent[]>()
  for (const one of sent) {
    const { call, answeredTo } = one.expectation
    if (call === null || answeredTo.length === 0) continue
    const key = keyOf(call.id)
    calls.set(key, [...(calls.get(key) ?? []), one])
  }
  return calls
}

function about(sent: readonly Sent[]): string {
  return sent.map(({ index, expectation }) => `message ${index}, ${expectation.as}`).join('; ')
}

/** In one line, and not of any length. */
export function shown(text: string): string {
  const line = JSON.stringify(text)
  return line.length > 2_000 ? `${line.slice(0, 2_000)}… (${text.length} characters)` : line
}
