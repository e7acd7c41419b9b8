/**
 * What a subcommand is: its name, its arguments and flags, its help, and the file that runs it.
 *
 * Imports no subcommand, so that each may import this.
 */
import type { Group, Option } from '../config/option.ts'

export type Flags = Group['options']
export type ValuesOfFlags<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Option<infer T> ? T : never
}

/** A positional argument. */
export type Argument = {
  /** Upper case, as in the usage line. A word in lower case is written as it is. */
  readonly name: string
  readonly isOptional?: true
  /** Whether it may be repeated; only the last argument may be. */
  readonly isMany?: true
  /** The words that it may be, for completion; the subcommand checks them itself. */
  readonly words?: readonly string[]
}

/** An exit code and its meaning. */
export type Exit = readonly [code: number, meaning: string]

/** What the command line says to a subcommand. */
export type Call<F extends Flags> = {
  readonly words: readonly string[]
  readonly flags: ValuesOfFlags<F>
  /** For a command that takes the bridge's flags: these, as given. */
  readonly bridgeFlags: readonly string[]
  readonly terminal: Terminal
  readonly commands: readonly Command[]
}

export type Run<F extends Flags> = (call: Call<F>) => Promise<number>

export type Command = {
  readonly name: string
  /** One sentence. */
  readonly about: string
  /** More sentences, for its own help. */
  readonly details: readonly string[]
  readonly args: readonly Argument[]
  readonly flags: Flags
  /** Whether it takes all flags of the bridge besides its own; its arguments then come before the first flag. */
  readonly takesBridgeFlags: boolean
  /** In addition to those that all commands have. */
  readonly exits: readonly Exit[]
  readonly examples: readonly string[]
  readonly load: () => Promise<Run<Flags>>
}

type Row<F extends Flags> = Pick<Command, 'name' | 'about' | 'args' | 'examples'> &
  Partial<Pick<Command, 'details' | 'takesBridgeFlags' | 'exits'>> & {
    readonly flags: F
    readonly load: () => Promise<Run<F>>
  }

/** A row of the table. The type of its flags is held against the file that runs it, and forgotten then. */
export function command<F extends Flags>(row: Row<F>): Command {
  // The parser gives a command the values of its own flags.
  const load = row.load as unknown as Command['load']
  return { details: [], takesBridgeFlags: false, exits: [], ...row, load }
}

/** Where a subcommand writes to and reads from. */
export interface Terminal {
  /** Standard output. Resolves when there is room for more. */
  write(text: string): Promise<void>
  /** The exit code is known from here on: an output that cannot be written any more leaves it as it is. */
  keepCode(code: number): void
  /** Standard error. */
  warn(text: string): void
  /** All of standard input. */
  readInput(): Promise<string>
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean
  /** Whether to write colours: on a terminal, without `NO_COLOR`. */
  readonly hasColours: boolean
  readonly columns: number
  readonly rows: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Writes this when the process exits, also by Ctrl-C: restores the screen. */
  onExit(text: string): void
}

/** Exit codes of all commands. */
export const exits = { done: 0, failed: 1, usage: 2 } as const

export const commonExits: readonly Exit[] = [
  [exits.done, 'done'],
  [exits.failed, 'failed, for a reason without a code of its own'],
  [exits.usage, 'wrong usage'],
  [130, 'ended by Ctrl-C'],
]

/** Wrong usage; `message` has a line for each problem. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A failure with a message for the operator, which names the fix. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exit: number

  constructor(message: string, { exit = exits.failed, ...options }: ErrorOptions & { readonly exit?: number } = {}) {
    super(message, options)
    this.exit = exit
  }
}
