/**
 * The app is killed while a connected fleet keeps calling, and listens again some seconds later.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallName } from '../calls.ts'
import { markdownTable } from '../table.ts'
import type { CallAnswer } from './load.ts'
import { openApp, openFleet, openHandles, openStormBridge, peakMegabytes, threads } from './site.ts'

export type Restart = {
  readonly stations: number
  /** The interval between a station's calls. */
  readonly everyMs: number
  /** The pace of the app. */
  readonly callsPerSecond: number
  readonly awayMs: number
  /** The duration of the measurement once the app listens again; longer than `everyMs`. */
  readonly windowMs: number
}

/** The second is a transaction message: the bridge retries it while the app is away. */
const fleetCalls: readonly CallName[] = ['status', 'meterValues']
const calmMs = 2_000
/** For how long the arrivals at the app are printed. */
const shownMs = 3_000

/** @returns the tables */
export async function measureRestart(bin: string, plan: Restart, note: (text: string) => void): Promise<string[]> {
  const { stations, everyMs, callsPerSecond, awayMs, windowMs } = plan
  const pace = { threads, callsPerSecond }
  const first = await openApp(0, null)
  const { url, server } = await openStormBridge(bin, first)
  const handles = openHandles(server.pid)
  note(`restart: connecting ${stations} stations`)
  const every = { ms: everyMs, calls: fleetCalls }
  const fleet = await openFleet({ url, prefix: 'fleet', stations, withinMs: stations * 4, every })
  for (let attached = 0; attached < stations; attached = (await fleet.report()).attached) await sleep(500)
  await first.pace(pace)
  await sleep(calmMs)
  await fleet.report()

  note(`restart: killing the app for ${awayMs / 1000} s`)
  const killedAt = Date.now()
  await first.kill()
  await sleep(awayMs)
  const second = await openApp(first.port, pace)
  const at = second.listeningSince
  await sleep(windowMs)
  const { answers } = await fleet.report()
  const { arrivals, calls, mostRunning, refused } = await second.report()
  const sockets = openHandles(server.pid) - handles
  const megabytes = peakMegabytes(server.pid)
  for (const child of [fleet, server]) await child.close()
  await second.kill()

  const away = answers.filter(({ sentAt, endedAt }) => sentAt >= killedAt && endedAt < at)
  const open = answers.filter(({ sentAt, endedAt }) => sentAt < at && endedAt >= at)
  const later = answers.filter(({ sentAt }) => sentAt >= at)
  const next = nextOf(later)
  const nextBy = Math.max(...later.map(({ sentAt, endedAt }) => endedAt - sentAt))
  const facts = [
    ['sent while it was away: answered, with a CALLERROR', outcomes(away)],
    ['pending when it listened again: answered by the app, with a CALLERROR', outcomes(open)],
    ['the last of these was answered after, s', seconds(Math.max(0, ...open.map(({ endedAt }) => endedAt - at)))],
    ['sent later: answered by the app, with a CALLERROR', outcomes(later)],
    [
      'the last CALLERROR, s after it listens',
      seconds(Math.max(0, ...failuresOf(answers).map(({ endedAt }) => endedAt - at))),
    ],
    ['slowest call sent later, s', seconds(nextBy)],
    [
      'stations whose next call the app answered',
      `${next.filter(({ came }) => came === 'result').length} of ${stations}`,
    ],
    ['sockets open at the end', `${sockets} of ${stations}`],
    ['Connects at the restarted app', String(calls['connect'] ?? 0)],
    ['most calls in flight at the app; refused by it', `${mostRunning}, ${refused}`],
    ['memory of the bridge at its peak, MB', megabytes.toFixed(0)],
  ]
  const bins = Array.from({ length: shownMs / 500 }, (_, at) => [
    `${(at * 0.5).toFixed(1)}–${(at * 0.5 + 0.5).toFixed(1)}`,
    Array.from({ length: 5 }, (_, each) => arrivals[at * 5 + each] ?? 0).join(', '),
  ])
  const head = `${stations} stations, a call each every ${everyMs / 1000} s; the app, at ${callsPerSecond} RPC/s, away for ${awayMs / 1000} s`
  return [
    markdownTable([head, ''], facts),
    markdownTable(['s after it listens', 'RPCs at the app in each 100 ms'], bins),
  ]
}

/** Each station's first answer. */
function nextOf(answers: readonly CallAnswer[]): CallAnswer[] {
  const next = new Map<string, CallAnswer>()
  for (const answer of [...answers].sort((one, other) => one.sentAt - other.sentAt))
    if (!next.has(answer.station)) next.set(answer.station, answer)
  return [...next.values()]
}

function failuresOf(answers: readonly CallAnswer[]): CallAnswer[] {
  return answers.filter(({ came }) => came !== 'result')
}

function outcomes(answers: readonly CallAnswer[]): string {
  const failures = failuresOf(answers)
  const silent = failures.filter(({ came }) => came === 'none').length
  const counts = `${answers.length - failures.length}, ${failures.length - silent}`
  return silent === 0 ? counts : `${counts}; ${silent} unanswered`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}
