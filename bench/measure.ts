/**
 * CPU time and memory of a process, and a time window in which calls are counted. Linux only: `/proc`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export type Window = {
  /** Calls before the window opens are not counted. */
  readonly warmUpMs: number
  readonly ms: number
}

const latestMs = 30_000

export type Speed = { readonly callsPerSecond: number; readonly cpuMicrosPerCall: number }

/**
 * Time on a CPU of all threads of a process so far, without its children. (`stat` counts in steps of 10 ms.)
 */
export function cpuSeconds(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map(thread => Number(ranFor(`/proc/${pid}/task/${thread}`)))
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9
}

/** 0 for a thread that has just ended. */
function ranFor(thread: string): string {
  try {
    return readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[0] ?? '0'
  } catch {
    return '0'
  }
}

/** Time that the main thread of a process was ready to run, and others had the core. */
export function queuedSeconds(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e9
}

export function residentKilobytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

/** The hard limit of this process and its children, to which Node and Go raise their own. */
export function openFilesLimit(): number {
  const [, hard] = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return hard === undefined ? Infinity : Number(hard)
}

/** Measures process `pid` while others call it; `calls` returns how many calls have ended so far. */
export async function measure(pid: number, { warmUpMs, ms }: Window, calls: () => number): Promise<Speed> {
  await setTimeout(warmUpMs)
  const before = { calls: calls(), cpu: cpuSeconds(pid), at: performance.now() }
  await setTimeout(ms)
  // A short window on a busy machine may pass without a call.
  while (calls() === before.calls && performance.now() - before.at < latestMs) await setTimeout(ms)
  const count = calls() - before.calls
  if (count === 0) throw new Error(`no call ended within ${latestMs} ms`)
  return {
    callsPerSecond: (count * 1000) / (performance.now() - before.at),
    cpuMicrosPerCall: ((cpuSeconds(pid) - before.cpu) * 1e6) / count,
  }
}
