/**
 * What a storm needs: a paced app, the bridge before it, fleets of stations, and what they and the bridge tell of it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { openWorker, type Server, type Worker } from './children.ts'
import type { Task as AppTask, Listening, Pace, Report as AppReport } from './storm-app.ts'
import type { Task as LoadTask, Report } from './storm-load.ts'
import { openBridge } from './subjects.ts'

/** As many calls as the bridge makes at a time by default, so that a fast bridge is not what the app refuses. */
export const threads = 28

export interface StubApp {
  readonly port: number
  /** As `Date` counts. */
  readonly listeningSince: number
  pace(pace: Pace | null): Promise<void>
  report(): Promise<AppReport>
  kill(): Promise<void>
}

/** @param port 0 is any */
export async function openApp(port: number, pace: Pace | null): Promise<StubApp> {
  const worker = openWorker('./storm-app.ts')
  const ask = (task: AppTask): Promise<unknown> => worker.ask(task)
  const listening = (await ask({ kind: 'listen', port, pace })) as Listening
  return {
    port: listening.port,
    listeningSince: listening.at,
    pace: async next => {
      await ask({ kind: 'pace', pace: next })
    },
    report: async () => (await ask({ kind: 'report' })) as AppReport,
    kill: () => worker.close(),
  }
}

export interface Fleet {
  report(): Promise<Report>
  close(): Promise<void>
}

export async function openFleet(task: Omit<Extract<LoadTask, { kind: 'open' }>, 'kind'>): Promise<Fleet> {
  const worker: Worker = openWorker('./storm-load.ts')
  const ask = (what: LoadTask): Promise<unknown> => worker.ask(what)
  await ask({ kind: 'open', ...task })
  return { report: async () => (await ask({ kind: 'report' })) as Report, close: () => worker.close() }
}

export type BridgeUnderStorm = { readonly url: string; readonly server: Server }

export async function openStormBridge(bin: string, { port }: { readonly port: number }): Promise<BridgeUnderStorm> {
  const { url, server } = await openBridge(
    { name: 'ocpp-cable', bin },
    { pid: 0, port, close: () => Promise.resolve() },
  )
  return { url, server }
}

/** The most that a process had resident so far, in megabytes. */
export function peakMegabytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** Sockets and whatever else a process has open. */
export function openHandles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** The value that so much of all is not above; NaN of nothing. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}

/** How many values fall into each range, from `least` on in steps of `step`; one outside is in none. */
export function histogram(values: readonly number[], least: number, step: number, ranges: number): number[] {
  return Array.from({ length: ranges }, (_, at) => {
    const from = least + at * step
    return values.filter(value => value >= from && value < from + step).length
  })
}
