/**
 * The commands of the built program, in processes of their own.
 */
import { spawn } from 'node:child_process'
import { program, programEnv } from './bridge.ts'
import { openProcess, run, type Process, type Result } from './process.ts'

export interface Cli {
  /** Runs a command to its end, with its output in pipes. */
  run(...args: readonly string[]): Promise<Result>
  /** Starts a command that does not end by itself. */
  open(...args: readonly string[]): Process
  /** Runs a command on a terminal of 100 columns; `until` ends it with Ctrl-C once the screen shows it. */
  onTerminal(args: readonly string[], until?: RegExp): Promise<Screen>
}

export type Screen = { readonly code: number | null; readonly text: string }

/** @param env in addition to that of this process, from which the options of a bridge are removed */
export function cliWith(env: Readonly<Record<string, string>>): Cli {
  const options = { env: programEnv({ NO_COLOR: undefined, ...env }) }
  return {
    run: (...args) => run(process.execPath, [program, ...args], options),
    open: (...args) => openProcess(process.execPath, [program, ...args], options),
    onTerminal: (args, until) => {
      const line = ['stty cols 100 rows 20;', 'exec', process.execPath, program, ...args.map(quoted)].join(' ')
      const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
        env: { ...process.env, ...options.env, TERM: 'xterm' },
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      let text = ''
      let isEnding = false
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        text += part
        if (isEnding || until?.test(text) !== true) return
        isEnding = true
        child.stdin.write('\u0003')
      })
      return new Promise((resolve, reject) => {
        child.once('error', reject)
        child.once('close', code => resolve({ code, text }))
      })
    },
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
