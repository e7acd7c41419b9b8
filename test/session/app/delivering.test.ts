/** Stored transaction messages on their way to the app, through the station's session. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { messageId } from '../../../src/ocpp/frame.ts'
import { jsonText } from '../../../src/ocpp/json.ts'
import type { OutboxMessage } from '../../../src/session/ports.ts'
import { transactionIdFor } from '../../../src/session/transactions/digest.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { acks, dataOf, dawn, fails, FakeWorld, faults, quiet, type FakeStation } from '../../support/fakes.ts'
import { FakeOutbox, memoryWith } from '../../support/outbox.ts'

const hour = 3_600_000
const time = '2026-01-02T03:04:05Z'

function message(name: string, transactionId: number, more: Partial<OutboxMessage> = {}): OutboxMessage {
  return {
    ...{ stationId: 'CP1' as StationId, version: 'ocpp1.6', id: messageId(name), action: 'StopTransaction' },
    ...{ key: `StopTransaction-${name}`, content: name, attempts: 0, storedAt: dawn - hour },
    payload: jsonText({ transactionId, meterStop: 9, timestamp: time }),
    ...more,
  }
}

/** A process that finds messages of the one before. */
async function setUp(t: TestContext, ...messages: readonly OutboxMessage[]) {
  const outbox = new FakeOutbox()
  for (const each of messages) await outbox.append(each)
  const store = memoryWith(outbox)
  const world = new FakeWorld(t, {}, {}, store.memory)
  const { backlog } = world.hub
  assert.ok(backlog !== null)
  return { ...store, world, backlog, rpc: world.rpc, plug: () => world.plug('CP1') }
}

/** Lets the bridge look after its stations, as it does each second. */
async function pass(world: FakeWorld, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    world.hub.sweep()
    await world.pass(1_000, 500)
  }
}

const performed = ({ rpc }: FakeWorld) =>
  rpc.made.all.filter(({ name }) => name === 'stop_transaction').map(call => dataOf(call))

test('the messages of an earlier process are delivered in order, as they came, when their station says something', async t => {
  const { world, outbox, backlog, plug } = await setUp(t, message('a', 1), message('b', 2), message('c', 3))
  const station = plug()
  await pass(world, 3)
  assert.deepEqual(performed(world), [], 'the station has said nothing')
  station.call('Heartbeat')
  await pass(world, 3)
  assert.deepEqual(performed(world).map(({ id }) => id), ['a', 'b', 'c']) // prettier-ignore
  const [first] = performed(world)
  assert.deepEqual(first, {
    ...{ action: 'stop_transaction', id: 'a', command: 'StopTransaction', version: '1.6', key: 'StopTransaction-a' },
    payload: { transactionId: 1, meterStop: 9, timestamp: time },
    ...{ attempt: 2, storedAt: new Date(dawn - hour).toISOString() },
  })
  assert.deepEqual(outbox.stored, [])
  assert.equal(world.meter.total('ocpp_outbox_total', { outcome: 'delivered' }), 3)
  assert.equal(backlog.has('CP1' as StationId), false)
})

test('a message that this process has stored is delivered without attempt when no attempt can have reached the app', async t => {
  const { world, rpc, backlog, plug } = await setUp(t)
  const station = plug()
  rpc.presence.isAway = true
  rpc.on('connect', fails(faults.absent))
  station.call('StopTransaction', { transactionId: 1, meterStop: 9, timestamp: time }, 'x')
  await pass(world, 6)
  assert.deepEqual(station.got, [[3, 'x', {}]])
  assert.equal(backlog.messages, 1)
  assert.ok(backlog.oldestSeconds > 0)
  assert.ok(rpc.checks > 0, 'it looks whether the app is back')
  rpc.on('connect', () => ({}))
  rpc.presence = { isAway: false, repliedAt: world.now() }
  await pass(world, 2)
  assert.deepEqual(performed(world).map(({ id, attempt }) => [id, attempt]), [['x', undefined]]) // prettier-ignore
  assert.equal(backlog.messages, 0)
})

test('what the station sends meanwhile goes between two stored messages', async t => {
  const { world, rpc, plug } = await setUp(t, message('a', 1), message('b', 2))
  const station = plug()
  await station.boot()
  const held = rpc.hold('stop_transaction')
  world.hub.sweep()
  await held.arrived()
  station.call('Authorize', {}, 'x')
  held.release()
  await pass(world, 1)
  assert.deepEqual(rpc.names().slice(3), ['stop_transaction', 'authorize', 'stop_transaction'])
})

test('a StartTransaction is performed after the stored messages', async t => {
  const { world, rpc, plug } = await setUp(t, message('a', 1), message('b', 2))
  rpc.on('start_transaction', acks({ transactionId: 3, idTagInfo: { status: 'Accepted' } }))
  const station = plug()
  station.call('StartTransaction', { connectorId: 1, idTag: 'A', meterStart: 0, timestamp: time }, 'x')
  await world.pass(100)
  assert.equal(station.got[0]?.[0], 3)
  assert.deepEqual(rpc.names().slice(2), ['stop_transaction', 'stop_transaction', 'start_transaction'])
})

test('a StartTransaction does not overtake the stored messages when Connect raises once', async t => {
  const { world, rpc, plug } = await setUp(t, message('a', 1))
  rpc.once('connect', fails(faults.raised))
  const station = plug()
  station.call('StartTransaction', { connectorId: 1, idTag: 'T', meterStart: 0, timestamp: time }, 's')
  await pass(world, 3)
  const names = rpc.made.all.map(({ name }) => name).filter(name => /transaction/.test(name))
  assert.deepEqual(names, ['stop_transaction', 'start_transaction'])
})

test('a message that raises is tried again with backoff, with attempt, and blocks its own transaction only', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, message('a', 1), message('b', 1), message('c', 2))
  rpc.on('stop_transaction', call => {
    if (dataOf(call).id === 'a') throw faults.raised
    return {}
  })
  await plug().boot()
  await pass(world, 2)
  assert.deepEqual(performed(world).map(({ id }) => id), ['a', 'c']) // prettier-ignore
  await pass(world, 60)
  const attempts = performed(world).filter(({ id }) => id === 'a').map(({ attempt }) => attempt) // prettier-ignore
  assert.deepEqual(attempts, [2, 3, 4, 5, 6])
  rpc.on('stop_transaction', () => ({}))
  await pass(world, 60)
  assert.deepEqual(performed(world).map(({ id }) => id).slice(-2), ['a', 'b']) // prettier-ignore
  assert.deepEqual(outbox.stored, [])
})

test('a message that still raises after ocpp_outbox_ttl is a dead letter, logged whole, and blocks nothing', async t => {
  const week = 7 * 24 * hour
  const { world, rpc, outbox, plug } = await setUp(t, message('a', 1, { storedAt: dawn - week }), message('b', 1))
  rpc.once('stop_transaction', fails(faults.raised))
  await plug().boot()
  await pass(world, 2)
  assert.deepEqual(outbox.dead.map(({ key }) => key), ['StopTransaction-a']) // prettier-ignore
  assert.deepEqual(performed(world).map(({ id }) => id), ['a', 'b']) // prettier-ignore
  assert.equal(world.meter.total('ocpp_outbox_total', { outcome: 'dead' }), 1)
  const [line] = world.log.lines.filter(({ level }) => level === 'error')
  assert.match(JSON.stringify(line?.fields), /"wholeMessage":"{.*meterStop/)
})

test('an app that goes away ends the round, and the messages follow in order when it has replied again', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, message('a', 1), message('b', 2))
  await plug().boot()
  rpc.on('stop_transaction', fails(faults.slow))
  await pass(world, 10)
  assert.ok(performed(world).length < 6, `it pauses: ${performed(world).length}`)
  assert.ok(performed(world).every(({ id }) => id === 'a'))
  assert.equal(outbox.stored[0]?.attempts, performed(world).length + 1, 'each may have reached the app')
  rpc.on('stop_transaction', () => ({}))
  rpc.presence.repliedAt = world.now()
  await pass(world, 2)
  assert.deepEqual(performed(world).slice(-2).map(({ id }) => id), ['a', 'b']) // prettier-ignore
})

test('an idTagInfo other than Accepted in the reply to a stored message is a warning with the transaction', async t => {
  const { world, rpc, plug } = await setUp(t, message('a', 7))
  rpc.on('stop_transaction', acks({ idTagInfo: { status: 'Blocked' } }))
  const station = plug()
  await station.boot()
  await pass(world, 2)
  const [, fields] = [...world.noticeFields].find(([key]) => key.startsWith('outbox answer')) ?? []
  assert.deepEqual(fields, { ...station.session.who, action: 'StopTransaction', transaction: '7', status: 'Blocked' })
  assert.equal(station.got.length, 1, 'the station gets no answer')
})

test('a stored message that the app performs without an Ack is delivered, with the warning and a count', async t => {
  const { world, outbox, plug } = await setUp(t, message('a', 7))
  await plug().boot()
  await pass(world, 2)
  const warnings = [...world.notices.values()].filter(text => text.includes('without an Ack'))
  assert.equal(warnings.length, 1)
  assert.match(String(warnings[0]), /a transaction message without an Ack: define stop_transaction in the channel/)
  assert.equal(world.meter.total('ocpp_outbox_silent_total'), 1)
  assert.equal(world.meter.total('ocpp_outbox_total', { outcome: 'delivered' }), 1)
  assert.deepEqual(outbox.stored, [])
})

test('a stored message draws no warning when the app acks it', async t => {
  const { world, rpc, plug } = await setUp(t, message('a', 7))
  rpc.on('stop_transaction', acks({}))
  await plug().boot()
  await pass(world, 2)
  assert.equal(performed(world).length, 1)
  assert.deepEqual([world.meter.total('ocpp_outbox_silent_total'), world.notices.size], [0, 0])
})

test('a stored message draws no warning when the app may ack it by a broadcast', async t => {
  const { memory, outbox } = memoryWith()
  await outbox.append(message('a', 7))
  const world = new FakeWorld(t, { ackTimeoutMs: 1_000 }, {}, memory)
  world.hub.backlog?.wake(['CP1' as StationId])
  const station = world.plug('CP1')
  station.call('Heartbeat')
  await pass(world, 4)
  assert.equal(performed(world).length, 1)
  assert.equal(world.meter.total('ocpp_outbox_silent_total'), 0)
})

test('a delivered message that the station sends again is confirmed without the app', async t => {
  const { world, rpc, outbox, plug } = await setUp(t)
  const station = plug()
  rpc.presence.isAway = true
  rpc.on('connect', fails(faults.absent))
  const stop = { transactionId: 1, meterStop: 9, timestamp: time }
  station.call('StopTransaction', stop, 'x')
  await pass(world, 6)
  rpc.on('connect', () => ({}))
  rpc.presence.isAway = false
  await pass(world, 2)
  station.call('StopTransaction', stop, 'y')
  await pass(world, 1)
  assert.deepEqual(station.got.at(-1), [3, 'y', {}])
  assert.deepEqual([performed(world).length, outbox.stored.length], [1, 0])
})

for (const [name, script] of [
  ['connect', fails(faults.raised)],
  ['connect', fails(faults.absent)],
] as const) {
  test(`a station that cannot be attached (${name}) keeps its messages in the outbox`, async t => {
    const { world, rpc, outbox, plug } = await setUp(t, message('a', 1))
    rpc.on(name, script)
    const station: FakeStation = plug()
    station.call('Heartbeat')
    await pass(world, 20)
    assert.equal(outbox.stored.length, 1)
    assert.ok(rpc.names().length < 12, `it is not asked each second: ${rpc.names().length}`)
  })
}

test('a station that the app rejects is closed with 1008, and its messages stay', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, message('a', 1))
  const station = plug()
  station.socket.answersPings = true
  rpc.on('connect', () => ({ status: 'failure' }))
  await pass(world, 2)
  assert.equal(station.socket.closed?.code, 1008)
  assert.equal(outbox.stored.length, 1)
})

test('a message that is delivered while the disk fails is removed later, and performed once', async t => {
  const { world, outbox, failures, plug } = await setUp(t, message('a', 1))
  const remove = outbox.delivered.bind(outbox)
  outbox.delivered = () => Promise.reject(new Error('EIO'))
  await plug().boot()
  await pass(world, 2)
  outbox.delivered = remove
  await pass(world, 40)
  assert.equal(failures.length, 1)
  assert.deepEqual([performed(world).length, outbox.stored.length], [1, 0])
})

test('a message is performed once when a second connection of its station attaches while the first delivers it', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, message('a', 1), message('b', 2))
  await plug().boot()
  const held = rpc.hold('stop_transaction')
  world.hub.sweep()
  await held.arrived()
  const second = plug()
  second.call('StartTransaction', { connectorId: 1, idTag: 'T', meterStart: 0, timestamp: time }, 's')
  await quiet()
  held.release()
  await pass(world, 5)
  const names = rpc.made.all.map(({ name }) => name).filter(name => /transaction/.test(name))
  assert.deepEqual(names, ['stop_transaction', 'stop_transaction', 'start_transaction'])
  assert.deepEqual(performed(world).map(({ id }) => id), ['a', 'b']) // prettier-ignore
  assert.deepEqual(outbox.stored, [])
})

test('a message is performed once when an older connection of its station is open and delivers it after the newer one has asked', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, message('a', 1))
  const first = plug()
  first.call('Heartbeat')
  const connecting = rpc.hold('connect')
  await quiet()
  const second = plug()
  second.call('StartTransaction', { connectorId: 1, idTag: 'T', meterStart: 0, timestamp: time }, 's')
  await connecting.arrived()
  world.hub.sweep()
  await pass(world, 2)
  connecting.release()
  await pass(world, 5)
  assert.deepEqual(performed(world).map(({ id }) => id), ['a']) // prettier-ignore
  assert.deepEqual(outbox.stored, [])
})

test('a message that needs a decision closes the connection three times, and gets its CALLERROR then, when the app raises on a stored message of its transaction', async t => {
  const transactionInfo = { transactionId: 'T' }
  const stored = message('a', 1, {
    ...{ version: 'ocpp2.0.1', action: 'TransactionEvent' },
    payload: jsonText({ eventType: 'Updated', timestamp: time, seqNo: 1, transactionInfo }),
  })
  const { world, rpc } = await setUp(t, stored)
  rpc.on('transaction_event', fails(faults.raised))
  const idToken = { idToken: 'A', type: 'Central' }
  const later = { eventType: 'Updated', timestamp: time, seqNo: 2, transactionInfo, idToken }
  for (let count = 0; count < 3; count++) {
    const station = world.plug('CP1', { version: 'ocpp2.0.1' })
    station.call('TransactionEvent', later, 'x')
    station.call('StatusNotification', {}, 'y')
    await pass(world, 16)
    assert.deepEqual(station.got, [])
    assert.equal(station.socket.closed?.code, 1012)
    assert.equal(world.hub.debts.waitSeconds(station.handshake.stationId), null, 'it may come in')
  }
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  station.call('TransactionEvent', later, 'x')
  station.call('StatusNotification', {}, 'y')
  await pass(world, 16)
  assert.deepEqual(station.got.slice(0, 2).map(([type, id]) => [type, id]), [[4, 'x'], [3, 'y']]) // prettier-ignore
  assert.equal(world.meter.total('ocpp_unanswered_total', { cause: 'behind' }), 3)
  const [line] = world.log.lines.filter(({ level }) => level === 'error')
  assert.match(JSON.stringify(line?.fields), /"reason":"behind".*"wholeMessage":"{.*seqNo/)
  const seqNos = rpc.made.all.filter(({ name }) => name === 'transaction_event').map(call => dataOf(call).id)
  assert.ok(
    seqNos.every(id => id === 'a'),
    'it has not overtaken the stored one',
  )
})

test('a message that needs a decision is performed after the stored one of its transaction when the app raises on that once', async t => {
  const transactionInfo = { transactionId: 'T' }
  const stored = message('a', 1, {
    ...{ version: 'ocpp2.0.1', action: 'TransactionEvent' },
    payload: jsonText({ eventType: 'Updated', timestamp: time, seqNo: 1, transactionInfo }),
  })
  const { world, rpc } = await setUp(t, stored)
  rpc.once('transaction_event', fails(faults.raised))
  rpc.on('transaction_event', acks({}))
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  const idToken = { idToken: 'A', type: 'Central' }
  station.call('TransactionEvent', { eventType: 'Updated', timestamp: time, seqNo: 2, transactionInfo, idToken }, 'x')
  await world.pass(5_000, 100)
  assert.deepEqual(station.got, [[3, 'x', {}]])
  const ids = rpc.made.all.filter(({ name }) => name === 'transaction_event').map(call => dataOf(call).id)
  assert.deepEqual(ids, ['a', 'a', 'x'])
})

test('a StartTransaction closes the connection as unattached, and does not overtake the stored messages, when Connect raises', async t => {
  const { world, rpc, plug } = await setUp(t, message('a', 1))
  rpc.on('connect', fails(faults.raised))
  const station = plug()
  station.call('StartTransaction', { connectorId: 1, idTag: 'T', meterStart: 0, timestamp: time }, 's')
  await pass(world, 16)
  assert.equal(station.socket.closed?.code, 1012)
  assert.equal(world.meter.total('ocpp_unanswered_total', { cause: 'unattached' }), 1)
})

for (const [how, reply] of [
  ['cannot be read', () => Promise.reject(new Error('EIO'))],
  ['hangs', () => new Promise<never>(() => undefined)],
] as const) {
  test(`live messages are performed, and the stored ones follow in their order later, when the disk ${how}`, async t => {
    const { world, rpc, outbox, plug } = await setUp(t, message('a', 1), message('b', 2))
    rpc.on('start_transaction', acks({ transactionId: 3, idTagInfo: { status: 'Accepted' } }))
    const works = outbox.pendingOf.bind(outbox)
    outbox.pendingOf = reply
    outbox.appending = reply
    const station = plug()
    station.call('StartTransaction', { connectorId: 1, idTag: 'T', meterStart: 0, timestamp: time }, 's')
    station.call('StopTransaction', { transactionId: 3, meterStop: 9, timestamp: time }, 'x')
    await pass(world, 6)
    assert.deepEqual(station.got.map(frame => frame.slice(0, 2)), [[3, 's'], [3, 'x']]) // prettier-ignore
    assert.equal(station.socket.closed, null)
    assert.deepEqual(performed(world).map(({ id }) => id), ['x']) // prettier-ignore
    outbox.pendingOf = works
    await pass(world, 65)
    assert.deepEqual(performed(world).map(({ id }) => id), ['x', 'a', 'b']) // prettier-ignore
  })
}

test('a message that was read is not performed when another connection has delivered it before its turn', async t => {
  const { world, rpc, outbox, backlog, plug } = await setUp(t, message('a', 1), message('b', 2))
  const [, second] = outbox.stored
  assert.ok(second !== undefined)
  await plug().boot()
  const held = rpc.hold('stop_transaction')
  world.hub.sweep()
  await held.arrived()
  const other = backlog.inTurn('CP1' as StationId, {}, () => backlog.delivered(second))
  held.release()
  assert.equal(await other, true)
  await pass(world, 3)
  assert.deepEqual(performed(world).map(({ id }) => id), ['a']) // prettier-ignore
  assert.equal(backlog.has('CP1' as StationId), false)
})

/** A StartTransaction that was stored with `ocpp_outbox_decide=accept`. */
function start(name: string): OutboxMessage {
  const payload = jsonText({ connectorId: 1, idTag: 'A', meterStart: 0, timestamp: time })
  return message(name, 0, { action: 'StartTransaction', key: `StartTransaction-${name}`, payload })
}
const minted = transactionIdFor(start('a'))

const all = ({ rpc }: FakeWorld) => rpc.made.all.filter(({ data }) => (data ?? '') !== '').map(call => dataOf(call))

for (const [what, ack] of [
  ['the id that the station has', { transactionId: minted, idTagInfo: { status: 'Accepted' } }],
  ['no Ack, which is a warning', null],
] as const) {
  test(`a stored StartTransaction carries the id that the station has, and ends well with ${what}`, async t => {
    const { world, rpc, outbox, plug } = await setUp(t, start('a'))
    if (ack !== null) rpc.on('start_transaction', acks(ack))
    plug().call('Heartbeat')
    await pass(world, 3)
    assert.deepEqual(all(world).map(({ action, transactionId }) => [action, transactionId]), [['start_transaction', minted]]) // prettier-ignore
    assert.deepEqual([outbox.stored.length, world.notices.size], [0, ack === null ? 1 : 0])
  })
}

test('another transactionId in the Ack of a stored StartTransaction is a warning and an error for the app', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, start('a'))
  rpc.on('start_transaction', acks({ transactionId: 7, idTagInfo: { status: 'Accepted' } }))
  const station = plug()
  station.call('Heartbeat')
  await pass(world, 3)
  const payload = { key: 'StartTransaction-a', transactionId: minted, ackTransactionId: 7 }
  const [, error] = all(world)
  assert.deepEqual(error, {
    ...{ action: 'error', id: 'a', command: 'Error', code: 'TransactionIdMismatch', payload },
    message: 'The Charging Station has the transactionId that the bridge gave it, not the one in the Ack',
    ...{ request: 'StartTransaction', version: '1.6', sid: station.sid },
  })
  const [, fields] = [...world.noticeFields].find(([key]) => key.startsWith('transaction id')) ?? []
  assert.deepEqual(fields, { ...station.session.who, transactionId: minted, ackTransactionId: '7', key: payload.key })
  assert.deepEqual(outbox.stored, [])
})

test('a mismatch that the app cannot take is performed again with its StartTransaction', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, start('a'))
  rpc.on('start_transaction', acks({ transactionId: 7 }))
  rpc.once('error', fails(faults.absent))
  plug().call('Heartbeat')
  await pass(world, 5)
  assert.deepEqual(all(world).map(({ action, attempt }) => [action, attempt]), [
    ...[['start_transaction', 2], ['error', undefined]],
    ...[['start_transaction', 3], ['error', undefined]],
  ]) // prettier-ignore
  assert.deepEqual(outbox.stored, [])
})

test('a mismatch on which the app raises is logged, and its StartTransaction is delivered', async t => {
  const { world, rpc, outbox, plug } = await setUp(t, start('a'))
  rpc.on('start_transaction', acks({ transactionId: 7 }))
  rpc.on('error', fails(faults.raised))
  plug().call('Heartbeat')
  await pass(world, 5)
  assert.deepEqual([outbox.stored.length, all(world).length], [0, 2])
  assert.ok([...world.notices.keys()].some(key => key.startsWith('raised error')))
})

test('the messages of a transaction wait for its stored StartTransaction, and those of others do not', async t => {
  const { world, rpc, plug } = await setUp(t, start('a'), message('b', minted), message('c', 2))
  rpc.once('start_transaction', fails(faults.raised))
  const station = plug()
  station.call('Heartbeat')
  await pass(world, 1)
  station.call('StopTransaction', { transactionId: minted, meterStop: 10, timestamp: time }, 'd')
  await pass(world, 10)
  assert.deepEqual(all(world).map(({ id }) => id), ['a', 'c', 'a', 'b', 'd']) // prettier-ignore
})
