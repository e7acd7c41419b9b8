import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Asked } from '../../src/ocpp/answers.ts'
import { serializeFrame, type Call, type MessageId } from '../../src/ocpp/frame.ts'
import type { JsonText } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { answerFor, type NoAnswer, type SilentMode } from '../../src/translate/answers.ts'
import { allVersions, problemOfResponse } from '../ocpp/schemas.ts'

const now = '2026-11-20T20:00:00.000Z'
const reasons: readonly NoAnswer[] = ['silent', 'failed', 'refused', 'unauthorized']
const modes: readonly SilentMode[] = ['safe', 'off']
const call = (action: string, payload = '{}'): Call => ({
  kind: 'call',
  id: '"42"' as MessageId,
  action,
  payload: payload as JsonText,
})
const asked = (payload: JsonText): Asked => ({ payload, now, heartbeatIntervalSeconds: 300 })

/** What goes out: a CALLRESULT's payload, or a CALLERROR's code. */
function told(why: NoAnswer, asking: Call, version: Version, mode: SilentMode, random = 0.5): string {
  const answer = answerFor(why, asking, version, asked(asking.payload), mode, random)
  assert.equal(answer.id, asking.id)
  return answer.kind === 'callResult' ? answer.payload : answer.code
}

const booted = (status: string, interval: number): string =>
  `{"status":"${status}","currentTime":"${now}","interval":${interval}}`
const clock = `{"currentTime":"${now}"}`

type Expected = Readonly<Record<NoAnswer, string>>
const error: Expected = {
  silent: 'InternalError',
  failed: 'InternalError',
  refused: 'GenericError',
  unauthorized: 'SecurityError',
}

/** What an action gets, by kind of action: in the mode `safe`, then in the mode `off`. */
const boot: readonly [Expected, Expected] = [
  {
    silent: booted('Accepted', 300),
    failed: booted('Pending', 45),
    refused: booted('Rejected', 45),
    unauthorized: booted('Rejected', 45),
  },
  {
    silent: booted('Pending', 45),
    failed: booted('Pending', 45),
    refused: booted('Rejected', 45),
    unauthorized: booted('Rejected', 45),
  },
]
const local: Expected = { silent: clock, failed: clock, refused: clock, unauthorized: 'SecurityError' }
const empty: Expected = { ...error, silent: '{}' }
const decision = (answer: string): readonly [Expected, Expected] => [{ ...error, silent: answer }, error]

const rows: readonly (readonly [Version, Call, readonly [Expected, Expected], string])[] = [
  ...allVersions.map(version => [version, call('BootNotification'), boot, 'a boot never gets a CALLERROR'] as const),
  ...allVersions.map(
    version => [version, call('Heartbeat'), [local, local], 'the clock is ours, but not for strangers'] as const,
  ),
  ...allVersions.map(
    version => [version, call('StatusNotification'), [empty, empty], 'says nothing, once the app has run it'] as const,
  ),
  ...allVersions.map(
    version =>
      [
        version,
        call('MeterValues'),
        [empty, empty],
        'an empty answer deletes the record: only when the app has it',
      ] as const,
  ),
  ...allVersions.map(
    version => [version, call('DataTransfer'), decision('{"status":"UnknownVendorId"}'), 'decides something'] as const,
  ),
  ['ocpp1.6', call('StopTransaction'), [empty, empty], 'an empty answer deletes the record'],
  ['ocpp1.6', call('StartTransaction'), [error, error], 'no id can be invented'],
  ['ocpp1.6', call('Authorize'), decision('{"idTagInfo":{"status":"Invalid"}}'), 'decides something'],
  ['ocpp2.0.1', call('Authorize'), decision('{"idTokenInfo":{"status":"Unknown"}}'), 'decides something'],
  ['ocpp2.0.1', call('Authorize', '{"certificate":"PEM"}'), [error, error], 'a certificate is the app’s to judge'],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"Central"}}'),
    [error, error],
    'an idToken is the app’s to judge',
  ],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"NoAuthorization"}}'),
    [
      { ...error, silent: '{"idTokenInfo":{"status":"Accepted"}}' },
      { ...error, silent: '{"idTokenInfo":{"status":"Accepted"}}' },
    ],
    'prescribed (C02.FR.02), hence no decision',
  ],
  [
    'ocpp2.0.1',
    call('TransactionEvent'),
    [empty, empty],
    'without an idToken there is nothing to decide, whatever the mode: a CALLERROR would be repeated for ever',
  ],
  ['ocpp2.0.1', call('NotifyEVChargingNeeds'), decision('{"status":"Rejected"}'), 'decides something'],
  ['ocpp2.1', call('NotifyEVChargingNeeds'), decision('{"status":"NoChargingProfile"}'), 'decides something'],
  ['ocpp2.1', call('VatNumberValidation'), [error, error], 'a VAT number is the app’s to judge'],
  ['ocpp1.6', call('TransactionEvent'), [error, error], 'an action of another version'],
  ['ocpp2.1', call('Reset'), [error, error], 'an action of the other direction'],
  ['ocpp2.1', call('NotifyPeriodicEventStream'), [error, error], 'a SEND’s action, in a CALL'],
  ['ocpp1.6', call('constructor'), [error, error], 'what objects inherit is no action'],
  ['ocpp2.1', call('__proto__'), [error, error], 'nor is this'],
]
for (const [version, asking, expected, because] of rows) {
  for (const why of reasons) {
    for (const [at, mode] of modes.entries()) {
      const given = asking.payload === '{}' ? '' : ` ${asking.payload}`
      test(`${version}: ${asking.action}${given}, the app ${why}, mode ${mode}: ${because}`, () => {
        assert.equal(told(why, asking, version, mode), expected[at]?.[why])
      })
    }
  }
}

for (const version of allVersions) {
  test(`${version}: whatever happens, each action gets an answer that its schema allows, or a CALLERROR`, () => {
    for (const action of Object.keys(versions[version].silentAnswers)) {
      for (const why of reasons) {
        for (const mode of modes) {
          const answer = answerFor(why, call(action), version, asked('{}' as JsonText), mode, 0.5)
          if (answer.kind === 'callResult') assert.equal(problemOfResponse(version, action, answer.payload), null)
          else assert.deepEqual([answer.code, answer.details], [error[why], '{}'])
        }
      }
    }
  })
}

const waits = [
  [0, 30, 'the least wait'],
  [0.5, 45, 'half-way'],
  [0.01, 30, 'whole seconds: the schema wants an integer'],
  [0.999999, 60, 'the longest wait'],
] as const
for (const [random, expected, because] of waits) {
  test(`a station that is told to boot again waits ${expected} s at random ${random}: ${because}`, () => {
    assert.equal(told('failed', call('BootNotification'), 'ocpp1.6', 'safe', random), booted('Pending', expected))
    assert.equal(told('refused', call('BootNotification'), 'ocpp2.1', 'safe', random), booted('Rejected', expected))
  })
}

test('the id goes back as it came', () => {
  for (const id of ['7', String.raw`"\u0041"`]) {
    const asking = { ...call('StatusNotification'), id: id as MessageId }
    const answer = answerFor('silent', asking, 'ocpp1.6', asked(asking.payload), 'safe', 0)
    assert.equal(serializeFrame(answer, 'ocpp1.6'), `[3,${id},{}]`)
  }
})

test('no CALLERROR says anything of the app, of the message, or of what runs here', () => {
  for (const why of reasons) {
    const answer = answerFor(
      why,
      call('StartTransaction', '{"idTag":"SECRET"}'),
      'ocpp1.6',
      asked('{}' as JsonText),
      'safe',
      0,
    )
    assert.ok(answer.kind === 'callError', 'a CALLERROR')
    assert.match(answer.description, /^The CSMS [a-zA-Z ]{10,80}$/)
  }
})
