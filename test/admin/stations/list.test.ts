import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdminClient } from '../../support/admin.ts'
import { openFakeAdmin } from '../support.ts'

async function idsOf(client: AdminClient, query: string): Promise<string[]> {
  const { body } = await client.get(`/v1/stations?${query}`)
  return (body['stations'] as { readonly id: string }[]).map(({ id }) => id)
}

test('pages follow each other by their cursors, in both directions', async t => {
  const { world, client } = await openFakeAdmin(t)
  const ids = ['CP4', 'CP1', 'CP3', 'CP2', 'CP5']
  for (const id of ids) world.plug(id)
  for (const [sort, expected] of [
    ['id', ['CP1', 'CP2', 'CP3', 'CP4', 'CP5']],
    ['-id', ['CP5', 'CP4', 'CP3', 'CP2', 'CP1']],
  ] as const) {
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const from = cursor === '' ? '' : `&cursor=${cursor}`
      const { body } = await client(null).get(`/v1/stations?sort=${sort}&limit=2${from}`)
      seen.push(...(body['stations'] as { readonly id: string }[]).map(({ id }) => id))
      assert.equal(body['matched'], 5)
      cursor = body['next'] as string | null
    }
    assert.deepEqual(seen, expected)
  }
})

test('stations without a value come last, whatever the direction', async t => {
  const { world, client } = await openFakeAdmin(t)
  world.plug('silent')
  await world.plug('spoke').boot()
  for (const sort of ['lastMessageAt', '-lastMessageAt'])
    assert.deepEqual(await idsOf(client(null), `sort=${sort}`), ['spoke', 'silent'])
})

test('a filter takes pattern, version, state, time and silence together', async t => {
  const { world, client } = await openFakeAdmin(t)
  await world.plug('CP1').boot()
  world.plug('CP2', { version: 'ocpp2.0.1' })
  const left = world.plug('CP3')
  await left.boot()
  left.vanish()
  world.hub.departures.onRefused('CP4' as never, { status: 404, reason: 'Wrong path', address: '' })
  const only = client(null)
  assert.deepEqual(await idsOf(only, ''), ['CP1', 'CP2', 'CP3', 'CP4'])
  assert.deepEqual(await idsOf(only, 'id=CP?&state=connected'), ['CP1', 'CP2'])
  assert.deepEqual(await idsOf(only, 'state=accepted'), ['CP1'])
  assert.deepEqual(await idsOf(only, 'state=disconnected'), ['CP3'])
  assert.deepEqual(await idsOf(only, 'state=refused'), ['CP4'])
  assert.deepEqual(await idsOf(only, 'version=2.0.1'), ['CP2'])
  assert.deepEqual(await idsOf(only, 'silentFor=3600'), [])
  assert.deepEqual(await idsOf(only, 'silentFor=0'), ['CP1', 'CP2'])
  assert.deepEqual(await idsOf(only, 'connectedSince=2001-01-01T00:00:00Z'), ['CP1', 'CP2'])
  assert.deepEqual(await idsOf(only, 'connectedSince=2199-01-01T00:00:00Z'), [])
})

test('a cursor that no page gave is refused', async t => {
  const { client } = await openFakeAdmin(t)
  for (const cursor of [
    'x',
    'W10',
    'bnVsbA',
    cursorOf([{}, 'a']),
    cursorOf([true, 'a']),
    cursorOf(['', 'a', 'b']),
    cursorOf([7, 'a']),
  ])
    assert.equal((await client(null).get(`/v1/stations?cursor=${cursor}`)).status, 400)
})

function cursorOf(place: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

test('stations with the most errors come first when the list is asked for them, and show the latest code', async t => {
  const { world, client } = await openFakeAdmin(t)
  world.plug('calm')
  for (const [id, errors] of [
    ['odd', 1],
    ['bad', 3],
  ] as const) {
    const station = world.plug(id)
    await station.boot()
    for (let at = 0; at < errors; at++) {
      station.says([2, `x${at}`, 'FluxCapacitor', {}])
      await station.next()
    }
  }
  const { body } = await client(null).get('/v1/stations?sort=-errors')
  assert.deepEqual(
    (body['stations'] as Record<string, unknown>[]).map(each => [
      each['id'],
      each['recentErrors'],
      each['lastError'],
      each['messages'],
    ]),
    [
      ['bad', 3, 'NotImplemented', 4],
      ['odd', 1, 'NotImplemented', 2],
      ['calm', 0, null, 0],
    ],
  )
})
