import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { MessageId } from '../../../src/ocpp/frame.ts'
import { jsonText } from '../../../src/ocpp/json.ts'
import type { NoAnswer } from '../../../src/translate/answers.ts'
import { OwnAnswers } from '../../../src/session/calls/own-answers.ts'
import type { PendingCall } from '../../../src/session/calls/performing.ts'
import { Station } from '../../../src/session/station.ts'
import { FakeFleet, FakeSocket, FakeWorld, handshakeFor, usualSettings } from '../../support/fakes.ts'

function setUp(t: TestContext) {
  const world = new FakeWorld(t)
  const station = new Station(handshakeFor('CP1'), new FakeSocket(), usualSettings, world)
  const own = new OwnAnswers(station, new FakeFleet(), world.plug('CP1').session)
  const answerTo = (action: string, why: NoAnswer, { hadTime = true, isSuperseded = false } = {}) => {
    const call = { kind: 'call', id: jsonText('x') as MessageId, action, payload: jsonText({}) } as const
    const pending: PendingCall = {
      ...{ call, receivedAt: 0, tracked: null, transactionId: null, attempts: 0, isAnswered: false },
      isSuperseded,
      isStored: false,
    }
    const asked = { payload: call.payload, now: 'now', heartbeatIntervalSeconds: 30, transactionId: null }
    return own.answerTo(pending, why, asked, hadTime)
  }
  return { world, station, answerTo }
}

test('a boot is put off by the interval of the fleet when the app fails, and by none when the station has left', t => {
  const { station, answerTo } = setUp(t)
  const pending = (interval: number) => ({
    answer: { kind: 'callResult', id: '"x"', payload: jsonText({ status: 'Pending', currentTime: 'now', interval }) },
    isLocal: false,
  })
  assert.deepEqual(answerTo('BootNotification', 'failed'), pending(10))
  station.end()
  assert.deepEqual(answerTo('BootNotification', 'failed'), pending(0))
})

const locals: readonly (readonly [string, NoAnswer, boolean])[] = [
  ['Heartbeat', 'failed', true],
  ['Heartbeat', 'unauthorized', false],
  ['StatusNotification', 'silent', false],
]
for (const [action, why, isLocal] of locals) {
  test(`${action} is ${isLocal ? '' : 'not '}answered whatever the app did when it was ${why}`, t => {
    assert.equal(setUp(t).answerTo(action, why).isLocal, isLocal)
  })
}

test('a decision that the app leaves open draws a warning when it had time for an Ack that the station waits for', t => {
  const { world, answerTo } = setUp(t)
  answerTo('Authorize', 'silent', { hadTime: false })
  answerTo('Authorize', 'silent', { isSuperseded: true })
  answerTo('Authorize', 'failed')
  assert.deepEqual([...world.notices.keys()], [])
  answerTo('Authorize', 'silent')
  assert.deepEqual([...world.notices.keys()], ['silent Authorize'])
})
