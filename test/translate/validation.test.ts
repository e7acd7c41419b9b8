import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  modeOf as modeFor,
  rulesFor,
  type Direction,
  type ValidationMode,
  type ValidationRule,
  type ValidationSettings,
} from '../../src/translate/validation.ts'

/** How the messages of one station are held against their schemas. */
function modesOf(
  stationId: string,
  settings: ValidationSettings,
): (direction: Direction, action: string) => ValidationMode {
  const rules = rulesFor(stationId, settings)
  return (direction, action) => modeFor(direction, action, rules, settings)
}

const settings = (...validation: ValidationRule[]): ValidationSettings => ({
  validateIn: 'warn',
  validateOut: 'strict',
  validateAcks: 'off',
  validation,
})

/** A pattern, a station, whether it fits, and why. */
const patterns: readonly (readonly [string, string, boolean, string])[] = [
  ['ABB-*', 'ABB-1', true, 'all of a make'],
  ['ABB-*', 'ABB-', true, '* stands for nothing too'],
  ['ABB-*', 'ABB', false, 'but not for what is before it'],
  ['ABB-*', 'XABB-1', false, 'held against the whole from the start'],
  ['ABB', 'ABB-1', false, 'and to the end'],
  ['abb-*', 'ABB-1', false, 'upper and lower case apart, as identities are'],
  ['*', 'CP1', true, 'any'],
  ['*', '', true, 'any'],
  ['', '', true, 'nothing'],
  ['', 'CP1', false, 'nothing is not any'],
  ['?', '', false, 'one character, no less'],
  ['?', 'A', true, 'one'],
  ['?', 'AB', false, 'and no more'],
  ['?', 'é', true, 'of any kind'],
  ['?', '🔌', true, 'of two UTF-16 units'],
  ['CP??', 'CP01', true, 'two'],
  ['*1', 'CP1-1', true, 'the first 1 is taken back'],
  ['*1', 'CP1-2', false, 'to no avail'],
  ['a*b*c', 'a-b-b-c', true, 'two stars'],
  ['a*b*c', 'a-c-b', false, 'in order'],
  ['a*?c', 'ac', false, 'a character between'],
  ['a*?c', 'abbc', true, 'or two'],
  ['**', 'CP1', true, 'two stars are one'],
  ['CP.1', 'CPx1', false, 'a dot is a dot'],
  ['CP.1', 'CP.1', true, 'a dot is a dot'],
  ['[A-Z]+', 'CP', false, 'no regular expression'],
  ['[A-Z]+', '[A-Z]+', true, 'but its characters'],
  ['(a|b)$\\d{2}^', '(a|b)$\\d{2}^', true, 'any of them'],
  ['CP\\*', 'CP\\1', true, 'a backslash escapes nothing'],
  ['*', 'a\nb', true, 'a line break is a character'],
]
for (const [station, stationId, fits, because] of patterns) {
  test(`${JSON.stringify(station)} and ${JSON.stringify(stationId)}: ${because}`, () => {
    const modeOf = modesOf(stationId, settings({ station, action: '*', mode: 'strict' }))
    assert.equal(modeOf('in', 'Heartbeat'), fits ? 'strict' : 'warn')
  })
}

test('a pattern that a regular expression would try for ages', () => {
  const modeOf = modesOf('a'.repeat(255), settings({ station: '*a'.repeat(60) + 'b', action: '*', mode: 'off' }))
  assert.equal(modeOf('in', 'Heartbeat'), 'warn')
})

test('no rule: the option of the direction', () => {
  const modeOf = modesOf('CP1', settings())
  assert.deepEqual([modeOf('in', 'A'), modeOf('out', 'A'), modeOf('acks', 'A')], ['warn', 'strict', 'off'])
})

test('the first rule that fits decides, for every direction', () => {
  const rules: ValidationRule[] = [
    { station: 'ABB-*', action: 'MeterValues', mode: 'off' },
    { station: 'ABB-1', action: '*', mode: 'strict' },
    { station: '*', action: 'MeterValues', mode: 'warn' },
    { station: 'ABB-1', action: 'MeterValues', mode: 'warn' },
  ]
  const modes = (stationId: string, action: string): string[] =>
    (['in', 'out', 'acks'] as const).map(direction => modesOf(stationId, settings(...rules))(direction, action))
  assert.deepEqual(modes('ABB-1', 'MeterValues'), ['off', 'off', 'off'])
  assert.deepEqual(modes('ABB-1', 'Heartbeat'), ['strict', 'strict', 'strict'])
  assert.deepEqual(modes('ABB-2', 'Heartbeat'), ['warn', 'strict', 'off'])
  assert.deepEqual(modes('CP1', 'MeterValues'), ['warn', 'warn', 'warn'])
  assert.deepEqual(modes('CP1', 'metervalues'), ['warn', 'strict', 'off'], 'an action is spelled as OCPP does')
})
