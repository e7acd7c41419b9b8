import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StreamName } from '../../src/cable/rpc.ts'
import { AppConnection, identifierFor } from '../../src/station/connection.ts'
import { FakeRpc, fails, faults, handshakeFor, type RpcCall, type Said } from '../support/fakes.ts'

const one = identifierFor('OCPPChannel', 'SN1')
const two = identifierFor('OCPPChannel', 'SN2')
const open = new AbortController().signal

/** A connection, and the streams it is in. */
function setUp() {
  const rpc = new FakeRpc()
  const joined = new Set<StreamName>()
  const connection = new AppConnection('sid-1', handshakeFor('CP1').env, rpc, {
    join: stream => joined.add(stream),
    leave: stream => joined.delete(stream),
    leaveAll: () => joined.clear(),
  })
  const says = (name: string, said: Said): void => rpc.once(name, () => said)
  const last = (): RpcCall | undefined => rpc.made.all.at(-1)
  return { rpc, connection, says, last, streams: () => [...joined] as string[] }
}

async function setUpSubscribed(said: Said = {}) {
  const parts = setUp()
  await parts.connection.connect(open)
  parts.says('subscribe', said)
  await parts.connection.subscribe(one, open)
  return parts
}

const streamNames = (...names: readonly string[]) => names as StreamName[]

test('the identifier is compact, channel first, and holds nothing else', () => {
  assert.equal(identifierFor('OCPPChannel', 'S"N 1'), '{"channel":"OCPPChannel","sn":"S\\"N 1"}')
})

test('Connect, subscribe, perform and Disconnect carry the same caller, and just the fields of each', async () => {
  const { rpc, connection } = await setUpSubscribed()
  await connection.perform('{"action":"heartbeat"}', open)
  await connection.unsubscribe(open)
  await connection.disconnect(open)
  const env = { ...handshakeFor('CP1').env, cstate: {}, istate: {} }
  const caller = { sid: 'sid-1', env }
  const known = { ...caller, connectionIdentifiers: '{"station_id":"CP1"}' }
  assert.deepEqual(rpc.made.all, [
    { name: 'connect', ...caller },
    { name: 'subscribe', ...known, command: 'subscribe', identifier: one, data: '' },
    { name: 'heartbeat', ...known, command: 'message', identifier: one, data: '{"action":"heartbeat"}' },
    { name: 'unsubscribe', ...known, command: 'unsubscribe', identifier: one, data: '' },
    { name: 'disconnect', ...known, subscriptions: [] },
  ])
})

test('cstate is merged from each reply and sent with each call; an empty value deletes its key', async () => {
  const { connection, says, last } = setUp()
  says('connect', { cstate: { _s_: '{"a":1}', role: 'ev' } })
  await connection.connect(open)
  await connection.subscribe(one, open)
  assert.deepEqual(last()?.env.cstate, { _s_: '{"a":1}', role: 'ev' })
  says('heartbeat', { cstate: { role: '', seen: '"x"' } })
  await connection.perform('{"action":"heartbeat"}', open)
  assert.deepEqual(last()?.env.cstate, { _s_: '{"a":1}', role: 'ev' })
  await connection.disconnect(open)
  assert.deepEqual(last()?.env.cstate, { _s_: '{"a":1}', seen: '"x"' })
})

test('istate is of the identifier that is called, and of no other', async () => {
  const { connection, says, last } = await setUpSubscribed({ istate: { boots: '0', tag: '"x"' } })
  says('boot_notification', { istate: { boots: '1', tag: '' } })
  await connection.perform('{"action":"boot_notification"}', open)
  assert.deepEqual(last()?.env.istate, { boots: '0', tag: '"x"' })
  says('unsubscribe', { istate: { left: 'behind' } })
  await connection.unsubscribe(open)
  assert.deepEqual(last()?.env.istate, { boots: '1' })
  await connection.subscribe(two, open)
  assert.deepEqual(last()?.env.istate, {})
  await connection.perform('{"action":"heartbeat"}', open)
  assert.deepEqual(last()?.env.istate, {})
})

test('Disconnect names the subscription, and its istate as a JSON text', async () => {
  const { connection, last } = await setUpSubscribed({ istate: { boots: '7', tag: '"\\"x\\""' } })
  await connection.disconnect(open)
  assert.deepEqual(last()?.subscriptions, [one])
  assert.deepEqual(last()?.env.istate, { [one]: '{"boots":"7","tag":"\\"\\\\\\"x\\\\\\"\\""}' })
})

test('Disconnect of a subscription without a state has an empty istate', async () => {
  const { connection, last } = await setUpSubscribed()
  await connection.disconnect(open)
  assert.deepEqual(last()?.subscriptions, [one])
  assert.deepEqual(last()?.env.istate, {})
})

test('Connect FAILURE: no identifiers, and no Disconnect', async () => {
  const { rpc, connection, says } = setUp()
  says('connect', { status: 'failure' })
  assert.equal(await connection.connect(open), null)
  assert.equal(connection.connectionIdentifiers, null)
  await connection.disconnect(open)
  assert.deepEqual(rpc.names(), ['connect'])
})

const rows: readonly [string, Said, string[]][] = [
  ['streams are joined', { streams: streamNames('x', 'y') }, ['a', 'b', 'x', 'y']],
  ['one stopped', { stoppedStreams: streamNames('a') }, ['b']],
  ['all stopped', { stopAllStreams: true }, []],
  ['all stopped, then one started', { stopAllStreams: true, streams: streamNames('x') }, ['x']],
  ['all stopped, then the same started', { stopAllStreams: true, streams: streamNames('a') }, ['a']],
  ['one stopped and started', { stoppedStreams: streamNames('a'), streams: streamNames('a') }, ['b', 'a']],
  ['one stopped that was not on', { stoppedStreams: streamNames('z') }, ['a', 'b']],
  ['a stop beside a stop of all says nothing', { stopAllStreams: true, stoppedStreams: streamNames('a') }, []],
]
for (const [what, said, expected] of rows) {
  test(`streams stop before they start: ${what}`, async () => {
    const { connection, says, streams } = await setUpSubscribed({ streams: streamNames('a', 'b') })
    says('authorize', said)
    await connection.perform('{"action":"authorize"}', open)
    assert.deepEqual(streams(), expected)
  })
}

test('subscribe FAILURE: neither its streams nor its istate, but the cstate; not subscribed', async () => {
  const { connection, says, last, streams } = setUp()
  await connection.connect(open)
  says('subscribe', { status: 'failure', streams: streamNames('x'), istate: { a: '1' }, cstate: { c: '1' } })
  await connection.subscribe(one, open)
  assert.equal(connection.identifier, null)
  assert.deepEqual(streams(), [])
  await connection.disconnect(open)
  assert.deepEqual(last()?.subscriptions, [])
  assert.deepEqual(last()?.env.cstate, { c: '1' })
  assert.deepEqual(last()?.env.istate, {})
})

test('unsubscribe leaves every stream, whatever its reply says', async () => {
  const { connection, says, streams } = await setUpSubscribed({ streams: streamNames('a', 'b') })
  says('unsubscribe', { stopAllStreams: false, streams: streamNames('x') })
  await connection.unsubscribe(open)
  assert.deepEqual(streams(), [])
  assert.equal(connection.identifier, null)
})

test('a call without a reply changes nothing', async () => {
  const { rpc, connection, last, streams } = await setUpSubscribed({ streams: streamNames('a'), istate: { a: '1' } })
  rpc.once('unsubscribe', fails(faults.slow))
  await assert.rejects(connection.unsubscribe(open), faults.slow)
  rpc.once('authorize', fails(faults.raised))
  await assert.rejects(connection.perform('{"action":"authorize"}', open), faults.raised)
  assert.equal(connection.identifier, one)
  assert.deepEqual(streams(), ['a'])
  await connection.disconnect(open)
  assert.deepEqual(last()?.env.istate, { [one]: '{"a":"1"}' })
})

test('the state that a call was made with does not change under it', async () => {
  const { rpc, connection } = await setUpSubscribed({ istate: { a: '1' } })
  rpc.once('authorize', () => ({ istate: { a: '2' } }))
  await connection.perform('{"action":"authorize"}', open)
  assert.deepEqual(rpc.made.all.find(({ name }) => name === 'authorize')?.env.istate, { a: '1' })
})
