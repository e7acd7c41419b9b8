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

/** A station to attach, by an app and a fleet that write down what is asked of them. */
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

test('a boot: Connect, the claim, then subscribe with its serial number, which is remembered', async t => {
  const { rpc, attach, fleet, made, subscribed } = setUp(t)
  assert.equal(await attach(bootOf('SN1')), true)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
  assert.deepEqual(subscribed(), [['subscribe', 'SN1']])
  assert.deepEqual(fleet.claimed, ['{"station_id":"CP1"}'])
  assert.deepEqual(fleet.serialNumbers, ['SN1'])
  assert.equal(made[0]?.subscribed?.reply.status, 'success')
})

test('subscribe waits until the app has seen the end of the connection before', async t => {
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
  ['no boot, a serial number remembered', {}, 'SN7', null, 'SN7'],
  ['no boot, none remembered', {}, null, null, 'CP1'],
  ['a boot without a serial number, though one is remembered', {}, 'SN7', jsonText({}), 'CP1'],
  ['a boot, and another one remembered', {}, 'SN7', bootOf('SN8'), 'SN8'],
  ['station_id, a boot', { sn: 'station_id' }, null, bootOf('SN8'), 'CP1'],
  ['station_id, no boot, one remembered', { sn: 'station_id' }, 'SN7', null, 'CP1'],
]
for (const [first, settings, remembered, boot, sn] of firsts) {
  test(`the first CALL is ${first}: subscribed as ${sn}`, async t => {
    const { attach, subscribed } = setUp(t, settings, remembered)
    assert.equal(await attach(boot), true)
    assert.deepEqual(subscribed(), [['subscribe', sn]])
  })
}

test('Connect and subscribe may wait in the queue as long as the message that needs them', async t => {
  const { rpc, attach } = setUp(t)
  const patience: [name: string, until: number | undefined][] = []
  const [connect, command] = [rpc.connect.bind(rpc), rpc.command.bind(rpc)]
  const port: Rpc = rpc
  port.connect = (call, signal, queueDeadline) => {
    patience.push(['connect', queueDeadline?.()])
    return connect(call, signal)
  }
  port.command = (call, signal, queueDeadline) => {
    patience.push([call.command, queueDeadline?.()])
    return command(call, signal)
  }
  await attach(null, () => 20_000)
  assert.deepEqual(patience, [
    ['connect', 20_000],
    ['subscribe', 20_000],
  ])
})

test('the channel is the one of the settings', async t => {
  const { rpc, attach } = setUp(t, { channel: 'Ocpp::StationChannel' })
  await attach(bootOf('SN1'))
  assert.equal(rpc.made.all.at(-1)?.identifier, '{"channel":"Ocpp::StationChannel","sn":"SN1"}')
})

test('later CALLs and boots with the same serial number ask nothing more', async t => {
  const { rpc, attach } = setUp(t)
  for (const boot of [bootOf('SN1'), null, bootOf('SN1'), null]) assert.equal(await attach(boot), true)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
})

test('a boot with another serial number: unsubscribe the old identifier, subscribe the new', async t => {
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

test('Connect FAILURE: not accepted, nothing claimed, nothing subscribed; the next CALL asks again', async t => {
  const { rpc, attach, fleet } = setUp(t)
  rpc.once('connect', () => ({ status: 'failure' }))
  assert.equal(await attach(bootOf('SN1')), false)
  assert.deepEqual(rpc.names(), ['connect'])
  assert.deepEqual(fleet.claimed, [])
})

test('subscribe FAILURE: not accepted, not remembered, but its reply is passed on, and whose it is', async t => {
  const { rpc, attach, fleet, made } = setUp(t)
  rpc.once('subscribe', () => ({ status: 'failure' }))
  assert.equal(await attach(bootOf('SN1')), false)
  assert.deepEqual(fleet.serialNumbers, [])
  assert.equal(made[0]?.subscribed?.reply.status, 'failure')
  assert.equal(made[0].subscribed.identifier, '{"channel":"OCPPChannel","sn":"SN1"}')
})

test('no reply to Connect, then none to subscribe: each CALL goes on where the one before it failed', async t => {
  const { rpc, attach, fleet } = setUp(t)
  rpc.once('connect', fails(faults.absent))
  await assert.rejects(attach(bootOf('SN1')), faults.absent)
  rpc.once('subscribe', fails(faults.slow))
  await assert.rejects(attach(bootOf('SN1')), faults.slow)
  assert.equal(await attach(bootOf('SN1')), true)
  assert.deepEqual(rpc.names(), ['connect', 'connect', 'subscribe', 'subscribe'])
  assert.deepEqual(fleet.claimed, ['{"station_id":"CP1"}'], 'claimed once')
})

test('no reply to the new subscribe: a CALL that is no boot goes back to the serial number that was accepted', async t => {
  const { rpc, attach, subscribed } = setUp(t)
  await attach(bootOf('SN1'))
  rpc.once('subscribe', fails(faults.slow))
  await assert.rejects(attach(bootOf('SN2')), faults.slow)
  assert.equal(await attach(null), true)
  assert.deepEqual(subscribed().at(-1), ['subscribe', 'SN1'])
})
