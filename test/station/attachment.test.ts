import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandReply } from '../../src/cable/rpc.ts'
import { jsonText, type JsonText } from '../../src/ocpp/json.ts'
import { versions } from '../../src/ocpp/version.ts'
import { Attachment, type AttachmentSettings } from '../../src/station/attachment.ts'
import { AppConnection } from '../../src/station/connection.ts'
import type { Rpc } from '../../src/station/ports.ts'
import { FakeRpc, fails, faults, handshakeFor, quiet } from '../support/fakes.ts'

const open = new AbortController().signal

/** A station that is to be attached, by an app and a registry that write down what is asked of them. */
function setUp(settings: Partial<AttachmentSettings> = {}, remembered: string | null = null) {
  const rpc = new FakeRpc()
  const handshake = handshakeFor('CP1')
  const connection = new AppConnection('sid-1', handshake.env, rpc, {
    join: () => undefined,
    leave: () => undefined,
    leaveAll: () => undefined,
  })
  const registry = {
    claimed: [] as string[],
    remembered: [] as string[],
    before: Promise.resolve(),
    claim(connectionIdentifiers: string): Promise<void> {
      registry.claimed.push(connectionIdentifiers)
      return registry.before
    },
    serialNumber: () => registry.remembered.at(-1) ?? remembered,
    onLetIn: (serialNumber: string): void => void registry.remembered.push(serialNumber),
    putOff: () => 10,
    answerTo: () => null,
    answered: () => undefined,
  }
  const usual: AttachmentSettings = { channel: 'OCPPChannel', sn: 'serial' }
  const station = { handshake, row: versions['ocpp1.6'], settings: { ...usual, ...settings } }
  const attachment = new Attachment(station, connection, registry)
  const replies: string[] = []
  const told: string[] = []
  const attach = (boot: JsonText | null, queueDeadline?: () => number) => {
    const onReply = ({ status }: CommandReply, identifier: string): void => {
      replies.push(status)
      told.push(identifier)
    }
    return attachment.attach(boot, open, onReply, queueDeadline)
  }
  const subscribed = (): unknown[] =>
    rpc.made.all
      .filter(({ command }) => command !== undefined)
      .map(({ name, identifier = '{}' }) => [name, (JSON.parse(identifier) as { sn: string }).sn])
  return { rpc, attach, registry, replies, told, subscribed }
}

const bootOf = (sn: string): JsonText => jsonText({ chargePointModel: 'M', chargePointSerialNumber: sn })

test('a boot: Connect, the claim, then subscribe with its serial number, which is remembered', async () => {
  const { rpc, attach, registry, replies, subscribed } = setUp()
  assert.equal(await attach(bootOf('SN1')), true)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
  assert.deepEqual(subscribed(), [['subscribe', 'SN1']])
  assert.deepEqual(registry.claimed, ['{"station_id":"CP1"}'])
  assert.deepEqual(registry.remembered, ['SN1'])
  assert.deepEqual(replies, ['success'])
})

test('subscribe waits until the app has seen the end of the connection before', async () => {
  const { rpc, attach, registry } = setUp()
  let end: () => void = () => undefined
  registry.before = new Promise(resolve => (end = resolve))
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
  test(`the first CALL is ${first}: subscribed as ${sn}`, async () => {
    const { attach, subscribed } = setUp(settings, remembered)
    assert.equal(await attach(boot), true)
    assert.deepEqual(subscribed(), [['subscribe', sn]])
  })
}

test('Connect and subscribe have the queue deadline of the message that needs them', async () => {
  const { rpc, attach } = setUp()
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

test('the channel is the one of the settings', async () => {
  const { rpc, attach } = setUp({ channel: 'Ocpp::StationChannel' })
  await attach(bootOf('SN1'))
  assert.equal(rpc.made.all.at(-1)?.identifier, '{"channel":"Ocpp::StationChannel","sn":"SN1"}')
})

test('later CALLs and boots with the same serial number ask nothing more', async () => {
  const { rpc, attach } = setUp()
  for (const boot of [bootOf('SN1'), null, bootOf('SN1'), null]) assert.equal(await attach(boot), true)
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
})

test('a boot with another serial number: unsubscribe the old identifier, subscribe the new', async () => {
  const { attach, registry, subscribed } = setUp({}, 'SN1')
  await attach(null)
  await attach(bootOf('SN2'))
  await attach(null)
  assert.deepEqual(subscribed(), [
    ['subscribe', 'SN1'],
    ['unsubscribe', 'SN1'],
    ['subscribe', 'SN2'],
  ])
  assert.deepEqual(registry.remembered, ['SN1', 'SN2'])
})

test('Connect FAILURE: not accepted, nothing claimed, nothing subscribed; the next CALL asks again', async () => {
  const { rpc, attach, registry } = setUp()
  rpc.once('connect', () => ({ status: 'failure' }))
  assert.equal(await attach(bootOf('SN1')), false)
  assert.deepEqual(rpc.names(), ['connect'])
  assert.deepEqual(registry.claimed, [])
})

test('subscribe FAILURE: not accepted, not remembered, but its reply is passed on, and whose it is', async () => {
  const { rpc, attach, registry, replies, told } = setUp()
  rpc.once('subscribe', () => ({ status: 'failure' }))
  assert.equal(await attach(bootOf('SN1')), false)
  assert.deepEqual(registry.remembered, [])
  assert.deepEqual(replies, ['failure'])
  assert.deepEqual(told, ['{"channel":"OCPPChannel","sn":"SN1"}'])
})

test('no reply to Connect, then none to subscribe: each CALL goes on where the one before it failed', async () => {
  const { rpc, attach, registry } = setUp()
  rpc.once('connect', fails(faults.absent))
  await assert.rejects(attach(bootOf('SN1')), faults.absent)
  rpc.once('subscribe', fails(faults.slow))
  await assert.rejects(attach(bootOf('SN1')), faults.slow)
  assert.equal(await attach(bootOf('SN1')), true)
  assert.deepEqual(rpc.names(), ['connect', 'connect', 'subscribe', 'subscribe'])
  assert.deepEqual(registry.claimed, ['{"station_id":"CP1"}'], 'claimed once')
})

test('no reply to the new subscribe: a CALL that is no boot goes back to the serial number that was accepted', async () => {
  const { rpc, attach, subscribed } = setUp()
  await attach(bootOf('SN1'))
  rpc.once('subscribe', fails(faults.slow))
  await assert.rejects(attach(bootOf('SN2')), faults.slow)
  assert.equal(await attach(null), true)
  assert.deepEqual(subscribed().at(-1), ['subscribe', 'SN1'])
})
