/**
 * The table of limits in docs/security.md: its options, metrics and tests are there.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { rows as optionRows } from '../src/config/options.ts'
import { nameOf, textOf } from '../src/config/option.ts'
import { limits } from '../src/config/table/limits.ts'
import { checkLimits, checksAtOnce } from '../src/server/auth/station-keys.ts'
import { usualTimeouts } from '../src/server/http-server.ts'
import { turnMs } from '../src/server/limits/turnstile.ts'
import { mostConnections, roomFor } from '../src/server/open-files.ts'
import { maxFragments } from '../src/server/websocket/receiver.ts'
import { inboxLimits } from '../src/session/inbox.ts'
import { table as metrics, type Row as MetricRow } from '../src/ops/metric-table.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const [, table = ''] = /\| metric \| test \|\n\| [- |]+\|\n((?:\|.*\n)+)/.exec(read('docs/security.md')) ?? []
const rows = table
  .trimEnd()
  .split('\n')
  .map(line => line.split('|').map(cell => cell.trim()))
const cell = (row: readonly string[], at: number): string => row[at] ?? ''
const optionOf = (row: readonly string[]): string => cell(row, 3).replaceAll('`', '')
const names = new Map(optionRows.map(row => [nameOf(row), row.option]))

test('each row of the limits is whole', () => {
  assert.ok(rows.length > 20, `${rows.length} rows`)
  for (const row of rows) {
    assert.equal(row.length, 8, String(row))
    assert.ok(
      row.slice(1, 7).every(each => each !== ''),
      String(row),
    )
  }
})

test('each option of a limit exists, and each option of the group has a row', () => {
  const named = rows.map(optionOf).filter(name => name !== '–')
  assert.deepEqual(
    named.filter(name => !names.has(name)),
    [],
  )
  const own = optionRows.filter(({ option }) => Object.values(limits.options).some(each => each === option)).map(nameOf)
  assert.deepEqual(
    own.filter(name => !named.includes(name)),
    [],
  )
})

test('the default of each option is the one in its row', () => {
  for (const row of rows) {
    const option = names.get(optionOf(row))
    if (option === undefined || typeof option.default !== 'number' || option.default === 0) continue
    const [shown] = cell(row, 2)
      .replaceAll(/[ ,](?=\d{3}\b|s\b|[KMG]iB)/g, '')
      .split(/[ ,;]/)
    assert.equal(shown, textOf(option.kind, option.default), optionOf(row))
  }
})

const { tlsHandshake, head, request, idle } = usualTimeouts
const seconds = (ms: number): string => `${ms / 1000} s`
const grouped = (count: number): string => count.toLocaleString('en-US')
const ample = { limit: 1_000_000, open: 0 }
/** [the beginning of a row, its figures in the code] */
const figures: readonly (readonly [string, readonly string[]])[] = [
  ['connections that are not upgraded', [grouped(mostConnections(ample) - roomFor(ample))]],
  ['time of a turn of the event loop for connections', [`${turnMs} ms`]],
  ['time for a TLS handshake', [seconds(tlsHandshake)]],
  ['time for a header of the PROXY protocol', [seconds(head)]],
  ["time for a request's head", [seconds(head)]],
  ['time for a request |', [seconds(request)]],
  ['time without a byte before the upgrade', [seconds(idle)]],
  ['fragments of a message', [grouped(maxFragments.accepted), grouped(maxFragments.unaccepted)]],
  ['messages of a station that wait', [grouped(inboxLimits.entries), `${inboxLimits.bytes / 2 ** 20} MiB`]],
  [
    'keys that wait for their check',
    [grouped(checkLimits.waitingOfAddress), grouped(checkLimits.waiting), grouped(checksAtOnce(Infinity))],
  ],
]
for (const [begins, expected] of figures) {
  test(`the row of limits "${begins}" has the figures of the code: ${expected.join(', ')}`, () => {
    const row = rows.find(each => `${cell(each, 1)} |`.startsWith(begins))
    const shown = cell(row ?? [], 2).match(/\d+(?:,\d{3})*(?:\.\d+)?(?: (?:m?s|[KMG]iB)\b)?/g) ?? []
    assert.deepEqual(shown.slice(0, expected.length), expected)
  })
}

const known = new Map<string, MetricRow<string>>(Object.entries(metrics))

test('each metric of a limit exists, with the value of its label', () => {
  for (const row of rows) {
    const [, name = '', label, value = ''] = /^`(\w+)(?:\{(\w+)="(\w+)"\})?`$/.exec(cell(row, 5)) ?? []
    // Without a metric, the row says why.
    if (/^– \(.+\)$/.test(cell(row, 5))) continue
    const metric = known.get(name)
    assert.ok(metric !== undefined, cell(row, 5))
    if (label === undefined) continue
    const values = metric.labels[label]
    assert.ok(typeof values === 'object' && value in values, cell(row, 5))
  }
})

test('each limit names its tests', () => {
  for (const row of rows) {
    const [, file = '', title] = /^`([\w/-]+)`(?:: `([^`]+)`)?$/.exec(cell(row, 6)) ?? []
    assert.ok(existsSync(new URL(`${file}.test.ts`, import.meta.url)), cell(row, 6))
    if (title !== undefined) assert.ok(read(`test/${file}.test.ts`).includes(`'${title}'`), `${file}: ${title}`)
  }
})
