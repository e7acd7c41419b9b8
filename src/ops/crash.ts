/**
 * The end of the process by a bug that no session confines. Node would print the error with all its properties, which may
 * hold messages of stations.
 */
import type { Log } from './log.ts'

/** Logs an exception that nobody catches, or a rejection that nobody handles, and ends the process with 1. */
export function endOnFault(log: Pick<Log, 'error'>): void {
  process.on('uncaughtException', (error: unknown) => {
    const places = error instanceof Error ? (error.stack?.match(/^ {4}at .*/gm) ?? []) : []
    log.error({ error, stack: places.map(place => place.trim()) }, 'a bug ended the process: report this line')
    process.exit(1)
  })
}
