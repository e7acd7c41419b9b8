/**
 * What the app sends a session besides answers: remote commands, and the request to close.
 */
import type { CommandReply } from '../../cable/rpc.ts'
import { readReply, type AppMessage } from '../../translate/messages.ts'
import type { Commands } from '../commands/commands.ts'
import type { CloseCode } from '../ports.ts'
import type { Station } from '../station.ts'

/** Close codes by Action Cable's reason for a disconnect. */
const closeCodes: ReadonlyMap<string, CloseCode> = new Map([
  ['unauthorized', 1008],
  ['invalid_request', 1008],
  ['server_restart', 1001],
])
const reason = 'Closed by the CSMS'

export class AppMessages {
  readonly #station: Station
  readonly #commands: Commands

  constructor(station: Station, commands: Commands) {
    this.#station = station
    this.#commands = commands
  }

  /**
   * Takes messages in their order. An answer among them has come too late, or for a CALL that nobody sent.
   *
   * @param disconnect the reply's own request to close
   */
  take(messages: readonly AppMessage[], disconnect = false): void {
    for (const message of messages) this.#take(message)
    if (disconnect) this.#station.closing ??= { code: 1000, reason }
  }

  /** Takes everything in a reply that can hold no answer. */
  takeReply({ transmissions, disconnect }: CommandReply): void {
    if (transmissions.length > 0 || disconnect) this.take(readReply(transmissions, null).others, disconnect)
  }

  dropAnswer(): void {
    this.#station.drop('ack_for_nothing', 'dropped an answer of the app: no CALL waits for it')
  }

  #take(message: AppMessage): void {
    switch (message.kind) {
      case 'command':
        return this.#commands.add(message)
      case 'answer':
        return this.dropAnswer()
      case 'cable':
        if (message.type === 'disconnect')
          this.#station.closing ??= { code: closeCodes.get(message.reason) ?? 1000, reason }
        return
      case 'foreign':
        return this.#station.drop('foreign', `dropped a message of the app: ${message.problem}`)
    }
  }
}
