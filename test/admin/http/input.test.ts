import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchPath, readBody, readQuery } from '../../../src/admin/http/input.ts'
import { routes } from '../../../src/admin/routes.ts'

const paths = [
  ['/v1/stations', { GET: 'listStations' }, {}],
  ['/v1/stations/CP%2F1', { GET: 'getStation' }, { id: 'CP/1' }],
  ['/v1/stations/CP*/log', { PUT: 'setLog' }, { id: 'CP*' }],
  ['/v1/outbox/retry', { POST: 'retryOutbox' }, {}],
  ['/v1/outbox/7', { GET: 'getOutboxMessage' }, { number: '7' }],
] as const
for (const [path, methods, parameters] of paths) {
  test(`${path} has ${JSON.stringify(methods)}`, () => {
    const matched = matchPath(path)
    assert.deepEqual([Object.fromEntries(matched?.methods ?? []), matched?.parameters], [methods, parameters])
  })
}

for (const path of ['/', '/v1', '/v1/stations/', '/v1/stations/CP1/', '/v1/stations/CP1/wings', '//v1/stations'])
  test(`${path} is no route`, () => assert.equal(matchPath(path), null))

test('a path with broken percent-encoding is refused', () => {
  assert.throws(() => matchPath('/v1/stations/%zz'), /percent-encoding/)
})

for (const path of ['/v1/stations/..', '/v1/stations/%2E%2e/messages', '/v1/stations/./log', '/v1/stations/%2e'])
  test(`the dot segment in ${path} is refused`, () => assert.throws(() => matchPath(path), /is \. or \.\./))

test('a query is read by its types, with defaults', () => {
  const { id, silentFor, limit, sort } = readQuery('id=CP%2A&silentFor=1.5', routes.listStations)
  assert.deepEqual([id, silentFor, limit, sort], ['CP*', 1.5, 100, 'id'])
  assert.equal(readQuery('errors=false', routes.tailMessages)['errors'], false)
})

const queries = [
  ['station=CP1', /has no parameter "station": it takes id, version/],
  ['id=a&id=b', /id is given twice/],
  ['id=', /id must be a text of 1 to 255/],
  ['limit=1.5', /limit must be a whole number from 1 to 500/],
  ['limit=0x10', /limit must be a whole number/],
  ['sort=name', /sort must be one of id, -id/],
  ['connectedSince=yesterday', /connectedSince must be a time, such as/],
  ['connectedSince=2026-13-01T00:00:00Z', /connectedSince must be a time/],
  ['constructor=1', /has no parameter "constructor"/],
] as const
for (const [query, problem] of queries)
  test(`the query ${query} is refused`, () => assert.throws(() => readQuery(query, routes.listStations), problem))

const bodies = [
  ['', /not a JSON object/],
  ['[]', /not a JSON object/],
  ['{"action":"Reset","paylod":{}}', /no member "paylod": it takes action, payload/],
  ['{"payload":{}}', /action is missing/],
  ['{"action":7}', /action must be a text of 1 to 64/],
  ['{"action":"Reset","payload":[]}', /payload must be a JSON object/],
  ['{"action":"Reset","timeout":"5"}', /timeout must be a number from 1 to 600/],
  ['{"action":"Reset","timeout":601}', /timeout must be a number from 1 to 600/],
  ['{"action":"Reset","notify":0}', /notify must be true or false/],
  ['{"action":"Reset","__proto__":{}}', /no member "__proto__"/],
] as const
for (const [body, problem] of bodies)
  test(`the body ${body} is refused`, () => assert.throws(() => readBody(body, routes.callStation.body), problem))

test('a list is refused when it is too long, or an item is wrong', () => {
  const { body } = routes.retryOutbox
  assert.throws(() => readBody('{"numbers":[]}', body), /a list of 1 to 1000, each a whole number/)
  assert.throws(() => readBody('{"numbers":[1,0]}', body), /a list of 1 to 1000/)
  assert.deepEqual(readBody('{"numbers":[1,2]}', body)['numbers'], [1, 2])
})
