import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Calls } from '../../../src/admin/stations/calls.ts'
import { Clock } from '../../../src/admin/clock.ts'
import { ProblemError } from '../../../src/admin/problems.ts'
import { emptyObject, jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { failures } from '../../../src/session/commands/failures.ts'
import type { Asked, Member } from '../../../src/session/ports.ts'
import type { CommandOutcome } from '../../../src/translate/commands.ts'

/** A session whose commands end at once. */
function sessionWith(outcome: object, state = 'accepted'): Member {
  const about = { id: '"1"', request: 'Reset', late: false, failure: null }
  const add = (_: object, asked?: Asked): void => asked?.onEnd({ ...about, ...outcome } as CommandOutcome)
  return { view: { state }, commands: { add } } as unknown as Member
}

const calls = new Calls(new Clock({ now: () => 0, date: () => new Date(0) }), () => '1')
const command = { action: 'Reset', payload: emptyObject, timeoutMs: 1, notify: true }

test('an answer has the payload as the station sent it', async () => {
  const payload = '{"status":  "Accepted"}' as JsonText
  const json = await calls.call(sessionWith({ kind: 'ack', payload, violations: [] }), command)
  assert.equal(json, '{"id":"1","action":"Reset","milliseconds":0,"violations":[],"payload":{"status":  "Accepted"}}')
})

for (const failure of Object.keys(failures)) {
  test(`${failure} has a problem of its own`, async () => {
    const outcome = { kind: 'error', failure, code: failure, message: 'words', payload: emptyObject }
    const { type, code, detail } = await problemOf(calls.call(sessionWith(outcome), command))
    assert.deepEqual([code, detail], [failure, 'words'])
    assert.doesNotMatch(type, /internal|call-error/)
  })
}

test('details of a CALLERROR that are not an object are shown, too', async () => {
  const outcome = { kind: 'error', code: 'X', message: '', payload: emptyObject, details: jsonText('why') }
  assert.equal((await problemOf(calls.call(sessionWith(outcome), command)))['details'], 'why')
})

test('nothing is sent to a station that the app has not accepted', async () => {
  const { type } = await problemOf(calls.call(sessionWith({}, 'attaching'), command))
  assert.equal(type, '/problems/not-accepted')
})

async function problemOf(calling: Promise<string>): Promise<ProblemError['problem']> {
  const error: unknown = await calling.catch((reason: unknown) => reason)
  assert.ok(error instanceof ProblemError)
  return error.problem
}
