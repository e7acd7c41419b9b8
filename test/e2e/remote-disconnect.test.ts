/**
 * Stations that are disconnected by the app (`remote_connections.where(...).disconnect`) or by their own newer
 * connection.
 */
import type { NatsConnection } from 'nats'
import assert from 'node:assert/strict'
import { after, before, test, type TestContext } from 'node:test'
import { commandBroadcast, type Bridge } from '../support/bridge.ts'
import type { Rails } from '../support/rails.ts'
import { openSite, type Site } from '../support/site.ts'
import { openStation, type Station, type StationOptions } from '../support/station.ts'

/** A missing event fails the test. */
const within = { timeout: 120_000 }

let site: Site
let rails: Rails
let bridge: Bridge
let publisher: NatsConnection

before(async () => {
  site = await openSite()
  ;({ rails, bridge, publisher } = site)
})

after(() => site.close())

async function connect(t: TestContext, id: string, options?: StationOptions): Promise<Station> {
  const station = await openStation(bridge.url, id, options)
  t.after(() => station.close())
  station.answers('Reset', () => ({ status: 'Accepted' }))
  return station
}

/** A station that the app knows without a boot. */
async function connectAndReport(...args: Parameters<typeof connect>): Promise<Station> {
  const station = await connect(...args)
  await report(station)
  return station
}

async function report(station: Station): Promise<void> {
  const status = { connectorId: 1, errorCode: 'NoError', status: 'Available' }
  assert.deepEqual(await station.call('StatusNotification', status), {})
}

function publish(broadcast: object): void {
  publisher.publish('__anycable__', JSON.stringify(broadcast))
}

/** As the gem publishes `ActionCable.server.remote_connections.where(station_id:).disconnect(reconnect:)`. */
function disconnectRemotely(id: string, reconnect: boolean): void {
  const identifier = JSON.stringify({ station_id: id })
  publish({ command: 'disconnect', payload: { identifier, reconnect } })
}

const eventsOf = (id: string) =>
  rails
    .ledger()
    .filter(({ station }) => station === id)
    .map(({ event }) => event)

const eventOf = (id: string, event: string) => rails.waitFor(entry => entry.station === id && entry.event === event)

/** Asserts that a command reaches the station, and its answer the app. */
async function assertReachable(id: string): Promise<void> {
  const command = { command: 'Reset', id: `reset-${id}`, payload: { type: 'Soft' } }
  publish(commandBroadcast(id, command))
  const outcome = await rails.waitFor(entry => entry.id === command.id)
  assert.deepEqual([outcome.event, outcome.payload], ['ack', { status: 'Accepted' }])
}

for (const reconnect of [true, false]) {
  test(`a remote disconnect closes one station and no other (reconnect: ${reconnect})`, within, async t => {
    const [out, stays] = [
      await connectAndReport(t, `out-${reconnect}`),
      await connectAndReport(t, `stays-${reconnect}`),
    ] as const
    disconnectRemotely(out.id, reconnect)
    assert.equal((await out.closed).code, 1000)
    await eventOf(out.id, 'disconnected')
    await assertReachable(stays.id)
    await report(stays)
    // A second remote disconnect has no effect, nor has one for a station that is not connected.
    disconnectRemotely(out.id, reconnect)
    disconnectRemotely('nobody', reconnect)
    await assertReachable((await connectAndReport(t, `after-${reconnect}`)).id)
    assert.deepEqual(eventsOf(out.id), [
      'connected',
      'subscribed',
      'status_notification',
      'unsubscribed',
      'disconnected',
    ])
  })
}

test('a station may connect again after a remote disconnect', within, async t => {
  const before = await connectAndReport(t, 'back')
  disconnectRemotely(before.id, true)
  await before.closed
  await eventOf('back', 'disconnected')
  await connectAndReport(t, 'back')
  await assertReachable('back')
})

test('a second connection replaces the first once the app has accepted it', within, async t => {
  const stays = await connectAndReport(t, 'beside')
  const old = await connectAndReport(t, 'twice')
  const young = await connect(t, 'twice')
  await report(old) // the new connection has sent nothing yet
  await report(young)
  assert.equal((await old.closed).code, 1008)
  await assertReachable('twice')
  await assertReachable(stays.id)
  await young.close()
  await rails.waitFor(() => eventsOf('twice').filter(event => event === 'disconnected').length === 2)
  assert.deepEqual(eventsOf('twice'), [
    ...['connected', 'subscribed', 'status_notification', 'status_notification'],
    ...['connected', 'unsubscribed', 'disconnected', 'subscribed'], // the end of the old connection comes before the start of the new one
    ...['status_notification', 'ack', 'unsubscribed', 'disconnected'],
  ])
})

test('a second connection with the same credentials replaces the first at once', within, async t => {
  const old = await connectAndReport(t, 'password', { password: 'a secret' })
  const young = await connect(t, 'password', { password: 'a secret' })
  assert.equal((await old.closed).code, 1008)
  await report(young)
  await assertReachable('password')
  // The Connect of the new connection may overtake the Disconnect of the old one; its subscribe must not.
  const events = eventsOf('password').filter(event => event.endsWith('subscribed') || event === 'disconnected')
  assert.deepEqual(events, ['subscribed', 'unsubscribed', 'disconnected', 'subscribed'])
})

test('a second connection with other credentials replaces nothing before the app has accepted it', within, async t => {
  const old = await connectAndReport(t, 'stranger', { password: 'a secret' })
  const stranger = await connect(t, 'stranger', { password: 'a guess' })
  await report(old)
  await assertReachable('stranger')
  await stranger.close()
  await report(old)
})
