/**
 * What one address may have, and all together; with a clock of the test's.
 */
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { OpenConnections, burstSeconds } from '../../../src/server/limits/connections.ts'
import { addressLimits } from '../../support/limits.ts'

function open(limits: Partial<typeof addressLimits | Record<keyof typeof addressLimits, number>> = {}) {
  let now = 0
  const connections = new OpenConnections({ ...addressLimits, ...limits }, () => now)
  return { connections, pass: (ms: number) => (now += ms) }
}

test('the connection after the limit is full, and the one 50 further gets no answer', () => {
  const { connections } = open({ connPerAddress: 2 })
  const connect = () => connections.countAddress('192.0.2.1', new EventEmitter())
  assert.deepEqual([connect(), connect(), connections.isFull('192.0.2.1')], [false, false, false])
  assert.deepEqual([connect(), connections.isFull('192.0.2.1')], [false, true])
  assert.equal(connections.isFull('192.0.2.2'), false, 'another address')
  const answered = Array.from({ length: 49 }, connect)
  assert.deepEqual(new Set(answered), new Set([false]))
  assert.equal(connect(), true)
})

test('a connection that ends makes room', () => {
  const { connections } = open({ connPerAddress: 1 })
  const sockets = [new EventEmitter(), new EventEmitter()]
  for (const socket of sockets) {
    connections.admit(socket)
    connections.countAddress('192.0.2.1', socket)
  }
  assert.equal(connections.isFull('192.0.2.1'), true)
  sockets[0]?.emit('close')
  assert.equal(connections.isFull('192.0.2.1'), false)
})

test('the connection after the limit of all addresses has no room until an earlier one is closed', () => {
  const connections = new OpenConnections(addressLimits, () => 0, 2)
  const [first, second, third] = [new EventEmitter(), new EventEmitter(), new EventEmitter()]
  assert.deepEqual(
    [first, second, third].map(each => connections.admit(each)),
    [true, true, false],
  )
  third.emit('close')
  assert.equal(connections.admit(third), false, 'its end makes no room: it was not counted')
  first.emit('close')
  assert.deepEqual([connections.admit(third), connections.admit(first)], [true, false])
})

test('upgrades beyond the rate are too fast until time passes, and refused ones cost nothing', () => {
  const { connections, pass } = open({ upgradeRate: 2 })
  const asked = Array.from({ length: 2 * burstSeconds + 3 }, () => connections.isTooFast('192.0.2.1'))
  assert.equal(asked.filter(isTooFast => isTooFast).length, 3)
  assert.equal(connections.isTooFast('192.0.2.2'), false, 'another address')
  pass(500)
  assert.deepEqual([connections.isTooFast('192.0.2.1'), connections.isTooFast('192.0.2.1')], [false, true])
})

test('the defaults admit 10,000 stations behind one address, twice in a row', () => {
  const { connections } = open()
  for (let count = 0; count < 10_000; count++)
    assert.equal(connections.countAddress('192.0.2.1', new EventEmitter()), false)
  for (let count = 0; count < 20_000; count++) assert.equal(connections.isTooFast('192.0.2.1'), false)
  assert.equal(connections.isFull('192.0.2.1'), false)
})

test('0 means no limit', () => {
  const { connections } = open({ connPerAddress: 0, upgradeRate: 0 })
  for (let count = 0; count < 30_000; count++) {
    assert.equal(connections.countAddress('192.0.2.1', new EventEmitter()), false)
    assert.equal(connections.isTooFast('192.0.2.1'), false)
  }
  assert.equal(connections.isFull('192.0.2.1'), false)
})

/** [one address, another one, whether they count as one, because] */
const pairs = [
  ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', true, 'a host has a /64'],
  ['2001:db8::1', '2001:db8:0:0:5::', true, 'zeros may be left out'],
  ['2001:db8:0:1::1', '2001:db8:0:2::1', false, 'another /64'],
  ['::1', '::2', true, 'no groups before the zeros'],
  ['192.0.2.1', '192.0.2.2', false, 'IPv4 addresses are hosts'],
] as const
for (const [one, other, areOne, because] of pairs) {
  test(`${one} and ${other} count ${areOne ? 'as one' : 'as two'}: ${because}`, () => {
    const { connections } = open({ connPerAddress: 1 })
    connections.countAddress(one, new EventEmitter())
    connections.countAddress(other, new EventEmitter())
    assert.equal(connections.isFull(one), areOne)
  })
}
