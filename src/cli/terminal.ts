/**
 * The process's own terminal: standard input and output, Ctrl-C, and a reader that goes away.
 */
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { exits, type Terminal } from './command.ts'

/** 128 and the number of the signal, as shells count. */
const signalExits = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
type Signal = keyof typeof signalExits
const signals = Object.keys(signalExits) as Signal[]

/**
 * The process ends at once with SIGINT, SIGTERM and SIGHUP, also while a write to a slow reader blocks it: the system's
 * own way, without a handler. It ends quietly with 0 when its output has no reader any more and its exit code is not
 * known.
 */
export function openTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process
  const isTerminal = isatty(stdout.fd)
  for (const signal of signals) process.removeAllListeners(signal)
  let known: number | null = null
  stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    // A command that knows its exit code ends by itself.
    if (code === 'EPIPE' && known !== null) return
    if (code === 'EPIPE') process.exit(0)
    stderr.write(`the output cannot be written: ${message}\n`)
    process.exit(known === null || known === exits.done ? exits.failed : known)
  })
  // The exit code has to say it then.
  stderr.on('error', () => undefined)
  return {
    write: async text => {
      // An error is handled above.
      if (!stdout.write(text)) await once(stdout, 'drain').catch(() => undefined)
    },
    keepCode: code => {
      known = code
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
      process.once('exit', () => {
        try {
          writeSync(stdout.fd, text)
        } catch {
          // There is no screen any more.
        }
      })
    },
  }
}
