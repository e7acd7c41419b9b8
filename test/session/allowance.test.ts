import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newAllowance } from '../../src/session/allowance.ts'
import { acks, FakeWorld, quiet } from '../support/fakes.ts'

const MiB = 1024 * 1024
const sizes = {
  none: 'no large messages',
  plain: 'large messages that are not compressed',
  all: 'large messages',
} as const

test('a station that the app has not accepted before gets a fraction of it', () => {
  const allowance = newAllowance(0, false)
  assert.equal(allowance.spend(128 * 1024, 0) >= 0, true)
  assert.equal(allowance.spend(1, 0) >= 0, false)
})

test('one large message is allowed at once, and a second one after a minute', () => {
  const allowance = newAllowance(0, true)
  assert.equal(allowance.spend(MiB, 0) >= 0, true)
  assert.equal(allowance.spend(64 * 1024, 0) >= 0, true)
  assert.equal(allowance.spend(1, 0) >= 0, false)
  const later = newAllowance(0, true)
  assert.equal(later.spend(MiB, 0) >= 0, true)
  assert.equal(later.spend(MiB, 60_000) >= 0, true, 'a minute')
  assert.equal(later.spend(MiB, 61_000) >= 0, false)
})

test('the allowance does not grow beyond its capacity while a station is silent', () => {
  const allowance = newAllowance(0, true)
  assert.equal(allowance.spend(2 * MiB, 3_600_000) >= 0, false)
})

const noise = `[3,"x",{"more":"${'x'.repeat(100_000)}"}]`

test('a station that the app has not accepted is closed with 1008 when it sends too much, whatever it sends', async t => {
  const world = new FakeWorld(t)
  const stranger = world.plug('CP1')
  for (let count = 0; count < 2; count++) stranger.says(noise)
  assert.deepEqual(await stranger.socket.end(), {
    code: 1008,
    reason: 'Too much data before the app accepted the station',
  })
  assert.equal(world.meter.total('ocpp_limit_total', { limit: 'unaccepted_bytes' }), 1)
  await quiet()
  assert.deepEqual(world.rpc.names(), ['connect'])
})

test('70,000 characters exceed the allowance when each has two bytes, and not when each has one', async t => {
  const world = new FakeWorld(t)
  const [one, two] = [world.plug('CP1'), world.plug('CP2')]
  one.says([3, 'x', { data: 'x'.repeat(70_000) }])
  two.says([3, 'x', { data: 'é'.repeat(70_000) }])
  await quiet()
  assert.equal(one.socket.closed, null)
  assert.equal(two.socket.closed?.code, 1008)
})

for (const [now, expected, because] of [
  ['AA:01', 'all', 'its certificate is that of then'],
  ['AA:02', 'plain', 'its certificate is another one'],
  [undefined, 'plain', 'it has no certificate'],
] as const)
  test(`a station accepted with a certificate alone may send ${sizes[expected]} when it is back: ${because}`, async t => {
    const world = new FakeWorld(t)
    world.rpc.on('boot_notification', acks({ status: 'Accepted' }))
    const first = world.plug('CP1', { fingerprint: 'AA:01' })
    assert.equal(first.socket.large, 'none')
    await first.boot()
    first.vanish()
    await quiet()
    assert.equal(world.plug('CP1', now === undefined ? {} : { fingerprint: now }).socket.large, expected)
  })

test('an accepted station may send more than the allowance', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('boot_notification', acks({ status: 'Accepted' }))
  const station = world.plug('CP1')
  await station.boot()
  for (let count = 0; count < 30; count++) station.says(noise)
  await quiet()
  assert.equal(station.socket.closed, null)
})

for (const text of ['[2,"1","Nonsense",{}]', '[2,"1","Reset",{}]', '[6,"1","Foo",{}]', '[3,"1",{}]']) {
  test(`a station that has sent only ${text} is closed after the boot timeout`, async t => {
    const world = new FakeWorld(t, { bootTimeoutMs: 500 })
    const station = world.plug('CP1', { version: 'ocpp2.1' })
    station.says(text)
    await world.pass(1_000)
    world.hub.sweep()
    assert.deepEqual(await station.socket.end(), { code: 1008, reason: 'No message in time' })
  })
}

for (const text of ['[2,"1","Heartbeat",{}]', '[6,"1","NotifyPeriodicEventStream",{}]']) {
  test(`a station that has sent ${text} stays open after the boot timeout`, async t => {
    const world = new FakeWorld(t, { bootTimeoutMs: 500 })
    const station = world.plug('CP1', { version: 'ocpp2.1' })
    station.says(text)
    await world.pass(1_000)
    world.hub.sweep()
    assert.equal(station.socket.closed, null)
  })
}

/** [what the station sent when the app accepted it, what it sends now, which messages may be large, because] */
const returns: readonly (readonly [string | null, string | null, 'none' | 'plain' | 'all', string])[] = [
  ['Basic A', 'Basic A', 'all', 'its credentials are those of then'],
  ['Basic A', 'Basic B', 'plain', 'a peer may guess its id'],
  ['Basic A', null, 'plain', 'a peer may guess its id'],
  [null, null, 'plain', 'an id alone proves nothing'],
]
for (const [before, now, expected, because] of returns) {
  test(`a station accepted with ${before ?? 'nothing'} that comes back with ${now ?? 'nothing'} may send ${sizes[expected]}: ${because}`, async t => {
    const world = new FakeWorld(t)
    const offer = (authorization: string | null) => (authorization === null ? {} : { authorization })
    world.rpc.on('boot_notification', acks({ status: 'Accepted' }))
    const first = world.plug('CP1', offer(before))
    assert.equal(first.socket.large, 'none')
    await first.boot()
    first.vanish()
    await quiet()
    assert.equal(world.plug('CP1', offer(now)).socket.large, expected)
  })
}
