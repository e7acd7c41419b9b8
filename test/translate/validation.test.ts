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

/** The validation modes of one station's messages. */
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

/** [pattern, station, whether it matches, because] */
const patterns: readonly (readonly [string, string, boolean, string])[] = [
  ['ABB-*', 'ABB-1', true, 'a prefix'],
  ['ABB-*', 'ABB-', true, '* matches the empty text'],
  ['ABB-*', 'ABB', false, 'the text before * must match'],
  ['ABB-*', 'XABB-1', false, 'the pattern is anchored at the start'],
  ['ABB', 'ABB-1', false, 'the pattern is anchored at the end'],
  ['abb-*', 'ABB-1', false, 'patterns are case-sensitive, as identities are'],
  ['*', 'CP1', true, '* matches any text'],
  ['*', '', true, '* matches the empty text'],
  ['', '', true, 'an empty pattern matches the empty text'],
  ['', 'CP1', false, 'an empty pattern matches no other text'],
  ['?', '', false, '? requires a character'],
  ['?', 'A', true, '? matches one character'],
  ['?', 'AB', false, '? does not match two characters'],
  ['?', 'é', true, '? matches any character'],
  ['?', '🔌', true, '? matches a character of two UTF-16 units'],
  ['CP??', 'CP01', true, '?? matches two characters'],
  ['*1', 'CP1-1', true, '* backtracks over the first 1'],
  ['*1', 'CP1-2', false, 'backtracking finds no match'],
  ['a*b*c', 'a-b-b-c', true, 'a pattern with two *'],
  ['a*b*c', 'a-c-b', false, 'parts must be in order'],
  ['a*?c', 'ac', false, '*? requires a character'],
  ['a*?c', 'abbc', true, '*? matches two characters'],
  ['**', 'CP1', true, '** equals *'],
  ['CP.1', 'CPx1', false, 'a dot is literal'],
  ['CP.1', 'CP.1', true, 'a dot is literal'],
  ['[A-Z]+', 'CP', false, 'regular expressions are not supported'],
  ['[A-Z]+', '[A-Z]+', true, 'characters of regular expressions are literal'],
  ['(a|b)$\\d{2}^', '(a|b)$\\d{2}^', true, 'characters of regular expressions are literal'],
  ['CP\\*', 'CP\\1', true, 'a backslash is literal'],
  ['*', 'a\nb', true, '* matches a line break'],
]
for (const [station, stationId, fits, because] of patterns) {
  test(`the pattern ${JSON.stringify(station)} ${fits ? 'matches' : 'does not match'} ${JSON.stringify(stationId)}: ${because}`, () => {
    const modeOf = modesOf(stationId, settings({ station, action: '*', mode: 'strict' }))
    assert.equal(modeOf('in', 'Heartbeat'), fits ? 'strict' : 'warn')
  })
}

test('a pattern with exponential backtracking as a RegExp is matched quickly', () => {
  const modeOf = modesOf('a'.repeat(255), settings({ station: '*a'.repeat(60) + 'b', action: '*', mode: 'off' }))
  assert.equal(modeOf('in', 'Heartbeat'), 'warn')
})

test('the option of the direction applies when no rule matches', () => {
  const modeOf = modesOf('CP1', settings())
  assert.deepEqual([modeOf('in', 'A'), modeOf('out', 'A'), modeOf('acks', 'A')], ['warn', 'strict', 'off'])
})

test('the first matching rule decides, for every direction', () => {
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
