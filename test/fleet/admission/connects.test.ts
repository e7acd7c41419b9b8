/** Several upgrades of one identity that wait for the app at the same time. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Connects } from '../../../src/fleet/admission/connects.ts'
import { Guard } from '../../../src/rpc/guard/guard.ts'
import type { Transport } from '../../../src/rpc/transport.ts'
import type { StationKeys } from '../../../src/session/ports.ts'
import type { StationHandshake } from '../../../src/translate/handshake.ts'
import { FakeWorld, handshakeFor, quiet } from '../../support/fakes.ts'

const own = handshakeFor('CP1', { authorization: 'Basic A' })
const stranger = handshakeFor('CP1', { authorization: 'Basic B' })

function setUp(t: TestContext) {
  const world = new FakeWorld(t)
  const connects = new Connects(world.hub, world, () => null)
  /** How an upgrade ends; `null` while it waits. */
  const ask = (handshake: StationHandshake = own) => {
    const leaving = new AbortController()
    const upgrade: { end: string | null; sid: string | null; leave: () => void } = {
      end: null,
      sid: null,
      leave: () => leaving.abort(),
    }
    void connects.ask(handshake, leaving.signal).then(decision => {
      upgrade.end = decision.kind === 'refused' ? decision.reason : 'admitted'
      upgrade.sid = decision.kind === 'refused' ? null : (decision.connected?.sid ?? null)
    })
    return upgrade
  }
  return { world, rpc: world.rpc, connects, ask }
}

test('the newest of many upgrades gets the one Connect that the first has begun', async t => {
  const { rpc, connects, ask } = setUp(t)
  const held = rpc.hold('connect')
  const upgrades = Array.from({ length: 99 }, () => ask())
  const newest = ask()
  const { sid } = await held.arrived()
  assert.deepEqual(connects.besides(handshakeFor('CP2')), { all: 1, ofStation: 0 })
  assert.deepEqual(connects.besides(stranger), { all: 1, ofStation: 1 })
  assert.deepEqual(connects.besides(own), { all: 0, ofStation: 0 })
  assert.deepEqual(new Set(upgrades.map(({ end }) => end)), new Set(['replaced']))
  assert.equal(newest.end, null)
  held.release()
  await quiet()
  assert.deepEqual([newest.end, newest.sid], ['admitted', sid])
  assert.deepEqual(rpc.names(), ['connect'])
  assert.deepEqual(connects.besides(stranger), { all: 0, ofStation: 0 })
})

const certified = (fingerprint: string): StationHandshake => handshakeFor('CP1', { fingerprint })
const bound: StationHandshake = { ...certified('ab'), profile: 3, proven: 3 }
const from = (handshake: StationHandshake, address: string): StationHandshake => {
  const headers = { ...handshake.env.headers, REMOTE_ADDR: address }
  return { ...handshake, env: { ...handshake.env, headers } }
}
const elsewhere = (handshake: StationHandshake): StationHandshake => {
  const { env } = handshake
  return { ...handshake, env: { ...env, url: `${env.url}?a=1` } }
}
const peers: readonly (readonly [StationHandshake, StationHandshake, hasKeys: boolean, isOne: boolean, string])[] = [
  [own, own, false, true, 'the same credentials'],
  [own, stranger, false, false, 'other credentials'],
  [own, elsewhere(own), false, false, 'another query'],
  [own, stranger, true, true, 'any credentials whose key the bridge has checked'],
  [own, from(own, '192.0.2.9'), false, true, 'the same credentials at another address'],
  [certified('ab'), certified('ab'), false, true, 'the same certificate'],
  [certified('ab'), certified('cd'), false, false, 'another certificate'],
  [bound, elsewhere(bound), false, true, 'a certificate of the identity, and another query'],
  [handshakeFor('CP1'), handshakeFor('CP1'), false, true, 'no credentials, and the same address'],
  [handshakeFor('CP1'), from(handshakeFor('CP1'), '192.0.2.9'), false, false, 'no credentials, and another address'],
]
for (const [first, second, hasKeys, isOne, because] of peers) {
  test(`an upgrade ${isOne ? 'supersedes' : 'does not touch'} an older one of its identity: ${because}`, async t => {
    const { world, rpc, connects, ask } = setUp(t)
    if (hasKeys) world.keys = {} as StationKeys
    const held = rpc.hold('connect')
    const older = ask(first)
    await held.arrived()
    const newer = ask(second)
    assert.equal(connects.besides(second).ofStation, isOne ? 0 : 1)
    held.release()
    await quiet()
    assert.deepEqual([older.end, newer.end], [isOne ? 'replaced' : 'admitted', 'admitted'])
  })
}

test('a Connect is not taken over by an upgrade that the app would see otherwise; the app sees its end', async t => {
  const { world, rpc, ask } = setUp(t)
  const held = rpc.hold('connect')
  ask()
  const { sid } = await held.arrived()
  const newer = ask(from(own, '192.0.2.9'))
  await quiet()
  assert.equal(rpc.names().length, 1, 'one at a time')
  held.release()
  await world.pass(100)
  assert.equal(newer.end, 'admitted')
  assert.notEqual(newer.sid, sid)
  assert.deepEqual(rpc.names(sid), ['connect', 'disconnect'])
  assert.equal(rpc.made.all.at(1)?.env.headers['REMOTE_ADDR'], '192.0.2.9')
})

test('a rejection is that of the upgrades that the app would see alike', async t => {
  const { rpc, ask } = setUp(t)
  const held = rpc.hold('connect')
  ask()
  await held.arrived()
  const newest = ask()
  held.release({ status: 'failure' })
  await quiet()
  assert.equal(newest.end, 'unauthorized')
  assert.deepEqual(rpc.names(), ['connect'])
})

test('an older upgrade that leaves does not end the Connect of the newer one, and the newest that leaves does', async t => {
  const { world, rpc, ask } = setUp(t)
  const held = rpc.hold('connect')
  const older = ask()
  const { sid } = await held.arrived()
  const newer = ask()
  older.leave()
  newer.leave()
  held.release()
  await world.pass(100)
  assert.deepEqual([older.end, newer.end], ['replaced', 'unavailable'])
  assert.deepEqual(rpc.names(sid), ['connect', 'disconnect'])
})

test('a station that retries each second keeps its place in the queue of a slow app for as long as it takes', async t => {
  const { world, rpc, ask } = setUp(t)
  const deadlines: (() => number)[] = []
  let reply: () => void = () => undefined
  const connect = rpc.connect.bind(rpc)
  rpc.connect = async (call, signal, queueDeadline?: () => number) => {
    if (queueDeadline !== undefined) deadlines.push(queueDeadline)
    await new Promise<void>(resolve => (reply = resolve))
    return connect(call, signal)
  }
  let newest = ask()
  for (let second = 0; second < 30; second++) {
    await world.pass(1_000)
    newest = ask()
    assert.equal(deadlines[0]?.(), world.now() + 10_000)
  }
  reply()
  await quiet()
  assert.equal(newest.end, 'admitted')
  assert.equal(deadlines.length, 1, 'one Connect')
})

test('9,000 upgrades of one station delay no other station: it has one permit, and one place in the queue', async t => {
  const fake = new FakeWorld(t)
  const replies: (() => void)[] = []
  const transport: Transport = {
    connect: async () => {
      await new Promise<void>(resolve => replies.push(resolve))
      return { status: 'success', connectionIdentifiers: '{}', transmissions: [], cstate: {} }
    },
    command: () => assert.fail('no station has said anything'),
    disconnect: () => assert.fail('no station has left'),
    problem: () => Promise.resolve(null),
    abort: () => undefined,
  }
  const limits = { host: 'app', concurrency: 2, requestTimeoutMs: 0, commandTimeoutMs: 3_000 }
  const { meter, log, visitLog, schemas, once, date, random, newId } = fake
  const off = { keys: null, trace: null, traces: null, events: null }
  const shared = { meter, log, visitLog, schemas, once, date, random, newId, ...off }
  const world = { ...shared, rpc: new Guard(transport, limits, meter, log), now: performance.now.bind(performance) }
  const connects = new Connects(fake.hub, world, () => null)
  const { signal } = new AbortController()
  const flood = Array.from({ length: 9_000 }, () => connects.ask(own, signal))
  const honest = connects.ask(handshakeFor('CP2'), signal)
  await quiet()
  assert.equal(replies.length, 2)
  for (const reply of replies) reply()
  assert.equal((await honest).kind, 'admitted')
  const ends = await Promise.all(flood)
  assert.equal(ends.filter(({ kind }) => kind === 'admitted').length, 1)
})

test('an app that ends all calls ends the upgrades', async t => {
  const { rpc, ask } = setUp(t)
  const held = rpc.hold('connect')
  const older = ask()
  await held.arrived()
  const newer = ask()
  rpc.abort()
  await quiet()
  assert.deepEqual([older.end, newer.end], ['replaced', 'unavailable'])
})

test('a bug that a Connect meets is that of the newest upgrade', async t => {
  const { rpc, connects } = setUp(t)
  rpc.on('connect', () => {
    throw new TypeError('a bug')
  })
  await assert.rejects(connects.ask(own, new AbortController().signal), /a bug/)
  assert.deepEqual(connects.besides(stranger), { all: 0, ofStation: 0 })
})

test('stop ends every upgrade, and waits until the app has seen those leave that it was just accepting', async t => {
  const { world, rpc, connects, ask } = setUp(t)
  const held = rpc.hold('connect')
  ask()
  const { sid } = await held.arrived()
  const newer = ask(from(own, '192.0.2.9'))
  const stopped = connects.stop()
  held.release()
  await world.pass(100)
  await stopped
  assert.notEqual(newer.end, 'admitted')
  assert.deepEqual(rpc.names(sid), ['connect', 'disconnect'])
  assert.equal(rpc.names().length, 2)
})
