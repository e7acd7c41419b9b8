/**
 * What comes in from a station, message by message: where each frame goes, and what becomes of one that is none.
 */
import { parseFrame, type Answer, type Call, type CallError, type CallResultError } from '../ocpp/frame.ts'
import type { Malformed, Send } from '../ocpp/frame.ts'
import { Allowance } from './allowance.ts'
import type { CloseCode } from './ports.ts'
import type { Station } from './station.ts'

export type IncomingEnds = {
  /** @param bytes the message's length */
  onCall(call: Call | Send, bytes: number): void
  /** @returns whether it is the answer to a CALL of ours */
  onAnswer(answer: Answer): boolean
  onCallResultError(error: CallResultError): void
  onBrokenAnswer(answer: NonNullable<Malformed['brokenAnswer']>): void
  send(answer: CallError): void
  /** Whether the app has accepted the station. */
  isLetIn(): boolean
  close(code: CloseCode, reason: string): void
}

/** In a row. */
const maxBadFrames = 20

export class Incoming {
  readonly #station: Station
  readonly #ends: IncomingEnds
  readonly #allowance: Allowance
  #badFrames = 0

  constructor(station: Station, ends: IncomingEnds) {
    this.#station = station
    this.#ends = ends
    this.#allowance = new Allowance(station.world.now().getTime())
  }

  receive(text: string): void {
    const { handshake, who, world } = this.#station
    world.meter.count('client_msg_total')
    world.trace?.(who, 'received', text)
    if (!this.#ends.isLetIn() && !this.#allowance.take(text.length, world.now().getTime()))
      return this.#ends.close(1008, 'Too much before the app has let it in')
    const frame = parseFrame(text, handshake.version)
    if (frame.kind === 'malformed') return this.#onMalformed(frame)
    switch (frame.kind) {
      case 'ignored':
        return
      case 'call':
      case 'send':
        this.#badFrames = 0
        return this.#ends.onCall(frame, text.length)
      case 'callResult':
      case 'callError':
        if (this.#ends.onAnswer(frame)) this.#badFrames = 0
        return
      case 'callResultError':
        return this.#ends.onCallResultError(frame)
    }
  }

  #onMalformed({ fault, answer, brokenAnswer }: Malformed): void {
    const { world, who } = this.#station
    world.meter.count('failed_client_msg_total')
    world.log.debug({ ...who, fault }, 'a malformed message')
    if (answer !== null) this.#ends.send(answer)
    if (brokenAnswer !== null) this.#ends.onBrokenAnswer(brokenAnswer)
    if (++this.#badFrames >= maxBadFrames) this.#ends.close(1002, 'Too many malformed messages')
  }
}
