import assert from 'node:assert/strict'
import { test } from 'node:test'
import { troubleKinds, type StationView } from '../../../src/admin/answers.ts'
import { findingsOf, troubleTexts } from '../../../src/console/model/diagnosis.ts'

const now = Date.parse('2026-01-31T12:00:00Z')
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString()

const healthy: StationView = {
  id: 'CP1',
  state: 'accepted',
  version: '1.6',
  address: '192.0.2.1',
  connectedAt: ago(3_600),
  lastMessageAt: ago(5),
  sn: 'SN1',
  leftAt: null,
  leftBecause: null,
  messages: 3,
  recentErrors: 0,
  lastError: null,
  troubles: [],
  sid: 's1',
  tls: false,
  profile: 1,
  url: 'http://localhost/ocpp/CP1',
  streams: [],
  calls: { fromStation: [], toStation: [] },
  queues: { messages: 0, messageBytes: 0, isPaused: false, commands: 0, outcomes: 0, stored: false },
  counts: { fromStation: {}, toStation: {} },
  errors: [],
  lastEnd: null,
  lastRefusal: null,
  remembered: null,
  heartbeatSeconds: 300,
  recentEnds: 0,
  violation: null,
  appAway: false,
}
const error = {
  at: ago(10),
  from: 'bridge',
  id: 'a',
  action: 'Fly',
  code: 'NotImplemented',
  description: 'no such action',
  cause: 'rejected',
} as const
const refusal = { at: ago(10), status: 401, reason: 'wrong key', address: '192.0.2.1' }
const gone = { state: 'disconnected', sid: null, leftAt: ago(60), leftBecause: 'ping timeout' } as const

const rows: readonly (readonly [Partial<StationView>, readonly RegExp[], string])[] = [
  [{}, [], 'all is well'],
  [{ state: 'attaching' }, [/not accepted it yet/], 'the app is away'],
  [{ state: 'pending' }, [/Pending/], 'its boot waits'],
  [{ state: 'rejected' }, [/Rejected/], 'the app does not want it'],
  [
    { ...gone, lastEnd: { at: ago(60), code: 1006, reason: 'ping timeout' } },
    [/left 1 min ago \(close code 1006\): ping timeout/],
    'it is away',
  ],
  [{ ...gone, lastRefusal: refusal }, [/left/, /refused 10 s ago with HTTP 401: wrong key/], 'it tries to come back'],
  [
    { ...gone, lastRefusal: { ...refusal, at: ago(90) } },
    [/left/],
    'a refusal before its last connection is of no matter',
  ],
  [{ state: 'refused', sid: null, lastRefusal: refusal }, [/refused/], 'it has never been let in'],
  [
    { lastRefusal: refusal },
    [/Somebody at 192\.0\.2\.1 was refused as CP1 10 s ago/],
    'something else tries with its identity',
  ],
  [{ lastRefusal: { ...refusal, at: ago(3_700) } }, [], 'it was refused before it was let in'],
  [{ ...gone, leftBecause: '' }, [/It left 1 min ago: no reason was given\./], 'it closed the connection itself'],
  [{ recentEnds: 9, lastMessageAt: ago(9_000) }, [], 'the bridge sees no trouble'],
  [
    { troubles: ['reconnects'], recentEnds: 4, lastEnd: { at: ago(60), code: 1006, reason: '' } },
    [/4 of its connections ended in the last hour; the last end was: no reason was given \(close code 1006\)/],
    'it is in a reconnect loop',
  ],
  [
    { troubles: ['reconnects'], recentEnds: 10 },
    [/: 10 or more of its connections ended/],
    'the bridge counts no more than ten',
  ],
  [
    { troubles: ['silent'], lastMessageAt: ago(720) },
    [/nothing for 12 min, and should send a Heartbeat every 5 min/],
    'its software is stuck',
  ],
  [
    { troubles: ['silent'], lastMessageAt: null, connectedAt: ago(720) },
    [/nothing for 12 min/],
    'it has said nothing since it connected',
  ],
  [
    { state: 'attaching', troubles: ['silent'], lastMessageAt: ago(720) },
    [/not accepted it yet/, /nothing for 12 min/],
    'the list, too, says that an attaching station missed its heartbeats',
  ],
  [{ appAway: true }, [/The app does not answer the bridge/], 'the app is away'],
  [{ appAway: true, state: 'attaching' }, [/The app does not answer the bridge/], 'it waits for an app that is away'],
  [
    { violation: { at: ago(60), action: 'MeterValues', path: '/connectorId', rule: 'required', count: 2 } },
    [/2 messages of it break .* MeterValues 1 min ago at \/connectorId: it is missing/],
    'the bridge saw them before the page was opened',
  ],
  [
    { calls: { fromStation: [], toStation: [{ id: 'a', action: 'Reset', seconds: 12 }] } },
    [/not answered Reset for 12 s/],
    'it is mute',
  ],
  [
    { calls: { fromStation: [{ id: 'a', action: 'Authorize', seconds: 8 }], toStation: [] } },
    [/app has not answered its Authorize/],
    'the app is slow',
  ],
  [
    { calls: { fromStation: [{ id: 'a', action: 'Authorize', seconds: 1 }], toStation: [] } },
    [],
    'a second is no trouble',
  ],
  [{ queues: { ...healthy.queues, isPaused: true, messages: 90 } }, [/90 messages wait/], 'it sends too much'],
  [{ queues: { ...healthy.queues, stored: true } }, [/are stored/], 'the outbox has messages of it'],
  [
    { errors: [error, error, { ...error, action: 'Swim' }] },
    [/Fly with NotImplemented \(no such action\) 10 s ago, and 1 time before/, /Swim/],
    'each kind of error once',
  ],
]
for (const [about, expected, because] of rows) {
  test(`a station with ${JSON.stringify(about)} has ${expected.length} findings: ${because}`, () => {
    const findings = findingsOf({ ...healthy, ...about }, null, now)
    assert.equal(findings.length, expected.length, JSON.stringify(findings))
    for (const [at, pattern] of expected.entries()) assert.match(findings[at]?.says ?? '', pattern)
    for (const { advice } of findings) assert.match(advice, /\.$/)
  })
}

test('messages that break their schema are a finding', () => {
  const breach = { action: 'StatusNotification', violation: { path: '/errorCode', rule: 'enum' }, count: 2 }
  const [finding] = findingsOf(healthy, breach, now)
  assert.match(finding?.says ?? '', /2 messages below break .* StatusNotification at \/errorCode: it is not one of/)
})

for (const from of ['station', 'bridge', 'app'] as const)
  for (const cause of ['failed', 'refused', 'unauthorized', 'rejected', 'station'])
    test(`an error from the ${from} for the cause ${cause} comes with advice`, () => {
      const [finding] = findingsOf({ ...healthy, errors: [{ ...error, from, cause }] }, null, now)
      assert.match(finding?.advice ?? '', /\.$/)
    })

test('a refusal is worse for a station that is not served than for one that is', () => {
  const tones = [{}, { state: 'attaching' }, { ...gone, lastRefusal: refusal }] as const
  const found = tones.map(about => findingsOf({ ...healthy, lastRefusal: refusal, ...about }, null, now))
  const toneOf = (pattern: RegExp) => found.map(all => all.find(({ says }) => pattern.test(says))?.tone)
  assert.deepEqual(toneOf(/refused/), ['warn', 'bad', 'bad'])
})

for (const status of [400, 401, 403, 404, 409, 429, 503])
  test(`a refusal with ${status} comes with advice`, () => {
    const [finding] = findingsOf({ ...healthy, lastRefusal: { ...refusal, status } }, null, now)
    assert.match(finding?.advice ?? '', /\.$/)
  })

test('each trouble has words of its own, and errors have their number and the latest code', () => {
  const station = { ...healthy, troubles: troubleKinds, recentErrors: 3, lastError: 'NotSupported' }
  const texts = troubleTexts(station)
  assert.equal(new Set(texts).size, troubleKinds.length)
  assert.ok(texts.includes('3 errors: NotSupported'), texts.join('; '))
  assert.deepEqual(troubleTexts({ ...station, troubles: [] }), [])
})
