/**
 * Every route with every kind of caller: one row each.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { routes, type Route, type RouteName } from '../../src/admin/routes.ts'
import type { OutboxAdmin, OutboxRow } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { openFakeAdmin } from './support.ts'

const row: OutboxRow = {
  seq: 7,
  stationId: 'CP1' as StationId,
  version: 'ocpp1.6',
  id: '"a"',
  action: 'StopTransaction',
  key: 'k',
  payload: '{"idTag":"04A2",  "meterStop":12.50}',
  storedAt: 1_700_000_000_000,
  attempts: 1,
  deadAt: null,
  error: null,
}

const outbox: OutboxAdmin = {
  list: ({ after }) => Promise.resolve(after < row.seq ? [row] : []),
  find: seq => Promise.resolve(seq === row.seq ? row : null),
  retry: () => Promise.resolve({ messages: 1, stations: [row.stationId] }),
  drop: () => Promise.resolve(1),
}

type Case = {
  readonly path: string
  readonly body?: object
  /** A path that names nothing, and the status. */
  readonly missing?: readonly [path: string, status: number]
  readonly badPath?: string
  readonly badBody?: object
}

const cases: Readonly<Record<RouteName, Case>> = {
  listStations: { path: '/v1/stations?limit=1&sort=-id', badPath: '/v1/stations?limit=501' },
  getStation: { path: '/v1/stations/CP1', missing: ['/v1/stations/CP9', 404], badPath: '/v1/stations/CP1?all=true' },
  callStation: {
    path: '/v1/stations/CP1/calls',
    body: { action: 'Reset', payload: { type: 'Soft' } },
    missing: ['/v1/stations/CP9/calls', 404],
    badBody: { action: 'Reset', payloads: {} },
  },
  listMessages: {
    path: '/v1/stations/CP1/messages',
    missing: ['/v1/stations/CP9/messages', 404],
    badPath: '/v1/stations/CP1/messages?limit=0',
  },
  setHistory: { path: '/v1/stations/CP*/history', body: { frames: 2, for: 60 }, badBody: { frames: 1_001, for: 60 } },
  setLog: { path: '/v1/stations/CP1/log', body: { level: 'debug', for: 60 }, badBody: { level: 'loud', for: 60 } },
  disconnectStation: {
    path: '/v1/stations/CP1/connection?reason=Service',
    missing: ['/v1/stations/CP9/connection', 404],
    badPath: '/v1/stations/CP1/connection?why=Service',
  },
  tailMessages: { path: '/v1/messages?action=Heartbeat', badPath: '/v1/messages?errors=perhaps' },
  tailEvents: { path: '/v1/events?type=ready', badPath: '/v1/events?type=born' },
  getStats: { path: '/v1/stats', badPath: '/v1/stats?x=1' },
  getConfig: { path: '/v1/config', badPath: '/v1/config?x=1' },
  listOutbox: { path: '/v1/outbox?state=pending', badPath: '/v1/outbox?state=lost' },
  getOutboxMessage: { path: '/v1/outbox/7', missing: ['/v1/outbox/8', 404], badPath: '/v1/outbox/7?x=1' },
  retryOutbox: { path: '/v1/outbox/retry', body: { numbers: [7] }, badBody: { numbers: [7], all: true } },
  dropOutbox: { path: '/v1/outbox/drop', body: { all: true }, badBody: {} },
  listWarnings: { path: '/v1/warnings', badPath: '/v1/warnings?x=1' },
  getSeries: { path: '/v1/series', badPath: '/v1/series?x=1' },
  listActions: { path: '/v1/schemas/1.6', missing: ['/v1/schemas/1.5', 404], badPath: '/v1/schemas/1.6?x=1' },
  getSchemas: {
    path: '/v1/schemas/2.1/Reset',
    missing: ['/v1/schemas/2.1/Fly', 404],
    badPath: '/v1/schemas/2.1/Reset?x=1',
  },
  getOpenapi: { path: '/openapi.json', badPath: '/openapi.json?x=1' },
}

const ajv = new Ajv2020({ strict: false })
formats.default(ajv)

for (const [name, { path, body, missing, badPath, badBody }] of Object.entries(cases)) {
  const route: Route = routes[name as RouteName]
  test(`${route.method} ${route.path} serves the full token, and refuses others, unknown things and bad input`, async t => {
    const { world, client } = await openFakeAdmin(t, { token: 'full', readToken: 'read', outbox })
    const station = world.plug('CP1')
    await station.boot()
    station.socket.sent.all.length = 0
    const full = client('full')
    const statusOf = async (token: string | null, at: string, content?: object): Promise<number> => {
      const { status } = await client(token).ask(route.method, at, content)
      return status
    }
    assert.equal(await statusOf(null, path, body), 401)
    assert.equal(await statusOf('wrong', path, body), 401)
    if (route.write) assert.equal(await statusOf('read', path, body), 403)
    if (badPath !== undefined) assert.equal(await statusOf('full', badPath, body), 400)
    if (badBody !== undefined) assert.equal(await statusOf('full', path, badBody), 400)
    if (missing !== undefined) assert.equal(await statusOf('full', missing[0], body), missing[1])
    const wrongMethod = await full.ask('PATCH', path)
    assert.deepEqual([wrongMethod.status, wrongMethod.headers.get('allow')?.includes(route.method)], [405, true])
    const audited = () => world.log.lines.filter(({ message }) => message === 'an operator changed something')
    assert.deepEqual(audited(), [])
    if ('stream' in route.answer) {
      for (const token of ['full', 'read']) (await client(token).stream(path)).close()
      return
    }
    const asking = full.ask(route.method, path, body)
    if (name === 'callStation') {
      const [, id] = await nextFrom(station.socket.sent)
      station.says([3, id, { status: 'Accepted' }])
    }
    const { status, body: answer } = await asking
    assert.equal(status, 200)
    assert.equal(ajv.validate(route.answer.json.schema, answer), true, ajv.errorsText())
    if (!route.write) assert.equal(await statusOf('read', path), 200)
    assert.deepEqual(
      audited().map(({ fields }) => 'payload' in (fields as { readonly given: object }).given),
      route.write ? [false] : [],
    )
  })
}

async function nextFrom(sent: { readonly all: readonly string[] }): Promise<[number, string]> {
  while (sent.all[0] === undefined) await new Promise(setImmediate)
  return JSON.parse(sent.all[0]) as [number, string]
}

test('a message of the outbox is shown byte for byte with the full token, and masked with the read-only one', async t => {
  const { client } = await openFakeAdmin(t, { token: 'full', readToken: 'read', outbox })
  assert.match((await client('full').get('/v1/outbox/7')).text, /"payload":\{"idTag":"04A2", {2}"meterStop":12\.50\}/)
  assert.match((await client('read').get('/v1/outbox/7')).text, /"payload":\{"idTag":"\*\*\*", {2}"meterStop":12\.50\}/)
})

test('the outbox is 409 when there is none, and 503 when its disk fails', async t => {
  const none = await openFakeAdmin(t)
  assert.equal((await none.client(null).get('/v1/outbox')).body['type'], '/problems/no-outbox')
  const failing = { ...outbox, list: () => Promise.reject(new Error('EIO')) }
  const broken = await openFakeAdmin(t, { outbox: failing })
  const { status, body } = await broken.client(null).get('/v1/outbox')
  assert.deepEqual([status, body['type'], body['detail']], [503, '/problems/outbox-failed', 'EIO'])
})
