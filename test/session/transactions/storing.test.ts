/** Transaction messages that are stored and confirmed where the app cannot take them. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Version } from '../../../src/ocpp/version.ts'
import type { HubSettings } from '../../../src/fleet/hub.ts'
import { channelAction } from '../../../src/translate/commands.ts'
import { acks, dataOf, fails, FakeWorld, faults, transmitted, type Script } from '../../support/fakes.ts'
import { FakeOutbox, memoryWith } from '../../support/outbox.ts'

function setUp(t: TestContext, known = ['CP1'], settings: Partial<HubSettings> = {}, version: Version = 'ocpp1.6') {
  const store = memoryWith(new FakeOutbox(), known)
  const world = new FakeWorld(t, settings, {}, store.memory)
  return { ...store, world, rpc: world.rpc, station: world.plug('CP1', { version }) }
}

const time = '2026-01-02T03:04:05Z'
const stop = { transactionId: 1, meterStop: 9, timestamp: time }
const meterValues = {
  connectorId: 1,
  transactionId: 1,
  meterValue: [{ timestamp: time, sampledValue: [{ value: '1' }] }],
}
const start = { connectorId: 1, idTag: 'A', meterStart: 0, timestamp: time }
const event = (more: object = {}) => ({
  ...{ eventType: 'Updated', timestamp: time, triggerReason: 'MeterValuePeriodic', seqNo: 1 },
  ...{ transactionInfo: { transactionId: 'T' }, ...more },
})
const idToken = { idToken: 'A', type: 'Central' }

const transmittedAck = (id: string, payload: object) => transmitted({ command: 'Ack', id, payload })
const absent: Script = fails(faults.absent)
const kept: readonly (readonly [Version, string, object, object])[] = [
  ['ocpp1.6', 'StopTransaction', stop, {}],
  ['ocpp1.6', 'MeterValues', meterValues, {}],
  ['ocpp2.0.1', 'TransactionEvent', event(), {}],
  ['ocpp2.1', 'TransactionEvent', event({ eventType: 'Ended', idToken }), { idTokenInfo: { status: 'Accepted' } }],
]
for (const [version, action, payload, confirmation] of kept) {
  test(`${version} ${action} is stored and confirmed within 5 s, and the connection stays, when the app is away`, async t => {
    const { world, rpc, station, outbox } = setUp(t, ['CP1'], {}, version)
    rpc.presence.isAway = true
    rpc.on('connect', absent)
    station.call(action, payload, 'x')
    await world.pass(5_000, 100)
    assert.deepEqual(station.got, [[3, 'x', confirmation]])
    assert.equal(station.socket.closed, null)
    assert.deepEqual(
      outbox.stored.map(message => [message.action, message.payload, message.id]),
      [[action, JSON.stringify(payload), '"x"']],
    )
    assert.equal(world.meter.total('ocpp_outbox_total', { outcome: 'stored' }), 1)
    assert.equal(world.meter.total('ocpp_call_total', { answer: 'stored' }), 1)
    assert.equal(world.hub.debts.owes(station.handshake.stationId), false)
  })
}

for (const [how, script] of [
  ['raises', fails(faults.raised)],
  ['refuses', (() => ({ status: 'failure' })) satisfies Script],
  ['gives no reply', fails(faults.slow)],
] as const) {
  test(`a stop is stored and confirmed when the app ${how}`, async t => {
    const { world, rpc, station, outbox } = setUp(t)
    rpc.on('stop_transaction', script)
    station.call('StopTransaction', stop, 'x')
    await world.pass(15_000, 100)
    assert.deepEqual(station.got, [[3, 'x', {}]])
    assert.ok((outbox.stored[0]?.attempts ?? 0) > 0, 'the app may have it')
  })
}

test('no answer goes out before the message is on the disk', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  rpc.on('connect', absent)
  let sync: (outcome: 'stored') => void = () => undefined
  outbox.appending = () => new Promise(resolve => (sync = resolve))
  rpc.presence.isAway = true
  station.call('StopTransaction', stop, 'x')
  await world.pass(6_000, 100)
  assert.deepEqual([station.got, station.socket.closed], [[], null])
  sync('stored')
  await world.pass(100)
  assert.deepEqual(station.got, [[3, 'x', {}]])
})

for (const [what, appending] of [
  ['is full', () => Promise.resolve('refused' as const)],
  ['fails', () => Promise.reject(new Error('EIO'))],
  ['does not reply', () => new Promise<never>(() => undefined)],
] as const) {
  test(`the connection closes with 1012, and nothing is confirmed, when the outbox ${what}`, async t => {
    const { world, rpc, station, outbox } = setUp(t)
    rpc.on('connect', absent)
    outbox.appending = appending
    rpc.presence.isAway = true
    station.call('StopTransaction', stop, 'x')
    await world.pass(11_000, 100)
    assert.equal(station.socket.closed?.code, 1012)
    assert.deepEqual(station.got, [])
    assert.equal(world.meter.total('ocpp_outbox_total', { outcome: 'refused' }), 1)
    assert.equal(world.meter.total('ocpp_unanswered_total', { cause: 'away' }), 1)
    assert.equal(world.hub.backlog?.has(station.handshake.stationId), false)
  })
}

test('an answer of the app is kept when the message cannot be stored: a retry gets it, and is not performed', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  await station.boot()
  const appends: ((outcome: 'refused') => void)[] = []
  outbox.appending = () => new Promise(resolve => appends.push(resolve))
  const slow = rpc.hold('stop_transaction')
  station.call('StopTransaction', stop, 'x')
  await slow.arrived()
  while (appends.length === 0) await world.pass(100)
  const answer = { idTagInfo: { status: 'Blocked' } }
  slow.release(transmittedAck('x', answer))
  await world.pass(100)
  appends[0]?.('refused')
  await world.pass(100)
  const again = world.plug('CP1')
  again.call('StopTransaction', stop, 'y')
  await world.pass(1_000, 100)
  assert.deepEqual(again.got, [[3, 'y', answer]])
  assert.equal(rpc.names().filter(name => name === 'stop_transaction').length, 1)
})

test('a message behind a stored one gets the Ack that came meanwhile when it cannot be stored', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  await station.boot()
  rpc.on('meter_values', fails(faults.raised))
  station.call('MeterValues', { ...meterValues, transactionId: 2 }, 'm')
  await world.pass(16_000, 100)
  assert.equal(outbox.stored.length, 1)
  let fail: (outcome: 'refused') => void = () => assert.fail('nothing was stored')
  outbox.appending = () => new Promise(resolve => (fail = resolve))
  station.call('StopTransaction', stop, 's')
  await world.pass(100)
  const answer = { idTagInfo: { status: 'Accepted' } }
  station.session.deliver(JSON.stringify({ command: 'Ack', id: 's', payload: answer }))
  await world.pass(100)
  fail('refused')
  await world.pass(1_000, 100)
  assert.deepEqual(station.got.at(-1), [3, 's', answer])
})

test('a disk that hangs is not waited for a second time: the app performs the next messages at once', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  outbox.appending = () => new Promise(() => undefined)
  rpc.on('stop_transaction', fails(faults.raised))
  station.call('StopTransaction', stop, 'x')
  await world.pass(16_000, 100)
  assert.equal(station.socket.closed?.code, 1012, 'it waited for the app, and for the disk up to the 15 s')
  rpc.on('stop_transaction', acks({}))
  const next = world.plug('CP1')
  next.call('StopTransaction', { ...stop, transactionId: 2 }, 'y')
  await world.pass(100)
  assert.deepEqual(next.got, [[3, 'y', {}]])
})

for (const [what, action, payload, version] of [
  ['a StartTransaction', 'StartTransaction', start, 'ocpp1.6'],
  ['a TransactionEvent with an idToken', 'TransactionEvent', event({ idToken }), 'ocpp2.0.1'],
] as const) {
  test(`${what} is not stored: the connection closes`, async t => {
    const { world, rpc, station, outbox } = setUp(t, ['CP1'], {}, version)
    rpc.on('connect', absent)
    station.call(action, payload, 'x')
    await world.pass(15_000, 100)
    assert.equal(station.socket.closed?.code, 1012)
    assert.deepEqual([station.got, outbox.stored], [[], []])
  })
}

test('nothing is stored for a station whose credentials the app has not accepted before', async t => {
  const { world, rpc, outbox, accepted } = setUp(t, [])
  const plug = (authorization?: string) => world.plug('CP1', authorization === undefined ? {} : { authorization })
  await plug('Basic good').boot()
  assert.equal(accepted.all.get('CP1' as never), 'Basic good')
  rpc.on('connect', absent)
  for (const authorization of [undefined, 'Basic bad']) {
    const station = plug(authorization)
    station.call('StopTransaction', stop, 'x')
    await world.pass(15_000, 100)
    assert.deepEqual([station.socket.closed?.code, outbox.stored.length], [1012, 0])
  }
  const station = plug('Basic good')
  station.call('StopTransaction', stop, 'x')
  await world.pass(15_000, 100)
  assert.deepEqual([station.got, outbox.stored.length], [[[3, 'x', {}]], 1])
})

test('credentials that the app rejects later are forgotten', async t => {
  const { world, rpc, accepted } = setUp(t, ['CP1'])
  rpc.once('connect', () => ({ status: 'failure' }))
  world.plug('CP1').call('Heartbeat')
  await world.pass(100)
  assert.equal(accepted.all.size, 0)
})

test('a stored message that a station sends again is confirmed again, and stored once', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  rpc.on('connect', absent)
  rpc.presence.isAway = true
  station.call('StopTransaction', stop, 'x')
  await world.pass(5_000, 100)
  station.vanish()
  const again = world.plug('CP1')
  again.call('StopTransaction', stop, 'y')
  await world.pass(100)
  assert.deepEqual(again.got, [[3, 'y', {}]])
  assert.equal(outbox.stored.length, 1)
})

test('transaction messages behind a stored one are stored at once, and others are not', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  rpc.on('connect', absent)
  rpc.presence.isAway = true
  station.call('MeterValues', meterValues, 'm')
  await world.pass(5_000, 100)
  station.call('StopTransaction', stop, 's')
  station.call('StatusNotification', {}, 'n')
  await world.pass(100)
  assert.deepEqual(station.got.map(([type, id]) => [type, id]), [[3, 'm'], [3, 's'], [4, 'n']]) // prettier-ignore
  assert.deepEqual(outbox.stored.map(({ action }) => action), ['MeterValues', 'StopTransaction']) // prettier-ignore
})

test('the reply to an attempt from before a message was stored counts: the app does not get the message again', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  await station.boot()
  const slow = rpc.hold('stop_transaction')
  station.call('StopTransaction', stop, 'x')
  await world.pass(15_000, 100)
  assert.deepEqual(station.got.at(-1), [3, 'x', {}])
  assert.equal(outbox.stored.length, 1)
  slow.release()
  await world.pass(100)
  world.hub.sweep()
  await world.pass(100)
  assert.equal(outbox.stored.length, 0)
  assert.equal(rpc.names().filter(name => name === 'stop_transaction').length, 1)
})

test('attempts of an earlier connection count when the app cannot even be asked to accept the next one', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  rpc.on('stop_transaction', fails(faults.lost))
  station.call('StopTransaction', stop, 'x')
  await world.pass(1_000, 100)
  station.vanish()
  rpc.on('connect', absent)
  rpc.presence.isAway = true
  await world.pass(1_000, 100)
  world.plug('CP1').call('StopTransaction', stop, 'x')
  await world.pass(5_000, 100)
  assert.ok((outbox.stored[0]?.attempts ?? 0) > 0)
})

test('a message that cannot be stored is not performed before a stored one of its transaction that is in backoff', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  rpc.on('meter_values', fails(faults.raised))
  station.call('MeterValues', meterValues, 'm')
  await world.pass(15_000, 100)
  assert.equal(outbox.stored.length, 1)
  outbox.appending = () => Promise.resolve('refused')
  station.call('StopTransaction', stop, 's')
  await world.pass(15_000, 100)
  assert.equal(station.socket.closed?.code, 1012)
  assert.equal(rpc.names().includes('stop_transaction'), false)
})

test('a drain stores what the app has not taken, and confirms it before the connection closes', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  await station.boot()
  const running = rpc.hold('authorize')
  station.call('Authorize', {}, 'a')
  await running.arrived()
  station.call('StopTransaction', stop, 's')
  void station.session.drain(1_000)
  await world.pass(1_100)
  running.release()
  assert.equal((await station.socket.end()).code, 1001)
  assert.ok(station.got.some(([type, id]) => type === 3 && id === 's'))
  assert.equal(outbox.stored.length, 1)
})

test('nothing is stored with ocpp_unanswered=error', async t => {
  const { world, rpc, station, outbox } = setUp(t, ['CP1'], { unanswered: 'error' })
  rpc.on('connect', absent)
  station.call('StopTransaction', stop, 'x')
  await world.pass(21_000, 100)
  assert.equal(station.got[0]?.[0], 4)
  assert.deepEqual(outbox.stored, [])
})

test('a message that the app takes in time is not stored', async t => {
  const { world, rpc, station, outbox } = setUp(t)
  rpc.on('stop_transaction', acks({}))
  station.call('StopTransaction', stop, 'x')
  await world.pass(100)
  assert.deepEqual(station.got, [[3, 'x', {}]])
  assert.deepEqual(outbox.stored, [])
  assert.equal(dataOf(rpc.made.all.at(-1) ?? {})['storedAt'], undefined)
  assert.equal(channelAction('StopTransaction'), rpc.names().at(-1))
})

const accept = { outboxDecide: 'accept' } as const
const mintedId = (answer: unknown): unknown => (answer as { transactionId?: unknown }).transactionId

test('a StartTransaction is stored and accepted with a minted id when the app is away and ocpp_outbox_decide is accept', async t => {
  const { world, rpc, station, outbox } = setUp(t, ['CP1'], accept)
  rpc.presence.isAway = true
  rpc.on('connect', absent)
  station.call('StartTransaction', start, 'x')
  await world.pass(5_000, 100)
  const [type, id, answer] = station.got[0] ?? []
  assert.deepEqual([type, id], [3, 'x'])
  const transactionId = Number(mintedId(answer))
  assert.ok(transactionId >= 2 ** 30 && transactionId < 2 ** 31)
  assert.deepEqual(answer, { idTagInfo: { status: 'Accepted' }, transactionId })
  assert.deepEqual(outbox.stored.map(({ action }) => action), ['StartTransaction']) // prettier-ignore
  station.call('StartTransaction', start, 'y')
  await world.pass(5_000, 100)
  assert.deepEqual(station.got.at(-1), [3, 'y', answer])
  assert.equal(outbox.stored.length, 1, 'sent again, it gets the same id, and is stored once')
})

test('a TransactionEvent with an idToken is stored and accepted when the app is away and ocpp_outbox_decide is accept', async t => {
  const { world, rpc, station, outbox } = setUp(t, ['CP1'], accept, 'ocpp2.0.1')
  rpc.presence.isAway = true
  rpc.on('connect', absent)
  station.call('TransactionEvent', event({ idToken }), 'x')
  await world.pass(5_000, 100)
  assert.deepEqual(station.got, [[3, 'x', { idTokenInfo: { status: 'Accepted' } }]])
  assert.equal(outbox.stored.length, 1)
})

for (const [what, action, known, script, settings] of [
  ['an Authorize', 'Authorize', ['CP1'], absent, accept],
  ['a StartTransaction of a station that the app has not accepted', 'StartTransaction', [], absent, accept],
  ['a StartTransaction', 'StartTransaction', ['CP1'], absent, { ...accept, unanswered: 'error' }],
] as const) {
  test(`${what} is not stored with ${JSON.stringify(settings)}`, async t => {
    const { world, rpc, station, outbox } = setUp(t, [...known], settings)
    rpc.on('connect', script)
    station.call(action, start, 'x')
    await world.pass(25_000, 100)
    assert.deepEqual(outbox.stored, [])
    assert.notEqual(station.got[0]?.[0], 3)
  })
}

test('a StartTransaction that the app aborts is not accepted for it', async t => {
  const { world, rpc, station, outbox } = setUp(t, ['CP1'], accept)
  await station.boot()
  rpc.on('start_transaction', () => ({ status: 'failure' }))
  station.call('StartTransaction', start, 'x')
  await world.pass(1_000, 100)
  assert.equal(station.socket.closed?.code, 1012)
  assert.deepEqual(outbox.stored, [])
})

test('the app decides on a StartTransaction behind a stored message when it is there', async t => {
  const { world, rpc, station, outbox } = setUp(t, ['CP1'], accept)
  rpc.presence.isAway = true
  rpc.on('connect', absent)
  station.call('StopTransaction', stop, 'x')
  await world.pass(5_000, 100)
  rpc.presence.isAway = false
  rpc.on('connect', () => ({}))
  rpc.on('start_transaction', acks({ transactionId: 3, idTagInfo: { status: 'Blocked' } }))
  station.call('StartTransaction', start, 'y')
  await world.pass(1_000, 100)
  assert.deepEqual(station.got.at(-1), [3, 'y', { transactionId: 3, idTagInfo: { status: 'Blocked' } }])
  assert.deepEqual(outbox.stored, [])
})

test('a StartTransaction that the app answers after it was stored is delivered, with the id that the station has', async t => {
  const { world, rpc, station, outbox } = setUp(t, ['CP1'], accept)
  await station.boot()
  const held = rpc.hold('start_transaction')
  station.call('StartTransaction', start, 'x')
  await world.pass(15_000, 100)
  const minted = mintedId(station.got.at(-1)?.[2])
  held.release(transmittedAck('x', { transactionId: 3, idTagInfo: { status: 'Accepted' } }))
  await world.pass(100, 100)
  assert.equal(outbox.stored.length, 1)
  world.hub.sweep()
  await world.pass(1_000, 100)
  const delivered = rpc.made.all.filter(({ name }) => name === 'start_transaction').map(call => dataOf(call)).at(-1) // prettier-ignore
  assert.deepEqual([delivered?.['transactionId'], delivered?.['attempt']], [minted, 2])
  assert.deepEqual(outbox.stored, [])
})
