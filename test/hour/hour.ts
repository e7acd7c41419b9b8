/**
 * Stations that call without a pause, the built program, and the real gem, whose server closes each connection at an
 * age. The app counts every call.
 */
import { fileURLToPath } from 'node:url'
import { calls } from '../../bench/calls.ts'
import { residentKilobytes } from '../../bench/measure.ts'
import { frameOf, idPlace, Station, type MessageFrame } from '../../bench/station.ts'
import { openBridge } from '../support/bridge.ts'
import { openGemApp, type GemApp } from '../support/gem.ts'
import { openHttp2Tap } from '../support/http2-tap.ts'

export type HourOptions = {
  readonly stations: number
  /** The age at which the gem's server closes a connection with a GOAWAY, in seconds. */
  readonly connectionAge: number
  /** Resolves when it is time for the next reading. */
  readonly next: () => Promise<void>
  /** Told of each reading; the run goes on until it returns false. */
  readonly read: (reading: Reading) => boolean
}

export type Reading = {
  /** Answered by the app. */
  readonly calls: number
  /** As the app counts them, by the numbers in the message ids. */
  readonly lost: number
  readonly doubled: number
  /** GOAWAY frames of the app's server, and connections to it so far. */
  readonly goaways: number
  readonly connections: number
  readonly residentMegabytes: number
}

export type HourReport = Reading & {
  /** Calls that had another answer, and connections of stations that were lost. */
  readonly failures: readonly string[]
  /** RPCs that the bridge made again. */
  readonly retries: number
  /** How often each status other than OK came from the app's server: why RPCs are made again. */
  readonly statuses: Readonly<Record<string, number>>
}

type Count = { readonly last: number; readonly lost: number; readonly doubled: number }
type Load = { readonly answered: () => number; readonly failures: readonly string[]; end(): Promise<Sent> }
/** By station, the number of its last call. */
type Sent = ReadonlyMap<string, number>

const app = fileURLToPath(new URL('app.rb', import.meta.url))

export async function runHour({ stations, connectionAge, next, read }: HourOptions): Promise<HourReport> {
  const gem = await openGemApp({ ANYCABLE_RPC_MAX_CONNECTION_AGE: String(connectionAge), LOG_LEVEL: 'error' }, app)
  const tap = await openHttp2Tap(gem.grpc)
  const bridge = await openBridge([`--rpc_host=${tap.host}`, '--ocpp_channel=HourChannel'])
  try {
    const load = await callFrom(bridge.url, stations)
    const reading = async (sent: Sent = new Map()): Promise<Reading> => ({
      calls: load.answered(),
      ...sumOf(await countsOf(gem), sent),
      goaways: tap.goaways,
      connections: tap.connections,
      residentMegabytes: residentKilobytes(bridge.process.pid ?? 0) / 1024,
    })
    do await next()
    while (read(await reading()))
    const sent = await load.end()
    const { failures } = load
    const retries = await bridge.metric('rpc_retries_total')
    return { ...(await reading(sent)), failures, retries, statuses: { ...tap.failures } }
  } finally {
    await bridge.close()
    tap.close()
    await gem.close()
  }
}

/** Connects stations, each of which makes its next call when the last one is answered. */
async function callFrom(url: string, count: number): Promise<Load> {
  let answered = 0
  let isOver = false
  const failures: string[] = []
  const sent = new Map<string, number>()
  const start = async (name: string): Promise<() => Promise<void>> => {
    const station = await Station.open(`${url}/${name}`, 'ocpp1.6', false)
    const call = async (frame: MessageFrame): Promise<void> => {
      sent.set(name, (sent.get(name) ?? 0) + 1)
      await station.call(frame)
      answered++
    }
    await call(frameFor('boot', name))
    const status = frameFor('status', name)
    return async () => {
      while (!isOver) await call(status)
      station.close()
    }
  }
  const loops: Promise<void>[] = []
  for (let number = 0; number < count; number++) {
    const run = await start(`hour-${number}`)
    // The station of a failed call stops, and the others go on.
    loops.push(run().catch((error: unknown) => void failures.push(String(error))))
  }
  const end = async (): Promise<Sent> => {
    isOver = true
    await Promise.all(loops)
    return sent
  }
  return { answered: () => answered, failures, end }
}

function frameFor(call: 'boot' | 'status', name: string): MessageFrame {
  const { action, payload } = calls[call]
  return frameOf(JSON.stringify([2, idPlace, action, payload(name)]))
}

async function countsOf({ process }: GemApp): Promise<Readonly<Record<string, Count>>> {
  const from = process.lines.length
  process.signal('SIGUSR2')
  const line = await process.line(/^counts: /, from)
  return JSON.parse(line.slice('counts: '.length)) as Readonly<Record<string, Count>>
}

/** @param sent  what the stations have sent when they are done: calls above the app's last number are lost, too */
function sumOf(counts: Readonly<Record<string, Count>>, sent: Sent): { lost: number; doubled: number } {
  const atEnd = [...sent].map(([name, number]) => number - (counts[name]?.last ?? 0))
  const all = Object.values(counts)
  return {
    lost: sum([...all.map(({ lost }) => lost), ...atEnd]),
    doubled: sum(all.map(({ doubled }) => doubled)),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
