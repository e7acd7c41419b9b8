/**
 * The files that commands read.
 */
import { readFileSync } from 'node:fs'
import { CommandError, exits } from './command.ts'

/** Throws `CommandError` if the file cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'cannot be read'
    throw new CommandError(`${file}: ${reason}`, { exit: exits.usage, cause: error })
  }
}
