import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SerialNumbers } from '../../src/fleet/serial-numbers.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { FakeMemory, FakeWorld, streamOf } from '../support/fakes.ts'

/** Serial numbers, and sessions to note them for. */
function setUp(t: TestContext) {
  const world = new FakeWorld(t)
  const numbers = new SerialNumbers(world)
  const shared = (): [count: number, warnings: number] => [
    world.meter.total('ocpp_shared_sn_total'),
    [...world.notices.keys()].filter(key => key.startsWith('shared sn')).length,
  ]
  return { world, numbers, plug: (stationId: string) => world.plug(stationId).session, shared }
}

test('the last serial number of each station is remembered, and none of a station that has told none', t => {
  const { numbers } = setUp(t)
  const [one, two] = ['CP1', 'CP2'] as StationId[]
  assert.ok(one !== undefined && two !== undefined)
  numbers.remember(one, 'SN1')
  numbers.remember(one, 'SN2')
  assert.deepEqual([numbers.of(one), numbers.of(two)], ['SN2', null])
})

test('the serial number of the station that was heard of longest ago is forgotten beyond 100,000 stations', t => {
  const { world, numbers } = setUp(t)
  for (let count = 0; count <= 100_000; count++) numbers.remember(`CP${count}` as StationId, 'SN')
  assert.deepEqual([numbers.of('CP0' as StationId), numbers.of('CP1' as StationId)], [null, 'SN'])
  assert.equal(world.meter.total('ocpp_evicted_total', { kind: 'serial_numbers' }), 1)
})

test('serial numbers are those of the store when it is opened late, and others stay', t => {
  const [one, two, three] = ['CP1', 'CP2', 'CP3'] as [StationId, StationId, StationId]
  const memory = new FakeMemory({ serialNumbers: [[one, 'SN1'], [two, 'SN9']] }) // prettier-ignore
  let open = (): void => undefined
  t.mock.method(memory, 'onOpened', (listener: () => void) => (open = listener))
  const numbers = new SerialNumbers(new FakeWorld(t), memory)
  numbers.remember(two, 'SN2')
  numbers.remember(three, 'SN3')
  assert.deepEqual([one, two, three].map(id => numbers.of(id)), [null, 'SN2', 'SN3']) // prettier-ignore
  open()
  assert.deepEqual([one, two, three].map(id => numbers.of(id)), ['SN1', 'SN9', 'SN3']) // prettier-ignore
})

test('two connected stations with one sn are a warning that names both, and are counted', t => {
  const { world, numbers, plug, shared } = setUp(t)
  const fields: object[] = []
  t.mock.method(world, 'once', (_key: string, line: object) => void fields.push(line))
  numbers.onSubscribed(plug('CP1'), 'SN')
  numbers.onSubscribed(plug('CP2'), 'SN')
  assert.deepEqual(fields, [{ sn: 'SN', stations: ['CP1', 'CP2'] }])
  assert.equal(shared()[0], 1)
})

test('connections of one station, and stations with different sns, share nothing', t => {
  const { numbers, plug, shared } = setUp(t)
  numbers.onSubscribed(plug('CP1'), 'SN1')
  numbers.onSubscribed(plug('CP1'), 'SN1')
  numbers.onSubscribed(plug('CP2'), 'SN2')
  assert.deepEqual(shared(), [0, 0])
})

test('an sn is free again when its station has left, or is subscribed under another one', t => {
  const { numbers, plug, shared } = setUp(t)
  const [one, two] = [plug('CP1'), plug('CP2')]
  numbers.onSubscribed(one, 'SN1')
  numbers.onSubscribed(two, 'SN2')
  numbers.remove(one)
  numbers.onSubscribed(two, 'SN3')
  numbers.onSubscribed(plug('CP3'), 'SN1')
  numbers.onSubscribed(plug('CP4'), 'SN2')
  assert.deepEqual(shared(), [0, 0])
})

test('a station whose reply to subscribe comes after it has left takes no sn', t => {
  const { numbers, plug, shared } = setUp(t)
  const gone = plug('CP1')
  gone.gone(1006, '')
  numbers.onSubscribed(gone, 'SN')
  numbers.onSubscribed(plug('CP2'), 'SN')
  assert.deepEqual(shared(), [0, 0])
})

test('each sn is one warning, however many stations share it', t => {
  const { numbers, plug, shared } = setUp(t)
  for (let count = 0; count < 10; count++) {
    numbers.onSubscribed(plug(`A${count}`), 'SN1')
    numbers.onSubscribed(plug(`B${count}`), 'SN2')
  }
  assert.deepEqual(shared(), [18, 2])
})

test('a command reaches one of two stations whose serial number is a placeholder', async t => {
  const world = new FakeWorld(t)
  const stations = ['CP1', 'CP2'].map(stationId => world.plug(stationId))
  for (const station of stations) await station.boot('N/A')
  world.hub.deliver({
    kind: 'stream',
    stream: streamOf('CP1'),
    data: '{"command":"Reset","id":"r","payload":{}}',
    excludeSid: null,
  })
  assert.deepEqual(await stations[0]?.next(), [2, 'r', 'Reset', {}])
  assert.equal(stations[1]?.got.length, 1)
  assert.equal(world.meter.total('ocpp_shared_sn_total'), 0)
})

test('two stations that boot with one serial number are counted and named once', async t => {
  const world = new FakeWorld(t)
  for (const stationId of ['CP1', 'CP2']) await world.plug(stationId).boot('SN7')
  assert.equal(world.meter.total('ocpp_shared_sn_total'), 1)
  assert.equal(world.notices.has('shared sn SN7'), true)
})
