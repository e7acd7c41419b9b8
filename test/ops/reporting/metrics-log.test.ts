import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Gauges } from '../../../src/ops/metric-table.ts'
import { Metrics } from '../../../src/ops/metrics.ts'
import { metricsLog } from '../../../src/ops/reporting/metrics-log.ts'

const gauges = {
  clients_num: () => 7,
  queue_size: () => [[{ queue: 'commands' }, 3]],
} as unknown as Gauges

function logged(filter: readonly string[] = []) {
  const lines: { readonly level: string; readonly fields: object; readonly message: string }[] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const metrics = new Metrics('ocpp_cable_')
  metrics.totals.rpc_call_total.value = 2
  metrics.count('ocpp_call_total', { version: '1.6', action: 'Heartbeat', answer: 'local' })
  metrics.count('ocpp_call_total', { version: '1.6', action: 'Authorize', answer: 'app' })
  metrics.observe('ocpp_call_seconds', { version: '1.6' }, 0.25)
  metrics.observe('ocpp_call_seconds', { version: '2.1' }, 0.5)
  const report = metricsLog(filter, 15_000, { info: at('info'), warn: at('warn') })
  return { lines, report: () => report.send(metrics.readings(gauges)) }
}

test("the line has AnyCable's names, sums over labels, and no gauge with labels", async () => {
  const { lines, report } = logged()
  await report()
  const [announced, line] = lines
  assert.deepEqual(announced, { level: 'info', fields: {}, message: 'Log metrics every 15s' })
  assert.deepEqual([line?.level, line?.message], ['info', 'metrics'])
  const { clients_num, rpc_call_total, ocpp_call_total, ocpp_call_seconds_count, ocpp_call_seconds_sum, ...others } =
    line?.fields as Readonly<Record<string, number>>
  assert.deepEqual(
    { clients_num, rpc_call_total, ocpp_call_total, ocpp_call_seconds_count, ocpp_call_seconds_sum },
    { clients_num: 7, rpc_call_total: 2, ocpp_call_total: 2, ocpp_call_seconds_count: 2, ocpp_call_seconds_sum: 0.75 },
  )
  assert.equal('queue_size' in others, false)
  const names = Object.keys(line?.fields ?? {})
  assert.deepEqual(names, [...names].sort())
})

test('a filter leaves the metrics that it names', async () => {
  const { lines, report } = logged(['rpc_call_total', 'clients_num'])
  await report()
  assert.deepEqual(lines[1]?.fields, { clients_num: 7, rpc_call_total: 2 })
})

test('names that are not logged are warned of once, and the others are logged', async () => {
  const { lines, report } = logged(['clients_num', 'goroutines_num', 'queue_size'])
  await report()
  await report()
  assert.deepEqual(
    lines.filter(({ level }) => level === 'warn'),
    [
      {
        level: 'warn',
        fields: { unknown: ['goroutines_num', 'queue_size'] },
        message: 'metrics_log_filter names metrics that are not logged',
      },
    ],
  )
  assert.deepEqual(lines.at(-1)?.fields, { clients_num: 7 })
})
