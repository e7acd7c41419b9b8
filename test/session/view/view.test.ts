import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeWorld } from '../../support/fakes.ts'

const viewOf = (world: FakeWorld) => [...world.hub.members][0]?.view

test('a station is attaching until the app has accepted it, and then in the state of its last boot', async t => {
  const world = new FakeWorld(t, { silentAck: 'anycable' })
  const station = world.plug('CP1')
  assert.equal(viewOf(world)?.state, 'attaching')
  station.call('StatusNotification')
  await station.next()
  assert.equal(viewOf(world)?.state, 'unknown')
  await station.boot()
  assert.equal(viewOf(world)?.state, 'accepted')
})

test('the load of a station counts the commands and messages that wait', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const held = world.rpc.hold('data_transfer')
  for (let number = 0; number < 3; number++) station.call('DataTransfer')
  for (const id of ['a', 'b', 'c', 'd']) world.broadcast('SN-CP1', { command: 'Reset', id, payload: { type: 'Soft' } })
  assert.deepEqual(viewOf(world)?.load, { commands: 3, messages: 2 })
  held.release()
})
