import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { limits } from '../../../src/admin/limits.ts'
import { openFakeAdmin } from '../support.ts'

test('a request without the token learns nothing of the routes', async t => {
  const { client } = await openFakeAdmin(t, { token: 'full' })
  const { status, headers, body } = await client(null).get('/v1/nothing')
  assert.deepEqual([status, headers.get('www-authenticate'), body['type']], [401, 'Bearer', '/problems/unauthorized'])
  assert.equal((await client('full').get('/v1/nothing')).status, 404)
})

test('a refused request is warned of once for each address', async t => {
  const { world, client } = await openFakeAdmin(t, { token: 'full' })
  for (let times = 0; times < 3; times++) await client('guess').get('/v1/stats')
  assert.equal([...world.notices].filter(([key]) => key.startsWith('admin ')).length, 1)
})

test('a bug ends the request with 500 and is logged', async t => {
  const { world, client } = await openFakeAdmin(t)
  Object.defineProperty(world.hub, 'size', {
    get: () => {
      throw new Error('a bug')
    },
  })
  const { status, text } = await client(null).get('/v1/stats')
  assert.deepEqual([status, text.includes('a bug"')], [500, false])
  assert.deepEqual(world.log.said('error'), ['a bug in the bridge ended an admin request'])
})

test('a failed change is one line of the log', async t => {
  const { world, client } = await openFakeAdmin(t)
  await client(null).ask('DELETE', '/v1/stations/CP1/connection')
  const [line] = world.log.lines.filter(({ message }) => message === 'a change asked for by an operator failed')
  const { remoteAddress, ...fields } = line?.fields as Record<string, unknown>
  assert.match(String(remoteAddress), /127\.0\.0\.1/)
  assert.deepEqual(fields, {
    by: 'loopback',
    operation: 'disconnectStation',
    id: 'CP1',
    given: { reason: 'Closed by an operator' },
    status: 404,
    problem: '/problems/unknown-station',
  })
})

test('a failed change is logged without the key that it sets when a CALLERROR repeats the key to its caller', async t => {
  const { world, client } = await openFakeAdmin(t)
  const station = world.plug('CP1')
  await station.boot()
  station.socket.sent.all.length = 0
  const payload = { key: 'AuthorizationKey', value: 'c0ffee5ecret' }
  const asking = client(null).ask('POST', '/v1/stations/CP1/calls', { action: 'ChangeConfiguration', payload })
  while (station.socket.sent.all[0] === undefined) await setImmediate()
  const [, id] = JSON.parse(station.socket.sent.all[0]) as [number, string]
  station.says([4, id, 'PropertyConstraintViolation', 'c0ffee5ecret is too short', { value: 'c0ffee5ecret' }])
  const { body } = await asking
  assert.equal(body['description'], 'c0ffee5ecret is too short')
  const [line] = world.log.lines.filter(({ message }) => message === 'a change asked for by an operator failed')
  const { remoteAddress, ...fields } = line?.fields as Record<string, unknown>
  assert.match(String(remoteAddress), /127\.0\.0\.1/)
  assert.deepEqual(fields, {
    by: 'loopback',
    operation: 'callStation',
    id: 'CP1',
    given: { action: 'ChangeConfiguration', notify: true },
    status: 502,
    problem: '/problems/call-error',
  })
})

test('connections beyond the limit are closed at once', async t => {
  const { admin } = await openFakeAdmin(t)
  const open = () => {
    const socket = connect(admin.port, '127.0.0.1')
      .resume()
      .on('error', () => undefined)
    t.after(() => socket.destroy())
    return socket
  }
  const sockets = Array.from({ length: limits.connections }, open)
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  await once(open(), 'close')
  assert.equal(
    sockets.some(({ destroyed }) => destroyed),
    false,
  )
})

test('the line of a change keeps its own level when an operator sets one', async t => {
  const { world, client } = await openFakeAdmin(t)
  await client(null).ask('PUT', '/v1/stations/CP1/log', { level: 'debug', for: 60 })
  const [line] = world.log.lines.filter(({ message }) => message === 'an operator changed something')
  const { given, ...own } = line?.fields as Record<string, unknown>
  assert.deepEqual([given, 'level' in own], [{ level: 'debug', for: 60 }, false])
})
