/**
 * `examples/monitoring`: the rules against promtool, the names in rules and dashboard against the metrics table, the
 * alerts against the run-book.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { table, type Row } from '../src/ops/metric-table.ts'
import { promtool } from './support/prometheus.ts'

const pathOf = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))
const read = (path: string): string => readFileSync(pathOf(path), 'utf8')

type Rule = { readonly alert: string; readonly expr: string; readonly annotations: { readonly runbook: string } }
type Dashboard = {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[]
  readonly templating: { readonly list: readonly { readonly query: string }[] }
}

const { groups } = parse(read('examples/monitoring/alerts.yml')) as { readonly groups: readonly { rules: Rule[] }[] }
const rules = groups.flatMap(group => group.rules)
const dashboard = JSON.parse(read('examples/monitoring/dashboard.json')) as Dashboard
const panels = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))
const variables = dashboard.templating.list.map(({ query }) => ({ title: query, expr: query }))

const rows: Readonly<Record<string, Row<string>>> = table
const prefix = 'ocpp_cable_'
/** Labels that Prometheus adds. */
const added = ['job', 'instance', 'le']

/** The row of a metric's name, without what a histogram adds to it. */
function rowOf(name: string): Row<string> | undefined {
  const own = name.slice(prefix.length)
  const histogram = rows[own.replace(/_(bucket|sum|count)$/, '')]
  return rows[own] ?? (histogram?.type === 'histogram' ? histogram : undefined)
}

/** Metrics and labels of an expression that are not in the table. */
function unknownIn(expression: string): string[] {
  const names = [...expression.matchAll(/\bocpp_cable_\w+/g)].map(([name]) => name)
  const labels = names.flatMap(name => Object.keys(rowOf(name)?.labels ?? {}))
  const matchers = [...expression.matchAll(/(\w+)(\{[^}]*\})/g)].flatMap(([, name = '', braces = '']) => {
    const known = [...Object.keys(rowOf(name)?.labels ?? {}), ...added]
    return [...braces.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)].flatMap(([, label = '', value = '']) => {
      if (!known.includes(label)) return [`${name}{${label}}`]
      const values = rowOf(name)?.labels[label]
      const isClosed = values !== undefined && typeof values !== 'string'
      return isClosed && !valuesOf(values).includes(value) ? [`${name}{${label}="${value}"}`] : []
    })
  })
  const grouped = [...expression.matchAll(/\b(?:by|without|ignoring|on)\s*\(([^)]*)\)/g)]
    .flatMap(([, list = '']) => list.split(/\s*,\s*/))
    .filter(label => ![...labels, ...added].includes(label))
  return [...names.filter(name => rowOf(name) === undefined), ...matchers, ...grouped]
}

function valuesOf(values: readonly string[] | Readonly<Record<string, string>>): readonly string[] {
  return values instanceof Array ? values : Object.keys(values)
}

test('promtool finds no fault in the alert rules', async () => {
  const { code, stdout, stderr } = await promtool('check', 'rules', pathOf('examples/monitoring/alerts.yml'))
  assert.equal(code, 0, stdout + stderr)
})

test('each alert fires when its unit test says so, and not otherwise', async () => {
  const { code, stdout, stderr } = await promtool('test', 'rules', pathOf('examples/monitoring/alerts.test.yml'))
  assert.equal(code, 0, stdout + stderr)
})

test('each alert has a unit test in which it fires, and one in which it does not', () => {
  const { tests } = parse(read('examples/monitoring/alerts.test.yml')) as {
    readonly tests: readonly { readonly alert_rule_test: readonly { alertname: string; exp_alerts: unknown[] }[] }[]
  }
  const cases = tests.flatMap(each => each.alert_rule_test)
  for (const { alert } of rules) {
    const fires = cases.filter(({ alertname }) => alertname === alert).map(each => each.exp_alerts.length > 0)
    assert.ok(fires.includes(true) && fires.includes(false), alert)
  }
})

test('promtool reads each expression of the dashboard', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-dashboard-'))
  try {
    const file = join(folder, 'rules.yml')
    const concrete = panels.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m'))
    const recorded = concrete.map((expr, at) => ({ record: `panel_${at}`, expr }))
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: recorded }] }))
    const { code, stdout, stderr } = await promtool('check', 'rules', file)
    assert.equal(code, 0, stdout + stderr)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

for (const [what, expressions] of [
  ['alert', rules.map(({ alert, expr }) => ({ title: alert, expr }))],
  ['panel', [...panels, ...variables]],
] as const) {
  test(`each metric, label and label value of each ${what} is in the metrics table`, () => {
    assert.ok(expressions.length > 10)
    for (const { title, expr } of expressions) assert.deepEqual(unknownIn(expr), [], title)
  })
}

const faults: readonly (readonly [expression: string, unknown: readonly string[], because: string])[] = [
  ['sum(ocpp_cable_clients)', ['ocpp_cable_clients'], 'a metric that does not exist'],
  ['ocpp_cable_ready{parts="rpc"} == 0', ['ocpp_cable_ready{parts}'], 'a label that does not exist'],
  ['ocpp_cable_ready{part="app"} == 0', ['ocpp_cable_ready{part="app"}'], 'a value that the label does not have'],
  ['sum by (reason) (ocpp_cable_clients_num)', ['reason'], 'a label of another metric'],
  ['rate(ocpp_cable_clients_num_bucket[5m])', ['ocpp_cable_clients_num_bucket'], 'a gauge has no buckets'],
]
for (const [expression, unknown, because] of faults) {
  test(`${expression} is not in the metrics table: ${because}`, () => assert.deepEqual(unknownIn(expression), unknown))
}

test('each alert names its heading in the run-book, and each heading of an alert is one', () => {
  const headings = [...read('docs/run-book.md').matchAll(/^### (Ocpp\w+)$/gm)].map(([, name = '']) => name)
  assert.deepEqual(
    headings,
    rules.map(({ alert }) => alert),
  )
  for (const { alert, annotations } of rules)
    assert.equal(annotations.runbook, `docs/run-book.md#${alert.toLowerCase()}`)
})
