/**
 * The bridge is killed and started again: stations reconnect without a boot and are served.
 */
import type { NatsConnection } from 'nats'
import assert from 'node:assert/strict'
import { after, before, test, type TestContext } from 'node:test'
import { commandBroadcast, type Bridge } from '../support/bridge.ts'
import type { Rails } from '../support/rails.ts'
import { openSite, type Site } from '../support/site.ts'
import { openRawStation, openStation, type Station } from '../support/station.ts'

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

type Transaction = { readonly station: Station; readonly transactionId: unknown }

/** A charging station with a serial number. */
async function charging(t: TestContext, id: string): Promise<Transaction> {
  const station = await openStation(bridge.url, id, { reconnects: true })
  t.after(() => station.close())
  station.answers('Reset', () => ({ status: 'Accepted' }))
  const model = { chargePointVendor: 'Vendor', chargePointModel: 'Model', meterSerialNumber: `SN-${id}` }
  assert.equal((await station.call('BootNotification', model))['status'], 'Accepted')
  const start = { connectorId: 1, idTag: 'TAG1', meterStart: 0, timestamp: new Date().toISOString() }
  const { transactionId } = await station.call('StartTransaction', start)
  return { station, transactionId }
}

async function stop({ station, transactionId }: Transaction): Promise<void> {
  const stop = { transactionId, meterStop: 10, timestamp: new Date().toISOString() }
  assert.deepEqual(await station.call('StopTransaction', stop), {})
}

/** Sends a command to the station that is subscribed with this serial number. */
async function assertReachable(station: Station, sn: string): Promise<void> {
  const id = `reset-${sn}`
  publisher.publish(
    '__anycable__',
    JSON.stringify(commandBroadcast(sn, { command: 'Reset', id, payload: { type: 'Soft' } })),
  )
  const outcome = await rails.waitFor(entry => entry.id === id)
  assert.deepEqual([outcome.event, outcome.station], ['ack', station.id])
}

const bookOf = (id: string) =>
  rails
    .ledger()
    .filter(({ station }) => station === id)
    .map(({ event, sn, duplicate }) => [event, sn, duplicate].filter(each => each !== undefined).join(' '))

test('stations continue under their ids when the bridge is killed and started again', within, async t => {
  const transactions = [await charging(t, 'CP1'), await charging(t, 'CP 2')]
  const back = transactions.map(({ station }) => station.reconnected())
  await bridge.restart()
  await Promise.all(back)

  for (const transaction of transactions) {
    const { station } = transaction
    await stop(transaction)
    await assertReachable(station, station.id)
    await station.close()
    await rails.waitFor(entry => entry.event === 'disconnected' && entry.station === station.id)
    assert.deepEqual(bookOf(station.id), [
      ...['connected', `subscribed SN-${station.id}`, 'boot_notification', 'start_transaction'],
      ...['connected', `subscribed ${station.id}`, 'stop_transaction', 'ack'],
      ...[`unsubscribed ${station.id}`, 'disconnected'],
    ])
  }
})

test('a station is subscribed when its first message after a restart of the bridge is a Heartbeat', within, async t => {
  const { station } = await charging(t, 'quiet')
  const back = station.reconnected()
  await bridge.restart()
  await back
  assert.equal(typeof (await station.call('Heartbeat'))['currentTime'], 'string')
  await assertReachable(station, 'quiet')
})

test(
  'a station is subscribed by its serial number again when it boots after a restart of the bridge',
  within,
  async t => {
    const { station } = await charging(t, 'boots')
    const back = station.reconnected()
    await bridge.restart()
    await back
    await station.call('Heartbeat')
    const model = { chargePointVendor: 'Vendor', chargePointModel: 'Model', meterSerialNumber: 'SN-boots' }
    assert.equal((await station.call('BootNotification', model))['status'], 'Accepted')
    await assertReachable(station, 'SN-boots')
    const changes = bookOf('boots').filter(event => event.includes('subscribed'))
    assert.deepEqual(changes, ['subscribed SN-boots', 'subscribed boots', 'unsubscribed boots', 'subscribed SN-boots'])
  },
)

test('the bridge still knows the serial number when only the station was away', within, async t => {
  const { station } = await charging(t, 'away')
  await station.vanish()
  await rails.waitFor(entry => entry.event === 'disconnected' && entry.station === 'away')
  const again = await openRawStation(bridge.url, 'away')
  t.after(() => again.close())
  assert.match(await again.call('1', 'Heartbeat'), /^\[3,"1",\{"currentTime":/)
  const changes = bookOf('away').filter(event => event.startsWith('subscribed'))
  assert.deepEqual(changes, ['subscribed SN-away', 'subscribed SN-away'])
})
