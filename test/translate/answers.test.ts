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

/** How the bridge answers. */
function own(why: NoAnswer, asking: Call, version: Version, settings: SilentSettings, random = 0.5) {
  const choice = choiceFor(asking.action, version, settings)
  return answerFor(why, asking, choice, asked(asking.payload), random)
}

/** What goes out: a CALLRESULT's payload, or a CALLERROR's code; `putOff` where that is not said here. */
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
/** What an action gets for each reason; for a silent app in each mode, for any other reason the same in all. */
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
  ...inAllVersions('StatusNotification', empty, 'says nothing, once the app has run it'),
  ...inAllVersions('MeterValues', empty, 'an empty answer deletes the record: only when the app has it'),
  ...inAllVersions('DataTransfer', decision('{"status":"UnknownVendorId"}', accepted), 'decides something'),
  ...inAllVersions('SignCertificate', decision('{"status":"Rejected"}', accepted), 'decides something'),
  ['ocpp1.6', call('StopTransaction'), empty, 'an empty answer deletes the record'],
  [
    'ocpp1.6',
    call('StartTransaction'),
    decision('InternalError', '{"idTagInfo":{"status":"Accepted"},"transactionId":7}'),
    'no id can be invented, but for an app that was given it',
  ],
  [
    'ocpp1.6',
    call('Authorize'),
    decision('{"idTagInfo":{"status":"Invalid"}}', '{"idTagInfo":{"status":"Accepted"}}'),
    'decides something',
  ],
  [
    'ocpp2.0.1',
    call('Authorize'),
    decision('{"idTokenInfo":{"status":"Unknown"}}', acceptedToken),
    'decides something',
  ],
  [
    'ocpp2.0.1',
    call('Authorize', '{"certificate":"PEM"}'),
    decision('InternalError', '{"idTokenInfo":{"status":"Accepted"},"certificateStatus":"Accepted"}'),
    'a certificate is the app’s to judge',
  ],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"Central"}}'),
    decision('InternalError', acceptedToken),
    'an idToken is the app’s to judge',
  ],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"NoAuthorization"}}'),
    { ...error, silent: inAll(acceptedToken) },
    'prescribed (C02.FR.02), hence no decision',
  ],
  [
    'ocpp2.0.1',
    call('TransactionEvent'),
    empty,
    'without an idToken there is nothing to decide, whatever the mode: a CALLERROR would be repeated for ever',
  ],
  ['ocpp2.0.1', call('NotifyEVChargingNeeds'), decision('{"status":"Rejected"}', accepted), 'decides something'],
  ['ocpp2.1', call('NotifyEVChargingNeeds'), decision('{"status":"NoChargingProfile"}', accepted), 'decides something'],
  [
    'ocpp2.1',
    call('PullDynamicScheduleUpdate'),
    decision('{"status":"Rejected"}', '{"status":"Rejected"}'),
    'limits cannot be invented',
  ],
  [
    'ocpp2.1',
    call('VatNumberValidation', '{"vatNumber":"NL1"}'),
    decision('InternalError', '{"status":"Accepted","vatNumber":"NL1"}'),
    'a VAT number is the app’s to judge',
  ],
  ['ocpp2.1', call('GetCertificateChainStatus'), none, 'there is nothing to accept'],
  ['ocpp1.6', call('TransactionEvent'), none, 'an action of another version'],
  ['ocpp2.1', call('Reset'), none, 'an action of the other direction'],
  ['ocpp2.1', call('NotifyPeriodicEventStream'), none, 'a SEND’s action, in a CALL'],
  ['ocpp1.6', call('constructor'), none, 'what objects inherit is no action'],
  ['ocpp2.1', call('__proto__'), none, 'nor is this'],
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

/** What is set for which action, what a silent app's station then gets for a CALL in the modes safe, anycable, off. */
const overrides: readonly (readonly [Record<string, SilentOverride>, Row])[] = [
  [
    { DataTransfer: payload('{ "status": "Rejected" }') },
    ['ocpp1.6', call('DataTransfer'), { ...error, silent: inAll('{ "status": "Rejected" }') }, 'byte for byte'],
  ],
  [
    { DataTransfer: payload('{"status":"Rejected"}') },
    ['ocpp1.6', call('StatusNotification'), empty, 'not for another action'],
  ],
  [
    { Authorize: mode('anycable') },
    ['ocpp2.1', call('DataTransfer'), decision('{"status":"UnknownVendorId"}', accepted), 'nor a mode'],
  ],
  [
    { StatusNotification: payload('{"customData":{"vendorId":"V"}}') },
    [
      'ocpp2.1',
      call('StatusNotification'),
      { ...error, silent: inAll('{"customData":{"vendorId":"V"}}') },
      'also where nothing is decided',
    ],
  ],
  [
    { VatNumberValidation: payload('{"status":"Rejected","vatNumber":"?"}') },
    [
      'ocpp2.1',
      call('VatNumberValidation'),
      { ...error, silent: inAll('{"status":"Rejected","vatNumber":"?"}') },
      'and where the table has no answer',
    ],
  ],
  [
    { BootNotification: payload('{"status":"Pending"}') },
    [
      'ocpp1.6',
      call('BootNotification'),
      { ...boot, silent: inAll('{"status":"Pending"}') },
      'for silence only: it is completed later',
    ],
  ],
  [
    { Heartbeat: payload('{"currentTime":"x"}') },
    ['ocpp1.6', call('Heartbeat'), local, 'a clock is not to be overridden'],
  ],
  [{ Heartbeat: mode('off') }, ['ocpp2.1', call('Heartbeat'), local, 'nor to be switched off']],
  [
    { TransactionEvent: payload('{}') },
    ['ocpp1.6', call('TransactionEvent'), none, 'an action that the version does not have stays unknown'],
  ],
  [{ Reset: payload('{}') }, ['ocpp1.6', call('Reset'), none, 'and one of the other direction']],
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

test('what the settings inherit is no override', () => {
  const inherited = Object.create({ DataTransfer: payload('{"status":"Accepted"}') }) as Record<string, SilentOverride>
  assert.equal(
    told('silent', call('DataTransfer'), 'ocpp1.6', inMode('safe', inherited)),
    '{"status":"UnknownVendorId"}',
  )
})

const minting: readonly (readonly [Version, string, SilentSettings, boolean, string])[] = [
  ['ocpp1.6', 'StartTransaction', inMode('anycable'), true, 'the answer quotes it'],
  ['ocpp1.6', 'StartTransaction', inMode('safe'), false, 'there is no such answer'],
  ['ocpp1.6', 'StartTransaction', inMode('off'), false, 'nor here'],
  ['ocpp1.6', 'StartTransaction', inMode('off', { StartTransaction: mode('anycable') }), true, 'its own mode counts'],
  ['ocpp1.6', 'StartTransaction', inMode('anycable', { StartTransaction: mode('safe') }), false, 'this way, too'],
  [
    'ocpp1.6',
    'StartTransaction',
    inMode('anycable', { StartTransaction: payload('{}') }),
    false,
    'nobody would use it',
  ],
  [
    'ocpp1.6',
    'StartTransaction',
    inMode('safe', { StopTransaction: mode('anycable') }),
    false,
    'another action’s mode',
  ],
  ['ocpp1.6', 'StopTransaction', inMode('anycable'), false, 'it has one'],
  ['ocpp1.6', 'constructor', inMode('anycable'), false, 'no action'],
  ['ocpp2.0.1', 'StartTransaction', inMode('anycable'), false, 'not of this version'],
  ['ocpp2.1', 'TransactionEvent', inMode('anycable'), false, 'the station makes the id'],
]
for (const [version, action, settings, expected, because] of minting) {
  test(`${version}: ${action} ${expected ? 'mints' : 'does not mint'} an id, ${JSON.stringify(settings)}: ${because}`, () => {
    assert.equal(mintingActions(version, settings).has(action), expected)
  })
}

const centralToken = '{"idToken":{"type":"Central"}}'
const decided: readonly (readonly [Version, Call, SilentSettings, boolean, string])[] = [
  ['ocpp1.6', call('Authorize'), inMode('safe'), true, 'the least harmful answer is one all the same'],
  ['ocpp1.6', call('Authorize'), inMode('anycable'), true, 'gives energy away'],
  ['ocpp1.6', call('Authorize'), inMode('off'), true, 'a CALLERROR is no answer: somebody should look'],
  ['ocpp1.6', call('Authorize'), inMode('safe', { Authorize: mode('anycable') }), true, 'by its own mode'],
  ['ocpp1.6', call('Authorize'), inMode('safe', { Authorize: payload('{}') }), false, 'the operator has decided'],
  ['ocpp1.6', call('BootNotification'), inMode('safe'), true, 'a station is let in'],
  ['ocpp1.6', call('BootNotification'), inMode('off'), true, 'or kept waiting'],
  ['ocpp1.6', call('Heartbeat'), inMode('anycable'), false, 'the clock'],
  ['ocpp1.6', call('StatusNotification'), inMode('anycable'), false, 'says nothing'],
  ['ocpp1.6', call('Reset'), inMode('safe'), true, 'a CALLERROR'],
  ['ocpp2.1', call('TransactionEvent'), inMode('anycable'), false, 'no idToken'],
  [
    'ocpp2.1',
    call('TransactionEvent', '{"idToken":{"type":"NoAuthorization"}}'),
    inMode('anycable'),
    false,
    'prescribed',
  ],
  ['ocpp2.1', call('TransactionEvent', centralToken), inMode('anycable'), true, 'gives energy away'],
  [
    'ocpp2.1',
    call('TransactionEvent', centralToken),
    inMode('safe', { TransactionEvent: mode('anycable') }),
    true,
    'by its own mode',
  ],
  ['ocpp2.1', call('TransactionEvent', centralToken), inMode('safe'), true, 'a CALLERROR'],
  ['ocpp2.1', call('TransactionEvent', '{"idToken":{"type":"NoAuthorization"}}'), inMode('safe'), false, 'prescribed'],
]
for (const [version, asking, settings, expected, because] of decided) {
  const name = `${asking.action} ${asking.payload}, ${JSON.stringify(settings)}`
  test(`${version}: ${name} ${expected ? 'decides' : 'does not decide'}: ${because}`, () => {
    assert.equal(own('silent', asking, version, settings).isDecision, expected)
    for (const why of ['failed', 'refused', 'unauthorized'] as const)
      assert.equal(own(why, asking, version, settings).isDecision, false, `the app ${why}: it was not asked in vain`)
  })
}

for (const version of allVersions) {
  test(`${version}: whatever happens, each action gets an answer that its schema allows, or a CALLERROR`, () => {
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

  test(`${version}: an app that failed, refused or does not know the station accepts nothing, whatever is set`, () => {
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
  [0, 30, 'the least wait'],
  [0.5, 45, 'half-way'],
  [0.01, 30, 'whole seconds: the schema wants an integer'],
  [0.999999, 60, 'the longest wait'],
] as const
for (const [random, expected, because] of waits) {
  test(`a station that is rejected waits ${expected} s at random ${random}: ${because}`, () => {
    for (const why of ['refused', 'unauthorized'] as const)
      assert.equal(
        told(why, call('BootNotification'), 'ocpp2.1', inMode('anycable'), random),
        booted('Rejected', expected),
      )
  })
}

test('a boot is put off where nobody has decided on it, and nothing else ever is', () => {
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

test('the id goes back as it came', () => {
  for (const id of ['7', String.raw`"\u0041"`]) {
    const asking = { ...call('StatusNotification'), id: id as MessageId }
    const { answer } = own('silent', asking, 'ocpp1.6', inMode('safe'))
    assert.ok(answer.kind === 'callResult', 'a CALLRESULT')
    assert.equal(serializeFrame(answer, 'ocpp1.6'), `[3,${id},{}]`)
  }
})

test('no CALLERROR says anything of the app, of the message, or of what runs here', () => {
  for (const why of reasons) {
    const { answer } = own(why, call('StartTransaction', '{"idTag":"SECRET"}'), 'ocpp1.6', inMode('safe'))
    assert.ok(answer.kind === 'callError', 'a CALLERROR')
    assert.match(answer.description, /^The CSMS [a-zA-Z ]{10,80}$/)
  }
})

const protocol = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')

test('docs/protocol.md is in step with the rows', () => {
  assert.equal(protocol, withSilentAnswers(protocol), 'run npm run docs')
})

test('the table names each action of each version, and says why', () => {
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

test('a page that has lost its markers is an error, and not left as it is', () => {
  assert.throws(() => withSilentAnswers('## Silent answers\n'), /protocol\.md lacks/)
  assert.throws(() => withSilentAnswers('<!-- end -->\n<!-- silent answers: made by npm run docs -->\n'), /lacks/)
})
