/**
 * The end of the process by a bug that no session confines. Node would print the error with all its properties, which
 * may hold messages of stations.
 */
import { placesOf, type Log } from './log.ts'

/**
 * Logs an exception that nobody catches, or a rejection that nobody handles, and ends the process with 1. The line has
 * its name, its code and its places: a message may repeat what a station has sent.
 */
export function endOnFault(log: Pick<Log, 'error'>): void {
  process.on('uncaughtException', (error: unknown) => {
    try {
      const code = attempt(() => codeOf(error), null)
      const name = attempt(() => nameOf(error), 'unreadable')
      const stack = attempt(() => placesOf(error), [])
      log.error({ error: name, ...(code !== null && { code }), stack }, 'a bug ended the process: report this line')
    } finally {
      process.exit(1)
    }
  })
}

/** Whatever is thrown may have a getter that throws. */
function attempt<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read()
  } catch {
    return otherwise
  }
}

/** A name is a word: it may have been set, too. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${error === null ? 'null' : typeof error}`
  return /^\w{1,60}$/.test(error.name) ? error.name : 'Error'
}

function codeOf(error: unknown): string | null {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : null
  return typeof code === 'string' && /^[A-Z][A-Z\d_]{1,60}$/.test(code) ? code : null
}
