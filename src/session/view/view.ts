/**
 * How a session looks from outside: read on demand from the parts that own its state.
 */
import type { AppConnection } from '../app/connection.ts'
import type { Boot } from '../boot.ts'
import type { Commands } from '../commands/commands.ts'
import type { Inbox } from '../inbox.ts'
import type { Inspected, SessionState } from '../ports.ts'

export type ViewParts = {
  readonly app: Pick<AppConnection, 'identifier'>
  readonly boot: Pick<Boot, 'status'>
  readonly inbox: Pick<Inbox<unknown>, 'load'>
  readonly commands: Pick<Commands, 'queued'>
}

export class View implements Inspected {
  readonly #parts: ViewParts

  constructor(parts: ViewParts) {
    this.#parts = parts
  }

  get state(): SessionState {
    return this.#parts.app.identifier === null ? 'attaching' : this.#parts.boot.status
  }

  get load(): { readonly commands: number; readonly messages: number } {
    const { commands, inbox } = this.#parts
    return { commands: commands.queued, messages: inbox.load.messages }
  }
}
