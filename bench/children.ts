/**
 * The child processes of a run: started, given tasks, ended by their pid, and killed when this process ends.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Server {
  readonly pid: number
  readonly port: number
  close(): Promise<void>
}

/** A program of this folder that does one task after another and returns the result of each. */
export interface Worker {
  readonly pid: number
  ask(task: object): Promise<unknown>
  close(): Promise<void>
}

/** Messages from the programs of this folder: the port they listen on, or the result of a task. */
type Message = { readonly port: number } | { readonly result: unknown } | { readonly error: string }

type Child = { readonly process: ChildProcess; readonly pid: number; readonly lost: Promise<never> }

const startWithinMs = 60_000
const taskWithinMs = 120_000
const graceMs = 3_000
const linesKept = 50

const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach(child => child.kill('SIGKILL')))
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

/** Starts a server of this folder, which chooses a free port of 127.0.0.1 and reports it. */
export async function openServer(
  file: string,
  args: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<Server> {
  const child = forked(file, args, nodeFlags)
  const message = await inTime(nextMessage(child), child)
  if (!('port' in message)) throw new Error(`${file} did not report its port`)
  return { pid: child.pid, port: message.port, close: () => end(child) }
}

export function openWorker(file: string, nodeFlags: readonly string[] = []): Worker {
  const child = forked(file, [], nodeFlags)
  return {
    pid: child.pid,
    ask: async task => {
      child.process.send(task)
      const message = await inTime(nextMessage(child), child, taskWithinMs)
      if (!('result' in message)) throw new Error(`${file}: ${'error' in message ? message.error : 'no result'}`)
      return message.result
    },
    close: () => end(child),
  }
}

/** Starts any other server; `port` reads its port from the line that it prints when it is ready. */
export async function openProgram(
  command: string,
  args: readonly string[],
  port: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const process = spawn(command, args, { env: { ...bareEnv(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const child = childOf(process, command)
  const lines: string[] = []
  const found = new Promise<number>(resolve => {
    for (const input of [process.stdout, process.stderr]) {
      createInterface({ input }).on('line', line => {
        if (lines.length < linesKept) lines.push(line)
        const match = port.exec(line)
        if (match !== null) resolve(Number(match[1]))
      })
    }
  })
  const listening = await inTime(found, child).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${lines.join('\n')}`, { cause: error })
  })
  return { pid: child.pid, port: listening, close: () => end(child) }
}

/** For a program of this folder: does its tasks and ends with the run. */
export function serveTasks(perform: (task: never) => Promise<unknown>): void {
  process.on('message', task => {
    perform(task as never).then(
      result => process.send?.({ result }),
      (error: unknown) => process.send?.({ error: String(error) }),
    )
  })
  process.once('disconnect', () => process.exit(0))
}

/** For a server of this folder: reports its port and ends with the run. */
export function announce(port: number): void {
  process.send?.({ port })
  process.once('disconnect', () => process.exit(0))
}

function forked(file: string, args: readonly string[], nodeFlags: readonly string[]): Child {
  const path = fileURLToPath(new URL(file, import.meta.url))
  return childOf(fork(path, args, { execArgv: ['--import', 'tsx', ...nodeFlags], env: bareEnv() }), file)
}

function childOf(process: ChildProcess, name: string): Child {
  running.add(process)
  const lost = new Promise<never>((_, reject) => {
    process.once('error', reject)
    process.once('exit', (code, signal) => {
      running.delete(process)
      reject(new Error(`${name} has ended (${signal ?? code ?? 'unknown'})`))
    })
  })
  lost.catch(() => undefined)
  return { process, pid: process.pid ?? 0, lost }
}

/** Without the options in the environment, which would change what is measured. */
function bareEnv(): NodeJS.ProcessEnv {
  const isKept = (name: string): boolean => !/^(?:ANYCABLE_.*|PORT|NODE_OPTIONS)$/.test(name)
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isKept(name)))
}

async function nextMessage({ process }: Child): Promise<Message> {
  const [message] = (await once(process, 'message')) as [Message]
  return message
}

async function inTime<Value>(promise: Promise<Value>, { process, lost }: Child, ms = startWithinMs): Promise<Value> {
  const timer = setTimeout(() => process.kill('SIGKILL'), ms)
  try {
    return await Promise.race([promise, lost])
  } finally {
    clearTimeout(timer)
  }
}

async function end({ process, lost }: Child): Promise<void> {
  const timer = setTimeout(() => process.kill('SIGKILL'), graceMs)
  process.kill('SIGTERM')
  await lost.catch(() => undefined)
  clearTimeout(timer)
}
