/**
 * The commands of the built program, in processes of their own. Each rejects if what it has written holds a secret of
 * the tests.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { program, programEnv } from './bridge.ts'
import { openProcess, run, type Process, type Result } from './process.ts'
import { assertNoSecret, noteFrame, noteKey, noteOptions } from './secrets.ts'

export interface Cli {
  /** Runs a command to its end, with its output in pipes. */
  run(...args: readonly string[]): Promise<Result>
  /** Generates a key with `auth`, which prints it this once: nothing may show it from then on. */
  newKey(verb: 'add' | 'rotate', stationId: string, ...flags: readonly string[]): Promise<string>
  /** Starts a command that does not end by itself. */
  open(...args: readonly string[]): Process
  /** Runs a command on a terminal of 100 columns; `until` ends it with Ctrl-C once the screen shows it. */
  onTerminal(args: readonly string[], until?: RegExp): Promise<Screen>
}

export type Screen = { readonly code: number | null; readonly text: string }

/** @param env in addition to that of this process, from which the options of a bridge are removed */
export function cliWith(env: Readonly<Record<string, string>>, cwd = process.cwd()): Cli {
  const options = { env: programEnv({ NO_COLOR: undefined, ...env }), cwd }
  const runUnchecked = (args: readonly string[]) => {
    noteArguments(args, env)
    return run(process.execPath, [program, ...args], options)
  }
  return {
    run: async (...args) => {
      const result = await runUnchecked(args)
      assertNoSecret(result.stdout + result.stderr)
      return result
    },
    newKey: async (verb, stationId, ...flags) => {
      const { code, stdout, stderr } = await runUnchecked(['auth', verb, stationId, ...flags])
      assert.equal(code, 0, stderr)
      const [, key = ''] = /^(\S+)\n$/.exec(stdout) ?? []
      assert.notEqual(key, '', 'the key is all that it prints')
      noteKey(stationId, key)
      assertNoSecret(stderr)
      return key
    },
    open: (...args) => {
      noteArguments(args, env)
      return discreet(openProcess(process.execPath, [program, ...args], options))
    },
    onTerminal: (args, until) => {
      noteArguments(args, env)
      const line = ['stty cols 100 rows 20;', 'exec', process.execPath, program, ...args.map(quoted)].join(' ')
      const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
        env: { ...process.env, ...options.env, TERM: 'xterm' },
        cwd,
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
      return new Promise<Screen>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', code => resolve({ code, text }))
      }).then(screen => {
        assertNoSecret(screen.text)
        return screen
      })
    },
  }
}

function noteArguments(args: readonly string[], env: Readonly<Record<string, string>>): void {
  noteOptions(args, env)
  for (const word of args) noteFrame(word)
}

/** The same process, whose end is an error if it has written a secret. */
function discreet(process: Process): Process {
  const end = process.close.bind(process)
  const exited = process.exited.then(exit => {
    assertNoSecret(process.output)
    return exit
  })
  const close = async () => {
    await end()
    await exited
  }
  return Object.assign(process, { exited, close })
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
