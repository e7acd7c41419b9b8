import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { Attachment, type Attached, type AttachmentSettings } from '../../../src/session/app/attachment.ts'
import { AppConnection } from '../../../src/session/app/connection.ts'
import type { Rpc } from '../../../src/session/ports.ts'
import { Session } from '../../../src/session/session.ts'
import { Station } from '../../../src/session/station.ts'
import {
  FakeFleet,
  FakeSocket,
  FakeWorld,
  fails,
  faults,
  handshakeFor,
  quiet,
  usualSettings,
} from '../../support/fakes.ts'

/** A station to attach, and an app and a fleet that record what they are asked. */
function setUp(t: TestContext, settings: Partial<AttachmentSettings> = {}, remembered: string | null = null) {
  const world = new FakeWorld(t)
  const { rpc } = world
  const fleet = new FakeFleet(...(remembered === null ? [] : [remembered]))
  const station = new Station(handshakeFor('CP1'), new FakeSocket(), { ...usualSettings, ...settings }, world)
  const session = new Session(station, fleet)
  const attachment = new Attachment(station, new AppConnection(station, fleet, session), fleet, session)
  const made: Attached[] = []
  const attach = async (boot: JsonText | null, queueDeadline?: () => number): Promise<boolean> => {
    const attached = await attachment.attach(boot, queueDeadline)
    made.push(attached)
    return attached.isAccepted
  }
  const subscribed = (): unknown[] =>
    rpc.made.all
      .filter(({ command }) => command !== undefined)
      .map(({ name, identifier = '{}' }) => [name, (JSON.parse(identifier) as { sn: string }).sn])
  return { rpc, attach, fleet, made, subscribed }
}

const bootOf = (sn: string): JsonText => jsonText({ chargePointModel: 'M', chargePointSerialNumber: sn })

test('a boot makes Connect, claims the station, subscribes with its serial number and remembers it', async t => {
  const { rpc, attach, fleet, made, subscribed } = setUp(t)
  assert.equal(await attach(bootOf('SN1')), true)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
  assert.deepEqual(subscribed(), [['subscribe', 'SN1']])
  assert.deepEqual(fleet.claimed, ['{"station_id":"CP1"}'])
  assert.deepEqual(fleet.serialNumbers, ['SN1'])
  assert.equal(made[0]?.subscribed?.reply.status, 'success')
})

test('subscribe waits until the app has seen the end of the previous connection', async t => {
  const { rpc, attach, fleet } = setUp(t)
  let end: () => void = () => undefined
  fleet.before = new Promise(resolve => (end = resolve))
  const attached = attach(bootOf('SN1'))
  await quiet()
  assert.deepEqual(rpc.names(), ['connect'])
  end()
  await attached
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
})

const firsts: readonly [string, Partial<AttachmentSettings>, string | null, JsonText | null, string][] = [
  ['not a boot, and a serial number is remembered', {}, 'SN7', null, 'SN7'],
  ['not a boot, and no serial number is remembered', {}, null, null, 'CP1'],
  ['a boot without a serial number, and one is remembered', {}, 'SN7', jsonText({}), 'CP1'],
  ['a boot, and another serial number is remembered', {}, 'SN7', bootOf('SN8'), 'SN8'],
  ['a boot, with ocpp_sn=station_id', { sn: 'station_id' }, null, bootOf('SN8'), 'CP1'],
  ['not a boot, with ocpp_sn=station_id', { sn: 'station_id' }, 'SN7', null, 'CP1'],
]
for (const [first, settings, remembered, boot, sn] of firsts) {
  test(`the station is subscribed as ${sn} when the first CALL is ${first}`, async t => {
    const { attach, subscribed } = setUp(t, settings, remembered)
    assert.equal(await attach(boot), true)
    assert.deepEqual(subscribed(), [['subscribe', sn]])
  })
}

test('Connect and subscribe may wait in the queue as long as the message that needs them', async t => {
  const { rpc, attach } = setUp(t)
  const deadlines: [name: string, deadline: number | undefined][] = []
  const [connect, command] = [rpc.connect.bind(rpc), rpc.command.bind(rpc)]
  const port: Rpc = rpc
  port.connect = (call, signal, queueDeadline) => {
    deadlines.push(['connect', queueDeadline?.()])
    return connect(call, signal)
  }
  port.command = (call, signal, queueDeadline) => {
    deadlines.push([call.command, queueDeadline?.()])
    return command(call, signal)
  }
  await attach(null, () => 20_000)
  assert.deepEqual(deadlines, [
    ['connect', 20_000],
    ['subscribe', 20_000],
  ])
})

test('the station is subscribed to the channel of the settings', async t => {
  const { rpc, attach } = setUp(t, { channel: 'Ocpp::StationChannel' })
  await attach(bootOf('SN1'))
  assert.equal(rpc.made.all.at(-1)?.identifier, '{"channel":"Ocpp::StationChannel","sn":"SN1"}')
})

test('later CALLs and boots with the same serial number make no RPC', async t => {
  const { rpc, attach } = setUp(t)
  for (const boot of [bootOf('SN1'), null, bootOf('SN1'), null]) assert.equal(await attach(boot), true)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
})

test('a boot with another serial number unsubscribes the old identifier and subscribes the new one', async t => {
  const { attach, fleet, subscribed } = setUp(t, {}, 'SN1')
  await attach(null)
  await attach(bootOf('SN2'))
  await attach(null)
  assert.deepEqual(subscribed(), [
    ['subscribe', 'SN1'],
    ['unsubscribe', 'SN1'],
    ['subscribe', 'SN2'],
  ])
  assert.deepEqual(fleet.serialNumbers, ['SN1', 'SN1', 'SN2'])
})

test('a station is not accepted, claimed or subscribed when Connect returns FAILURE', async t => {
  const { rpc, attach, fleet } = setUp(t)
  rpc.once('connect', () => ({ status: 'failure' }))
  assert.equal(await attach(bootOf('SN1')), false)
  assert.deepEqual(rpc.names(), ['connect'])
  assert.deepEqual(fleet.claimed, [])
})

test('a station is not accepted or remembered when subscribe returns FAILURE, and the reply is returned', async t => {
  const { rpc, attach, fleet, made } = setUp(t)
  rpc.once('subscribe', () => ({ status: 'failure' }))
  assert.equal(await attach(bootOf('SN1')), false)
  assert.deepEqual(fleet.serialNumbers, [])
  assert.equal(made[0]?.subscribed?.reply.status, 'failure')
  assert.equal(made[0].subscribed.identifier, '{"channel":"OCPPChannel","sn":"SN1"}')
})

test('the next CALL goes on with the RPC that failed when Connect or subscribe gets no reply', async t => {
  const { rpc, attach, fleet } = setUp(t)
  rpc.once('connect', fails(faults.absent))
  await assert.rejects(attach(bootOf('SN1')), faults.absent)
  rpc.once('subscribe', fails(faults.slow))
  await assert.rejects(attach(bootOf('SN1')), faults.slow)
  assert.equal(await attach(bootOf('SN1')), true)
  assert.deepEqual(rpc.names(), ['connect', 'connect', 'subscribe', 'subscribe'])
  assert.deepEqual(fleet.claimed, ['{"station_id":"CP1"}'], 'claimed once')
})

test('a CALL is subscribed by the last accepted serial number when a boot with another one got no reply', async t => {
  const { rpc, attach, subscribed } = setUp(t)
  await attach(bootOf('SN1'))
  rpc.once('subscribe', fails(faults.slow))
  await assert.rejects(attach(bootOf('SN2')), faults.slow)
  assert.equal(await attach(null), true)
  assert.deepEqual(subscribed().at(-1), ['subscribe', 'SN1'])
})
