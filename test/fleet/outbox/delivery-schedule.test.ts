import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Backlog } from '../../../src/fleet/outbox/backlog.ts'
import { DeliverySchedule } from '../../../src/fleet/outbox/delivery-schedule.ts'
import type { DeliveryAttempt, DurableOutbox, Member } from '../../../src/session/ports.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { FakeWorld, quiet } from '../../support/fakes.ts'
import { memoryWith } from '../../support/outbox.ts'

/** A schedule over stations whose attempts the test ends. */
function setUp(t: TestContext, count: number) {
  const world = new FakeWorld(t)
  const stations = Array.from({ length: count }, (_, at) => `CP${at}` as StationId)
  const durable: DurableOutbox = { ...memoryWith().durable, stations }
  const backlog = new Backlog(durable, world)
  const running: { stationId: StationId; end: (attempt: DeliveryAttempt) => void }[] = []
  const heard = new Set<StationId>(stations)
  const absent = new Set<StationId>()
  /** Not connected, and never accepted by the app. */
  const unknown = new Set<StationId>()
  const delivererFor = (stationId: StationId) => ({
    next: () => new Promise<DeliveryAttempt>(end => running.push({ stationId, end })),
  })
  const sessionOf = (stationId: StationId) =>
    absent.has(stationId)
      ? null
      : ({ isHeard: heard.has(stationId), delivering: delivererFor(stationId) } as unknown as Member)
  const openAbsent = (stationId: StationId) => Promise.resolve(unknown.has(stationId) ? null : delivererFor(stationId))
  const schedule = new DeliverySchedule(world, backlog, sessionOf, openAbsent)
  const end = async (attempt: DeliveryAttempt) => {
    const ended = running.shift()
    if (ended !== undefined && attempt === 'none') {
      await backlog.pendingOf(ended.stationId, 0)
      backlog.onRound(ended.stationId, Infinity)
    }
    ended?.end(attempt)
    await quiet()
  }
  return { world, backlog, schedule, running, heard, absent, unknown, end }
}

const ids = (running: readonly { readonly stationId: StationId }[]) => running.map(({ stationId }) => stationId)

test('eight stations deliver at a time, and the next one begins when one has nothing left', async t => {
  const { schedule, running, end } = setUp(t, 10)
  schedule.sweep()
  assert.equal(running.length, 8)
  schedule.sweep()
  assert.equal(running.length, 8, 'none of them twice')
  await end('none')
  assert.equal(ids(running).at(-1), 'CP8')
})

test('a station delivers one message after another until there is none', async t => {
  const { schedule, running, end } = setUp(t, 1)
  schedule.sweep()
  for (const attempt of ['delivered', 'failed', 'delivered'] as const) {
    await end(attempt)
    assert.deepEqual(ids(running), ['CP0'])
  }
  await end('none')
  assert.deepEqual(running, [])
})

test('a station that has said nothing delivers nothing', t => {
  const { schedule, running, heard } = setUp(t, 2)
  heard.delete('CP0' as StationId)
  schedule.sweep()
  assert.deepEqual(ids(running), ['CP1'])
})

test('nothing is delivered while the app is away: the bridge looks whether it is back', t => {
  const { world, schedule, running } = setUp(t, 2)
  world.rpc.presence.isAway = true
  schedule.sweep()
  assert.deepEqual([running.length, world.rpc.checks], [0, 1])
})

test('after an attempt without a reply one station tries at a time, ever less often, until the app has replied', async t => {
  const { world, schedule, running, end } = setUp(t, 3)
  schedule.sweep()
  assert.equal(running.length, 3)
  for (let count = 0; count < 3; count++) await end('away')
  schedule.sweep()
  assert.equal(running.length, 0)
  await world.pass(1_000, 500)
  schedule.sweep()
  assert.equal(running.length, 1)
  await end('away')
  await world.pass(1_500, 500)
  schedule.sweep()
  assert.equal(running.length, 0, 'the second pause is 2 s')
  world.rpc.presence.repliedAt = world.now()
  schedule.sweep()
  assert.equal(running.length, 3)
})

for (const attempt of ['unready', 'refused'] as const) {
  test(`a station whose attempt ended as ${attempt} tries again after 30 s, and others are not delayed`, async t => {
    const { world, schedule, running, end } = setUp(t, 2)
    schedule.sweep()
    await end(attempt)
    schedule.sweep()
    assert.deepEqual(ids(running), ['CP1'])
    await world.pass(30_000, 10_000)
    schedule.sweep()
    assert.deepEqual(ids(running), ['CP1', 'CP0'])
  })
}

test('a schedule that is stopped begins nothing more', async t => {
  const { schedule, running, end } = setUp(t, 10)
  schedule.sweep()
  schedule.stop()
  await end('delivered')
  schedule.sweep()
  assert.equal(running.length, 7)
})

const one = 'CP0' as StationId
const waitMs = 600_000

/** Passes the time that the messages of a station without a connection wait. */
async function wait({ world, schedule }: ReturnType<typeof setUp>): Promise<void> {
  schedule.sweep()
  await world.pass(waitMs, 60_000)
  schedule.sweep()
  await quiet()
}

test('a station that is not connected delivers after ten minutes, and others are not delayed', async t => {
  const scene = setUp(t, 2)
  const { world, schedule, running, absent, end } = scene
  absent.add(one)
  schedule.sweep()
  assert.deepEqual(ids(running), ['CP1'])
  await end('none')
  await world.pass(waitMs - 1_000, 60_000)
  schedule.sweep()
  await quiet()
  assert.deepEqual(ids(running), [])
  await world.pass(1_000, 1_000)
  schedule.sweep()
  await quiet()
  assert.deepEqual(ids(running), ['CP0'])
  await end('delivered')
  await end('failed')
  await end('none')
  const lines = world.log.lines.filter(({ message }) => message.startsWith('delivered the stored messages'))
  assert.deepEqual(lines.map(({ fields }) => fields), [{ station: 'CP0', messages: 1 }]) // prettier-ignore
})

test('the ten minutes begin again when the station has been connected', async t => {
  const scene = setUp(t, 1)
  const { world, schedule, running, backlog, absent, end } = scene
  absent.add(one)
  schedule.sweep()
  await world.pass(waitMs - 1_000, 60_000)
  absent.delete(one)
  schedule.sweep()
  assert.equal(running.length, 1)
  running.shift()?.end('none')
  await quiet()
  absent.add(one)
  schedule.sweep()
  await world.pass(waitMs - 1_000, 60_000)
  assert.ok([...backlog.due()].includes(one))
  schedule.sweep()
  await quiet()
  assert.equal(running.length, 0)
  await wait(scene)
  assert.equal(running.length, 1)
  await end('none')
})

test('the ten minutes go on when the app refuses the connections of the station meanwhile', async t => {
  const scene = setUp(t, 1)
  const { world, schedule, running, absent, end } = scene
  absent.add(one)
  schedule.sweep()
  absent.delete(one)
  schedule.sweep()
  await end('refused')
  absent.add(one)
  await world.pass(waitMs, 60_000)
  schedule.sweep()
  await quiet()
  assert.equal(running.length, 1)
})

test('a delivery without a connection ends when the station connects', async t => {
  const scene = setUp(t, 1)
  const { schedule, running, absent, heard, end } = scene
  absent.add(one)
  await wait(scene)
  assert.equal(running.length, 1)
  absent.delete(one)
  heard.delete(one)
  await end('delivered')
  schedule.sweep()
  assert.equal(running.length, 0)
})

test('a station that the app has not accepted keeps its messages, and is looked at every 30 s', async t => {
  const scene = setUp(t, 1)
  const { world, schedule, running, absent, unknown } = scene
  absent.add(one)
  unknown.add(one)
  await wait(scene)
  unknown.delete(one)
  schedule.sweep()
  await quiet()
  assert.equal(running.length, 0)
  await world.pass(30_000, 10_000)
  schedule.sweep()
  await quiet()
  assert.equal(running.length, 1)
})
