/**
 * Runs cells of the failure matrix: one row is one cell, with what both sides have seen at the end.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Bridge, LogLine } from '../../support/bridge.ts'
import { openScene, until, walk, type Failure, type Moment, type Scene } from './scene.ts'

export type Cell = {
  readonly when: Moment
  readonly how: string
  /** What the station sees, in order: its answers, the commands, the ends of its connections. */
  readonly station: readonly string[]
  /** What the app sees, if it differs from a walk without a failure; two numbers are a range. */
  readonly app?: Readonly<Record<string, number | readonly [least: number, most: number]>>
  /** The log lines about the failure, in any order; ends of connections by their codes. */
  readonly log?: readonly string[]
  /** Log lines that may come in addition. */
  readonly mayLog?: readonly string[]
  /** How many sessions end without a Disconnect. */
  readonly unended?: number
  /** Why the cell is as it is, if that is not obvious. */
  readonly because?: string
}

/** What the app sees of a walk without a failure. */
const usual = {
  Connect: 1,
  subscribe: 1,
  boot_notification: 1,
  start_transaction: 1,
  ack: 1,
  Disconnect: 1,
}

/** @param failures by `how` */
export function cells(
  who: string,
  failures: Readonly<Record<string, Failure>>,
  rows: readonly Cell[],
  open: (...scene: Parameters<typeof openScene>) => Promise<Scene> = openScene,
  ...flags: readonly string[]
): void {
  describe(who, { concurrency: 3, timeout: 180_000 }, () => {
    for (const row of rows) {
      test(`${row.how}, ${row.when}`, async t => {
        const failure = failures[row.how]
        assert.ok(failure, `nobody knows how to do this: ${row.how}`)
        const scene = await open(t, row.when, ...flags)
        await walk(scene, failure, row.unended)
        await assertOutcome(scene, row)
      })
    }
  })
}

async function assertOutcome(
  { app, bridge, toBridge, saw }: Scene,
  { station, app: seen = {}, log, mayLog, unended = 0 }: Cell,
) {
  assert.deepEqual(saw, station, 'what the station saw')
  const names = app.seen.map(({ name }) => name)
  assertCounts(names, { ...usual, ...seen })
  assert.equal(app.unended.length, unended, 'sessions of which the app was not told the end')
  await until(() => toBridge.open === 0, 'no connection of the station is left')
  await assertForgotten(bridge, log, mayLog)
}

/** The calls that the app has received, by name. */
export function assertCounts(names: readonly string[], expected: NonNullable<Cell['app']>): void {
  for (const name of new Set([...names, ...Object.keys(expected)])) {
    const [least, most] = [expected[name] ?? 0].flat() as [number, number?]
    const count = names.filter(each => each === name).length
    const isRight = count >= least && count <= (most ?? least)
    assert.ok(isRight, `the app saw ${name} ${count} times, in ${names.join(', ')}`)
  }
}

/** Asserts that the bridge has forgotten the station, and that the log has no other lines. */
export async function assertForgotten(
  bridge: Bridge,
  log: readonly string[] = [],
  mayLog: readonly string[] = [],
): Promise<void> {
  const lines = bridge.log().flatMap(told)
  // On a busy machine the app is slow.
  const may = [...mayLog, 'the app does not reply in time'].filter(line => !log.includes(line))
  const said = lines.filter(line => !may.includes(line))
  assert.deepEqual(said.toSorted(), [...log, 'closed 1000'].toSorted(), 'what the log says')
  for (const name of ['clients_num', 'broadcast_streams_num', 'rpc_pending_num', 'disconnect_queue_size']) {
    assert.equal(await bridge.metric(name), 0, name)
  }
}

const recoveries = /^(the app answers at|subscribed to broadcasts)/

/** A log line without addresses, as in the rows. */
function told({ level, msg, code, reason }: LogLine): string[] {
  if (msg === 'station disconnected') return [['closed', code, reason].filter(part => part !== '').join(' ')]
  if (/^(WARN|ERROR|FATAL)$/.test(level)) return [msg.replace(/ at 127.*/, '')]
  return recoveries.test(msg) ? [msg.replace(/ at 127.*/, '')] : []
}
