import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StationSummary } from '../../../src/admin/answers.ts'
import { runCommand } from '../../../src/cli/run.ts'
import { json, openFakeApi } from '../../support/admin-api.ts'
import { FakeTerminal } from '../../support/terminal.ts'

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString()

const connected: StationSummary = {
  id: 'CP1',
  state: 'accepted',
  version: '1.6',
  address: '192.0.2.1',
  connectedAt: ago(7_210),
  lastMessageAt: ago(20),
  sn: 'SN1',
  leftAt: ago(9_000),
  leftBecause: 'old',
  messages: 13,
  recentErrors: 1,
  lastError: 'InternalError',
  troubles: ['errors'],
}
const left: StationSummary = {
  ...connected,
  id: 'CP\u001b[2J2',
  state: 'disconnected',
  connectedAt: null,
  lastMessageAt: null,
  sn: null,
  leftAt: ago(65),
  leftBecause: '1006',
}

const page = (stations: readonly StationSummary[], next: string | null = null) => ({ stations, matched: 2, next })

test('stations prints a table on a terminal, without escapes of a station', async t => {
  const api = await openFakeApi(t, json(page([connected, left])))
  const terminal = new FakeTerminal()
  terminal.isTerminal = true
  assert.equal(await api.run(terminal, 'stations'), 0)
  assert.deepEqual(terminal.lines, [
    'ID            STATE         OCPP  ADDRESS    SINCE  LAST MESSAGE  SN   LEFT BECAUSE',
    'CP1           accepted      1.6   192.0.2.1  2h     20s           SN1',
    'CP\\u001b[2J2  disconnected  1.6   192.0.2.1  1m 5s  -             -    1006',
  ])
})

test('stations prints tabs for a program, page by page', async t => {
  const api = await openFakeApi(t, ({ url }, response) => {
    json(page(url.includes('cursor') ? [left] : [connected], url.includes('cursor') ? null : 'c1'))(
      { method: '', url, token: '', body: '' },
      response,
    )
  })
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'stations', 'CP*', '--state=connected'), 0)
  assert.deepEqual(
    terminal.lines.map(line => line.split('\t')),
    [
      ['CP1', 'accepted', '1.6', '192.0.2.1', connected.connectedAt, connected.lastMessageAt, 'SN1', connected.leftAt, 'old'], // prettier-ignore
      ['CP\\u001b[2J2', 'disconnected', '1.6', '192.0.2.1', '', '', '', left.leftAt, '1006'],
    ],
  )
  assert.deepEqual(
    api.asked.map(({ url }) => url),
    ['/v1/stations?id=CP*&state=connected&limit=500', '/v1/stations?id=CP*&state=connected&limit=500&cursor=c1'],
  )
})

test('stations --state=troubled says the troubles, on a terminal and for a program', async t => {
  const api = await openFakeApi(t, json(page([connected, { ...left, id: 'CP2', troubles: ['refused', 'stored'] }])))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'stations', '--state=troubled'), 0)
  assert.deepEqual(
    terminal.lines.map(line => line.split('\t').at(-1)),
    ['errors', 'refused, stored'],
  )
  const screen = new FakeTerminal()
  screen.isTerminal = true
  assert.equal(await api.run(screen, 'stations', '--state=troubled'), 0)
  assert.deepEqual(screen.lines, [
    'ID   STATE         TROUBLE          OCPP  ADDRESS    SINCE  LAST MESSAGE  SN   LEFT BECAUSE',
    'CP1  accepted      errors           1.6   192.0.2.1  2h     20s           SN1',
    'CP2  disconnected  refused, stored  1.6   192.0.2.1  1m 5s  -             -    1006',
  ])
})

test('stations --json prints one line of JSON for each station, on a terminal too', async t => {
  const api = await openFakeApi(t, json(page([connected, { ...left, id: 'CP\u009b' }])))
  const terminal = new FakeTerminal()
  terminal.isTerminal = true
  await api.run(terminal, 'stations', '--json')
  assert.deepEqual(terminal.lines.map(line => (JSON.parse(line) as StationSummary).id), ['CP1', 'CP\u009b']) // prettier-ignore
  assert.ok(!terminal.out.includes('\u009b'))
})

test('stations --watch draws over the lines that are there, and leaves the screen as it was', async t => {
  let drawn = 0
  const api = await openFakeApi(t, json(page([connected, left])))
  const terminal = new FakeTerminal()
  terminal.isTerminal = true
  terminal.columns = 40
  terminal.rows = 10
  terminal.onWrite = text => {
    if (text.startsWith('\u001b[H') && ++drawn === 2) throw new Error('Ctrl-C')
  }
  await assert.rejects(api.run(terminal, 'stations', '--watch'), /Ctrl-C/)
  const [screen = ''] = terminal.out.split('\u001b[H').slice(1)
  assert.ok(!screen.includes('\u001b[2J'), 'nothing is cleared before it is drawn')
  const lines = screen.split('\r\n')
  assert.ok(lines.every(line => line.replace(/\u001b\[[KJ]/g, '').length <= 40)) // eslint-disable-line no-control-regex -- what is drawn
  assert.ok(lines.slice(0, -1).every(line => line.endsWith('\u001b[K')))
  assert.match(lines.at(-1) ?? '', /^2 of 2 stations; Ctrl-C ends/)
  assert.equal(terminal.atExit, '\u001b[?25h\u001b[?1049l')
  assert.match(api.asked[0]?.url ?? '', /limit=8$/)
})

test('stations --watch needs a terminal, and no --json', async () => {
  const terminal = new FakeTerminal()
  assert.equal(await runCommand(['stations', '--watch'], terminal), 2)
  assert.match(terminal.err, /^--watch needs a terminal\n/)
  assert.equal(await runCommand(['stations', '--watch', '--json'], terminal), 2)
})
