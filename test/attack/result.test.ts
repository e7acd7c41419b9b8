/**
 * What makes a row of `npm run attack` miss its goal.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, test } from 'node:test'
import { WebSocketServer, type WebSocket } from 'ws'
import { keepUntil } from '../support/keep.ts'
import { Callers, type Tally } from './fleet.ts'
import { keepsMemory, missesOf, type Result } from './result.ts'
import { attacksOn } from './rows/all.ts'

const keep = keepUntil(after)
const strain = { busy: 0, queued: 0, lateMs: 0 }
const before: Tally = { calls: 10, errors: 1 }
const [attack] = attacksOn('plain').filter(({ counted, mustEnd }) => counted === undefined && mustEnd === undefined)

function resultWith(part: Partial<Result>): Result {
  assert.ok(attack)
  return {
    attack,
    quiet: [[1]],
    during: [[1]],
    seen: { before, after: { ...before, calls: 20 } },
    strain: { quiet: strain, during: strain },
    ends: { [attack.ends[0] ?? '']: 1 },
    rss: { before: 0, peak: 0, after: 0 },
    files: { before: 0, after: 0 },
    lines: 0,
    counted: 0,
    ...part,
  }
}

/** Stations of a bridge that answers as the test says. */
async function openCallers(withinMs: number, onCall: (ws: WebSocket, id: string) => void): Promise<Callers> {
  const bridge = keep(new WebSocketServer({ host: '127.0.0.1', port: 0 }))
  bridge.on('connection', ws => {
    ws.on('message', (data: Buffer) => onCall(ws, /"([^"]+)"/.exec(data.toString())?.[1] ?? ''))
  })
  await once(bridge, 'listening')
  const address = bridge.address()
  assert.ok(address !== null && typeof address === 'object')
  const callers = keep(new Callers(withinMs))
  await callers.connect({ url: `ws://127.0.0.1:${address.port}`, stations: 2, key: null })
  return callers
}

const answer = (ws: WebSocket, id: string): void => ws.send(`[3,"${id}",{}]`)
const bad: readonly [string, (ws: WebSocket, id: string) => void][] = [
  ['a CALLERROR', (ws, id) => ws.send(`[4,"${id}","InternalError","",{}]`)],
  ['a call without an answer', () => undefined],
  ['a connection that is closed', ws => ws.close()],
]

for (const [what, onCall] of bad) {
  test(`${what} after the measured window is an error of the row, and not of the next one`, async () => {
    let answers = answer
    const callers = await openCallers(3_000, (ws, id) => answers(ws, id))
    const start = await callers.tally()
    await callers.watch(100)
    answers = onCall
    await sleep(1_200) // each station calls once a second
    answers = answer
    await callers.watch(100) // the next window
    const end = await callers.tally()
    assert.match(
      missesOf(resultWith({ seen: { before: start, after: end } })).join(),
      /^healthy stations saw \d errors$/,
    )

    await callers.watch(100)
    assert.deepEqual(missesOf(resultWith({ seen: { before: end, after: await callers.tally() } })), [])
  })
}

test('a row meets the goal when stations saw errors only before it', () => {
  assert.deepEqual(missesOf(resultWith({})), [])
})

test("a row's p99 is the median of its rounds, and misses above 10 ms and twice the quiet one", () => {
  const rows = [
    { quiet: [[1], [1], [1]], during: [[90], [10], [1]] },
    { quiet: [[1], [1], [90]], during: [[11], [11], [1]] },
    { quiet: [[6], [6], [1]], during: [[12], [1], [12]] },
    { quiet: [[6]], during: [[12.1]] },
    { quiet: [[1]], during: [[]] },
  ]
  assert.deepEqual(
    rows.map(row => missesOf(resultWith(row)).length),
    [0, 1, 0, 1, 1],
  )
})

test('a row in which no connection ended misses the goal', () => {
  assert.deepEqual(missesOf(resultWith({ ends: {} })), ['no connection ended'])
})

test('a bridge keeps memory when it holds more than 32 MiB above what it held before', () => {
  const MiB = 2 ** 20
  assert.deepEqual(
    [32 * MiB, 32 * MiB + 1].map(more => keepsMemory({ before: MiB, after: MiB + more })),
    [false, true],
  )
})
