/**
 * The real app is killed and started again, or stopped for a while: six stations, each at another moment of its walk
 * and with its own bridge.
 */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { openBridge, type Bridge } from '../../support/bridge.ts'
import { keepUntil } from '../../support/keep.ts'
import { standStill } from '../../support/process.ts'
import { openProxy, type Proxy } from '../../support/proxy.ts'
import { openRails, type LedgerEntry, type Rails } from '../../support/rails.ts'
import { assertCounts, assertForgotten, type Cell } from './cells.ts'
import { more, over, quick, until, WalkingStation, type Moment } from './scene.ts'

type Row = Omit<Cell, 'how' | 'unended'>

/** Something that happens once. */
class Event {
  readonly passed: Promise<void>
  happen: () => void = () => undefined

  constructor() {
    this.passed = new Promise(resolve => (this.happen = resolve))
  }
}

/** What stations wait for: all are ready; the app is stopped; it is killed, if it is; it is back. */
type Course = { readonly others: Event; readonly still: Event; readonly gone: Event; readonly back: Event }

/** The moments with a call in flight: the failure must be shorter than its timeout. */
const hasCall = (when: Moment) =>
  when === 'between Connect and subscribe' || when === 'after perform, before the answer'

type Actor = {
  readonly when: Moment
  readonly id: string
  readonly bridge: Bridge
  readonly toApp: Proxy
  readonly saw: string[]
  readonly station: WalkingStation
  /** It has reached its moment of failure. */
  readonly ready: Event
  readonly walked: Promise<void>
}

async function openActor(t: TestContext, rails: Rails, when: Moment, course: Course): Promise<Actor> {
  const keep = keepUntil(end => t.after(end))
  const toApp = keep(await openProxy(rails.rpcPort))
  const bridge = await openBridge([`--rpc_host=${toApp.host}`, ...quick, '--rpc_command_timeout=3s'])
  keep({ close: () => bridge.kill('SIGKILL') })
  const toBridge = keep(await openProxy(bridge.port))
  const [id, saw, ready] = [when.replaceAll(/\W+/g, '-'), [] as string[], new Event()]
  const station = new WalkingStation({ toBridge, saw, publish: over(bridge) }, { over: course.back.passed }, id)
  const actor = { when, id, bridge, toApp, saw, station, ready }
  const walked = walk(actor, rails, course)
  walked.catch(() => undefined) // awaited when all are ready
  return { ...actor, walked }
}

async function walk(actor: Omit<Actor, 'walked'>, rails: Rails, { others, still, gone, back }: Course): Promise<void> {
  const { when, id, bridge, toApp, station, ready } = actor
  const isIn = (event: string) => rails.waitFor(entry => entry.event === event && entry.station === id)
  const stay = async (event: Event) => {
    ready.happen()
    await event.passed
  }
  await station.connect()
  if (when === 'before boot') await stay(gone)
  if (when === 'during Connect') await stay(still)
  if (hasCall(when)) await others.passed
  if (when === 'between Connect and subscribe') toApp.hold('down')
  const booted = station.boot()
  if (when === 'between Connect and subscribe') {
    await isIn('connected')
    toApp.hold('up')
    toApp.release('down')
    await bridge.metricReaches('rpc_call_total', 2)
    await stay(still)
  }
  await booted
  if (when === 'during perform') await stay(still)
  if (when === 'after perform, before the answer') toApp.hold('down')
  const started = station.start()
  if (when === 'after perform, before the answer') {
    await isIn('start_transaction')
    await stay(still)
  }
  await started
  if (when === 'during a remote command') await station.obey(`first ${id}`, () => stay(gone))
  await back.passed
  await station.obey(`last ${id}`)
  await rails.waitFor(entry => entry.id === `last ${id}`)
  await station.leave()
  await isIn('disconnected')
}

async function playAll(t: TestContext, rows: readonly Row[], how: 'killed' | 'stopped'): Promise<void> {
  const rails = await openRails()
  t.after(() => rails.close())
  const course = { others: new Event(), still: new Event(), gone: new Event(), back: new Event() }
  const actors = await Promise.all(rows.map(({ when }) => openActor(t, rails, when, course)))
  const areReady = (few: readonly Actor[]) =>
    Promise.all(few.map(({ ready, walked }) => Promise.race([ready.passed, walked])))
  await areReady(actors.filter(({ when }) => !hasCall(when)))
  course.others.happen()
  await areReady(actors)
  await standStill(rails.process)
  const late = actors.filter(({ when }) => when === 'during Connect' || when === 'during perform')
  const sent = late.map(({ toApp }) => more(toApp, 'up'))
  course.still.happen()
  await Promise.all(sent)
  if (how === 'killed') {
    await rails.kill('SIGKILL')
    for (const { toApp } of actors) toApp.cut()
    for (const { toApp } of actors) toApp.release()
  }
  course.gone.happen()
  await Promise.all(actors.map(({ bridge }) => bridge.metricReaches('rpc_error_total', 1)))
  if (how === 'killed') await rails.restart()
  else rails.process.signal('SIGCONT')
  for (const { toApp } of actors) toApp.release()
  for (const { bridge } of actors) await until(async () => (await bridge.get('/ready')).status === 200, 'ready')
  course.back.happen()
  await Promise.all(actors.map(({ walked }) => walked))
  for (const [at, actor] of actors.entries()) {
    const row = rows[at]
    assert.ok(row, 'there is a row for each station')
    await t.test(row.when, () => assertOutcome(actor, row, rails.ledger()))
  }
}

async function assertOutcome({ id, saw, bridge }: Actor, { station, app, log, mayLog }: Row, ledger: LedgerEntry[]) {
  const words = saw.map(word => word.replace(/^transaction \d+/, 'transaction'))
  assert.deepEqual(words, station, 'what the station saw')
  const entries = ledger.filter(entry => entry.station === id)
  const names = entries.map(({ event, attempt }) => (attempt === undefined ? event : `${event} again`))
  assertCounts(names, { ...usual, ...app })
  const booked = entries.filter(({ number, duplicate }) => number !== undefined && duplicate !== true)
  assert.equal(booked.length, 1, 'the transaction is booked once')
  await until(async () => (await bridge.metric('clients_num')) === 0, 'no station is left at the bridge')
  await assertForgotten(bridge, log, mayLog)
}

const usual = {
  connected: 1,
  subscribed: 1,
  boot_notification: 1,
  start_transaction: 1,
  ack: 1,
  unsubscribed: 1,
  disconnected: 1,
} as const
const whole = ['Accepted', 'transaction', 'Reset'] as const
const away = ['the app does not answer', 'the app answers'] as const

const stoppedRows: readonly Row[] = [
  { when: 'before boot', station: ['Pending', ...whole], app: { connected: [1, 2] } },
  { when: 'during Connect', station: ['Pending', ...whole], app: { connected: [1, 2] } },
  { when: 'between Connect and subscribe', station: ['Pending', ...whole], app: { subscribed: [1, 2] } },
  {
    ...{ when: 'during perform', station: whole },
    app: { start_transaction: [0, 1], 'start_transaction again': 1 },
  },
  {
    ...{ when: 'after perform, before the answer', station: whole },
    app: { 'start_transaction again': 1 },
  },
  {
    ...{ when: 'during a remote command', station: [...whole, 'Reset'], app: { ack: [1, 2] } },
    log: ['dropped the outcome of a command: the app did not take it'],
  },
]

describe('the process of the app', { concurrency: 2, timeout: 180_000 }, () => {
  test('loses and doubles nothing when it is killed and started again', t =>
    playAll(
      t,
      [
        { when: 'before boot', station: ['Pending', ...whole], log: away },
        { when: 'during Connect', station: ['Pending', ...whole], log: away },
        { when: 'between Connect and subscribe', station: ['Pending', ...whole], log: away },
        {
          ...{ when: 'during perform', station: whole, log: away },
          app: { start_transaction: 0, 'start_transaction again': 1 },
        },
        {
          ...{ when: 'after perform, before the answer', station: whole, log: away },
          app: { start_transaction: 1, 'start_transaction again': 1 },
        },
        { when: 'during a remote command', station: [...whole, 'Reset'], log: away, app: { ack: 2 } },
      ],
      'killed',
    ))

  test('loses and doubles nothing when it is stopped and continued', t =>
    playAll(
      t,
      stoppedRows.map(row => ({ mayLog: away, ...row })),
      'stopped',
    ))
})
