/** Stations that reconnect without a boot, and say little or nothing. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { HubSettings } from '../../../src/fleet/hub.ts'
import type { Version } from '../../../src/ocpp/version.ts'
import { fails, FakeWorld, faults, quiet, transmitted, type FakeRpc, type FakeStation } from '../../support/fakes.ts'

const reset = (id: string) => ({ command: 'Reset', id, payload: {} })

/** A bridge that has just started. */
function setUp(t: TestContext, version: Version = 'ocpp1.6', settings: Partial<HubSettings> = {}) {
  const world = new FakeWorld(t, settings)
  const plug = (stationId = 'CP1'): FakeStation => world.plug(stationId, { version })
  const subscribed = (): string[] =>
    world.rpc.made.all
      .filter(({ command }) => command !== undefined && command !== 'message')
      .map(({ name, identifier = '{}' }) => `${name} ${(JSON.parse(identifier) as { sn: string }).sn}`)
  return { world, rpc: world.rpc, plug, subscribed }
}

/** Time enough for an unprompted attach. */
async function wait(world: FakeWorld, ms = 7_000): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    await world.pass(Math.min(1_000, left), 1_000)
    world.hub.sweep()
    await quiet()
  }
}

test('a station that says nothing is attached by its id, and a command reaches it', async t => {
  const { world, rpc, plug } = setUp(t)
  const station = plug()
  await wait(world)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
  world.broadcast('CP1', reset('r'))
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
})

test('a station that reconnects and says nothing is attached by the serial number of its last boot', async t => {
  const { world, plug, subscribed } = setUp(t)
  const before = plug()
  await before.boot('SN1')
  before.vanish()
  await world.pass(100)
  const station = plug()
  await wait(world)
  assert.deepEqual(subscribed(), ['subscribe SN1', 'subscribe SN1'])
  world.broadcast('SN1', reset('r'))
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
})

test('a station that has booted is not attached unprompted', async t => {
  const { world, rpc, plug } = setUp(t)
  await plug().boot()
  await wait(world)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe', 'boot_notification'])
})

test('a station whose boot was answered Pending is not attached: it boots again', async t => {
  const { world, rpc, plug } = setUp(t)
  rpc.once('connect', fails(faults.absent))
  await plug().boot()
  await wait(world)
  assert.deepEqual(rpc.names(), ['connect'])
})

test('a station whose first CALL met an app that was away is attached when the app is back', async t => {
  const { world, rpc, plug } = setUp(t)
  rpc.once('connect', fails(faults.absent))
  const station = plug()
  station.call('StatusNotification')
  assert.equal((await station.next())[0], 4)
  await wait(world)
  assert.deepEqual(rpc.names(), ['connect', 'connect', 'subscribe'])
})

test('a CALL waits behind an unprompted attach, and finds the station attached', async t => {
  const { world, rpc, plug } = setUp(t)
  const connect = rpc.hold('connect')
  const station = plug()
  await wait(world)
  await connect.arrived()
  station.call('StatusNotification', {}, 's')
  await quiet()
  assert.deepEqual(station.got, [])
  connect.release()
  assert.deepEqual(await station.next(), [3, 's', {}])
  assert.deepEqual(rpc.names(), ['connect', 'subscribe', 'status_notification'])
})

test('a boot behind an unprompted attach subscribes the station anew', async t => {
  const { world, rpc, plug, subscribed } = setUp(t)
  const connect = rpc.hold('connect')
  const station = plug()
  await wait(world)
  const boot = station.boot('SN1')
  connect.release()
  assert.equal((await boot)[0], 3)
  assert.deepEqual(subscribed(), ['subscribe CP1', 'unsubscribe CP1', 'subscribe SN1'])
})

test('an unprompted attach behind a CALL that attaches the station makes no RPC', async t => {
  const { world, rpc, plug } = setUp(t)
  const connect = rpc.hold('connect')
  const station = plug()
  station.call('StatusNotification')
  await wait(world)
  connect.release()
  await station.next()
  await quiet()
  assert.deepEqual(rpc.names(), ['connect', 'subscribe', 'status_notification'])
})

const refusals = [
  ['connect', {}, 'Connect of an unprompted attach'],
  ['subscribe', { sn: 'station_id' }, 'subscription of an unprompted attach with ocpp_sn=station_id'],
] as const
for (const [refusing, settings, title] of refusals) {
  test(`the session is closed with 1008 when the app refuses the ${title}`, async t => {
    const { world, rpc, plug } = setUp(t, 'ocpp1.6', settings)
    rpc.once(refusing, () => ({ status: 'failure' }))
    const station = plug()
    await wait(world)
    assert.deepEqual(await station.socket.end(), { code: 1008, reason: 'Not authorized' })
    assert.equal(world.meter.total('failed_auths_total'), 1)
    assert.deepEqual(world.log.said('info').slice(-2), ['the app rejected the station', 'station disconnected'])
  })
}

/** A channel that knows one serial number. */
function knowsOnly(rpc: FakeRpc, sn: string): void {
  rpc.on('subscribe', ({ identifier = '' }) => (identifier.includes(`"${sn}"`) ? {} : { status: 'failure' }))
}

test('a station stays when the app rejects its id for want of its serial number, and is attached when it boots', async t => {
  const { world, rpc, plug, subscribed } = setUp(t)
  knowsOnly(rpc, 'SN1')
  const station = plug()
  station.socket.answersPings = true
  await wait(world, 120_000)
  assert.equal(station.socket.closed, null)
  assert.deepEqual(subscribed(), ['subscribe CP1'], 'it is tried once')
  assert.equal(world.meter.total('failed_auths_total'), 0)
  assert.match(world.notices.get('rejected id') ?? '', /ocpp_sn=station_id/)
  assert.equal((await station.boot('SN1'))[0], 3)
  assert.deepEqual(subscribed(), ['subscribe CP1', 'subscribe SN1'])
  world.broadcast('SN1', reset('r'))
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
})

test('a station that answers no ping is never attached unprompted, and is closed with 1008 after ocpp_boot_timeout', async t => {
  const { world, rpc, plug } = setUp(t)
  const station = plug()
  station.socket.isMute = true
  await wait(world, 50_000)
  assert.equal(station.socket.closed, null)
  await wait(world, 12_000)
  assert.deepEqual(await station.socket.end(), { code: 1008, reason: 'No message in time' })
  assert.deepEqual(rpc.names(), [])
})

for (const isMute of [true, false]) {
  test(`a connection that says nothing ${isMute ? 'and answers no ping' : 'but answers pings'} replaces none that the app has accepted`, async t => {
    const { world, rpc, plug } = setUp(t)
    const charging = plug()
    await charging.boot('SN1')
    const silent = plug()
    silent.socket.isMute = isMute
    await wait(world, 70_000)
    assert.equal(charging.socket.closed, null)
    assert.equal(silent.socket.closed?.code, isMute ? 1008 : undefined)
    assert.deepEqual(rpc.names(silent.sid), [])
    world.broadcast('SN1', reset('r'))
    assert.deepEqual(await charging.next(), [2, 'r', 'Reset', {}])
  })
}

test('a connection that says nothing is attached when the older one of its station has ended', async t => {
  const { world, plug } = setUp(t)
  const older = plug()
  await older.boot('SN1')
  const station = plug()
  await wait(world, 20_000)
  older.vanish()
  await wait(world, 1_000)
  world.broadcast('SN1', reset('r'))
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
})

test('a connection that says nothing leaves the place to its station with ocpp_takeover=refuse', async t => {
  const { world, plug } = setUp(t, 'ocpp1.6', { takeover: 'refuse' })
  const silent = plug()
  silent.socket.isMute = true
  await wait(world)
  assert.equal(world.hub.claims.isTaken(silent.handshake.stationId), false)
})

test('a station whose id the app rejects is closed with 1008 when its own first CALL meets the same refusal', async t => {
  const { world, rpc, plug } = setUp(t)
  knowsOnly(rpc, 'SN1')
  const station = plug()
  await wait(world)
  station.call('Heartbeat')
  assert.equal((await station.socket.end()).code, 1008)
  assert.equal(world.meter.total('failed_auths_total'), 1)
})

test('a 2.x station whose id the app rejects is asked for its serial number, and subscribed by it', async t => {
  const { world, rpc, plug, subscribed } = setUp(t, 'ocpp2.0.1')
  knowsOnly(rpc, 'SN1')
  const station = plug()
  await wait(world)
  const [, id, action] = await station.next()
  assert.equal(action, 'GetVariables')
  station.says([3, id, serialNumberIs('SN1')])
  await quiet()
  assert.deepEqual(subscribed(), ['subscribe CP1', 'subscribe SN1'])
  world.broadcast('SN1', reset('r'))
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
})

test('a station stays connected while the app is away, and is attached when it is back', async t => {
  const { world, rpc, plug } = setUp(t)
  rpc.on('connect', fails(faults.absent))
  const station = plug()
  station.socket.answersPings = true
  await wait(world, 120_000)
  assert.equal(station.socket.closed, null)
  rpc.on('connect', () => ({}))
  await wait(world, 40_000)
  assert.equal(rpc.names().at(-1), 'subscribe')
})

test('an app that raises in an unprompted attach is a warning, and the station stays', async t => {
  const { world, rpc, plug } = setUp(t)
  rpc.once('connect', fails(faults.raised))
  const station = plug()
  await wait(world)
  assert.ok(world.notices.has('raised attach undefined method `charge!` for nil'))
  assert.equal(station.socket.closed, null)
  await wait(world, 12_000)
  assert.equal(rpc.names().at(-1), 'subscribe')
})

test('a station that vanishes during an unprompted attach gets its Disconnect, and the next one is attached', async t => {
  const { world, rpc, plug } = setUp(t)
  const connect = rpc.hold('connect')
  const station = plug()
  await wait(world)
  await connect.arrived()
  station.vanish()
  connect.release()
  await world.pass(100)
  assert.deepEqual(rpc.names(), ['connect', 'disconnect'])
  plug('CP2')
  await wait(world)
  assert.deepEqual(rpc.names().slice(2), ['connect', 'subscribe'])
})

test('an unprompted attach that waits in the inbox of a session that ends is given up', async t => {
  const { rpc, plug } = setUp(t)
  const connect = rpc.hold('connect')
  const station = plug()
  station.call('StatusNotification')
  await connect.arrived()
  const attempt = station.session.attaching.unprompted()
  station.vanish()
  assert.equal(await attempt, 'skipped')
  connect.release()
})

test('the app may close the connection in its reply to an unprompted attach', async t => {
  const { world, rpc, plug } = setUp(t)
  rpc.once('subscribe', () => ({ disconnect: true }))
  const station = plug()
  await wait(world)
  assert.equal((await station.socket.end()).code, 1000)
})

test('a bug in an unprompted attach ends the session, and no other', async t => {
  const { world, rpc, plug } = setUp(t)
  rpc.once('connect', fails(new TypeError('bug')))
  const [station] = [plug(), plug('CP2')]
  await wait(world)
  assert.equal((await station.socket.end()).code, 1011)
  assert.deepEqual(rpc.names(), ['connect', 'connect', 'subscribe'])
})

const serialNumberIs = (value: string): object => ({
  getVariableResult: [
    {
      attributeStatus: 'Accepted',
      attributeValue: value,
      component: { name: 'ChargingStation' },
      variable: { name: 'SerialNumber' },
    },
  ],
})

/** A 2.x station that is connected without a boot, and has been asked for its serial number. */
async function asked(t: TestContext, settings: Partial<HubSettings> = {}) {
  const scene = setUp(t, 'ocpp2.0.1', settings)
  const station = scene.plug()
  await wait(scene.world)
  const [type, id, action, payload] = await station.next()
  assert.deepEqual([type, action], [2, 'GetVariables'])
  assert.deepEqual(payload, {
    getVariableData: [{ component: { name: 'ChargingStation' }, variable: { name: 'SerialNumber' } }],
  })
  assert.match(String(id), /^.{1,36}$/)
  return { ...scene, station, id }
}

test('a 2.x station is asked for its serial number, subscribed by it, and the app hears nothing of the question', async t => {
  const { world, rpc, station, id, subscribed } = await asked(t)
  station.says([3, id, serialNumberIs('SN1')])
  await quiet()
  assert.deepEqual(subscribed(), ['subscribe CP1', 'unsubscribe CP1', 'subscribe SN1'])
  assert.deepEqual(rpc.names(), ['connect', 'subscribe', 'unsubscribe', 'subscribe'])
  world.broadcast('SN1', reset('r'))
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
  assert.equal(world.meter.total('ocpp_command_total'), 0)
  assert.equal(world.notices.size, 0)
})

test('a serial number that a station was asked for is remembered for its next connection', async t => {
  const { world, station, id, plug, subscribed } = await asked(t)
  station.says([3, id, serialNumberIs('SN1')])
  await quiet()
  station.vanish()
  await world.pass(100)
  const next = plug()
  await wait(world)
  assert.equal(subscribed().at(-1), 'subscribe SN1')
  assert.deepEqual(next.got, [])
})

test('a 2.x station whose first CALL is no boot is asked, too', async t => {
  const { world, plug, subscribed } = setUp(t, 'ocpp2.0.1')
  const station = plug()
  station.call('Heartbeat')
  await station.next()
  await wait(world)
  const [, id] = await station.next()
  station.says([3, id, serialNumberIs('SN1')])
  await quiet()
  assert.deepEqual(subscribed(), ['subscribe CP1', 'unsubscribe CP1', 'subscribe SN1'])
})

test('a 2.x station is not asked when its boot told its serial number, or told none', async t => {
  const { world, plug } = setUp(t, 'ocpp2.0.1')
  const told = plug()
  told.call('BootNotification', { chargingStation: { serialNumber: 'SN1' } })
  const none = plug('CP2')
  none.call('BootNotification', { chargingStation: {} })
  await wait(world)
  assert.deepEqual([told.got.length, none.got.length], [1, 1])
})

test('no station is asked with ocpp_sn=station_id, and there is no warning', async t => {
  for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const) {
    const { world, plug, subscribed } = setUp(t, version, { sn: 'station_id', triggerBoot: true })
    const station = plug()
    await wait(world)
    assert.deepEqual(subscribed(), ['subscribe CP1'])
    assert.deepEqual(station.got, [])
    assert.equal(world.notices.size, 0)
  }
})

const unanswered: readonly (readonly [answer: unknown[], because: string])[] = [
  [[3, 'ID', { getVariableResult: [{ attributeStatus: 'UnknownVariable' }] }], 'it has no such variable'],
  [[3, 'ID', serialNumberIs('N/A')], 'it tells a placeholder'],
  [[4, 'ID', 'NotImplemented', '', {}], 'it answers with a CALLERROR'],
]
for (const [answer, because] of unanswered) {
  test(`a station keeps its id, is a warning and is asked once when ${because}`, async t => {
    const { world, rpc, station, id } = await asked(t)
    station.says(answer.map(element => (element === 'ID' ? id : element)))
    await wait(world, 60_000)
    assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
    assert.deepEqual([...world.notices.keys()], ['serial number'])
    assert.equal(station.socket.closed, null, 'an answer to a command is a sign of life')
    assert.equal(station.got.length, 1)
  })
}

test('a question without an answer holds up the commands of the app for 5 s, and a late answer is taken', async t => {
  const { world, rpc, station, id, subscribed } = await asked(t)
  world.broadcast('CP1', reset('r'))
  await world.pass(5_000, 1_000)
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
  station.says([3, id, serialNumberIs('SN1')])
  await quiet()
  assert.equal(subscribed().at(-1), 'subscribe SN1')
  assert.ok(!rpc.names().includes('ack') && !rpc.names().includes('error'))
})

test('a boot that comes before the answer decides', async t => {
  const { station, id, subscribed } = await asked(t)
  station.call('BootNotification', { chargingStation: { serialNumber: 'SN2' } })
  await station.next()
  station.says([3, id, serialNumberIs('SN1')])
  await quiet()
  assert.deepEqual(subscribed(), ['subscribe CP1', 'unsubscribe CP1', 'subscribe SN2'])
})

test('a question that the end of the connection cuts short is no error of the app’s, and no warning', async t => {
  const { world, rpc, station } = await asked(t)
  station.vanish()
  await world.pass(100)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe', 'disconnect'])
  assert.equal(world.notices.size, 0)
})

for (const failing of ['unsubscribe', 'subscribe'] as const) {
  test(`the serial number is not lost when the app is away at the ${failing}`, async t => {
    const { world, rpc, station, id, subscribed } = await asked(t)
    rpc.once(failing, fails(faults.absent))
    station.says([3, id, serialNumberIs('SN1')])
    await wait(world, 3_000)
    assert.equal(subscribed().at(-1), 'subscribe SN1')
    world.broadcast('SN1', reset('r'))
    assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
  })
}

test('the session is closed with 1008 when the app rejects the serial number', async t => {
  const { rpc, station, id } = await asked(t)
  rpc.once('subscribe', () => ({ status: 'failure' }))
  station.says([3, id, serialNumberIs('SN1')])
  assert.equal((await station.socket.end()).code, 1008)
})

test('a 1.6 station keeps its id until it boots, is sent nothing, and is a warning', async t => {
  const { world, plug, subscribed } = setUp(t)
  const station = plug()
  await wait(world, 60_000)
  assert.deepEqual(subscribed(), ['subscribe CP1'])
  assert.deepEqual(station.got, [])
  assert.match(world.notices.get('serial number') ?? '', /ocpp_sn=station_id/)
  await station.boot('SN1')
  assert.equal(subscribed().at(-1), 'subscribe SN1')
})

test('a 1.6 station is asked for a boot with ocpp_trigger_boot, and subscribed by its serial number', async t => {
  const { world, rpc, plug, subscribed } = setUp(t, 'ocpp1.6', { triggerBoot: true })
  const station = plug()
  await wait(world)
  const [, id, action, payload] = await station.next()
  assert.deepEqual([action, payload], ['TriggerMessage', { requestedMessage: 'BootNotification' }])
  station.says([3, id, { status: 'Accepted' }])
  await station.boot('SN1')
  assert.deepEqual(subscribed(), ['subscribe CP1', 'unsubscribe CP1', 'subscribe SN1'])
  assert.ok(!rpc.names().includes('ack'))
  assert.equal(world.notices.size, 0)
})

for (const status of ['Accepted', 'Rejected']) {
  test(`a 1.6 station that answers ${status} to ocpp_trigger_boot and does not boot is a warning after half a minute`, async t => {
    const { world, plug } = setUp(t, 'ocpp1.6', { triggerBoot: true })
    const station = plug()
    await wait(world)
    const [, id] = await station.next()
    station.says([3, id, { status }])
    await wait(world, 29_000)
    assert.deepEqual([...world.notices.keys()], [])
    await wait(world, 2_000)
    assert.deepEqual([...world.notices.keys()], ['serial number'])
    assert.equal(station.got.length, 1)
  })
}

/** [version, what the app does with the id as `sn`] */
const laterBoots: readonly (readonly [Version, 'accepts' | 'rejects'])[] = [
  ['ocpp1.6', 'accepts'],
  ['ocpp1.6', 'rejects'],
  ['ocpp2.0.1', 'accepts'],
]
for (const [version, app] of laterBoots) {
  test(`a ${version} station that boots half a minute after its upgrade is no warning when the app ${app} its id`, async t => {
    const { world, rpc, plug } = setUp(t, version)
    if (app === 'rejects') knowsOnly(rpc, 'SN1')
    const station = plug()
    await wait(world)
    if (version !== 'ocpp1.6') station.says([4, (await station.next())[1], 'NotImplemented', '', {}])
    await wait(world, 23_000)
    station.call('BootNotification', { chargePointSerialNumber: 'SN1' })
    await wait(world, 60_000)
    assert.deepEqual([...world.notices.keys()], [])
  })
}

test('messages of the app in its reply to an unprompted attach reach the station', async t => {
  const { world, rpc, plug } = setUp(t)
  rpc.once('subscribe', () => transmitted(reset('r')))
  const station = plug()
  await wait(world)
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
})

const otherSerial = 'a station booted with another serial number than that of its client certificate: it was rejected'
for (const [boot, isAccepted, because] of [
  [{ chargePointSerialNumber: 'SN1' }, true, 'it is that of the certificate'],
  [{ meterSerialNumber: 'M1', chargeBoxSerialNumber: 'SN1' }, true, 'the meter has another one'],
  [{ chargePointSerialNumber: 'SN2' }, false, 'it is another one'],
  [{ chargePointSerialNumber: 'sn1' }, false, 'serial numbers are compared exactly'],
  [{}, true, 'it tells none'],
] as const) {
  test(`a boot is ${isAccepted ? 'served' : 'rejected, and the station closed'} by its serial number: ${because}`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1', { serialNumber: 'SN1' })
    station.call('BootNotification', { chargePointVendor: 'V', chargePointModel: 'M', ...boot })
    const [, , { status }] = (await station.next()) as [number, string, { status: string }]
    assert.equal(status === 'Rejected', !isAccepted)
    assert.deepEqual(world.rpc.names().slice(0, 1), isAccepted ? ['connect'] : [])
    assert.equal([...world.notices.values()].includes(otherSerial), !isAccepted)
    if (!isAccepted) assert.equal((await station.socket.end()).code, 1008)
  })
}
