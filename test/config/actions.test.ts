import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'smol-toml'
import * as actions from '../../src/config/actions.ts'
import { readWith, type Kind } from '../../src/config/option.ts'

/** What is told of a TOML value, each with its place. */
function faultsIn(kind: Kind<unknown>, toml: string): readonly string[] {
  const faults: string[] = []
  const value = readWith(kind, parse(`v = ${toml}`)['v'], (at, problem) => faults.push(`${at}: ${problem}`))
  assert.equal(value === undefined, faults.length > 0, 'there is a value, or something is told')
  return faults
}

const words = 'safe or anycable or off, or a table with the payload of the answer'

const told: readonly [kind: Kind<unknown>, toml: string, faults: readonly string[], because: string][] = [
  [actions.validationRules, '[]', [], 'no rule'],
  [actions.validationRules, '[{ mode = "off" }]', [], 'a rule for all'],
  [actions.validationRules, '[{ mode = "off", action = "*", station = "*" }]', [], 'a rule for all, in full'],
  [actions.validationRules, '[{ mode = "warn", action = "Reset" }]', [], 'an action of the app'],
  [actions.validationRules, '[{ mode = "WARN", action = "TransactionEvent" }]', [], 'an action of one version alone'],
  [actions.validationRules, '[{ mode = "warn", action = "NotifyPeriodicEventStream" }]', [], 'a SEND'],
  [actions.validationRules, '[{}]', ['[0]: mode is missing; expected off or warn or strict'], 'no mode'],
  [
    actions.validationRules,
    '[{ mode = "off" }, { mode = true }]',
    ['[1].mode: invalid value true; expected off or warn or strict'],
    'the second rule',
  ],
  [
    actions.validationRules,
    '[{ mode = "off", "my key" = 1, modes = 2 }]',
    ['[0]."my key": unknown key', '[0].modes: unknown key; did you mean mode?'],
    'keys that there are not',
  ],
  [
    actions.validationRules,
    '[{ mode = "off", action = "metervalues" }]',
    ['[0].action: OCPP has no such action; did you mean MeterValues?'],
    'actions are spelled as OCPP does',
  ],
  [actions.validationRules, '[{ mode = "off", action = "Foo" }]', ['[0].action: OCPP has no such action'], 'like none'],
  [
    actions.validationRules,
    '[{ mode = "off", action = 5 }]',
    ['[0].action: invalid value 5; expected an OCPP action name, or *'],
    'no text',
  ],
  [
    actions.validationRules,
    '[{ mode = "off", station = "" }]',
    ['[0].station: invalid value ""; expected a pattern such as ABB-*'],
    'a pattern that fits no station',
  ],
  [
    actions.validationRules,
    '[5]',
    ['[0]: invalid value 5; expected a table with mode (off or warn or strict) and optionally station and action'],
    'no table',
  ],
  [
    actions.validationRules,
    '{ mode = "off" }',
    [
      ': invalid value {"mode":"off"}; expected an array ([[ ]]), each item a table with mode (off or warn or strict) and optionally station and action',
    ],
    'one pair of brackets in the place of two',
  ],
  [actions.silentAnswers, '{}', [], 'no answers'],
  [actions.silentAnswers, '{ Authorize = "SAFE", StatusNotification = {}, TransactionEvent = "off" }', [], 'all sorts'],
  [actions.silentAnswers, '{ Reset = "off" }', ['.Reset: stations send no such action'], "the app's action"],
  [
    actions.silentAnswers,
    '{ Authorise = "off" }',
    ['.Authorise: stations send no such action; did you mean Authorize?'],
    'an action misspelled',
  ],
  [actions.silentAnswers, '{ "*" = "off" }', ['."*": stations send no such action'], 'ocpp_silent_ack is for all'],
  [actions.silentAnswers, '{ constructor = "off" }', ['.constructor: stations send no such action'], "an object's own"],
  [
    actions.silentAnswers,
    '{ NotifyPeriodicEventStream = {} }',
    ['.NotifyPeriodicEventStream: this action is never answered'],
    'a SEND',
  ],
  [
    actions.silentAnswers,
    '{ Heartbeat = { currentTime = "2026-01-01T00:00:00Z" } }',
    ['.Heartbeat: the bridge always answers this action itself, with the current time'],
    'clocks would stand still',
  ],
  [
    actions.silentAnswers,
    '{ Authorize = "on", MeterValues = true, StopTransaction = [{}] }',
    [
      `.Authorize: invalid value "on"; expected ${words}`,
      `.MeterValues: invalid value true; expected ${words}`,
      `.StopTransaction: invalid value [{}]; expected ${words}`,
    ],
    'neither word nor table',
  ],
  [
    actions.silentAnswers,
    '{ DataTransfer = { data = { at = 07:32:00, "x y" = [1, { b = nan }, -inf] } } }',
    [
      '.DataTransfer.data.at: invalid value "07:32:00.000"; expected a JSON value (quote a date or time)',
      '.DataTransfer.data."x y"[1].b: invalid value NaN; expected a JSON value (quote a date or time)',
      '.DataTransfer.data."x y"[2]: invalid value -Infinity; expected a JSON value (quote a date or time)',
    ],
    'what TOML has and JSON has not',
  ],
  [
    actions.silentAnswers,
    '2026-01-01',
    [`: invalid value "2026-01-01"; expected a table, each key an action that stations send, each value ${words}`],
    'a date is no table',
  ],
]
for (const [kind, toml, faults, because] of told) {
  test(`${toml} ${faults.length === 0 ? 'is accepted' : 'is not accepted'}: ${because}`, () => {
    assert.deepEqual(faultsIn(kind, toml), faults)
  })
}

test('a payload is kept as compact JSON, in the order and with the values that were written', () => {
  const toml = '{ DataTransfer = { status = "Accepted", "é" = [1, 2.5, { b = true }], a = { n = 1e17 } } }'
  assert.deepEqual(
    actions.silentAnswers.fromToml(parse(`v = ${toml}`)['v'], (at, problem) => assert.fail(at + problem)),
    {
      DataTransfer: {
        kind: 'payload',
        payload: '{"status":"Accepted","é":[1,2.5,{"b":true}],"a":{"n":100000000000000000}}',
      },
    },
  )
})
