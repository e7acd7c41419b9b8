/**
 * A terminal in memory.
 */
import type { Terminal } from '../../src/cli/command.ts'

export class FakeTerminal implements Terminal {
  out = ''
  err = ''
  atExit = ''
  /** The exit code that a command has made known. */
  code: number | null = null
  input = ''
  isTerminal = false
  hasColours = false
  columns = 80
  rows = 24
  env: Readonly<Record<string, string | undefined>> = {}
  /** Runs before each write, and may reject it. */
  onWrite: (text: string) => void = () => undefined

  // As methods bound to the object, so that they may be passed on.
  readonly write = (text: string): Promise<void> => {
    this.onWrite(text)
    this.out += text
    return Promise.resolve()
  }

  readonly warn = (text: string): void => {
    this.err += text
  }

  readonly keepCode = (code: number): void => {
    this.code = code
  }

  readonly readInput = (): Promise<string> => Promise.resolve(this.input)

  readonly onExit = (text: string): void => {
    this.atExit += text
  }

  get lines(): string[] {
    return this.out.split('\n').slice(0, -1)
  }
}
