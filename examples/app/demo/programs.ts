/**
 * Runs the bridge and the app as child processes and reads their output line by line.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Failure } from './failure.ts'

export interface Program {
  readonly name: string
  readonly pid: number
  /** The output so far. */
  readonly lines: readonly string[]
  /** Resolves with the first result of `look` on a line, past or future. */
  find<Found>(look: (line: string) => Found | undefined): Promise<Found>
  onLine(listener: (line: string) => void): void
  /** Never resolves. Rejects when the program exits before `close` is called. */
  readonly endedEarly: Promise<never>
  /** Sends SIGTERM, and SIGKILL after five seconds. May be called twice. */
  close(): Promise<void>
}

const graceMs = 5_000
const running = new Set<ChildProcess>()

// A last resort: no child process survives, however this process exits.
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')))

/**
 * Starts a Node program in the root of the clone.
 *
 * The program gets its own process group, so that Ctrl-C reaches only the demo, which then stops everything in order.
 */
export function startProgram(name: string, args: readonly string[]): Program {
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnv() })
  running.add(child)
  const lines: string[] = []
  const listeners = new Set<(line: string) => void>()
  const onLine = (line: string): void => {
    lines.push(line)
    for (const listener of listeners) listener(line)
  }
  createInterface(child.stdout).on('line', onLine)
  createInterface(child.stderr).on('line', onLine)

  let isClosing = false
  const exited = new Promise<string>(resolve => {
    // 'close', unlike 'exit', follows the last output.
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${String(code)}`))
    child.once('error', error => resolve(error.message))
  }).finally(() => running.delete(child))
  const endedEarly = exited.then(how =>
    isClosing ? new Promise<never>(() => {}) : Promise.reject(new Failure(`${name} exited unexpectedly (${how})`)),
  )
  endedEarly.catch(() => undefined)

  return {
    name,
    pid: child.pid ?? 0,
    lines,
    find: look => find(lines, listeners, look),
    onLine: listener => void listeners.add(listener),
    endedEarly,
    close: async () => {
      isClosing = true
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      child.kill('SIGTERM')
      await exited
      clearTimeout(timer)
    },
  }
}

function find<Found>(
  lines: readonly string[],
  listeners: Set<(line: string) => void>,
  look: (line: string) => Found | undefined,
): Promise<Found> {
  return new Promise(resolve => {
    const listener = (line: string): void => {
      const found = look(line)
      if (found === undefined) return
      listeners.delete(listener)
      resolve(found)
    }
    listeners.add(listener)
    for (const line of [...lines]) if (listeners.has(listener)) listener(line)
  })
}

/** Keeps settings for another bridge in the shell's environment from affecting the demo's bridge. */
function cleanEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name !== 'PORT' && !name.startsWith('ANYCABLE_'))
  return Object.fromEntries(kept)
}
