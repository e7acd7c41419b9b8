/**
 * What the app says to a session, in the replies of its RPCs and by broadcasts, and where each message goes.
 */
import type { CommandReply } from '../cable/rpc.ts'
import type { Answer } from '../ocpp/frame.ts'
import type { DropReason } from '../ops/metrics.ts'
import { readMessage, readTransmission, type AppMessage, type RemoteCommand } from '../translate/messages.ts'
import type { CloseCode } from './ports.ts'

export type AppMessagesEnds = {
  /** Gives a CALL its answer. */
  answer(frame: Answer): void
  command(command: RemoteCommand): void
  drop(reason: DropReason, message: string): void
}

type Closing = { readonly code: CloseCode; readonly reason: string }

/** Why the app closed a connection, by Action Cable's reason. */
const closeCodes: ReadonlyMap<string, CloseCode> = new Map([
  ['unauthorized', 1008],
  ['invalid_request', 1008],
  ['server_restart', 1001],
])

export class AppMessages {
  readonly #ends: AppMessagesEnds
  #closing: Closing | null = null

  constructor(ends: AppMessagesEnds) {
    this.#ends = ends
  }

  /** How the app wants the session closed, once the CALL that is being answered has its answer; `null` if it does not. */
  get closing(): Closing | null {
    return this.#closing
  }

  /** Takes the transmissions of a reply, in their order. */
  apply(reply: CommandReply): void {
    for (const transmission of reply.transmissions) this.#take(readTransmission(transmission))
    if (reply.disconnect) this.#closing ??= { code: 1000, reason: 'Closed by the CSMS' }
  }

  /** Takes what was broadcast to a stream. */
  deliver(data: string): void {
    this.#take(readMessage(data))
  }

  #take(message: AppMessage): void {
    switch (message.kind) {
      case 'answer':
        return this.#ends.answer(message.frame)
      case 'command':
        return this.#ends.command(message)
      case 'cable':
        if (message.type === 'disconnect')
          this.#closing ??= { code: closeCodes.get(message.reason) ?? 1000, reason: 'Closed by the CSMS' }
        return
      case 'foreign':
        return this.#ends.drop('foreign', `the app said what no station can be told: ${message.problem}`)
    }
  }
}
