/**
 * Programs that tests run: installs them, starts them, reads their output, ends them by their pid. What still runs when
 * this process ends or is terminated is killed.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

export type ProcessOptions = {
  /** In addition to this process's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
}

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type Result = Exit & { readonly stdout: string; readonly stderr: string }

export interface Process {
  /** Undefined when the program could not be started. */
  readonly pid: number | undefined
  /** Lines of standard output and standard error, in the order in which they came. */
  readonly lines: readonly string[]
  /** The same as one text. */
  readonly output: string
  /** Resolves when the process has ended and its output is complete; code 127 when it could not be started. */
  readonly exited: Promise<Exit>
  /**
   * The first matching line, whether already printed or not. Rejects when the process ends without it.
   *
   * @param from index in `lines` to begin at: read `lines.length` before the cause of the line
   */
  line(pattern: RegExp, from?: number): Promise<string>
  /** Does nothing once the process has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** Stops reading its output: what it writes stays in the pipe, and fills it. */
  stopReading(): void
  readOn(): void
  /** Sends SIGTERM, and SIGKILL after five seconds. May be called twice. */
  close(): Promise<void>
}

const graceMs = 5_000

const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach(child => child.kill('SIGKILL')))
process.once('SIGTERM', () => process.exit(143))
process.once('SIGINT', () => process.exit(130))

/** Starts a program without a shell and without standard input. Never throws: see `exited`. */
export function openProcess(command: string, args: readonly string[], options: ProcessOptions = {}): Process {
  return start(command, args, options).process
}

/** Runs a program to its end. Does not reject for its exit code. */
export async function run(command: string, args: readonly string[], options: ProcessOptions = {}): Promise<Result> {
  const { process, texts } = start(command, args, options)
  return { ...(await process.exited), ...texts }
}

function start(command: string, args: readonly string[], { cwd, env }: ProcessOptions) {
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const texts = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  const wake = () => waiting.forEach(look => look())

  const read = (stream: Readable, name: keyof typeof texts) =>
    createInterface({ input: stream }).on('line', line => {
      lines.push(line)
      texts[name] += `${line}\n`
      wake()
    })
  const readers = [read(child.stdout, 'stdout'), read(child.stderr, 'stderr')]

  let ended: Exit | undefined
  const exited = new Promise<Exit>(resolve => {
    const end = (exit: Exit) => {
      ended ??= exit
      running.delete(child)
      resolve(ended)
      wake()
    }
    child.once('error', error => {
      if (child.pid !== undefined) return // a signal could not be sent; the process goes on
      lines.push(error.message)
      texts.stderr += `${error.message}\n`
      end({ code: 127, signal: null })
    })
    // Unlike 'exit', 'close' comes after the last of the output.
    child.once('close', (code, signal) => end({ code, signal }))
  })
  if (child.pid !== undefined) running.add(child)

  const line = (pattern: RegExp, from = 0) =>
    new Promise<string>((resolve, reject) => {
      let next = from
      const look = () => {
        for (; next < lines.length; next += 1) {
          const found = lines[next] ?? ''
          if (pattern.test(found)) {
            settle(() => resolve(found))
            return
          }
        }
        if (ended) settle(() => reject(new Error(`${command} ended without ${pattern}:\n${lines.join('\n')}`)))
      }
      const settle = (how: () => void) => {
        waiting.delete(look)
        how()
      }
      waiting.add(look)
      look()
    })

  const close = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    child.kill('SIGTERM')
    await exited
    clearTimeout(timer)
  }

  const opened: Process = {
    pid: child.pid,
    lines,
    get output() {
      return lines.join('\n')
    },
    exited,
    line,
    signal: signal => void child.kill(signal),
    stopReading: () => readers.forEach(reader => reader.pause()),
    readOn: () => readers.forEach(reader => reader.resume()),
    close,
  }
  return { process: opened, texts }
}

/** Sends SIGSTOP and waits until all threads are stopped: until then, calls may still be answered. */
export async function standStill({ pid, signal }: Process): Promise<void> {
  signal('SIGSTOP')
  const threads = `/proc/${pid}/task`
  const isStill = (thread: string) => /\) [Tt] /.test(readFileSync(`${threads}/${thread}/stat`, 'utf8'))
  while (!readdirSync(threads).every(isStill)) await new Promise(setImmediate)
}

/**
 * Installs Debian packages. Does nothing on other systems or without root: the missing program then fails when it is
 * started.
 */
export async function installPackages(...names: string[]): Promise<void> {
  if (process.getuid?.() !== 0 || (await run('apt-get', ['--version'])).code !== 0) return
  const installed = await run('dpkg-query', ['--show', '--showformat=${Package} ${db:Status-Status}\\n', ...names])
  const missing = names.filter(name => !installed.stdout.split('\n').includes(`${name} installed`))
  if (missing.length === 0) return

  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const args = ['install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...missing]
  if ((await run('apt-get', args, { env })).code === 0) return
  const update = await run('apt-get', ['update'], { env }) // the package lists may be old or missing
  const result = await run('apt-get', args, { env })
  if (result.code === 0) return
  throw new Error(`apt-get could not install ${missing.join(', ')}:\n${update.stderr}${result.stdout}${result.stderr}`)
}
