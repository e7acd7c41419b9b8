import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFakeAdmin } from '../support.ts'

test('a station with a password has profile 1, and its view shows neither the password nor a query', async t => {
  const { world, client } = await openFakeAdmin(t)
  await world.plug('CP1', { authorization: 'Basic c2VjcmV0' }).boot()
  const { body, text } = await client(null).get('/v1/stations/CP1')
  assert.deepEqual([body['profile'], body['tls'], body['address']], [1, false, '192.0.2.1'])
  assert.equal(text.includes('c2VjcmV0'), false)
})

test('a station shows the profile that it has proved before, also after it has left', async t => {
  const { world, client } = await openFakeAdmin(t)
  const remembered = async (id: string) => (await client(null).get(`/v1/stations/${id}`)).body['remembered']
  const station = world.plug('CP1', { proven: 3, serialNumber: 'SN1' })
  assert.equal(await remembered('CP1'), null, 'the app has not accepted it')
  await station.boot('SN1')
  const proof = { profile: 3, serialNumber: 'SN1', mayDowngrade: false }
  assert.deepEqual(await remembered('CP1'), proof)
  station.vanish()
  assert.deepEqual(await remembered('CP1'), proof)
  const second = world.plug('CP2')
  await second.boot()
  assert.deepEqual(await remembered('CP2'), { profile: 0, serialNumber: null, mayDowngrade: false })
})

test('a station that came back shows why its last connection ended', async t => {
  const { world, client } = await openFakeAdmin(t)
  const first = world.plug('CP1')
  await first.boot()
  first.session.close(1001, 'Server restart')
  await world.plug('CP1').boot()
  const { body } = await client(null).get('/v1/stations/CP1')
  assert.equal(body['state'], 'accepted')
  const { code, reason } = body['lastEnd'] as { readonly code: number; readonly reason: string }
  assert.deepEqual([code, reason], [1001, 'Server restart'])
})

test('a station that has left, or came back, shows the last three errors of that connection', async t => {
  const { world, client } = await openFakeAdmin(t)
  const idsOf = async () => {
    const { body } = await client(null).get('/v1/stations/CP1')
    return (body['errors'] as readonly { readonly id: string }[]).map(({ id }) => id)
  }
  const first = world.plug('CP1')
  await first.boot()
  for (const id of ['a', 'b', 'c', 'd']) {
    first.call('Made', {}, id)
    await first.next()
  }
  assert.deepEqual(await idsOf(), ['d', 'c', 'b', 'a'])
  first.vanish()
  assert.deepEqual(await idsOf(), ['d', 'c', 'b'])
  const second = world.plug('CP1')
  await second.boot()
  second.call('Up', {}, 'e')
  await second.next()
  assert.deepEqual(await idsOf(), ['e', 'd', 'c', 'b'])
})

test('a CALL that waits for the app is shown as open', async t => {
  const { world, client } = await openFakeAdmin(t)
  const station = world.plug('CP1')
  await station.boot()
  const held = world.rpc.hold('authorize')
  station.call('Authorize', { idTag: 'A' }, 'first')
  station.call('Authorize', { idTag: 'B' }, 'second')
  await held.arrived()
  const { body } = await client(null).get('/v1/stations/CP1')
  const { fromStation } = body['calls'] as { readonly fromStation: readonly { readonly id: string }[] }
  assert.deepEqual(
    fromStation.map(({ id }) => id),
    ['first', 'second'],
  )
  assert.equal((body['queues'] as { readonly messages: number }).messages, 1)
  held.release()
})
