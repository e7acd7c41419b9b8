import assert from 'node:assert/strict'
import { test } from 'node:test'
import { troublesOf } from '../../../src/admin/stations/troubles.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { acks, FakeWorld, type FakeStation } from '../../support/fakes.ts'
import { openFakeAdmin } from '../support.ts'

const id = 'CP1' as StationId
const hourMs = 3_600_000
const refusal = { status: 401, reason: 'wrong key', address: '192.0.2.1' }

type Story = (world: FakeWorld, station: FakeStation) => void | Promise<void>

const stays: Story = () => undefined

/** Its connection ends, and so many others do. */
function drops(times: number): Story {
  return async (world, station) => {
    station.vanish()
    for (let time = 0; time < times; time++) {
      const again = world.plug(id)
      await again.boot()
      again.vanish()
    }
  }
}

function says(action: string, payload: object): Story {
  return async (_, station) => {
    station.call(action, payload)
    await station.next()
  }
}

/** Each opens a connection under the station's id, is refused by the app, and closes it. */
const meetsStrangers: Story = async (world, station) => {
  world.rpc.on('connect', () => ({ status: 'failure' }))
  for (let time = 0; time < 3; time++) {
    const stranger = world.plug(id, { authorization: 'Basic d3Jvbmc=' })
    stranger.call('Fly', {})
    await stranger.next()
    stranger.vanish()
    world.plug(id, { authorization: 'Basic d3Jvbmc=' }).vanish()
  }
  await world.pass(10)
  world.hub.departures.onRefused(id, refusal)
  assert.equal(station.session.isClosed, false)
}

const isRefused: Story = async (world, station) => {
  station.vanish()
  await world.pass(10)
  world.hub.departures.onRefused(id, refusal)
}

const faulted = { connectorId: 1, errorCode: 'CableStuck', status: 'Faulted' }
const rows: readonly (readonly [story: Story, afterMs: number, expected: readonly string[], because: string])[] = [
  [stays, 0, [], 'all is well'],
  [isRefused, 0, ['refused'], 'it may not come back'],
  [isRefused, hourMs, [], 'an hour has passed since it was refused'],
  [meetsStrangers, 0, [], 'strangers come and go under its id'],
  [drops(1), 0, [], 'its connection ended twice'],
  [drops(2), 0, ['reconnects'], 'its connection ended three times'],
  [drops(2), hourMs, [], 'an hour has passed since its connection ended three times'],
  [stays, 600_000, [], 'two heartbeat intervals have passed'],
  [stays, 600_001, ['silent'], 'more than two heartbeat intervals have passed'],
  [says('StatusNotification', faulted), 0, ['violations'], 'the error code is none of OCPP'],
  [says('Fly', {}), 0, ['errors'], 'OCPP has no such action'],
]
for (const [story, afterMs, expected, because] of rows)
  test(`a station has the troubles [${expected.join()}] when ${because}`, async t => {
    const world = new FakeWorld(t, { validation: [{ station: '*', action: 'StatusNotification', mode: 'warn' }] })
    const station = await booted(world)
    await story(world, station)
    assert.deepEqual(troublesOf(id, world.hub, world.now() + afterMs), expected)
  })

async function booted(world: FakeWorld): Promise<FakeStation> {
  world.rpc.on('boot_notification', acks({ status: 'Accepted', currentTime: '2026-01-01T00:00:00Z', interval: 300 }))
  const station = world.plug(id)
  await station.boot()
  return station
}

test('the list of stations in trouble leaves out those that are well, and says what the trouble is', async t => {
  const { world, client } = await openFakeAdmin(t)
  await world.plug('calm').boot()
  const bad = world.plug('bad')
  await bad.boot()
  bad.call('Fly', {}, 'a')
  await bad.next()
  world.hub.departures.onRefused('stranger' as StationId, refusal)
  const { body } = await client(null).get('/v1/stations?state=troubled')
  assert.equal(body['matched'], 2)
  const found = (body['stations'] as Record<string, unknown>[]).map(each => [each['id'], each['troubles']])
  assert.deepEqual(found, [
    ['bad', ['errors']],
    ['stranger', ['refused']],
  ])
})
