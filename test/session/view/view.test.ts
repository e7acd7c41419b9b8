import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeWorld, faults, fails, quiet } from '../../support/fakes.ts'

test('a view follows the state of its session', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  const { view } = station.session
  assert.deepEqual([view.state, view.sn, view.lastMessageAt], ['attaching', null, null])
  await station.boot('SN1')
  assert.deepEqual([view.state, view.sn], ['accepted', 'SN1'])
  assert.notEqual(view.lastMessageAt, null)
})

test('a view counts by action, with unknown ones as other, and has the commands in their order', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  for (const action of ['Heartbeat', 'Heartbeat', 'Made', 'Up']) station.call(action)
  for (const id of ['a', 'b']) world.broadcast('SN1', { command: 'Reset', id, payload: { type: 'Soft' } })
  await quiet()
  const { received, sent, toStation, queues } = station.session.view.detail()
  assert.deepEqual(received, { BootNotification: 1, Heartbeat: 2, other: 2 })
  assert.deepEqual(sent, { Reset: 1 })
  assert.deepEqual(
    toStation.map(({ id, since }) => [id, since === null]),
    [
      ['a', false],
      ['b', true],
    ],
  )
  assert.equal(queues.commands, 1)
})

test('a view has the cause of a CALLERROR that the app is to blame for', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.rpc.on('authorize', fails(faults.absent))
  station.call('Authorize', { idTag: 'A' })
  await station.next()
  assert.deepEqual(
    station.session.view.detail().errors.map(({ cause }) => cause),
    ['failed: away'],
  )
})

test('the load of a station counts the commands and messages that wait', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const held = world.rpc.hold('data_transfer')
  for (let number = 0; number < 3; number++) station.call('DataTransfer')
  for (const id of ['a', 'b', 'c', 'd']) world.broadcast('SN-CP1', { command: 'Reset', id, payload: { type: 'Soft' } })
  assert.deepEqual(station.session.view.load, { commands: 3, messages: 2 })
  held.release()
})
