import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { withSilentAnswers } from '../../bin/silent-answers.ts'
import { bootAnswer, type Asked } from '../../src/ocpp/answers.ts'
import { serializeFrame, type Call, type MessageId } from '../../src/ocpp/frame.ts'
import type { JsonText } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import {
  answerFor,
  choiceFor,
  mintingActions,
  type NoAnswer,
  type SilentMode,
  type SilentOverride,
  type SilentSettings,
} from '../../src/translate/answers.ts'
import { allVersions, problemOfResponse } from '../ocpp/schemas.ts'

const now = '2026-11-20T20:00:00.000Z'
const reasons: readonly NoAnswer[] = ['silent', 'failed', 'refused', 'unauthorized']
const modes: readonly SilentMode[] = ['safe', 'anycable', 'off']
const call = (action: string, payload = '{}'): Call => ({
  kind: 'call',
  id: '"42"' as MessageId,
  action,
  payload: payload as JsonText,
})
const asked = (payload: JsonText): Asked => ({ payload, now, heartbeatIntervalSeconds: 300, transactionId: 7 })
const inMode = (silentAck: SilentMode, silentAnswers: SilentSettings['silentAnswers'] = {}): SilentSettings => ({
  silentAck,
  silentAnswers,
})

/** The bridge's own answer. */
function own(why: NoAnswer, asking: Call, version: Version, settings: SilentSettings, random = 0.5) {
  const choice = choiceFor(asking.action, version, settings)
  return answerFor(why, asking, choice, asked(asking.payload), random)
}

/** The payload of a CALLRESULT, the code of a CALLERROR, or `putOff`. */
function told(why: NoAnswer, asking: Call, version: Version, settings: SilentSettings, random = 0.5): string {
  const { answer } = own(why, asking, version, settings, random)
  if (answer.kind === 'putOff') return answer.kind
  assert.equal(answer.id, asking.id)
  return answer.kind === 'callResult' ? answer.payload : answer.code
}

const booted = (status: string, interval: number): string =>
  `{"status":"${status}","currentTime":"${now}","interval":${interval}}`
const clock = `{"currentTime":"${now}"}`
const accepted = '{"status":"Accepted"}'
const acceptedToken = '{"idTokenInfo":{"status":"Accepted"}}'

type Told = Readonly<Record<NoAnswer, string>>
/** The answer for each reason: for a silent app, one per mode; for the others, the same in every mode. */
type Expected = Omit<Told, 'silent'> & { readonly silent: readonly [safe: string, anycable: string, off: string] }

const inAll = (answer: string): Expected['silent'] => [answer, answer, answer]
const error: Told = {
  silent: 'InternalError',
  failed: 'InternalError',
  refused: 'GenericError',
  unauthorized: 'SecurityError',
}
const boot: Expected = {
  silent: [booted('Accepted', 300), booted('Accepted', 300), 'putOff'],
  failed: 'putOff',
  refused: booted('Rejected', 45),
  unauthorized: booted('Rejected', 45),
}
const local: Expected = { silent: inAll(clock), failed: clock, refused: clock, unauthorized: 'SecurityError' }
const empty: Expected = { ...error, silent: inAll('{}') }
const none: Expected = { ...error, silent: inAll('InternalError') }
const decision = (safe: string, anycable: string): Expected => ({ ...error, silent: [safe, anycable, 'InternalError'] })

type Row = readonly [Version, Call, Expected, string]
const inAllVersions = (action: string, expected: Expected, because: string): Row[] =>
  allVersions.map(version => [version, call(action), expected, because])

const rows: readonly Row[] = [
  ...inAllVersions('BootNotification', boot, 'a boot never gets a CALLERROR'),
  ...inAllVersions('Heartbeat', local, 'the clock is ours, but not for strangers'),
  ...inAllVersions('StatusNotification', empty, 'an empty confirmation is safe once the app has run the action'),
  ...inAllVersions(
    'MeterValues',
    empty,
    'a confirmation deletes the station’s record, so only after the app has run the action',
  ),
  ...inAllVersions('DataTransfer', decision('{"status":"UnknownVendorId"}', accepted), 'the answer decides something'),
  ...inAllVersions('SignCertificate', decision('{"status":"Rejected"}', accepted), 'the answer decides something'),
  ['ocpp1.6', call('StopTransaction'), empty, 'a confirmation deletes the station’s record'],
  [
    'ocpp1.6',
    call('StartTransaction'),
    decision('InternalError', '{"idTagInfo":{"status":"Accepted"},"transactionId":7}'),
    'a transaction id is only valid if the app received it',
  ],
  [
    'ocpp1.6',
    call('Authorize'),
    decision('{"idTagInfo":{"status":"Invalid"}}', '{"idTagInfo":{"status":"Accepted"}}'),
    'the answer decides something',
  ],
  [
    'ocpp2.0.1',
    call('Authorize'),
    decision('{"idTokenInfo":{"status":"Unknown"}}', acceptedToken),
    'the answer decides something',
  ],
  [
    'ocpp2.0.1',
    call('Authorize', '{"certificate":"PEM"}'),
    decision('InternalError', '{"idTokenInfo":{"status":"Accepted"},"certificateStatus":"Accepted"}'),
    'only the app can judge a certificate',
  ],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"Central"}}'),
    decision('InternalError', acceptedToken),
    'only the app can judge an idToken',
  ],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"NoAuthorization"}}'),
    { ...error, silent: inAll(acceptedToken) },
    'the spec prescribes the answer (C02.FR.02)',
  ],
  [
    'ocpp2.0.1',
    call('TransactionEvent'),
    empty,
    'without an idToken nothing is decided; a CALLERROR would be retried forever',
  ],
  [
    'ocpp2.0.1',
    call('NotifyEVChargingNeeds'),
    decision('{"status":"Rejected"}', accepted),
    'the answer decides something',
  ],
  [
    'ocpp2.1',
    call('NotifyEVChargingNeeds'),
    decision('{"status":"NoChargingProfile"}', accepted),
    'the answer decides something',
  ],
  [
    'ocpp2.1',
    call('PullDynamicScheduleUpdate'),
    decision('{"status":"Rejected"}', '{"status":"Rejected"}'),
    'limits cannot be made up',
  ],
  [
    'ocpp2.1',
    call('VatNumberValidation', '{"vatNumber":"NL1"}'),
    decision('InternalError', '{"status":"Accepted","vatNumber":"NL1"}'),
    'only the app can judge a VAT number',
  ],
  ['ocpp2.1', call('GetCertificateChainStatus'), none, 'there is nothing to accept'],
  ['ocpp1.6', call('TransactionEvent'), none, 'an action of another version'],
  ['ocpp2.1', call('Reset'), none, 'an action of the other direction'],
  ['ocpp2.1', call('NotifyPeriodicEventStream'), none, 'an action of a SEND'],
  ['ocpp1.6', call('constructor'), none, 'an inherited property is not an action'],
  ['ocpp2.1', call('__proto__'), none, 'an inherited property is not an action'],
]
for (const [version, asking, expected, because] of rows) {
  for (const why of reasons) {
    for (const [at, mode] of modes.entries()) {
      const given = asking.payload === '{}' ? '' : ` ${asking.payload}`
      test(`${version}: ${asking.action}${given}, the app ${why}, mode ${mode}: ${because}`, () => {
        const answer = why === 'silent' ? expected.silent[at] : expected[why]
        assert.equal(told(why, asking, version, inMode(mode)), answer)
        const override = { [asking.action]: { kind: 'mode', mode } } as const
        for (const other of modes)
          assert.equal(told(why, asking, version, inMode(other, override)), answer, `the action’s own, not ${other}`)
      })
    }
  }
}

const payload = (text: string): SilentOverride => ({ kind: 'payload', payload: text as JsonText })
const mode = (mode: SilentMode): SilentOverride => ({ kind: 'mode', mode })

/** [overrides, [version, call, expected answers, because]] */
const overrides: readonly (readonly [Record<string, SilentOverride>, Row])[] = [
  [
    { DataTransfer: payload('{ "status": "Rejected" }') },
    [
      'ocpp1.6',
      call('DataTransfer'),
      { ...error, silent: inAll('{ "status": "Rejected" }') },
      'the payload is sent unchanged',
    ],
  ],
  [
    { DataTransfer: payload('{"status":"Rejected"}') },
    ['ocpp1.6', call('StatusNotification'), empty, 'an override does not affect other actions'],
  ],
  [
    { Authorize: mode('anycable') },
    [
      'ocpp2.1',
      call('DataTransfer'),
      decision('{"status":"UnknownVendorId"}', accepted),
      'a mode does not affect other actions',
    ],
  ],
  [
    { StatusNotification: payload('{"customData":{"vendorId":"V"}}') },
    [
      'ocpp2.1',
      call('StatusNotification'),
      { ...error, silent: inAll('{"customData":{"vendorId":"V"}}') },
      'an override also applies to an empty confirmation',
    ],
  ],
  [
    { VatNumberValidation: payload('{"status":"Rejected","vatNumber":"?"}') },
    [
      'ocpp2.1',
      call('VatNumberValidation'),
      { ...error, silent: inAll('{"status":"Rejected","vatNumber":"?"}') },
      'an override also applies where the table has no answer',
    ],
  ],
  [
    { BootNotification: payload('{"status":"Pending"}') },
    [
      'ocpp1.6',
      call('BootNotification'),
      { ...boot, silent: inAll('{"status":"Pending"}') },
      'an override applies to a silent app only, and is completed later',
    ],
  ],
  [
    { Heartbeat: payload('{"currentTime":"x"}') },
    ['ocpp1.6', call('Heartbeat'), local, 'the time cannot be overridden'],
  ],
  [{ Heartbeat: mode('off') }, ['ocpp2.1', call('Heartbeat'), local, 'the time cannot be switched off']],
  [
    { TransactionEvent: payload('{}') },
    ['ocpp1.6', call('TransactionEvent'), none, 'an override does not add an action to a version'],
  ],
  [
    { Reset: payload('{}') },
    ['ocpp1.6', call('Reset'), none, 'an override does not add an action of the other direction'],
  ],
]
for (const [silentAnswers, [version, asking, expected, because]] of overrides) {
  test(`${version}: ${JSON.stringify(silentAnswers)} for ${asking.action}: ${because}`, () => {
    for (const why of reasons) {
      for (const [at, silentAck] of modes.entries()) {
        const answer = why === 'silent' ? expected.silent[at] : expected[why]
        assert.equal(told(why, asking, version, inMode(silentAck, silentAnswers)), answer, `${why}, ${silentAck}`)
      }
    }
  })
}

test('an inherited property of the settings is not an override', () => {
  const inherited = Object.create({ DataTransfer: payload('{"status":"Accepted"}') }) as Record<string, SilentOverride>
  assert.equal(
    told('silent', call('DataTransfer'), 'ocpp1.6', inMode('safe', inherited)),
    '{"status":"UnknownVendorId"}',
  )
})

const minting: readonly (readonly [Version, string, SilentSettings, boolean, string])[] = [
  ['ocpp1.6', 'StartTransaction', inMode('anycable'), true, 'the accepting answer contains the id'],
  ['ocpp1.6', 'StartTransaction', inMode('safe'), false, 'the safe answer has no id'],
  ['ocpp1.6', 'StartTransaction', inMode('off'), false, 'mode off has no id'],
  [
    'ocpp1.6',
    'StartTransaction',
    inMode('off', { StartTransaction: mode('anycable') }),
    true,
    'the mode of the action overrides',
  ],
  [
    'ocpp1.6',
    'StartTransaction',
    inMode('anycable', { StartTransaction: mode('safe') }),
    false,
    'the mode of the action overrides',
  ],
  [
    'ocpp1.6',
    'StartTransaction',
    inMode('anycable', { StartTransaction: payload('{}') }),
    false,
    'a fixed payload has no minted id',
  ],
  [
    'ocpp1.6',
    'StartTransaction',
    inMode('safe', { StopTransaction: mode('anycable') }),
    false,
    'the mode of another action does not matter',
  ],
  ['ocpp1.6', 'StopTransaction', inMode('anycable'), false, 'a stop has its transaction id'],
  ['ocpp1.6', 'constructor', inMode('anycable'), false, 'not an action'],
  ['ocpp2.0.1', 'StartTransaction', inMode('anycable'), false, 'not of this version'],
  ['ocpp2.1', 'TransactionEvent', inMode('anycable'), false, 'the station assigns the id in 2.x'],
]
for (const [version, action, settings, expected, because] of minting) {
  test(`${version}: ${action} ${expected ? 'mints' : 'does not mint'} an id, ${JSON.stringify(settings)}: ${because}`, () => {
    assert.equal(mintingActions(version, settings).has(action), expected)
  })
}

const centralToken = '{"idToken":{"type":"Central"}}'
const decided: readonly (readonly [Version, Call, SilentSettings, boolean, string])[] = [
  ['ocpp1.6', call('Authorize'), inMode('safe'), true, 'the least harmful answer is a decision too'],
  ['ocpp1.6', call('Authorize'), inMode('anycable'), true, 'gives energy away'],
  ['ocpp1.6', call('Authorize'), inMode('off'), true, 'a CALLERROR leaves the station without a decision'],
  [
    'ocpp1.6',
    call('Authorize'),
    inMode('safe', { Authorize: mode('anycable') }),
    true,
    'the mode of the action overrides',
  ],
  ['ocpp1.6', call('Authorize'), inMode('safe', { Authorize: payload('{}') }), false, 'the operator has decided'],
  ['ocpp1.6', call('BootNotification'), inMode('safe'), false, 'an app may leave the boot to the bridge'],
  ['ocpp1.6', call('BootNotification'), inMode('off'), true, 'the boot is Pending'],
  ['ocpp1.6', call('Heartbeat'), inMode('anycable'), false, 'the time is not a decision'],
  ['ocpp1.6', call('StatusNotification'), inMode('anycable'), false, 'an empty confirmation is not a decision'],
  ['ocpp1.6', call('Reset'), inMode('safe'), true, 'a CALLERROR'],
  ['ocpp2.1', call('TransactionEvent'), inMode('anycable'), false, 'without an idToken nothing is decided'],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"NoAuthorization"}}'),
    inMode('anycable'),
    false,
    'the spec prescribes the answer',
  ],
  ['ocpp2.1', call('TransactionEvent', centralToken), inMode('anycable'), true, 'gives energy away'],
  [
    'ocpp2.1',
    call('TransactionEvent', centralToken),
    inMode('safe', { TransactionEvent: mode('anycable') }),
    true,
    'the mode of the action overrides',
  ],
  ['ocpp2.1', call('TransactionEvent', centralToken), inMode('safe'), true, 'a CALLERROR'],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"NoAuthorization"}}'),
    inMode('safe'),
    false,
    'the spec prescribes the answer',
  ],
]
for (const [version, asking, settings, expected, because] of decided) {
  const name = `${asking.action} ${asking.payload}, ${JSON.stringify(settings)}`
  test(`${version}: ${name} ${expected ? 'decides' : 'does not decide'}: ${because}`, () => {
    assert.equal(own('silent', asking, version, settings).isDecision, expected)
    for (const why of ['failed', 'refused', 'unauthorized'] as const)
      assert.equal(
        own(why, asking, version, settings).isDecision,
        false,
        `the app ${why}: only silence counts as a decision`,
      )
  })
}

for (const version of allVersions) {
  test(`${version}: each action gets a valid answer or a CALLERROR, for every reason and mode`, () => {
    for (const action of Object.keys(versions[version].silentAnswers)) {
      for (const why of reasons) {
        for (const mode of modes) {
          const { answer } = own(why, call(action), version, inMode(mode))
          if (answer.kind === 'callError') assert.deepEqual([answer.code, answer.details], [error[why], '{}'])
          else {
            const pending = bootAnswer('Pending', 30, asked('{}' as JsonText))
            const payload = answer.kind === 'putOff' ? pending : answer.payload
            assert.equal(problemOfResponse(version, action, payload), null)
          }
        }
      }
    }
  })

  test(`${version}: nothing is accepted for an app that failed, refused or rejected the station, whatever is configured`, () => {
    for (const action of Object.keys(versions[version].silentAnswers)) {
      for (const override of [mode('anycable'), payload(accepted)]) {
        for (const why of ['failed', 'refused', 'unauthorized'] as const) {
          const answer = told(why, call(action), version, inMode('anycable', { [action]: override }))
          assert.doesNotMatch(answer, /Accepted/, `${action}, ${why}`)
          assert.notEqual(answer, '{}', `${action}, ${why}`)
        }
      }
    }
  })
}

const waits = [
  [0, 30, 'the shortest wait'],
  [0.5, 45, 'the middle'],
  [0.01, 30, 'whole seconds, as the schema requires an integer'],
  [0.999999, 60, 'the longest wait'],
] as const
for (const [random, expected, because] of waits) {
  test(`a rejected station waits ${expected} s for random ${random}: ${because}`, () => {
    for (const why of ['refused', 'unauthorized'] as const)
      assert.equal(
        told(why, call('BootNotification'), 'ocpp2.1', inMode('anycable'), random),
        booted('Rejected', expected),
      )
  })
}

test('only a boot without a decision is put off', () => {
  const putOff = allVersions.flatMap(version =>
    Object.keys(versions[version].silentAnswers).flatMap(action =>
      reasons.flatMap(why =>
        modes
          .filter(mode => told(why, call(action), version, inMode(mode)) === 'putOff')
          .map(mode => `${version} ${action} ${why} ${mode}`),
      ),
    ),
  )
  const boots = ['silent off', 'failed safe', 'failed anycable', 'failed off']
  assert.deepEqual(
    putOff,
    allVersions.flatMap(version => boots.map(boot => `${version} BootNotification ${boot}`)),
  )
})

test('the answer has the unchanged id of the CALL', () => {
  for (const id of ['7', String.raw`"\u0041"`]) {
    const asking = { ...call('StatusNotification'), id: id as MessageId }
    const { answer } = own('silent', asking, 'ocpp1.6', inMode('safe'))
    assert.ok(answer.kind === 'callResult', 'a CALLRESULT')
    assert.equal(serializeFrame(answer, 'ocpp1.6'), `[3,${id},{}]`)
  }
})

test('a CALLERROR reveals nothing about the app, the message or the bridge', () => {
  for (const why of reasons) {
    const { answer } = own(why, call('StartTransaction', '{"idTag":"SECRET"}'), 'ocpp1.6', inMode('safe'))
    assert.ok(answer.kind === 'callError', 'a CALLERROR')
    assert.match(answer.description, /^The CSMS [a-zA-Z ]{10,80}$/)
  }
})

const protocol = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')

test('docs/protocol.md matches the rows', () => {
  assert.equal(protocol, withSilentAnswers(protocol), 'run npm run docs')
})

test('the table lists each action of each version with a reason', () => {
  const lines = protocol.slice(protocol.indexOf('<!-- silent'), protocol.indexOf('<!-- end -->')).split('\n')
  const cells = lines.filter(line => line.startsWith('| ')).map(line => line.slice(2, -2).split(' | '))
  for (const version of allVersions) {
    const { number, silentAnswers } = versions[version]
    for (const [action, { why }] of Object.entries(silentAnswers)) {
      const named = cells.filter(([actions, of]) => actions?.split(/[ ,]+/).includes(action) && of?.includes(number))
      assert.ok(named.length > 0, `${version}: ${action} is in the table`)
      assert.equal(named[0]?.at(-1), why)
      assert.ok(
        named.every(({ length }) => length === 6),
        `${version}: ${action} has six cells`,
      )
    }
  }
})

test('a page without its markers is an error', () => {
  assert.throws(() => withSilentAnswers('## Silent answers\n'), /protocol\.md lacks/)
  assert.throws(() => withSilentAnswers('<!-- end -->\n<!-- silent answers: made by npm run docs -->\n'), /lacks/)
})
