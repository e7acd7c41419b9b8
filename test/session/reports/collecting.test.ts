/** Multi-part reports through a session: each part is answered, and the app performs one whole report. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { HubSettings } from '../../../src/fleet/hub.ts'
import { dataOf, fails, FakeWorld, faults, quiet, type FakeStation } from '../../support/fakes.ts'

const collected = { collectReports: true, reportTimeoutMs: 60_000 }

function part(seqNo: number, tbc: boolean, requestId = 7): object {
  return { requestId, generatedAt: '2026-01-02T03:04:05Z', seqNo, tbc, reportData: [{ n: seqNo }] }
}

async function setUp(t: TestContext, settings: Partial<HubSettings> = collected) {
  const world = new FakeWorld(t, settings)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  station.call('Heartbeat', {}, 'h')
  await station.next()
  const performs = (): unknown[] =>
    world.rpc.made.all
      .filter(({ name }) => name === 'notify_report')
      .map(call => {
        const { payload, parts, missing, complete } = dataOf(call)
        const { reportData, seqNo, tbc } = payload as Record<string, unknown>
        return { reportData, seqNo, tbc, parts, missing, complete }
      })
  return { world, station, performs }
}

async function sendPart(station: FakeStation, payload: object, id: string): Promise<unknown[]> {
  station.call('NotifyReport', payload, id)
  return station.next()
}

const items = (...numbers: readonly number[]): object[] => numbers.map(n => ({ n }))
const gapless = { missing: undefined, complete: undefined }

test('each part of a report is answered, and the report is performed once with the last part', async t => {
  const { station, performs } = await setUp(t)
  assert.deepEqual(await sendPart(station, part(0, true), 'a'), [3, 'a', {}])
  assert.deepEqual(await sendPart(station, part(1, true), 'b'), [3, 'b', {}])
  assert.deepEqual(performs(), [])
  assert.deepEqual(await sendPart(station, part(2, false), 'c'), [3, 'c', {}])
  assert.deepEqual(performs(), [{ reportData: items(0, 1, 2), seqNo: 0, tbc: false, parts: 3, ...gapless }])
})

test('each part of a report is performed when reports are not collected', async t => {
  const { station, performs } = await setUp(t, {})
  await sendPart(station, part(0, true), 'a')
  await sendPart(station, part(1, false), 'b')
  assert.equal(performs().length, 2)
})

test('an incomplete report is performed with its gap when the report timeout is over', async t => {
  const { world, station, performs } = await setUp(t)
  await sendPart(station, part(0, true), 'a')
  await sendPart(station, part(2, false), 'c')
  await world.pass(59_000, 1_000)
  assert.deepEqual(performs(), [])
  await world.pass(1_000, 1_000)
  const gap = { parts: 2, missing: [1], complete: false }
  assert.deepEqual(performs(), [{ reportData: items(0, 2), seqNo: 0, tbc: false, ...gap }])
  station.call('Heartbeat', {}, 'h2')
  assert.equal((await station.next())[1], 'h2', 'the inbox goes on')
})

test('an incomplete report is performed before the Disconnect when the station leaves', async t => {
  const { world, station, performs } = await setUp(t)
  await sendPart(station, part(0, true), 'a')
  station.vanish()
  await world.pass(100)
  const gap = { parts: 1, missing: [], complete: false }
  assert.deepEqual(performs(), [{ reportData: items(0), seqNo: 0, tbc: false, ...gap }])
  assert.deepEqual(world.rpc.names().slice(-2), ['notify_report', 'disconnect'])
})

test('the last part gets a CALLERROR when the app fails on the report, and its retry performs the report again', async t => {
  const { world, station, performs } = await setUp(t)
  await sendPart(station, part(0, true), 'a')
  world.rpc.once('notify_report', fails(faults.absent))
  assert.equal((await sendPart(station, part(1, false), 'b'))[0], 4)
  assert.deepEqual(await sendPart(station, part(1, false), 'b2'), [3, 'b2', {}])
  assert.deepEqual(performs().at(-1), { reportData: items(0, 1), seqNo: 0, tbc: false, parts: 2, ...gapless })
})

test('an overdue report is retried until the app is back', async t => {
  const { world, station, performs } = await setUp(t)
  await sendPart(station, part(0, true), 'a')
  for (let count = 0; count < 3; count++) world.rpc.once('notify_report', fails(faults.absent))
  await world.pass(60_000, 1_000)
  await world.pass(20_000, 1_000)
  assert.equal(performs().length, 4)
  assert.equal(world.meter.total('ocpp_report_total', { outcome: 'incomplete' }), 1)
  assert.equal(world.meter.total('ocpp_report_total', { outcome: 'lost' }), 0)
})

test('the reports of a station that leaves are performed side by side, because it may be back already', async t => {
  const { world, station } = await setUp(t)
  for (let id = 1; id <= 16; id++) await sendPart(station, { ...part(0, true), requestId: id }, `p${id}`)
  world.rpc.on('notify_report', () => new Promise(() => undefined))
  station.vanish()
  await world.pass(100)
  assert.equal(world.rpc.names().filter(name => name === 'notify_report').length, 16)
})

test('a report that waits for a retry is performed when the session ends', async t => {
  const { world, station, performs } = await setUp(t)
  await sendPart(station, part(0, true), 'a')
  world.rpc.once('notify_report', fails(faults.absent))
  await world.pass(60_000, 1_000)
  station.vanish()
  await world.pass(100)
  assert.equal(performs().length, 2)
  assert.deepEqual(world.rpc.names().slice(-2), ['notify_report', 'disconnect'])
})

test('an overdue report is counted as lost when the app may have run it, and the session goes on', async t => {
  const { world, station } = await setUp(t)
  await sendPart(station, part(0, true), 'a')
  world.rpc.once('notify_report', fails(faults.slow))
  await world.pass(60_000, 1_000)
  assert.equal(world.meter.total('ocpp_report_total', { outcome: 'lost' }), 1)
  station.call('Heartbeat', {}, 'h2')
  assert.equal((await station.next())[1], 'h2')
  assert.equal(station.socket.closed, null)
})

test('an overdue report that waits in the inbox is performed when the station leaves', async t => {
  const { world, station, performs } = await setUp(t)
  await sendPart(station, part(0, true), 'a')
  const running = world.rpc.hold('status_notification')
  station.call('StatusNotification', {}, 's')
  await running.arrived()
  await world.pass(60_000, 1_000)
  station.vanish()
  running.release()
  await world.pass(100)
  assert.equal(performs().length, 1)
  assert.equal(world.meter.total('ocpp_report_total', { outcome: 'incomplete' }), 1)
})

test('a report in one part is performed as it came', async t => {
  const { station, performs } = await setUp(t)
  await sendPart(station, part(0, false), 'a')
  assert.deepEqual(performs(), [{ reportData: items(0), seqNo: 0, tbc: false, parts: undefined, ...gapless }])
})

test('two stations have separate reports under the same requestId', async t => {
  const { world, station, performs } = await setUp(t)
  const other = world.plug('CP2', { version: 'ocpp2.0.1' })
  await sendPart(station, part(0, true), 'a')
  await sendPart(other, part(1, false), 'b')
  await quiet()
  assert.deepEqual(performs(), [])
})

test('a part gets a SecurityError when the app rejects the station', async t => {
  const world = new FakeWorld(t, collected)
  world.rpc.once('connect', () => ({ status: 'failure' }))
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  assert.equal((await sendPart(station, part(0, true), 'a'))[2], 'SecurityError')
})
