/**
 * The app is away while stations leave: once it is back it gets one Disconnect for each, and none after the next
 * subscribe of the same station.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { cableApp, ScriptedApp, stationOf, type Received } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

/** A missing event fails the test. */
const within = { timeout: 60_000 }
const fleet = 30
const boot = '{"chargePointVendor":"Vendor","chargePointModel":"Model"}'
const status = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'

/** An app, a bridge, and the stations of the Disconnects that the app has received, in order. */
async function openSite(t: TestContext) {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  const told: string[] = []
  const news = new EventEmitter()
  const silent = cableApp(() => null)
  app.always(call => {
    if (call.method === 'Disconnect') {
      told.push(stationOf(call))
      news.emit('told')
    }
    return silent(call)
  })
  const bridge = await openBridge([`--rpc_host=${app.host}`, '--rpc_command_timeout=500ms'])
  t.after(() => bridge.close())
  const toldOf = async (count: number): Promise<void> => {
    while (told.length < count) await once(news, 'told')
  }
  return { app, bridge, told, toldOf }
}

async function booted(t: TestContext, { url }: Bridge, count: number): Promise<RawStation[]> {
  const ids = Array.from({ length: count }, (_, at) => `CP${at}`)
  const stations = await Promise.all(ids.map(id => openRawStation(url, id)))
  t.after(() => Promise.all(stations.map(station => station.close())))
  await Promise.all(stations.map(bootUntilAccepted))
  return stations
}

/** On a busy machine a Connect may take longer than `rpc_command_timeout`: the station gets Pending and boots again. */
async function bootUntilAccepted(station: RawStation): Promise<void> {
  for (let tries = 1; tries <= 20; tries++) {
    const answer = await station.call(`boot ${tries}`, 'BootNotification', boot)
    if (answer.includes('"Accepted"')) return
  }
  assert.fail('a station is never accepted')
}

/** The stations leave; resolves when an attempt has failed and the other Disconnects are queued. */
async function leaveInVain(bridge: Bridge, stations: readonly RawStation[]): Promise<void> {
  const failed = await bridge.metric('rpc_error_total')
  await Promise.all(stations.map(station => station.close()))
  await bridge.metricReaches('rpc_error_total', failed + 1)
  // All but the one that is in flight.
  await bridge.metricReaches('disconnect_queue_size', stations.length - 1)
}

/** The name of a call and the session that it belongs to. */
const nameOf = ({ method, message, metadata }: Received, first: string | undefined): string =>
  `${metadata['sid'] === first ? 'old' : 'new'} ${method === 'Command' ? String(message['command']) : method}`

test(`the app gets one Disconnect for each of ${fleet} stations that left while it was away`, within, async t => {
  const { app, bridge, told, toldOf } = await openSite(t)
  const stations = await booted(t, bridge, fleet)
  app.stop()
  await leaveInVain(bridge, stations)
  assert.deepEqual(told, [])
  await app.start()
  await toldOf(fleet)
  await bridge.close()
  assert.deepEqual(told.toSorted(), Array.from({ length: fleet }, (_, at) => `CP${at}`).toSorted())
  const losses = bridge.log().filter(({ msg }) => msg.startsWith('lost the Disconnect'))
  assert.deepEqual(losses, [])
})

test('the app gets the old Disconnect before the new subscribe when a station is back first', within, async t => {
  const { app, bridge, toldOf } = await openSite(t)
  const [station, ...others] = await booted(t, bridge, 3)
  app.stop()
  await leaveInVain(
    bridge,
    [station, ...others].filter(each => each !== undefined),
  )
  const back = await openRawStation(bridge.url, 'CP0')
  t.after(() => back.close())
  assert.match(await back.call('1', 'BootNotification', boot), /"status":"Pending"/)
  await app.start()
  await toldOf(1)
  // The boot gets Pending until the bridge has reconnected to the app.
  for (let id = 2; !/"Accepted"/.test(await back.call(`${id}`, 'BootNotification', boot)); id++);
  assert.equal(await back.call('last', 'StatusNotification', status), '[3,"last",{}]')
  await toldOf(3)
  const calls = app.received.all.filter(call => stationOf(call) === 'CP0')
  const first = calls[0]?.metadata['sid']
  const names = calls.map(call => nameOf(call, first))
  const at = (name: string): number => names.indexOf(name)
  assert.equal(names.filter(name => name === 'old Disconnect').length, 1, names.join(', '))
  assert.ok(at('old Disconnect') < at('new subscribe'), names.join(', '))
  assert.ok(!names.includes('new Disconnect'), names.join(', '))
})

test('the bridge logs the lost Disconnects and does not wait when it ends while the app is away', within, async t => {
  const { app, bridge, told } = await openSite(t)
  const stations = await booted(t, bridge, 3)
  app.stop()
  await leaveInVain(bridge, stations)
  assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
  const { num } = await bridge.logged(/lost the Disconnect of stations at shutdown: the app may show them as online/)
  assert.equal(num, 3)
  assert.deepEqual(told, [])
})
