import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { jsonText } from '../../src/ocpp/json.ts'
import type { KeptStart } from '../../src/session/transactions/transactions.ts'
import { openMemory } from '../../src/store/memory.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { dawn, FakeLog, FakeMeter } from '../support/fakes.ts'
import { openSourceStore, temporaryDirectory } from '../support/store.ts'

const within = { timeout: 60_000 }
const minute = 60_000
const one = 'CP1' as StationId

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

async function opened(t: TestContext, dir: string, world = newWorld()) {
  const memory = await openMemory(dir, 1024 * 1024, world, openSourceStore)
  t.after(() => memory.close())
  return memory
}

function start(key: string, payload: object = { transactionId: 7 }): KeptStart {
  return { stationId: one, key, content: 'digest', answer: { kind: 'callResult', payload: jsonText(payload) } }
}

test('a memory is what the last one has kept, and counts what is on the disk', within, async t => {
  const dir = temporaryDirectory(t)
  const world = newWorld()
  const first = await opened(t, dir, world)
  assert.deepEqual([first.serialNumbers, first.starts], [[], []])
  const refused: KeptStart = {
    ...start('b'),
    answer: { kind: 'callError', code: 'FormationViolation', description: 'no', details: jsonText({}) },
  }
  first.keepSerialNumber(one, 'SN1')
  first.keepStart(start('a'))
  first.keepStart(refused)
  await first.close()
  assert.equal(world.meter.total('state_write_total'), 3)
  const next = await opened(t, dir)
  assert.deepEqual(next.serialNumbers, [[one, 'SN1']])
  assert.deepEqual(next.starts, [start('a'), refused])
})

test('a start is gone after 15 minutes, and after the end of its transaction', within, async t => {
  const dir = temporaryDirectory(t)
  const world = newWorld()
  const first = await opened(t, dir, world)
  first.keepStart(start('a'))
  world.clock.now += minute
  first.keepStart(start('b'))
  first.keepStart(start('c', { transactionId: 8 }))
  first.dropStart(one, '8')
  await first.close()
  world.clock.now += 14 * minute + 1
  const next = await opened(t, dir, world)
  assert.deepEqual(next.starts, [start('b')])
})

test('a bridge goes on without a memory, says why and counts it, when the store cannot be opened', within, async t => {
  const dir = path.join(temporaryDirectory(t), 'file')
  writeFileSync(dir, '')
  const world = newWorld()
  const memory = await opened(t, dir, world)
  assert.deepEqual([memory.serialNumbers, memory.starts], [[], []])
  memory.keepSerialNumber(one, 'SN1')
  memory.keepStart(start('a'))
  memory.dropStart(one, '7')
  assert.equal(world.meter.total('state_error_total', { code: 'readonly' }), 1)
  assert.deepEqual(world.log.said('error'), [
    'state_dir cannot be used: the bridge goes on without it, and a restart will forget',
  ])
  assert.equal(readFileSync(dir, 'utf8'), '')
})

test('a write that fails is logged and counted, and throws nothing', within, async t => {
  const world = newWorld()
  const memory = await opened(t, temporaryDirectory(t), world)
  await memory.close()
  memory.keepSerialNumber(one, 'SN1')
  memory.keepStart(start('a'))
  memory.dropStart(one, '7')
  await new Promise(setImmediate)
  assert.equal(world.meter.total('state_error_total', { code: 'io' }), 3)
  assert.equal(world.meter.total('state_write_total'), 0)
  assert.equal(world.log.said('warn')[0], 'state_dir failed: a restart will forget what was not kept')
})
