/**
 * A fleet connects and boots within a second at an app that is too slow for it, beside stations that are already
 * connected.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openRails } from '../../test/support/rails.ts'
import type { CallName } from '../calls.ts'
import { markdownTable, percentile } from '../table.ts'
import type { CallAnswer } from './load.ts'
import { histogram, openApp, openFleet, openHandles, openStormBridge, peakMegabytes, threads } from './site.ts'

export type BootStorm = {
  readonly stations: number
  readonly withinMs: number
  /** Stations that are connected before and call every second. */
  readonly connected: number
  /** How long the connected stations are measured before and during the storm. */
  readonly calmMs: number
  readonly windowMs: number
}

const steadyCalls: readonly CallName[] = ['heartbeat', 'status']
const steadyEveryMs = 1_000
/** While all connect, the process is busiest. */
const onsetMs = 5_000
const waitStepSeconds = 10

/** The app behind the bridge, and its facts about the storm. */
export type AppUnderStorm = {
  readonly name: string
  readonly port: number
  facts(): Promise<string[][]>
  kill(): Promise<void>
}

/** A stub app that is paced to a number of calls per second. */
export async function openPacedApp(callsPerSecond: number): Promise<AppUnderStorm> {
  const app = await openApp(0, { threads, callsPerSecond })
  const facts = async (): Promise<string[][]> => {
    const { mostRunning, refused } = await app.report()
    return [['most calls in flight at the app; refused by it', `${mostRunning}, ${refused}`]]
  }
  return { name: `app at ${callsPerSecond} RPC/s`, port: app.port, facts, kill: () => app.kill() }
}

/** The app of `examples/rails`, with the real gem, at its own speed. */
export async function openGemApp(): Promise<AppUnderStorm> {
  const app = await openRails({ env: { LOG_LEVEL: 'error' } })
  const facts = (): Promise<string[][]> => {
    const events = app.ledger().map(({ event }) => event)
    const counts = ['connected', 'subscribed', 'disconnected'].map(
      each => `${each} ${events.filter(event => event === each).length}`,
    )
    return Promise.resolve([['sessions in its ledger', counts.join(', ')]])
  }
  return { name: 'the real gem', port: app.rpcPort, facts, kill: () => app.close() }
}

/** @returns the tables; the app is killed at the end */
export async function measureBootStorm(
  bin: string,
  app: AppUnderStorm,
  plan: BootStorm,
  note: (text: string) => void,
): Promise<string[]> {
  const { stations, withinMs, connected } = plan
  const { url, server } = await openStormBridge(bin, app)
  const idle = { handles: openHandles(server.pid), megabytes: peakMegabytes(server.pid) }
  note(`boot storm: connecting ${connected} stations`)
  const every = { ms: steadyEveryMs, calls: steadyCalls }
  const steady = await openFleet({ url, prefix: 'steady', stations: connected, withinMs: 1_000, every })
  for (let attached = 0; attached < connected; attached = (await steady.report()).attached) await sleep(200)
  await sleep(plan.calmMs)
  const before = (await steady.report()).answers

  note(`boot storm: ${stations} more within ${withinMs} ms, measured for ${plan.windowMs / 1000} s`)
  const at = Date.now()
  const storm = await openFleet({ url, prefix: 'storm', stations, withinMs, every: null })
  await sleep(plan.windowMs)
  const during = (await steady.report()).answers
  const { attached, answers, refusals, upgrades } = await storm.report()
  const told = await app.facts()
  const sockets = openHandles(server.pid) - idle.handles
  const megabytes = peakMegabytes(server.pid)
  for (const child of [steady, storm, server]) await child.close()
  await app.kill()

  const firstBoots = firstOf(answers)
  const waits = answers.flatMap(({ waitSeconds, came }) =>
    came === 'Pending' && waitSeconds !== null ? [waitSeconds] : [],
  )
  const bad = answers.filter(({ came }) => came !== 'Accepted' && came !== 'Pending')
  const facts = [
    ['failed attempts to connect', String(sum(Object.values(refusals))) + listed(refusals)],
    ['upgrade, ms: median, p99, max', shownTimes(upgrades)],
    [
      'first answer to a boot, ms: median, p99, max',
      shownTimes(firstBoots.map(({ sentAt, endedAt }) => endedAt - sentAt)),
    ],
    ['first boots: accepted, pending', [count(firstBoots, 'Accepted'), count(firstBoots, 'Pending')].join(', ')],
    ['boots with another answer or none', String(bad.length) + listed(tally(bad.map(({ came }) => came)))],
    [`accepted within ${plan.windowMs / 1000} s`, `${attached} of ${stations}`],
    ['stations that booted once, twice, …', turnsOf(answers).join(', ')],
    ['sockets open at the end', `${sockets} of ${stations + connected}`],
    ['memory of the bridge at its peak, MB (and before)', `${megabytes.toFixed(0)} (${idle.megabytes.toFixed(0)})`],
    ...told,
  ]
  const counts = histogram(waits, 0, waitStepSeconds, Math.ceil(Math.max(0, ...waits) / waitStepSeconds) + 1)
  const waitRows = counts.flatMap((count, range) => {
    const from = range * waitStepSeconds
    return count === 0 ? [] : [[`${from}–${from + waitStepSeconds - 1}`, String(count)]]
  })
  const rows = (['heartbeat', 'status'] as const).map(call => latencyRow(call, before, during, at))
  return [
    markdownTable([`${stations} stations boot within ${withinMs / 1000} s, ${app.name}`, ''], facts),
    markdownTable(['told to wait, s', 'times'], waitRows),
    markdownTable(
      [
        `${connected} connected stations`,
        'p99 before, ms',
        'p99 in the storm',
        'to before',
        `first ${onsetMs / 1000} s`,
        'failed',
      ],
      rows,
    ),
  ]
}

function latencyRow(
  call: CallName,
  before: readonly CallAnswer[],
  during: readonly CallAnswer[],
  at: number,
): string[] {
  const of = (answers: readonly CallAnswer[]): CallAnswer[] => answers.filter(answer => answer.call === call)
  const times = (answers: readonly CallAnswer[]): number[] => answers.map(({ sentAt, endedAt }) => endedAt - sentAt)
  const stormy = of(during)
  const [calm, all] = [percentile(times(of(before)), 0.99), percentile(times(stormy), 0.99)]
  const onset = percentile(times(stormy.filter(({ sentAt }) => sentAt - at < onsetMs)), 0.99)
  const failed = stormy.filter(({ came }) => came !== 'result').length
  return [call, String(calm), String(all), `${(all / calm).toFixed(2)} x`, String(onset), String(failed)]
}

/** Each station's first answer. */
function firstOf(answers: readonly CallAnswer[]): CallAnswer[] {
  const first = new Map<string, CallAnswer>()
  for (const answer of answers) if (!first.has(answer.station)) first.set(answer.station, answer)
  return [...first.values()]
}

/** How many stations have booted once, twice, and so on. */
function turnsOf(answers: readonly CallAnswer[]): number[] {
  const turns = Object.values(tally(answers.map(({ station }) => station)))
  return Array.from({ length: Math.max(0, ...turns) }, (_, at) => turns.filter(count => count === at + 1).length)
}

function count(answers: readonly CallAnswer[], status: string): number {
  return answers.filter(({ came }) => came === status).length
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

function listed(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([what, times]) => `${what}: ${times}`)
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`
}

function shownTimes(values: readonly number[]): string {
  return [0.5, 0.99, 1].map(part => percentile(values, part)).join(', ')
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
