import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newReports } from '../../src/server/reports.ts'
import { refused } from '../../src/translate/handshake.ts'
import { FakeLog, FakeMeter } from '../support/fakes.ts'

/** Reports, and what they log: each warning as `key`, `detail` and fields. */
function setUp() {
  const log = new FakeLog()
  const warned: { readonly key: string; readonly detail: string; readonly fields: object }[] = []
  const once = (key: string, fields: object, _message: string, detail = '') => warned.push({ key, detail, fields }) > 0
  const meter = new FakeMeter()
  return { reports: newReports('/ocpp', { log, once, meter }), log, meter, warned }
}

const request = (target: string) => ({
  target,
  headers: {},
  remoteAddress: '192.0.2.7',
  localAuthority: () => 'localhost',
  encrypted: false,
  certificate: null,
})

const rows: readonly (readonly [status: 400 | 409 | 503, key: string, detail: string, because: string])[] = [
  [400, 'refused No 192.0.2.7', '/ocpp/CP1 ', 'one station’s fault: by address and path'],
  [409, 'refused No', '/ocpp/CP1 ', 'about an identity: by path'],
  [503, 'refused No', '', 'one reason for many stations: one line'],
]
for (const [status, key, detail, because] of rows) {
  test(`a refusal with ${status} is logged under ${JSON.stringify([key, detail])}: ${because}`, () => {
    const { reports, warned } = setUp()
    reports.onRefused(request('/ocpp/CP1?token=secret'), refused(status, 'request', 'No'))
    const fields = { path: '/ocpp/CP1', remoteAddress: '192.0.2.7', status, problem: 'No', station: 'CP1' }
    assert.deepEqual(warned, [{ key, detail, fields }])
  })
}

for (const [target, reason, station] of [
  ['/ocpp/CP%201', 'unknown', 'CP 1'],
  ['/foo/bar', 'path', undefined],
  ['/ocpp/%ZZ', 'identity', undefined],
  ['/ocpp/CP1/KEY', 'identity', 'CP1'],
] as const)
  test(`a refusal of ${target} for the reason ${reason} names the station ${station}`, () => {
    const { reports, warned } = setUp()
    reports.onRefused(request(target), refused(404, reason, 'Not found'))
    assert.equal((warned[0]?.fields as { readonly station?: string }).station, station)
  })

test('a refusal is counted by its reason', () => {
  const { reports, meter } = setUp()
  reports.onRefused(request('/ocpp/CP1'), refused(404, 'path', 'Not found'))
  assert.equal(meter.total('ocpp_refused_total', { reason: 'path' }), 1)
})

test('a refusal names the header that cannot be read, and no user of an absolute target', () => {
  const { reports, warned } = setUp()
  reports.onRefused(request('http://user:pass@csms/ocpp/CP1'), refused(400, 'request', 'No'), 'x-name')
  const fields = {
    path: 'http://***@csms/ocpp/CP1',
    remoteAddress: '192.0.2.7',
    status: 400,
    problem: 'No',
    station: 'CP1',
  }
  assert.deepEqual(warned[0]?.fields, { ...fields, header: 'x-name' })
})

test('a failed TLS handshake is one line for each address and reason', () => {
  const { reports, meter, warned } = setUp()
  reports.onTlsFailure('192.0.2.7', 'wrong version number')
  assert.equal(meter.total('ocpp_refused_total', { reason: 'tls' }), 1)
  assert.deepEqual([warned[0]?.key, warned[0]?.detail], ['tls 192.0.2.7', 'wrong version number'])
})

test('a bug is an error with its cause', () => {
  const { reports, log } = setUp()
  const error = new TypeError('bug')
  reports.onFault(request('/ocpp/CP1'), error)
  assert.deepEqual(log.lines[0]?.fields, { path: '/ocpp/CP1', remoteAddress: '192.0.2.7', error })
})
