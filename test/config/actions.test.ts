import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'smol-toml'
import * as actions from '../../src/config/actions.ts'
import { readWith, type Kind } from '../../src/config/option.ts'

/** The faults in a TOML value, each with its path. */
function faultsIn(kind: Kind<unknown>, toml: string): readonly string[] {
  const faults: string[] = []
  const value = readWith(kind, parse(`v = ${toml}`)['v'], (at, problem) => faults.push(`${at}: ${problem}`))
  assert.equal(value === undefined, faults.length > 0, 'either a value or a fault')
  return faults
}

const words = 'safe or anycable or off, or a table with the payload of the answer'

const rows: readonly [kind: Kind<unknown>, toml: string, faults: readonly string[], because: string][] = [
  [actions.validationRules, '[]', [], 'no rules'],
  [actions.validationRules, '[{ mode = "off" }]', [], 'a rule for all messages'],
  [
    actions.validationRules,
    '[{ mode = "off", action = "*", station = "*" }]',
    [],
    'a rule for all messages, written in full',
  ],
  [actions.validationRules, '[{ mode = "warn", action = "Reset" }]', [], 'an action of the app'],
  [actions.validationRules, '[{ mode = "WARN", action = "TransactionEvent" }]', [], 'an action of a single version'],
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
    'unknown keys',
  ],
  [
    actions.validationRules,
    '[{ mode = "off", action = "metervalues" }]',
    ['[0].action: OCPP has no such action; did you mean MeterValues?'],
    'actions are case-sensitive',
  ],
  [
    actions.validationRules,
    '[{ mode = "off", action = "Foo" }]',
    ['[0].action: OCPP has no such action'],
    'an unknown action',
  ],
  [
    actions.validationRules,
    '[{ mode = "off", action = 5 }]',
    ['[0].action: invalid value 5; expected an OCPP action name, or *'],
    'an action that is not a string',
  ],
  [
    actions.validationRules,
    '[{ mode = "off", station = "" }]',
    ['[0].station: invalid value ""; expected a pattern such as ABB-*'],
    'an empty pattern',
  ],
  [
    actions.validationRules,
    '[5]',
    ['[0]: invalid value 5; expected a table with mode (off or warn or strict) and optionally station and action'],
    'an item that is not a table',
  ],
  [
    actions.validationRules,
    '{ mode = "off" }',
    [
      ': invalid value {"mode":"off"}; expected an array ([[ ]]), each item a table with mode (off or warn or strict) and optionally station and action',
    ],
    'a table instead of an array of tables',
  ],
  [actions.silentAnswers, '{}', [], 'no answers'],
  [
    actions.silentAnswers,
    '{ Authorize = "SAFE", StatusNotification = {}, TransactionEvent = "off" }',
    [],
    'modes and payloads',
  ],
  [
    actions.silentAnswers,
    '{ Reset = "off" }',
    ['.Reset: stations send no such action'],
    'an action that only the app sends',
  ],
  [
    actions.silentAnswers,
    '{ Authorise = "off" }',
    ['.Authorise: stations send no such action; did you mean Authorize?'],
    'a misspelled action',
  ],
  [actions.silentAnswers, '{ "*" = "off" }', ['."*": stations send no such action'], '* is not supported'],
  [
    actions.silentAnswers,
    '{ constructor = "off" }',
    ['.constructor: stations send no such action'],
    'an inherited property',
  ],
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
    'a fixed time',
  ],
  [
    actions.silentAnswers,
    '{ Authorize = "on", MeterValues = true, StopTransaction = [{}] }',
    [
      `.Authorize: invalid value "on"; expected ${words}`,
      `.MeterValues: invalid value true; expected ${words}`,
      `.StopTransaction: invalid value [{}]; expected ${words}`,
    ],
    'neither a mode nor a table',
  ],
  [
    actions.silentAnswers,
    '{ DataTransfer = { data = { at = 07:32:00, "x y" = [1, { b = nan }, -inf] } } }',
    [
      '.DataTransfer.data.at: invalid value "07:32:00.000"; expected a JSON value (quote a date or time)',
      '.DataTransfer.data."x y"[1].b: invalid value NaN; expected a JSON value (quote a date or time)',
      '.DataTransfer.data."x y"[2]: invalid value -Infinity; expected a JSON value (quote a date or time)',
    ],
    'values that JSON cannot represent',
  ],
  [
    actions.silentAnswers,
    '2026-01-01',
    [`: invalid value "2026-01-01"; expected a table, each key an action that stations send, each value ${words}`],
    'a date is not a table',
  ],
]
for (const [kind, toml, faults, because] of rows) {
  test(`${toml} is ${faults.length === 0 ? 'valid' : 'invalid'}: ${because}`, () => {
    assert.deepEqual(faultsIn(kind, toml), faults)
  })
}

test('a payload is kept as compact JSON with the same order and values', () => {
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
