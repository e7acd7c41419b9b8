import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { HubSettings } from '../../../src/fleet/hub.ts'
import { dataOf, fails, FakeWorld, faults, quiet, type FakeStation } from '../../support/fakes.ts'

/** A station that the app has accepted. */
async function open(t: TestContext, settings: Partial<HubSettings> = {}) {
  const world = new FakeWorld(t, settings)
  const station = world.plug('CP1')
  await station.boot('SN1')
  /** Sends commands that fail at once, because no version has their action. */
  const refuse = (count: number, from = 0): void => {
    for (let id = from; id < from + count; id++) world.broadcast('SN1', { command: 'MakeCoffee', id: String(id) })
  }
  const dropped = (): number => world.meter.total('ocpp_dropped_total', { reason: 'outcome' })
  /** The performs since the first command. */
  const performed = (): string[] => world.rpc.made.all.slice(3).map(call => `${call.name} ${dataOf(call).id}`)
  return { world, station, refuse, dropped, performed }
}

function ids(station: FakeStation): unknown[] {
  return station.got.filter(([type]) => type === 2).map(([, id]) => id)
}

test('a CALL waits for at most one refusal, and the socket is not paused, when refusals flood the session', async t => {
  const { world, station, refuse, performed } = await open(t)
  const [first, second] = [world.rpc.hold('error'), world.rpc.hold('error')]
  refuse(1_000)
  await first.arrived()
  assert.equal(station.socket.isPaused, false)
  for (const id of ['a', 'b']) station.call('Authorize', {}, id)
  first.release()
  await second.arrived()
  assert.deepEqual(performed(), ['error 0', 'authorize a', 'authorize b', 'error 1'])
  station.call('Authorize', {}, 'c')
  second.release()
  await quiet()
  assert.deepEqual(performed().slice(4, 7), ['authorize c', 'error 2', 'error 3'])
  assert.equal(performed().at(-1), 'error 999')
})

test('one refusal is performed after the waiting CALLs when a station sends CALLs without end', async t => {
  const { world, station, refuse, performed } = await open(t)
  let calls = 0
  world.rpc.on('authorize', () => {
    if (calls < 10) station.call('Authorize', {}, `c${++calls}`)
    return {}
  })
  station.call('Authorize', {}, 'c0')
  refuse(3)
  await quiet()
  assert.deepEqual(performed().slice(0, 6), [
    'authorize c0',
    'authorize c1',
    'error 0',
    'authorize c2',
    'error 1',
    'authorize c3',
  ])
})

test('an answer of the station keeps its place among its messages when many refusals wait', async t => {
  const { world, station, refuse, performed } = await open(t)
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  const slow = world.rpc.hold('error')
  refuse(100)
  await slow.arrived()
  station.call('Authorize', {}, 'before')
  station.says([3, 'r', { status: 'Accepted' }])
  station.call('Authorize', {}, 'after')
  slow.release()
  await quiet()
  assert.deepEqual(performed().slice(0, 5), ['error 0', 'authorize before', 'ack r', 'authorize after', 'error 1'])
})

test('refusals keep their order when the app is away for a while', async t => {
  const { world, refuse, performed, dropped } = await open(t)
  world.rpc.once('error', fails(faults.absent))
  refuse(5)
  await quiet()
  assert.deepEqual(performed(), ['error 0'], 'the other refusals wait behind the first one')
  await world.pass(1_000)
  assert.deepEqual(performed().slice(1), ['error 0', 'error 1', 'error 2', 'error 3', 'error 4'])
  assert.equal(dropped(), 0)
})

test('no command is sent until there is room when waiting answers have reached the limit of bytes', async t => {
  const { world, station, dropped } = await open(t)
  const slow = world.rpc.hold('ack')
  const count = 20
  for (let id = 0; id < count; id++) world.broadcast('SN1', { command: 'Reset', id: String(id) })
  const data = 'x'.repeat(1024 * 1024)
  const answered: unknown[] = []
  /** Answers every command that the station gets; returns how many it has answered. */
  const answerAll = (): number => {
    const [id] = ids(station).slice(answered.length)
    if (id === undefined) return answered.length
    answered.push(id)
    station.says([3, id, { data }])
    return answerAll()
  }
  assert.equal(answerAll(), 4, 'of 1 MiB each')
  slow.release()
  for (let before = 4; before < count;) {
    await quiet()
    const now = answerAll()
    assert.ok(now > before, `commands are sent again after ${before}`)
    before = now
  }
  await quiet()
  assert.equal(world.rpc.names().filter(name => name === 'ack').length, count)
  assert.equal(dropped(), 0)
})

test('late answers are dropped and counted when there is no room', async t => {
  const { world, station, dropped } = await open(t, { callTimeoutMs: 1_000 })
  for (let id = 0; id < 10; id++) world.broadcast('SN1', { command: 'Reset', id: String(id) })
  await world.pass(10_000)
  const slow = world.rpc.hold('ack')
  const data = 'x'.repeat(1024 * 1024)
  for (let id = 0; id < 10; id++) station.says([3, String(id), { data }])
  assert.equal(dropped(), 10 - 3, 'the first three are less than 4 MiB')
  slow.release()
  await quiet()
  assert.equal(world.rpc.names().filter(name => name === 'ack').length, 3)
})

test('all refusals are performed before the Disconnect, a few at a time, when the session ends', async t => {
  const { world, station, refuse, dropped } = await open(t)
  const slow = world.rpc.hold('error')
  refuse(100)
  await slow.arrived()
  station.vanish()
  slow.release()
  await world.pass(100)
  await station.ended()
  const names = world.rpc.names().slice(3)
  assert.deepEqual([names.length, names.at(-1)], [101, 'disconnect'])
  assert.equal(dropped(), 0)
})

test('the remaining refusals are dropped and counted when the session has ended and the app hangs', async t => {
  const { world, station, refuse, dropped } = await open(t)
  world.rpc.on('error', () => new Promise((_, reject) => void setTimeout(() => reject(faults.slow), 3_000)))
  refuse(1_000)
  station.vanish()
  await world.pass(12_000, 100)
  await station.ended()
  assert.equal(dropped(), 1_000)
  const asked = world.rpc.names().filter(name => name === 'error').length
  assert.ok(asked > 16 && asked < 64, `${asked} were tried`)
})

test('an exception of the app in ack or error is logged with its action and message', async t => {
  const { world, station } = await open(t)
  world.rpc.on('ack', fails(faults.raised))
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  station.says([3, 'r', { status: 'Accepted' }])
  await quiet()
  assert.ok(world.notices.has(`raised ack ${faults.raised.message}`))
})

test('an outcome that the app raised on does not put later outcomes behind the station’s CALLs', async t => {
  const { world, station, performed } = await open(t)
  world.rpc.once('ack', fails(faults.raised))
  for (const id of ['r1', 'r2']) {
    world.broadcast('SN1', { command: 'Reset', id })
    const running = id === 'r2' ? world.rpc.hold('authorize') : null
    if (running !== null) {
      station.call('Authorize', {}, 'first')
      await running.arrived()
    }
    station.says([3, id, { status: 'Accepted' }])
    if (running !== null) station.call('StatusNotification', {}, 'after')
    running?.release()
    await quiet()
  }
  assert.deepEqual(performed(), ['ack r1', 'authorize first', 'ack r2', 'status_notification after'])
})

test('outcomes left at the end of a session are performed sixteen at a time', async t => {
  const { world, station } = await open(t, { callQueue: 500 })
  for (let id = 0; id < 400; id++) world.broadcast('SN1', { command: 'Reset', id: String(id) })
  const running = new Set<() => void>()
  let most = 0
  world.rpc.on('error', async () => {
    await new Promise<void>(resolve => running.add(resolve))
    return {}
  })
  station.vanish()
  for (let round = 0; round < 100 && world.rpc.names().at(-1) !== 'disconnect'; round++) {
    await quiet()
    most = Math.max(most, running.size)
    for (const release of running) release()
    running.clear()
  }
  assert.equal(most, 16)
  assert.equal(world.rpc.names().filter(name => name === 'error').length, 400)
})

test('a retried outcome is performed before the Disconnect when the station leaves while a report is performed', async t => {
  const world = new FakeWorld(t, { collectReports: true })
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  await station.boot('SN1')
  const report = { requestId: 7, generatedAt: '2026-01-02T03:04:05Z', seqNo: 0, tbc: true, reportData: [] }
  station.call('NotifyReport', report, 'part')
  await station.next()
  world.rpc.once('ack', fails(faults.absent))
  world.broadcast('CP1', { command: 'Reset', id: 'r', payload: { type: 'Immediate' } })
  station.says([3, 'r', { status: 'Accepted' }])
  await quiet()
  const reporting = world.rpc.hold('notify_report')
  const retrying = world.rpc.hold('ack')
  station.vanish()
  await reporting.arrived()
  await world.pass(1_500)
  reporting.release()
  await retrying.arrived()
  assert.equal(world.rpc.names().includes('disconnect'), false)
  retrying.release()
  await world.pass(50)
  assert.equal(world.rpc.names().at(-1), 'disconnect')
})

test('those who watch do not see a key that a station repeats, and the app does', async t => {
  const { world, station } = await open(t)
  const seen: unknown[] = []
  world.events = event => {
    if (event.type === 'command' && event.outcome.kind === 'error') seen.push(event.outcome.message)
  }
  for (const [id, key] of ['AuthorizationKey', 'MeterType'].entries()) {
    world.broadcast('SN1', { command: 'ChangeConfiguration', id: `k${id}`, payload: { key, value: 'abc' } })
    await quiet()
    station.says(`[4,"k${id}","InternalError","abc is bad",{}]`)
    await quiet()
  }
  assert.deepEqual(seen, ['***', 'abc is bad'])
  const told = world.rpc.made.all.filter(({ name }) => name === 'error').map(call => dataOf(call)['message'])
  assert.deepEqual(told, ['abc is bad', 'abc is bad'])
})
