/**
 * A short run of the fuzzer, and what it is made of: that its right messages are right, and that it sees what is wrong.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { problemOfRequest, problemOfResponse } from '../ocpp/schemas.ts'
import { expectationFor, underscored } from './expected.ts'
import { fuzz } from './fuzz.ts'
import { readFrame } from './judge.ts'
import { answerFor, commandsOf, requestFor, stationActionsOf, versions } from './payloads.ts'
import { stepFor } from './plan.ts'
import { Random } from './random.ts'
import { playManyServerBytes, playServerBytes } from './server-bytes.ts'

const frames = 10_000

test(`${frames} wrong messages do no harm`, { timeout: 300_000 }, async t => {
  const { sent, served } = await fuzz({ frames, seed: 20, note: text => t.diagnostic(text) })
  assert.equal(sent, frames)
  assert.equal(served, frames / 40) // one for each batch
})

test('20000 streams of wrong bytes from the app do no harm, and memory stays flat', { timeout: 100_000 }, async () => {
  await playManyServerBytes(20, 20_000)
})

test('streams of bytes end requests in all ways', () => {
  const ends = new Set(Array.from({ length: 1_000 }, (_, index) => playServerBytes(20, index)).flat())
  for (const end of ['fine', 'malformed', 'refused', 'reset', 'lost']) assert.ok(ends.has(end), end)
})

for (const version of versions) {
  test(`payloads drawn from the schemas of ${version} are valid`, () => {
    for (const action of [...stationActionsOf(version), ...commandsOf(version)]) {
      for (const index of Array(10).keys()) {
        assert.equal(problemOfRequest(version, action, requestFor(version, action, new Random(index))), null)
        assert.equal(problemOfResponse(version, action, answerFor(version, action, new Random(index))), null)
      }
    }
  })
}

test('a seed and a number make the same message, others make others', () => {
  const texts = (seed: number) => [...Array(300).keys()].map(index => JSON.stringify(stepFor(seed, index, 5_000)))
  assert.deepEqual(texts(1), texts(1))
  assert.ok(new Set([...texts(1), ...texts(2)]).size > 500, 'the same message again and again')
})

describe('what is expected of a message', () => {
  const id = '"1"'
  const rows = [
    ['[2,"1","Heartbeat",{}]', [[id], [id], [id]], 'a CALL'],
    ['[2,"1","Nonsense",{}]', [[id], [id], [id]], 'a CALL of no known action'],
    ['[3,"1",{}]', [[], [], []], 'an answer'],
    ['[3,"1"]', [[], [], []], 'a broken answer'],
    ['[5,"1","GenericError","",{}]', [[], [id, '"-1"'], []], 'a type that 2.0.1 alone answers, or an answer in 2.1'],
    ['[6,"1","NotifyPeriodicEventStream",{}]', [[], [id, '"-1"'], []], 'a SEND of 2.1'],
    ['[nonsense', [[], ['"-1"'], ['"-1"']], 'no JSON'],
    ['nonsense', [[], [], []], 'a sign of life'],
    ['[2,{},"Heartbeat",{}]', [[], ['"-1"'], ['"-1"']], 'a CALL without an id'],
    [
      '[2,"1","Heartbeat"]',
      [
        [id, '"-1"'],
        [id, '"-1"'],
        [id, '"-1"'],
      ],
      'a CALL that is too short',
    ],
  ] as const
  for (const [text, expected, because] of rows) {
    test(`${text}: ${because}`, () => {
      const answers = versions.map(
        version => expectationFor({ bytes: Buffer.from(text), binary: false }, version, 1_000).answeredTo,
      )
      assert.deepEqual(answers, expected)
    })
  }
})

describe('what is no frame of the bridge', () => {
  const rows = [
    ['ocpp1.6', '[4,"1","FormatViolation","",{}]', 'the code of another version'],
    ['ocpp2.0.1', '[4,"1","FormationViolation","",{}]', 'the code of another version'],
    ['ocpp1.6', '[5,"1","GenericError","",{}]', 'a type of 2.1'],
    ['ocpp2.1', '[6,"1","NotifyPeriodicEventStream",{}]', 'a type of stations'],
    ['ocpp2.1', '[3,"1",[]]', 'no payload'],
    ['ocpp2.1', '[2,"1","Heartbeat",{}]', 'an action of stations'],
    ['ocpp2.1', '{"type":"welcome"}', "Action Cable's own"],
  ] as const
  for (const [version, text, because] of rows) {
    test(`${text} in ${version}: ${because}`, () => {
      assert.throws(() => readFrame(text, version))
    })
  }
})

test('names are underscored as Rails does', () => {
  const names = ['Heartbeat', 'NotifyEVChargingNeeds', 'Get15118EVCertificate', 'ReportDERControl'].map(underscored)
  assert.deepEqual(names, ['heartbeat', 'notify_ev_charging_needs', 'get15118_ev_certificate', 'report_der_control'])
})
