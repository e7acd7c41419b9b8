/**
 * The bridge and the app: started as programs of their own, read line by line, ended by their pid.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Failure } from './failure.ts'

export interface Program {
  readonly name: string
  readonly pid: number
  /** What it has written so far. */
  readonly lines: readonly string[]
  /** The first line, written already or yet to come, in which something is found. */
  find<Found>(look: (line: string) => Found | undefined): Promise<Found>
  onLine(listener: (line: string) => void): void
  /** Never settles while the program runs. Rejects when it ends without being told to. */
  readonly endedEarly: Promise<never>
  /** SIGTERM, and SIGKILL if it is still there after five seconds. May be called twice. */
  close(): Promise<void>
}

const graceMs = 5_000
const running = new Set<ChildProcess>()

// The last resort, for whatever way this process ends.
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')))

/**
 * Starts a Node program from the clone's root.
 *
 * It gets a process group of its own, so that a Ctrl-C reaches the demo alone, which then ends things in order.
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
    // 'close' comes after the last of the output.
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${String(code)}`))
    child.once('error', error => resolve(error.message))
  }).finally(() => running.delete(child))
  const endedEarly = exited.then(how =>
    isClosing ? new Promise<never>(() => {}) : Promise.reject(new Failure(`${name} has ended too early (${how})`)),
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

/** Settings of the shell that were meant for another bridge stay out of this one. */
function cleanEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name !== 'PORT' && !name.startsWith('ANYCABLE_'))
  return Object.fromEntries(kept)
}
