import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { newReports } from '../../src/server/reports.ts'
import { FakeLog, FakeMeter } from '../support/fakes.ts'

/** Reports, and what they log: each warning as `key`, `detail` and fields. */
function setUp() {
  const log = new FakeLog()
  const warned: { readonly key: string; readonly detail: string; readonly fields: object }[] = []
  const once = (key: string, fields: object, _message: string, detail = '') => warned.push({ key, detail, fields }) > 0
  const meter = new FakeMeter()
  return { reports: newReports({ log, once, meter }), log, meter, warned }
}

const request = (target: string) => ({
  target,
  headers: {},
  remoteAddress: '192.0.2.7',
  localAuthority: 'localhost',
  encrypted: false,
})

const rows: readonly (readonly [status: number, key: string, detail: string, because: string])[] = [
  [400, 'refused No 192.0.2.7', '/ocpp/CP1 ', 'one station’s fault: by address and path'],
  [409, 'refused No', '/ocpp/CP1 ', 'about an identity: by path'],
  [503, 'refused No', '', 'one reason for many stations: one line'],
]
for (const [status, key, detail, because] of rows) {
  test(`a refusal with ${status} is logged under ${JSON.stringify([key, detail])}: ${because}`, () => {
    const { reports, warned } = setUp()
    reports.onRefused(request('/ocpp/CP1?token=secret'), status, 'No')
    const fields = { path: '/ocpp/CP1', remoteAddress: '192.0.2.7', status, problem: 'No' }
    assert.deepEqual(warned, [{ key, detail, fields }])
  })
}

const counted: readonly (readonly [status: number, problem: string, reason: string])[] = [
  [503, 'The CSMS is shutting down', 'draining'],
  [503, 'The CSMS has reached its connection limit', 'full'],
  [503, 'The connection limit is reached', 'full'],
  [503, 'The CSMS cannot process messages now', 'owing'],
  [409, 'This Charging Station is already connected', 'taken'],
  [404, 'Not found', 'path'],
  [400, 'The path contains no Charging Station identity', 'identity'],
  [400, 'The path contains a dot segment', 'identity'],
  [400, 'The path has more than one segment after the prefix', 'identity'],
  [400, 'The Charging Station identity is not percent-encoded UTF-8', 'identity'],
  [400, 'The Charging Station identity contains control characters', 'identity'],
  [400, 'The Charging Station identity is too long', 'identity'],
  [400, 'No Sec-WebSocket-Protocol offered; supported: ocpp1.6', 'version'],
  [400, 'None of the offered subprotocols is supported; supported: ocpp1.6', 'version'],
  [400, 'The request target has a fragment', 'request'],
  [400, 'The request target has an invalid host', 'request'],
  [400, 'The request target contains control characters', 'request'],
  [400, 'TLS on a port without TLS', 'tls'],
  [400, 'Malformed HTTP request (HPE_INVALID_CONSTANT)', 'request'],
  [400, 'Missing or invalid Sec-WebSocket-Key header', 'request'],
]
for (const [status, problem, reason] of counted) {
  test(`a refusal with ${JSON.stringify(problem)} counts as ${reason}`, () => {
    const { reports, meter } = setUp()
    reports.onRefused(request('/ocpp/CP1'), status, problem)
    assert.equal(meter.total('ocpp_refused_total', { reason }), 1)
  })
}

test('each text with which the source refuses a station has a row above', () => {
  const sources = ['translate/handshake.ts', 'app.ts', 'server/listener.ts', 'server/refusals.ts']
  const texts = sources.flatMap(file => {
    const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8')
    return [...source.matchAll(/'((?:The |This |No |None |Not |TLS |Malformed )[^']+)'/g)].map(([, text = '']) => text)
  })
  assert.ok(texts.length >= counted.length - 3, `it finds ${texts.length}`)
  const known = counted.map(([, problem]) => problem)
  assert.deepEqual(
    texts.filter(text => !known.some(problem => problem.startsWith(text))),
    [],
  )
})

test('a refusal names the header that cannot be read, and no user of an absolute target', () => {
  const { reports, warned } = setUp()
  reports.onRefused(request('http://user:pass@csms/ocpp/CP1'), 400, 'No', 'x-name')
  const fields = { path: 'http://***@csms/ocpp/CP1', remoteAddress: '192.0.2.7', status: 400, problem: 'No' }
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
