/**
 * What a `state_dir` costs while the app is up, and how a full outbox drains into a paced app beside live traffic.
 */
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readDatabase } from '../src/store/database.ts'
import { outboxOf } from '../src/store/outbox.ts'
import { openStore } from '../src/store/store.ts'
import { calls } from './calls.ts'
import { openServer, openWorker } from './children.ts'
import { groupOf, type Group } from './group.ts'
import type { Speed } from './measure.ts'
import { note } from './print.ts'
import { frameOf, idPlace, Station } from './station.ts'
import { inDirectory, messageOf, thread } from './stored.ts'
import { openApp, openStormBridge, threads } from './storm/site.ts'
import { openBridge } from './subjects.ts'
import { markdownTable, percentile, ratio, spread } from './table.ts'

export type Plan = {
  readonly rounds: number
  readonly ms: number
  /** What the outbox holds. */
  readonly messages: number
  /** The stations of these messages. */
  readonly stations: number
  readonly dir: string | undefined
}

const bin = fileURLToPath(new URL('../bin/ocpp-cable', import.meta.url))
/** The calls of live stations: a quarter of what the app takes. */
const live = { stations: 50, everyMs: 100 }
const pace = { threads, callsPerSecond: 2_000 }
const withinMs = 120_000
/** Stations that call without a pause. */
const callers = 50

/** CPU time of the bridge for each acked perform of a transaction message, with and without. */
export function costTable({ rounds, ms, dir: parent }: Plan): Promise<string> {
  return inDirectory(parent, async dir => {
    const app = await openServer('./stub-app.ts')
    const load = openWorker('./load.ts')
    const names = ['without', 'with `state_dir`']
    const bridges = await Promise.all([
      openBridge({ name: 'plain', bin }, app),
      openBridge({ name: 'stateful', bin, flags: [`--state_dir=${dir}`] }, app),
    ])
    const groups: Group[] = bridges.map(bridge => groupOf({ ...bridge, compression: 'none' }, load))
    const speeds: Speed[][] = names.map(() => [])
    for (const group of groups) {
      await group.open(callers)
      await group.call('meterValues', 10)
    }
    for (let round = 0; round < rounds; round++) {
      // Neither is always the first.
      for (const [at, group] of round % 2 === 0 ? [...groups.entries()] : [...groups.entries()].reverse())
        speeds[at]?.push(await group.measure('meterValues', callers, { warmUpMs: ms / 4, ms }))
    }
    for (const part of [load, ...bridges.map(({ server }) => server), app]) await part.close()
    const cpuOf = (at: number): number[] => (speeds[at] ?? []).map(({ cpuMicrosPerCall }) => cpuMicrosPerCall)
    const rows = names.map((name, at) => [
      name,
      spread((speeds[at] ?? []).map(({ callsPerSecond }) => callsPerSecond)),
      spread(cpuOf(at)),
      ratio(cpuOf(at), cpuOf(0)),
    ])
    return markdownTable(['acked MeterValues, app up', 'calls/s', 'CPU, µs each', 'ratio'], rows)
  })
}

type Drain = { readonly perSecond: number; readonly p99Ms: number }

/** The times of live calls while the outbox drains, beside those of a bridge whose outbox is empty. */
export async function drainTable(plan: Plan): Promise<string> {
  const [idle, draining]: [Drain[], Drain[]] = [[], []]
  for (let round = 0; round < plan.rounds; round++) {
    note(`round ${round + 1} of ${plan.rounds}`)
    idle.push(await inDirectory(plan.dir, dir => drain(dir, 0, plan)))
    draining.push(await inDirectory(plan.dir, dir => drain(dir, plan.messages, plan)))
  }
  const times = (of: readonly Drain[]): number[] => of.map(({ p99Ms }) => p99Ms)
  const rows = [
    ['nothing', '', spread(times(idle)), '1.00 x'],
    [
      `${plan.messages.toLocaleString('en-US')} messages`,
      spread(draining.map(({ perSecond }) => perSecond)),
      spread(times(draining)),
      ratio(times(draining), times(idle)),
    ],
  ]
  return markdownTable(['to deliver', 'delivered a second', 'p99 of live calls, ms', 'ratio'], rows)
}

async function drain(dir: string, messages: number, { stations, ms }: Plan): Promise<Drain> {
  const store = await openStore(dir, thread)
  const outbox = outboxOf(store, Infinity)
  for (let number = 0; number < messages; number++) {
    const appended = outbox.append(messageOf(number, stations))
    if (number % 1_000 === 999) await appended
  }
  await store.close()
  const app = await openApp(0, pace)
  const bridge = await openStormBridge(bin, app, [`--state_dir=${dir}`])
  const others = await openStations(bridge.url, 'live', live.stations)
  const owners = await openStations(bridge.url, 'CP', stations)
  const left = (): number => {
    const reader = readDatabase(dir)
    const { pending } = reader.prepare('SELECT pending FROM outbox_size').get() ?? {}
    reader.close()
    return Number(pending)
  }
  const [before, from] = [left(), performance.now()]
  const traffic = callAll(others)
  do await setTimeout(ms)
  while (left() > 0 && performance.now() < from + withinMs)
  const perSecond = ((before - left()) * 1_000) / (performance.now() - from)
  const times = await traffic.end()
  for (const station of [...owners, ...others]) station.close()
  await bridge.server.close()
  await app.kill()
  return { perSecond, p99Ms: percentile(times, 0.99) }
}

/** Stations that have booted, a few at a time. */
async function openStations(url: string, prefix: string, count: number): Promise<Station[]> {
  const stations: Station[] = []
  while (stations.length < count) {
    const names = Array.from({ length: Math.min(25, count - stations.length) }, (_, at) => stations.length + at)
    stations.push(...(await Promise.all(names.map(at => booted(url, `${prefix}${at}`)))))
  }
  return stations
}

async function booted(url: string, sn: string): Promise<Station> {
  const station = await Station.open(`${url}/${sn}`, 'ocpp1.6', false)
  const { action, payload } = calls.boot
  await station.call(frameOf(JSON.stringify([2, idPlace, action, payload(sn)])))
  return station
}

/** Each station calls from time to time, until `end`, which resolves with the times of the calls. */
function callAll(stations: readonly Station[]): { end(): Promise<readonly number[]> } {
  const times: number[] = []
  let isOver = false
  const loops = stations.map(async station => {
    const { action, payload } = calls.status
    const frame = frameOf(JSON.stringify([2, idPlace, action, payload('')]))
    while (!isOver) {
      await setTimeout(live.everyMs * 2 * Math.random())
      const from = performance.now()
      await station.call(frame)
      times.push(performance.now() - from)
    }
  })
  return {
    end: async () => {
      isOver = true
      await Promise.all(loops)
      return times
    },
  }
}
