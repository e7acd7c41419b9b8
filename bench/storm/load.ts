/**
 * Stations as in the field: each connects, boots until it is accepted, with the pauses that it is told, and then calls
 * now and then. One process for each kind, because a busy process would measure itself.
 */
import { constants, setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { calls, type CallName } from '../calls.ts'
import { serveTasks } from '../children.ts'
import { frameOf, Station } from '../station.ts'

export type Task =
  /** Connects stations, spread over a time. Does not wait for them. */
  | {
      readonly kind: 'open'
      readonly url: string
      readonly prefix: string
      readonly stations: number
      readonly withinMs: number
      /** How often an accepted station calls, and its calls in turn; `null`: none. */
      readonly every: { readonly ms: number; readonly calls: readonly CallName[] } | null
    }
  /** @see Report */
  | { readonly kind: 'report' }

export type CallAnswer = {
  readonly station: string
  readonly call: CallName
  /** Ms since the epoch, as all times here. */
  readonly sentAt: number
  readonly endedAt: number
  /** A boot's status; for other calls `result`, `error` for a CALLERROR, `none` without an answer. */
  readonly came: string
  /** The interval in the answer to a boot. */
  readonly waitSeconds: number | null
}

export type Report = {
  /** The duration of each successful upgrade, in ms. */
  readonly upgrades: readonly number[]
  /** Failed attempts to connect, by reason. */
  readonly refusals: Readonly<Record<string, number>>
  readonly attached: number
  /** Since the last report. */
  readonly answers: readonly CallAnswer[]
}

type Open = Extract<Task, { kind: 'open' }>

/** The other stations are measured: they must wait for the bridge, not for this process on the same cores. */
const givingWay = 'storm'

/** Longer than a station waits. */
const answerWithinMs = 40_000
/** The timeout of an upgrade; the station tries again after a pause. */
const upgradeWithinMs = 20_000
const againMs = 5_000

const upgrades: number[] = []
const refusals: Record<string, number> = {}
let answers: CallAnswer[] = []
let attached = 0
let lastId = 0

serveTasks((task: Task): Promise<Report | null> => {
  if (task.kind === 'report') {
    const report = { upgrades, refusals, attached, answers }
    answers = []
    return Promise.resolve(report)
  }
  if (task.prefix === givingWay) setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  for (let number = 0; number < task.stations; number++) void live(task, `${task.prefix}-${number}`)
  return Promise.resolve(null)
})

async function live(task: Open, name: string): Promise<void> {
  await sleep(Math.random() * task.withinMs)
  let station = await open(task, name)
  for (; station === null; station = await open(task, name)) await sleep(againMs * (1 + Math.random()))
  if (!(await boot(station, name))) return
  attached++
  if (task.every === null) return
  const { ms, calls: turns } = task.every
  let next = Date.now() + Math.random() * ms
  for (let turn = Math.floor(Math.random() * turns.length); ; turn++) {
    await sleep(next - Date.now())
    next = Date.now() + ms
    const answer = await ask(station, name, turns[turn % turns.length] ?? 'heartbeat')
    if (answer.came === 'none') return
  }
}

async function open({ url }: Open, name: string): Promise<Station | null> {
  const startedAt = Date.now()
  try {
    const station = await within(Station.open(`${url}/${name}`, 'ocpp1.6', false), upgradeWithinMs)
    upgrades.push(Date.now() - startedAt)
    return station
  } catch (error) {
    const why = String(error).split('\r\n')[0] ?? ''
    refusals[why] = (refusals[why] ?? 0) + 1
    return null
  }
}

/** @returns whether the station was accepted; `false` if it was refused or lost its connection */
async function boot(station: Station, name: string): Promise<boolean> {
  for (;;) {
    const { came, waitSeconds } = await ask(station, name, 'boot')
    if (came !== 'Pending' || waitSeconds === null) return came === 'Accepted'
    await sleep(waitSeconds * 1000)
  }
}

async function ask(station: Station, name: string, call: CallName): Promise<CallAnswer> {
  const id = `storm-${++lastId}-`
  const { action, payload } = calls[call]
  const sentAt = Date.now()
  const answer = within(station.next(id), answerWithinMs)
  station.send(frameOf(JSON.stringify([2, id, action, payload(name)])))
  const text = await answer.then(String, () => null)
  const read = { station: name, call, sentAt, endedAt: Date.now(), ...outcomeOf(text, call) }
  answers.push(read)
  return read
}

function outcomeOf(text: string | null, call: CallName): Pick<CallAnswer, 'came' | 'waitSeconds'> {
  if (text === null) return { came: 'none', waitSeconds: null }
  const [type, , payload] = JSON.parse(text) as [number, string, { status?: string; interval?: number }]
  if (type !== 3) return { came: 'error', waitSeconds: null }
  if (call !== 'boot') return { came: 'result', waitSeconds: null }
  return { came: payload.status ?? '', waitSeconds: payload.interval ?? null }
}

async function within<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
