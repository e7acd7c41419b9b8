/**
 * What comes in from a station, message by message: where each frame goes, and what becomes of one that is none.
 */
import { parseFrame, type Answer, type Call, type CallError, type CallResultError } from '../ocpp/frame.ts'
import type { Malformed, MessageId, Send } from '../ocpp/frame.ts'
import type { Version } from '../ocpp/version.ts'
import type { World } from './ports.ts'

export type IncomingEnds = {
  /** @param bytes the message's length */
  onCall(call: Call | Send, bytes: number): void
  onAnswer(answer: Answer): void
  onCallResultError(error: CallResultError): void
  /** The answer to this CALL of ours came, and cannot be read. */
  onUnreadableAnswer(id: MessageId): void
  send(answer: CallError): void
  onTooManyBad(): void
}

/** In a row. */
const maxBadFrames = 20

export class Incoming {
  readonly #version: Version
  readonly #world: World
  readonly #who: object
  readonly #ends: IncomingEnds
  #badFrames = 0

  /** @param who names the station on log lines */
  constructor(version: Version, world: World, who: object, ends: IncomingEnds) {
    this.#version = version
    this.#world = world
    this.#who = who
    this.#ends = ends
  }

  receive(text: string): void {
    this.#world.meter.count('client_msg_total')
    this.#world.trace?.(this.#who, 'received', text)
    const frame = parseFrame(text, this.#version)
    if (frame.kind === 'malformed') return this.#onMalformed(frame)
    if (frame.kind === 'ignored') return
    this.#badFrames = 0
    switch (frame.kind) {
      case 'call':
      case 'send':
        return this.#ends.onCall(frame, text.length)
      case 'callResult':
      case 'callError':
        return this.#ends.onAnswer(frame)
      case 'callResultError':
        return this.#ends.onCallResultError(frame)
    }
  }

  #onMalformed({ fault, answer, resultOf }: Malformed): void {
    this.#world.meter.count('failed_client_msg_total')
    this.#world.log.debug({ ...this.#who, fault }, 'a malformed message')
    if (answer !== null) this.#ends.send(answer)
    if (resultOf !== null) this.#ends.onUnreadableAnswer(resultOf)
    if (++this.#badFrames >= maxBadFrames) this.#ends.onTooManyBad()
  }
}
