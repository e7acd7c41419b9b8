import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../../src/cable/rpc.ts'
import { warnOfError } from '../../../src/session/app/errors.ts'
import { Station } from '../../../src/session/station.ts'
import { FakeSocket, FakeWorld, faults, handshakeFor } from '../../support/fakes.ts'

/** The notices of errors, as `key detail`, and their texts. */
function noticesOf(t: TestContext, ...errors: readonly (readonly [action: string, error: RpcError])[]) {
  const world = new FakeWorld(t)
  const station = new Station(handshakeFor('CP1'), new FakeSocket(), {}, world)
  for (const [action, error] of errors) warnOfError(station, action, error)
  return [...world.notices]
}

const other = new RpcError('application', 'ran', 'ActiveRecord::StatementTimeout')
const text = 'the app raised an error'

test('an exception is logged once for each action and message', t => {
  const errors = (['Authorize', 'ack'] as const).flatMap(action =>
    [faults.raised, other, other].map(error => [action, error] as const),
  )
  assert.deepEqual(noticesOf(t, ...errors), [
    [`raised Authorize ${faults.raised.message}`, text],
    [`raised Authorize ${other.message}`, text],
    [`raised ack ${faults.raised.message}`, text],
    [`raised ack ${other.message}`, text],
  ])
})

test('an error with a hint is logged once for all actions, with the text of the hint', t => {
  const error = new RpcError('application', 'ran', 'Channel not found: OCPPChannel')
  const notices = noticesOf(t, ['Authorize', error], ['Heartbeat', error])
  assert.equal(notices.length, 1)
  assert.match(notices[0]?.[1] ?? '', /no channel class OCPPChannel/)
})

for (const [name, error] of Object.entries(faults).filter(([, { code }]) => code !== 'application')) {
  test(`an error is not logged for a station when the reply is ${name}: the transport logs it`, t => {
    assert.deepEqual(noticesOf(t, ['Authorize', error]), [])
  })
}
