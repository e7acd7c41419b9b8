/**
 * The process's own terminal: standard input and output, Ctrl-C, and a reader that goes away.
 */
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { Terminal } from './command.ts'

/** 128 and the number of the signal, as shells count. */
const signalExits = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof signalExits
const signals = Object.keys(signalExits) as Signal[]

/**
 * The process ends at once with SIGINT, SIGTERM and SIGHUP, also while a write to a slow reader blocks it: the system's
 * own way, without a handler. It ends quietly with 0 when nobody reads its output any more.
 */
export function openTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process
  const isTerminal = isatty(stdout.fd)
  for (const signal of signals) process.removeAllListeners(signal)
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
    isTerminal,
    hasColours: isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    get columns() {
      return stdout.columns || 80
    },
    get rows() {
      return stdout.rows || 24
    },
    env,
    onExit: text => {
      for (const signal of signals) process.once(signal, () => process.exit(signalExits[signal]))
      // Synchronous: at exit, nothing is awaited.
      process.once('exit', () => writeSync(stdout.fd, text))
    },
  }
}
