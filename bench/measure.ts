/**
 * CPU time and memory of a process, and a time window in which calls are counted. Linux only: `/proc`.
 */
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export type Window = {
  /** Calls before the window opens are not counted. */
  readonly warmUpMs: number
  readonly ms: number
}

export type Speed = { readonly callsPerSecond: number; readonly cpuMicrosPerCall: number }

/** Linux gives user space a hundred ticks a second, whatever the kernel's own clock is. */
const ticksPerSecond = 100

/** User and system CPU time of all threads of a process so far, without its children. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in brackets, may contain blanks; fields 14 and 15 are utime and stime.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
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
  // A short window on a busy machine can end before the kernel charges a tick.
  do await setTimeout(ms)
  while (calls() > before.calls && cpuSeconds(pid) === before.cpu)
  const count = calls() - before.calls
  if (count === 0) throw new Error(`no call ended within ${ms} ms`)
  return {
    callsPerSecond: (count * 1000) / (performance.now() - before.at),
    cpuMicrosPerCall: ((cpuSeconds(pid) - before.cpu) * 1e6) / count,
  }
}
