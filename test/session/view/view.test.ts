import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acks, FakeWorld, faults, fails, quiet } from '../../support/fakes.ts'

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
    station.session.view.errors.map(({ cause }) => cause),
    ['failed: away'],
  )
})

const cards = [
  ['ocpp1.6', 'Authorize', { idTag: 'A' }, { idTagInfo: { status: 'Blocked' } }, 'Blocked'],
  [
    'ocpp2.0.1',
    'Authorize',
    { idToken: { idToken: 'A', type: 'Local' } },
    { idTokenInfo: { status: 'Invalid' } },
    'Invalid',
  ],
] as const
for (const [version, action, request, answer, status] of cards) {
  test(`a view has the ${status} card that the app refused in ${version}, and not the accepted one`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1', { version })
    await station.boot('SN1')
    const accepted = JSON.stringify(answer).replace(status, 'Accepted')
    for (const payload of [JSON.parse(accepted) as object, answer]) {
      world.rpc.on('authorize', acks(payload))
      station.call(action, request)
      await station.next()
    }
    assert.deepEqual(
      station.session.view.errors.map(({ from, action: of, code, cause }) => [from, of, code, cause]),
      [['app', action, status, 'refused by the app']],
    )
  })
}

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
