/**
 * Many wrong messages over real sockets against the built program, and what must hold of it all the while.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openFuzzApp, type FuzzApp } from './app.ts'
import { Attacker, shown, type Surroundings } from './attacker.ts'
import { within } from './link.ts'
import { batchSize, stepFor, versionOf, type Command } from './plan.ts'
import { versions } from './payloads.ts'
import { attackBelow } from './wire.ts'
import { Witness } from './witness.ts'

export type FuzzOptions = {
  readonly frames: number
  readonly seed: number
  /** Sends these numbers of the plan only, first and last. */
  readonly only?: readonly [first: number, last: number]
  /** More flags of the bridge. */
  readonly flags?: readonly string[]
  /** Told of how far the run is. */
  note?(text: string): void
}

export type FuzzReport = {
  readonly sent: number
  /** CALLs of healthy stations, each answered. */
  readonly served: number
  /** Memory of the bridge after the warm-up and at the end, in bytes. */
  readonly memory: { readonly warm: number; readonly end: number }
}

const maxMessageSize = 64 * 1024
/** Pairs of an attacker and a healthy station for each version. */
const lanesPerVersion = 2
/** What a run may leave in memory that the warm-up did not: heaps grow before they are swept. */
const allowedGrowth = 96 * 1024 * 1024
const goneWithinMs = 30_000

/** Rejects with the seed, the number and the message of the first thing that is not as it must be. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  let onFailure: (error: Error) => void = () => undefined
  const failed = new Promise<never>((_, reject) => (onFailure = reject))
  failed.catch(() => undefined)
  const fail = (problem: string): void => onFailure(new Error(problem))
  const app = await openFuzzApp(fail)
  const flags = [
    `--rpc_host=${app.host}`,
    // Each CALL has its one answer, also where the app fails.
    '--ocpp_unanswered=error',
    `--max_message_size=${maxMessageSize}`,
    // A machine that has other things to do is no fault of the bridge.
    '--rpc_command_timeout=60s',
    '--disconnect_rate=100000',
    '--disconnect_backlog_size=100000',
  ]
  const bridge = await openBridge([...flags, ...(options.flags ?? [])])
  const judged = new AbortController()
  void bridge.process.exited.then(({ code, signal }) => {
    if (!judged.signal.aborted) fail(`the program ended, ${code ?? signal ?? ''}`)
  })
  try {
    const report = await Promise.race([failed, run(options, bridge, app, fail)])
    judged.abort()
    await Promise.race([failed, judgeEnd(bridge, app)])
    return report
  } catch (cause) {
    throw new Error(described(cause, options, bridge), { cause })
  } finally {
    await bridge.close()
    app.close()
  }
}

async function run(
  options: FuzzOptions,
  bridge: Bridge,
  app: FuzzApp,
  fail: Surroundings['fail'],
): Promise<FuzzReport> {
  const world = { url: bridge.url, maxMessageSize, broadcast: broadcaster(bridge), fail }
  const progress = { sent: 0, warm: 0 }
  const lanes = await Promise.all(
    versions.flatMap(version =>
      Array.from({ length: lanesPerVersion }, (_, at) => openLane(`${version}-${at}`, version, options, world, app)),
    ),
  )
  const batches = batchesOf(options)
  const onSent = async (count: number): Promise<void> => {
    const before = progress.sent
    progress.sent += count
    if (progress.warm === 0 && progress.sent >= options.frames / 4) progress.warm = await bridge.metric('mem_sys_bytes')
    if (Math.floor(before / 10_000) < Math.floor(progress.sent / 10_000)) options.note?.(`${progress.sent} sent`)
  }
  await Promise.all(lanes.map(lane => attack(lane, batches, options.seed, bridge.port, onSent)))
  const end = await bridge.metric('mem_sys_bytes')
  const warm = progress.warm || end
  if (end > warm + allowedGrowth) throw new Error(`memory grew from ${warm} to ${end} bytes`)
  for (const { attacker, witness } of lanes) await Promise.all([attacker.close(), witness.close()])
  const served = lanes.reduce((sum, { witness }) => sum + witness.served, 0)
  return { sent: progress.sent, served, memory: { warm, end } }
}

type Lane = { readonly attacker: Attacker; readonly witness: Witness }
/** The numbers that are to be sent, batch by batch, each version's by itself. */
type Batches = Readonly<Record<(typeof versions)[number], number[][]>>

function batchesOf({ frames, only: [first, last] = [0, frames - 1] }: FuzzOptions): Batches {
  const batches: Batches = { 'ocpp1.6': [], 'ocpp2.0.1': [], 'ocpp2.1': [] }
  for (let from = Math.floor(first / batchSize) * batchSize; from <= last; from += batchSize) {
    const indexes = Array.from({ length: batchSize }, (_, at) => from + at)
    batches[versionOf(from)].push(indexes.filter(index => index >= first && index <= last))
  }
  return batches
}

async function openLane(
  name: string,
  version: (typeof versions)[number],
  { seed }: FuzzOptions,
  world: Surroundings,
  app: FuzzApp,
): Promise<Lane> {
  const attacker = new Attacker(`attacker-${name}`, version, world)
  const witness = new Witness(`witness-${name}`, version, seed)
  for (const party of [attacker, witness]) app.parties.set(party.id, party)
  await witness.open(world.url)
  return { attacker, witness }
}

/** Sends batch after batch; the healthy station has a CALL open all the while. */
async function attack(
  { attacker, witness }: Lane,
  batches: Batches,
  seed: number,
  port: number,
  onSent: (count: number) => Promise<void>,
): Promise<void> {
  const { version } = attacker
  for (let batch = batches[version].shift(); batch !== undefined; batch = batches[version].shift()) {
    const served = witness.call()
    served.catch(() => undefined) // it is waited for below
    for (const index of batch) {
      const step = stepFor(seed, index, maxMessageSize)
      if (step.kind === 'message') await attacker.send(index, step.message, step.command)
      else await belowOrFail({ port, id: `wire-${index}`, version }, index, step.random)
    }
    await attacker.settle()
    await served
    await onSent(batch.length)
  }
}

async function belowOrFail(
  station: Parameters<typeof attackBelow>[0],
  index: number,
  random: Parameters<typeof attackBelow>[1],
): Promise<void> {
  try {
    await attackBelow(station, random, maxMessageSize)
  } catch (cause) {
    throw new Error(`message ${index}: ${String(cause)}`, { cause })
  }
}

function broadcaster({ httpBroadcastUrl }: Bridge): Surroundings['broadcast'] {
  return async (stationId: string, { id, action, payload }: Command) => {
    const data = `{"command":"${action}","id":"${id}","payload":${payload}}`
    const body = JSON.stringify({ stream: stationId, data })
    const response = await fetch(httpBroadcastUrl, { method: 'POST', body })
    if (response.status !== 201) throw new Error(`a broadcast was answered with ${response.status}`)
  }
}

/** Everybody has left: nothing is left of them, in the program or in the app. */
async function judgeEnd(bridge: Bridge, app: FuzzApp): Promise<void> {
  const deadline = Date.now() + goneWithinMs
  for (let left = await bridge.metric('clients_num'); left > 0; left = await bridge.metric('clients_num')) {
    if (Date.now() > deadline) throw new Error(`${left} stations are still connected, which have all gone`)
    await sleep(50)
  }
  const { code } = await within(bridge.kill('SIGTERM'), 'the program does not end')
  if (code !== 0) throw new Error(`the program ended with ${code ?? 'a signal'}`)
  const faults = bridge.log().filter(({ level, msg }) => level === 'error' || level === 'fatal' || /fault of/.test(msg))
  if (faults.length > 0) throw new Error(`in the log: ${JSON.stringify(faults[0])}`)
  for (const [sid, ends] of app.ends)
    if (ends !== 1) throw new Error(`the app was told ${ends} times of the end of the session ${sid}`)
}

/** With the way to have it again, and the messages that it may have been. */
function described(cause: unknown, { seed, frames }: FuzzOptions, bridge: Bridge): string {
  const problem = cause instanceof Error ? cause.message : String(cause)
  const [, first, last = first] = /messages (\d+)-(\d+)/.exec(problem) ?? /message (\d+)/.exec(problem) ?? []
  const lines = [problem, `  again: --seed=${seed} --frames=${frames} --only=${first ?? 0}-${last ?? frames - 1}`]
  for (let index = Number(first); index <= Number(last); index++) {
    const step = stepFor(seed, index, maxMessageSize)
    const text = step.kind === 'message' ? step.message.bytes.toString() : 'bytes below WebSocket'
    lines.push(`  ${index} ${versionOf(index)}: ${shown(text)}`)
  }
  return [...lines, '  the log ends:', ...bridge.process.lines.slice(-5)].join('\n')
}
