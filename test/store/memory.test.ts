import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { jsonText } from '../../src/ocpp/json.ts'
import type { LastSeen } from '../../src/session/ports.ts'
import { Proofs } from '../../src/session/auth/proofs.ts'
import type { KeptStart } from '../../src/session/transactions/transactions.ts'
import { SerialNumbers } from '../../src/fleet/serial-numbers.ts'
import { Notices } from '../../src/ops/notices.ts'
import { StoreError } from '../../src/store/errors.ts'
import { openMemory, type Memory } from '../../src/store/memory.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { dawn, FakeLog, FakeMeter, handshakeFor } from '../support/fakes.ts'
import { outboxMessage } from './messages.ts'
import { mountOf, openSourceStore, temporaryDirectory } from '../support/store.ts'

const within = { timeout: 60_000 }
const minute = 60_000
const one = 'CP1' as StationId

const cp1: LastSeen = {
  stationId: one,
  at: dawn,
  version: 'ocpp1.6',
  address: '192.0.2.1',
  sn: 'SN1',
  refusal: null,
  end: { code: 1001, reason: 'Server restart' },
}

/** The world around a memory; the clock is the test's. */
function newWorld() {
  const log = new FakeLog()
  const meter = new FakeMeter()
  const clock = { now: dawn }
  const once = (_key: string, fields: object, message: string): boolean => {
    log.warn(fields, message)
    return true
  }
  return { log, meter, once, clock, date: () => new Date(clock.now) }
}

async function openedIn(t: TestContext, dir: string, world = newWorld()) {
  const memory = await openMemory(dir, 1024 * 1024, world, openSourceStore)
  t.after(() => memory.close())
  return memory
}

function proofsOf(memory: Memory): unknown {
  let proofs: unknown = null
  memory.onProofs(kept => ((proofs = kept), []))
  return proofs
}

function start(key: string, payload: object = { transactionId: 7 }): KeptStart {
  return { stationId: one, key, content: 'digest', answer: { kind: 'callResult', payload: jsonText(payload) } }
}

test('a memory is what the last one has kept, and counts what is on the disk', within, async t => {
  const dir = temporaryDirectory(t)
  const world = newWorld()
  const first = await openedIn(t, dir, world)
  assert.deepEqual([first.serialNumbers, first.starts], [[], []])
  const refused: KeptStart = {
    ...start('b'),
    answer: { kind: 'callError', code: 'FormationViolation', description: 'no', details: jsonText({}) },
  }
  first.keepSerialNumber(one, 'SN1')
  first.keepStart(start('a'))
  first.keepStart(refused)
  first.keepSeen(cp1)
  first.keepProof(one, { profile: 3, serialNumber: 'SN1', version: 'ocpp1.6' })
  await first.close()
  assert.equal(world.meter.total('state_write_total'), 4)
  const next = await openedIn(t, dir)
  assert.deepEqual(proofsOf(next), [[one, { profile: 3, serialNumber: 'SN1', version: 'ocpp1.6' }]])
  assert.deepEqual(next.serialNumbers, [[one, 'SN1']])
  assert.deepEqual(next.starts, [start('a'), refused])
  assert.deepEqual(next.lastSeen, [cp1])
})

test('a start is gone after 15 minutes, and after the end of its transaction', within, async t => {
  const dir = temporaryDirectory(t)
  const world = newWorld()
  const first = await openedIn(t, dir, world)
  first.keepStart(start('a'))
  world.clock.now += minute
  first.keepStart(start('b'))
  first.keepStart(start('c', { transactionId: 8 }))
  first.dropStart(one, '8')
  await first.close()
  world.clock.now += 14 * minute + 1
  const next = await openedIn(t, dir, world)
  assert.deepEqual(next.starts, [start('b')])
})

test('a bridge goes on without a memory, says why and counts it, when the store cannot be opened', within, async t => {
  const dir = path.join(temporaryDirectory(t), 'file')
  writeFileSync(dir, '')
  const world = newWorld()
  const memory = await openedIn(t, dir, world)
  assert.deepEqual([memory.serialNumbers, memory.starts], [[], []])
  memory.keepSerialNumber(one, 'SN1')
  memory.keepStart(start('a'))
  memory.dropStart(one, '7')
  memory.keepSeen(cp1)
  assert.equal(world.meter.total('state_error_total', { code: 'readonly' }), 1)
  assert.deepEqual(world.log.said('error'), [
    'state_dir cannot be used: the bridge goes on without it, and a restart will forget',
  ])
  assert.equal(readFileSync(dir, 'utf8'), '')
})

test('a write that fails is logged and counted, and throws nothing', within, async t => {
  const world = newWorld()
  const memory = await openedIn(t, temporaryDirectory(t), world)
  await memory.close()
  memory.keepSerialNumber(one, 'SN1')
  memory.keepStart(start('a'))
  memory.dropStart(one, '7')
  memory.keepSeen(cp1)
  await new Promise(setImmediate)
  assert.equal(world.meter.total('state_error_total', { code: 'io' }), 3)
  assert.equal(world.meter.total('state_write_total'), 0)
  assert.equal(world.log.said('warn')[0], 'state_dir failed: a restart will forget what was not kept')
})

test('a full disk costs the stations seen last and one warning, and no stored message', within, async t => {
  const dir = await mountOf(t, 1024)
  if (dir === null) return
  const log = new FakeLog()
  const notices = new Notices(log)
  const world = { ...newWorld(), log, once: notices.once.bind(notices) }
  const filler = path.join(dir, 'filler')
  writeFileSync(filler, Buffer.alloc(256 * 1024))
  const memory = await openedIn(t, dir, world)
  for (let at = 0; at < 10_000; at++) memory.keepSeen({ ...cp1, stationId: `CP${at}` as StationId })
  const closing = memory.close()
  // The writes of the stations wait, and those that do not fit are in one batch with the message.
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  const { outbox } = memory.durableOutbox ?? assert.fail()
  assert.equal(await outbox.append(outboxMessage('a')), 'stored')
  await closing
  assert.equal(log.said('warn').length, 1)
  assert.ok(world.meter.total('state_error_total', { code: 'full' }) > 1)
  writeFileSync(filler, '')
  const next = await openedIn(t, dir)
  assert.deepEqual(next.durableOutbox?.stations, ['CP1'])
  assert.ok(next.lastSeen.length < 10_000)
})

/** A memory whose store another process uses, and that process's store. */
async function locked(t: TestContext) {
  const dir = temporaryDirectory(t)
  const other = await openSourceStore(dir)
  t.after(() => other.close())
  const world = newWorld()
  const memory = await openMemory(dir, 1024 * 1024, world, openSourceStore, 20)
  t.after(() => memory.close())
  const opened = new Promise<void>(resolve => memory.onOpened(resolve))
  return { dir, other, world, memory, opened }
}

test('a memory whose store is in use is opened when the other process has ended', within, async t => {
  const { other, world, memory, opened } = await locked(t)
  await outboxOf(other, Infinity).append(outboxMessage('a', { station: 'CP9' }))
  await other.call('keepSerialNumber', 'CP1', 'SN1', dawn)
  await other.call('keepStart', { station: 'CP1', key: 'a', content: 'digest', transactionId: '7', answer: '{"kind":"callResult","payload":"{}"}' }, dawn, 0) // prettier-ignore
  assert.deepEqual([memory.isOpen, memory.serialNumbers, memory.durableOutbox?.stations], [false, [], []])
  await other.close()
  await opened
  assert.deepEqual([memory.isOpen, memory.serialNumbers], [true, [[one, 'SN1']]])
  assert.deepEqual(memory.starts, [start('a', {})])
  assert.deepEqual(memory.durableOutbox?.stations, ['CP9'])
  assert.equal((await memory.durableOutbox.outbox.pendingOf('CP9' as StationId)).length, 1)
  assert.deepEqual([world.log.said('warn').length, world.log.said('error').length], [1, 0])
  assert.equal(world.meter.total('state_error_total', { code: 'locked' }), 1)
})

test('what changes while the store is in use is kept when it is opened', within, async t => {
  const { dir, other, memory, opened } = await locked(t)
  const { accepted } = memory.durableOutbox ?? assert.fail()
  await other.call('keepStart', { station: 'CP1', key: 'a', content: 'digest', transactionId: '7', answer: '{}' }, dawn, 0) // prettier-ignore
  memory.keepSerialNumber(one, 'old')
  memory.keepSerialNumber(one, 'SN1')
  memory.dropStart(one, '7')
  memory.keepStart(start('b'))
  memory.keepSeen({ ...cp1, end: null })
  memory.keepSeen(cp1)
  for (const station of ['CP1', 'CP2', 'CP3']) accepted.onAccepted(station as StationId, 'secret')
  accepted.onRejected('CP2' as StationId, 'secret')
  accepted.onRejected('CP2' as StationId, 'wrong')
  accepted.onRejected('CP3' as StationId, 'wrong')
  assert.equal(accepted.wasAccepted(one, 'secret'), false)
  await other.close()
  await opened
  assert.deepEqual(memory.starts, [start('b')])
  await memory.close()
  const next = await openedIn(t, dir)
  assert.deepEqual(next.serialNumbers, [[one, 'SN1']])
  assert.deepEqual(next.lastSeen, [cp1])
  assert.deepEqual(knownTo(next, 'secret'), ['CP1', 'CP3'])
})

const knownTo = (memory: Memory, credentials: string) =>
  ['CP1', 'CP2', 'CP3'].filter(each => memory.durableOutbox?.accepted.wasAccepted(each as StationId, credentials))

test('a station that proves less while the store is in use changes nothing that was kept of it', within, async t => {
  const dir = temporaryDirectory(t)
  const first = await openedIn(t, dir)
  const refusal = { status: 401, reason: 'unauthorized', address: '192.0.2.9', at: dawn } as LastSeen['refusal']
  for (const [id, profile] of [
    ['CP1', 3],
    ['CP2', 2],
    ['CP3', 3],
  ] as const) {
    // prettier-ignore
    const station = id as StationId
    first.keepProof(station, { profile, serialNumber: null, version: 'ocpp1.6' })
    first.keepSerialNumber(station, 'SN1')
    first.durableOutbox?.accepted.onAccepted(station, 'secret')
    first.keepSeen({ ...cp1, stationId: station, refusal })
    first.keepStart({ ...start('a'), stationId: station })
  }
  const world = newWorld()
  const memory = await openMemory(dir, 1024 * 1024, world, openSourceStore, 20)
  t.after(() => memory.close())
  const opened = new Promise<void>(resolve => memory.onOpened(resolve))
  const proofs = new Proofs(world.meter, ['CP3'], memory)
  const numbers = new SerialNumbers(world, memory)
  for (const [id, proven] of [
    ['CP1', 0],
    ['CP2', 3],
    ['CP3', 0],
  ] as const) {
    // prettier-ignore
    const handshake = handshakeFor(id, { proven })
    const { stationId } = handshake
    proofs.onAccepted(handshake)
    numbers.remember(stationId, 'SN2')
    memory.durableOutbox?.accepted.onAccepted(stationId, 'other')
    memory.keepSeen({ ...cp1, stationId, end: null, address: '192.0.2.2' })
    memory.dropStart(stationId, '7')
  }
  await first.close()
  await opened
  const numbered = ['CP1', 'CP2', 'CP3'].map(id => numbers.of(id as StationId))
  assert.deepEqual(numbered, ['SN1', 'SN2', 'SN2'])
  await memory.close()
  const next = await openedIn(t, dir)
  assert.deepEqual(new Map(proofsOf(next) as [string, unknown][]), new Map([
    ['CP1', { profile: 3, serialNumber: null, version: 'ocpp1.6' }],
    ['CP2', { profile: 3, serialNumber: null, version: 'ocpp1.6' }],
    ['CP3', { profile: 0, serialNumber: null, version: 'ocpp1.6' }],
  ])) // prettier-ignore
  assert.deepEqual(new Map(next.serialNumbers), new Map([['CP1', 'SN1'], ['CP2', 'SN2'], ['CP3', 'SN2']])) // prettier-ignore
  assert.deepEqual([knownTo(next, 'secret'), knownTo(next, 'other')], [['CP1'], ['CP2', 'CP3']])
  assert.deepEqual(next.starts, [start('a')])
  const seen = new Map(next.lastSeen.map(each => [each.stationId as string, each]))
  assert.deepEqual(['CP1', 'CP2', 'CP3'].map(id => seen.get(id)?.address), ['192.0.2.1', '192.0.2.2', '192.0.2.2']) // prettier-ignore
  for (const each of seen.values()) assert.deepEqual(each.refusal, refusal)
})

test(
  'all changes made while the store is in use are kept when there are more than it takes at once',
  within,
  async t => {
    const { dir, other, world, memory, opened } = await locked(t)
    for (let at = 0; at < 10_500; at++) memory.keepSerialNumber(`CP${at}` as StationId, 'SN')
    await other.close()
    await opened
    await memory.close()
    assert.equal(world.meter.total('state_error_total', { code: 'io' }), 0)
    assert.equal((await openedIn(t, dir)).serialNumbers.length, 10_500)
  },
)

test('a memory whose store is in use stores nothing, and ends when it is closed', within, async t => {
  const { dir, other, memory } = await locked(t)
  const { outbox, accepted } = memory.durableOutbox ?? assert.fail()
  accepted.onAccepted(one, 'secret')
  assert.equal(accepted.wasAccepted(one, 'secret'), false)
  await assert.rejects(outbox.append(outboxMessage('a')), { code: 'locked' })
  await memory.close()
  await other.close()
  assert.equal(memory.isOpen, false)
  const next = await openedIn(t, dir)
  assert.equal(next.durableOutbox?.accepted.wasAccepted(one, 'secret'), false)
})

test(
  'a store that cannot be used when the other process has ended is reported, and not tried again',
  within,
  async t => {
    const world = newWorld()
    const faults = ['locked', 'locked', 'corrupt'] as const
    let tries = 0
    const memory = await openMemory(
      'dir',
      0,
      world,
      () => Promise.reject(new StoreError(faults[tries++] ?? 'io', 'dir')),
      1,
    )
    t.after(() => memory.close())
    while (world.log.said('error').length === 0) await new Promise(setImmediate)
    assert.deepEqual([tries, memory.durableOutbox], [3, null])
    assert.equal(world.meter.total('state_error_total'), 2)
  },
)
