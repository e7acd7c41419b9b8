/**
 * The parts of a storm: a paced app, the bridge, fleets of stations, and their reports.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { openWorker, type Server, type Worker } from '../children.ts'
import { openBridge } from '../subjects.ts'
import type { Task as AppTask, Listening, Pace, Report as AppReport } from './app.ts'
import type { Task as LoadTask, Report } from './load.ts'

/** As many threads as the default `rpc_concurrency`, so that the app refuses no calls of a fast bridge. */
export const threads = 28

export interface StubApp {
  readonly port: number
  /** Ms since the epoch. */
  readonly listeningSince: number
  pace(pace: Pace | null): Promise<void>
  report(): Promise<AppReport>
  kill(): Promise<void>
}

/** @param port 0 is any */
export async function openApp(port: number, pace: Pace | null): Promise<StubApp> {
  const worker = openWorker('./storm/app.ts')
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
  const worker: Worker = openWorker('./storm/load.ts')
  const ask = (what: LoadTask): Promise<unknown> => worker.ask(what)
  await ask({ kind: 'open', ...task })
  return { report: async () => (await ask({ kind: 'report' })) as Report, close: () => worker.close() }
}

export type BridgeUnderStorm = { readonly url: string; readonly server: Server }

export async function openStormBridge(
  bin: string,
  app: { readonly port: number },
  flags: readonly string[] = [],
): Promise<BridgeUnderStorm> {
  const { url, server } = await openBridge({ name: 'ocpp-cable', bin, flags }, app)
  return { url, server }
}

/** The peak of a process's resident memory, in megabytes. */
export function peakMegabytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** A process's open sockets and other files. */
export function openHandles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** How many values fall into each range of the size `step`, from `least` on; others are not counted. */
export function histogram(values: readonly number[], least: number, step: number, ranges: number): number[] {
  return Array.from({ length: ranges }, (_, at) => {
    const from = least + at * step
    return values.filter(value => value >= from && value < from + step).length
  })
}
