import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Gauges } from '../../../src/ops/metric-table.ts'
import type { Reading } from '../../../src/ops/metrics.ts'
import { openIntervals, type Report } from '../../../src/ops/reporting/intervals.ts'

const dayMs = 86_400_000
const gauges = {} as Gauges
const counted = (value: number, labels = {}): Reading => ({ type: 'counter', name: 'rpc_call_total', labels, value })

/** Reports by hand: reads the next of `all` each time. */
function intervalsOf(all: Reading[][]) {
  const reported: (readonly Reading[])[] = []
  /** How many were reported when the report was closed. */
  const closed: number[] = []
  const metrics = { readings: () => all.shift() ?? [] }
  const report: Report = {
    send: readings => {
      reported.push(readings)
      return Promise.resolve()
    },
    close: () => void closed.push(reported.length),
  }
  return { reported, closed, metrics, report }
}

test('a counter is reported by its growth, each series by its own, and a gauge as it is', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const clients: Reading = { type: 'gauge', name: 'clients_num', labels: {}, value: 7 }
  const { reported, metrics, report } = intervalsOf([
    [clients, counted(3), counted(1, { version: '1.6' })],
    [clients, counted(3), counted(5, { version: '1.6' }), counted(2, { version: '2.1' })],
    [clients],
  ])
  const intervals = openIntervals(15_000, metrics, gauges, [report])
  t.mock.timers.tick(15_000)
  t.mock.timers.tick(15_000)
  await intervals.close()
  assert.deepEqual(
    reported.map(readings => readings.map(({ value }) => value)),
    [[7, 3, 1], [7, 0, 4, 2], [7]],
  )
})

test('a series of a gauge that is gone is reported as 0 once', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const stations = (version: string): Reading => ({
    type: 'gauge',
    name: 'ocpp_stations_num',
    labels: { version },
    value: 7,
  })
  const [old, current] = [stations('1.6'), stations('2.1')]
  const { reported, metrics, report } = intervalsOf([[old, current], [counted(3), current], [current], [old]])
  const intervals = openIntervals(15_000, metrics, gauges, [report])
  for (let time = 0; time < 3; time++) t.mock.timers.tick(15_000)
  await intervals.close()
  const gone = (gauge: Reading): Reading => ({ ...gauge, value: 0 })
  assert.deepEqual(reported, [[old, current], [counted(3), current, gone(old)], [current], [old, gone(current)]])
})

test('a sum of seconds has no noise of floating point', async () => {
  const { reported, metrics, report } = intervalsOf([[counted(0.1 + 0.2), { ...counted(1e-9), type: 'gauge' }]])
  await openIntervals(dayMs, metrics, gauges, [report]).close()
  assert.deepEqual(
    reported[0]?.map(({ value }) => value),
    [0.3, 0],
  )
})

test('what is left is reported once at the end, to all, before they are closed', async () => {
  const { reported, closed, metrics, report } = intervalsOf([[counted(3)], [counted(4)]])
  const intervals = openIntervals(dayMs, metrics, gauges, [report, report])
  await Promise.all([intervals.close(), intervals.close()])
  assert.deepEqual(reported, [[counted(3)], [counted(3)]])
  assert.deepEqual(closed, [2, 2])
})

test('a report that does not end does not hold the end up', async t => {
  const alive = setInterval(() => undefined, 1_000)
  t.after(() => clearInterval(alive))
  const { closed, metrics, report } = intervalsOf([])
  const stuck = { ...report, send: () => new Promise<void>(() => undefined) }
  await openIntervals(dayMs, metrics, gauges, [stuck]).close()
  assert.deepEqual(closed, [0])
})
