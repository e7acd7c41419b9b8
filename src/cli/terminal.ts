/**
 * The process's own terminal: standard input and output, Ctrl-C, and a reader that goes away.
 */
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import type { Terminal } from './command.ts'

/** 128 and the number of the signal, as shells count. */
const signalExits = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** The process ends at once with SIGINT, SIGTERM and SIGHUP, and quietly with 0 when nobody reads its output any more. */
export function openTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process
  for (const signal of Object.keys(signalExits) as (keyof typeof signalExits)[])
    process.on(signal, () => process.exit(signalExits[signal]))
  const onError = (error: NodeJS.ErrnoException): never => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  }
  stdout.on('error', onError)
  stderr.on('error', onError)
  return {
    write: async text => {
      if (!stdout.write(text)) await once(stdout, 'drain')
    },
    warn: text => void stderr.write(text),
    readInput: async () => {
      if (stdin.isTTY) stderr.write('reading from the terminal; Ctrl-D ends the input\n')
      const chunks: Buffer[] = []
      for await (const chunk of stdin) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks).toString('utf8')
    },
    isTerminal: stdout.isTTY,
    hasColours: stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    get columns() {
      return stdout.columns || 80
    },
    get rows() {
      return stdout.rows || 24
    },
    env,
    // Synchronous: at exit, nothing is awaited.
    onExit: text => void process.once('exit', () => writeSync(1, text)),
  }
}
