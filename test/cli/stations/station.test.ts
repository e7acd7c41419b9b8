import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StationView } from '../../../src/admin/answers.ts'
import { json, openFakeApi } from '../../support/admin-api.ts'
import { FakeTerminal } from '../../support/terminal.ts'

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString()

const view: StationView = {
  id: 'CP1',
  state: 'accepted',
  version: '1.6',
  address: '192.0.2.1',
  connectedAt: ago(3_600),
  lastMessageAt: ago(5),
  sn: 'SN1',
  leftAt: null,
  leftBecause: null,
  messages: 13,
  recentErrors: 1,
  lastError: 'InternalError',
  troubles: ['errors'],
  sid: 's1',
  tls: false,
  profile: 1,
  url: 'http://localhost/ocpp/CP1',
  streams: ['ocpp:ev/SN1'],
  calls: {
    fromStation: [{ id: '7', action: 'StartTransaction', seconds: 2.5 }],
    toStation: [{ id: '8', action: 'Reset', seconds: null }],
  },
  queues: { messages: 3, messageBytes: 900, isPaused: true, commands: 1, outcomes: 0, stored: true },
  counts: { fromStation: { Heartbeat: 12 }, toStation: { Reset: 1 } },
  errors: [
    {
      at: ago(30),
      from: 'app',
      id: '6',
      action: 'StartTransaction',
      code: 'InternalError',
      description: 'no \u001b[31mroute',
      cause: 'rejected',
    },
  ],
  lastEnd: { at: ago(4_000), code: 1006, reason: 'the connection was lost' },
  remembered: { profile: 2, serialNumber: 'SN\u001b', mayDowngrade: false },
  heartbeatSeconds: 300,
  recentEnds: 1,
  violation: null,
  appAway: false,
  lastRefusal: { at: ago(3_700), status: 503, reason: 'The CSMS is shutting down', address: '192.0.2.1' },
}

test('station shows the last errors first, then what is known', async t => {
  const api = await openFakeApi(t, json(view))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'station', 'CP1'), 0)
  assert.equal(api.asked[0]?.url, '/v1/stations/CP1')
  assert.deepEqual(terminal.lines.slice(0, 6), [
    'CP1  accepted  OCPP 1.6',
    '',
    'Last errors',
    '  30s ago    StartTransaction got CALLERROR InternalError  "no \\u001b[31mroute", from the app, cause: rejected',
    '  1h 1m ago  upgrade refused with 503                      The CSMS is shutting down, from 192.0.2.1',
    '  1h 6m ago  connection ended with 1006                    the connection was lost',
  ])
  for (const line of [
    /^ {2}connected +1h ago, 20/,
    /^ {2}security profile +1$/,
    /^ {2}security profile +2; with less it is refused, unless ocpp_profile_downgrade=CP1$/,
    /^ {2}serial number of its certificate +SN\\u001b$/,
    /^ {2}from the station +StartTransaction +7 +open for 2s$/,
    /^ {2}to the station +Reset +8 +waits to be sent$/,
    /^ {2}messages for the app +3, 900 bytes; the socket is paused$/,
    /^ {2}outbox +has messages of this station: see ocpp-cable outbox list$/,
    /^ {2}from the station +Heartbeat +12$/,
  ])
    assert.ok(
      terminal.lines.some(each => line.test(each)),
      `${line} in\n${terminal.out}`,
    )
})

test('station leaves out what it does not know', async t => {
  const idle = { messages: 0, messageBytes: 0, isPaused: false, commands: 0, outcomes: 0, stored: false }
  const unknown = {
    ...view,
    ...{
      version: null,
      connectedAt: null,
      lastMessageAt: null,
      sn: null,
      sid: null,
      tls: null,
      profile: null,
      url: null,
    },
    ...{ streams: [], errors: [], lastEnd: null, lastRefusal: null, remembered: null, queues: idle },
    calls: { fromStation: [], toStation: [] },
    counts: { fromStation: {}, toStation: {} },
  }
  const api = await openFakeApi(t, json(unknown))
  const terminal = new FakeTerminal()
  await api.run(terminal, 'station', 'CP1')
  assert.deepEqual(terminal.lines, ['CP1  accepted', '', 'Connection', '  address  192.0.2.1'])
})

for (const [remembered, line, because] of [
  [{ profile: 2, mayDowngrade: true }, '2; less is allowed by ocpp_profile_downgrade', 'the option names it'],
  [{ profile: 0, mayDowngrade: false }, null, 'nothing is less'],
] as const)
  test(`station shows ${line ?? 'no'} remembered profile: ${because}`, async t => {
    const api = await openFakeApi(
      t,
      json({ ...view, profile: null, remembered: { ...remembered, serialNumber: null } }),
    )
    const terminal = new FakeTerminal()
    await api.run(terminal, 'station', 'CP1')
    const [, shown = null] = /security profile +(.*)/.exec(terminal.out) ?? []
    assert.equal(shown, line)
  })

test('station --json prints the answer as it is', async t => {
  const text = '{"id":"CP1","x":1.50}'
  const api = await openFakeApi(t, json(text))
  const terminal = new FakeTerminal()
  await api.run(terminal, 'station', 'CP1', '--json')
  assert.equal(terminal.out, `${text}\n`)
})
