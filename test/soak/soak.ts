/**
 * Stations come and go for a long time, at the built program and an app in a process of its own; then all must be gone
 * that they left behind.
 */
import { readdirSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { openApp, type StubApp } from '../../bench/storm/site.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { leaksOf, type Reading } from './leaks.ts'
import { look, probed, type Alive } from './probe.ts'
import { visits, type Visit, type Ways } from './visits.ts'

export type SoakOptions = {
  /** How many times stations come and go; the first tenth of it is the warm-up. */
  readonly visits: number
  /** Told of how far the run is. */
  note?(text: string): void
}

export type SoakReport = Visit & {
  /** Before the first station came, after the warm-up, and at the end. */
  readonly start: Reading
  readonly warm: Reading
  readonly end: Reading
  /** Those that came after the warm-up, and never before. */
  readonly identities: number
  /** Ends of sessions which the app was told of, and that were not open. */
  readonly strayEnds: number
}

/** Stations that are there at the same time, and identities that each of these places has in turns. */
const places = 32
const identities = 4
const gaugeNames = ['clients_num', 'broadcast_streams_num', 'disconnect_queue_size', 'rpc_pending_num']
const goneWithinMs = 30_000
const everyMs = 250

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const app = await openApp(0, null)
  const flags = [
    `--rpc_host=127.0.0.1:${app.port}`,
    // A machine that has other things to do is no fault of the bridge.
    '--rpc_command_timeout=60s',
    '--disconnect_rate=10000',
    '--disconnect_backlog_size=100000',
  ]
  const bridge = await openBridge(flags, probed)
  try {
    await look(bridge) // what looking itself opens is there from the start
    const start = await read(bridge, app)
    const warmUp = Math.ceil(options.visits / 10)
    await visitAll(bridge, 0, warmUp, options)
    const warm = await readGone(bridge, app, start)
    const done = await visitAll(bridge, warmUp, options.visits, options)
    const end = await readGone(bridge, app, warm)
    return {
      ...done,
      start,
      warm,
      end,
      identities: aloneIn(warmUp, options.visits),
      strayEnds: (await app.report()).strayEnds,
    }
  } catch (cause) {
    throw new Error([String(cause), 'the log ends:', ...bridge.process.lines.slice(-5)].join('\n'), { cause })
  } finally {
    await bridge.close()
    await app.kill()
  }
}

/** As soon as nothing is there that was not before; after a while, what is there all the same. */
async function readGone(bridge: Bridge, app: StubApp, before: Reading): Promise<Reading> {
  const deadline = Date.now() + goneWithinMs
  for (;;) {
    const isLate = Date.now() > deadline
    const outside = await readOutside(bridge, app)
    // To look inside takes a second: not before it is worth while.
    if (isLate || leaksOf(before, { ...before, ...outside }).length === 0) {
      const reading = { ...outside, ...(await look(bridge)) }
      if (isLate || leaksOf(before, reading).length === 0) return reading
    }
    await sleep(everyMs)
  }
}

async function read(bridge: Bridge, app: StubApp): Promise<Reading> {
  return { ...(await readOutside(bridge, app)), ...(await look(bridge)) }
}

async function readOutside(bridge: Bridge, app: StubApp): Promise<Omit<Reading, keyof Alive>> {
  const gauges: Record<string, number> = {}
  for (const name of gaugeNames) gauges[name] = await bridge.metric(name)
  const { openSessions } = await app.report()
  return { gauges, openSessions, handles: readdirSync(`/proc/${bridge.process.pid}/fd`).length }
}

async function visitAll(bridge: Bridge, from: number, to: number, options: SoakOptions): Promise<Visit> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const { url, httpBroadcastUrl } = bridge
  const command: Ways['command'] = (stationId, id) => broadcast(httpBroadcastUrl, agent, stationId, id)
  const total = { connects: 0, calls: 0, commands: 0 }
  let next = from
  const lanes = Array.from({ length: places }, async (_, place) => {
    let turn = 0
    for (let number = next++; number < to; number = next++) {
      const visit = visits[number % visits.length]
      if (visit === undefined) continue
      const id = visit.alone === true ? `alone-${number}` : `place-${place}-${turn++ % identities}`
      const { connects, calls, commands } = await visit.run({ url, command }, id).catch((cause: unknown) => {
        throw new Error(`a station that ${visit.because}: ${String(cause)}`, { cause })
      })
      total.connects += connects
      total.calls += calls
      total.commands += commands
      if (number % 5_000 === 0 && number > 0) options.note?.(`${number} visits`)
    }
  })
  await Promise.all(lanes)
  agent.destroy()
  return total
}

/** Visits from one number to another that have an identity of their own. */
function aloneIn(from: number, to: number): number {
  let alone = 0
  for (let number = from; number < to; number++) if (visits[number % visits.length]?.alone === true) alone++
  return alone
}

function broadcast(url: string, agent: Agent, stationId: string, id: string): Promise<void> {
  const data = JSON.stringify({ command: 'Reset', id, payload: { type: 'Soft' } })
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', agent }, response => {
      const { statusCode } = response
      const isTaken = statusCode === 201
      response
        .resume()
        .once('end', () =>
          isTaken ? resolve() : reject(new Error(`a broadcast was answered with ${statusCode ?? 'nothing'}`)),
        )
    })
    asked.once('error', reject)
    asked.end(JSON.stringify({ stream: `ocpp:${stationId}`, data }))
  })
}
