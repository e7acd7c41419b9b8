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
  const sessionOf = (stationId: StationId) =>
    ({
      isHeard: heard.has(stationId),
      delivering: { next: () => new Promise<DeliveryAttempt>(end => running.push({ stationId, end })) },
    }) as unknown as Member
  const schedule = new DeliverySchedule(world, backlog, sessionOf)
  const end = async (attempt: DeliveryAttempt) => {
    const ended = running.shift()
    if (ended !== undefined && attempt === 'none') backlog.onRound(ended.stationId, Infinity)
    ended?.end(attempt)
    await quiet()
  }
  return { world, backlog, schedule, running, heard, end }
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
