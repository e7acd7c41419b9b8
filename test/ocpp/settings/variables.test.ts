import assert from 'node:assert/strict'
import { test } from 'node:test'
import { essenceOf, isName, records, setIn, variablesIn } from '../../../src/ocpp/settings/variables.ts'

const of = (instance: string | null, more: object = {}) => ({
  component: { name: 'Comp', ...(instance !== null && { instance }) },
  variable: { name: 'Var' },
  ...more,
})
const data = (instance: string | null, attributeValue: string) => of(instance, { attributeValue })
const result = (instance: string | null, attributeStatus: string) => of(instance, { attributeStatus })

/** [data, results, `value status` of each, because] */
const pairs: readonly (readonly [unknown, unknown, readonly string[], string])[] = [
  [[data('a', '1'), data('b', '2')], [result('B', 'no'), result('A', 'yes')], ['1 yes', '2 no'], 'another order and case'],
  [[data('a', '1')], [result(null, 'yes')], ['1 undefined'], 'another instance'],
  [[data(null, '1'), data(null, '2')], [result(null, 'no'), result(null, 'yes')], ['1 no', '2 yes'], 'the same twice'],
  [[data(null, '1'), data(null, '2')], [result(null, 'yes')], ['1 undefined', '2 yes'], 'one result for both'],
  [[of(null, { attributeValue: '1', attributeType: 'Target' })], [result(null, 'yes')], [], 'another attribute'],
  [[null, { component: null, variable: 5 }], 'x', [], 'nothing that can be read'],
] // prettier-ignore
for (const [given, results, expected, because] of pairs) {
  test(`${JSON.stringify(given)} with ${JSON.stringify(results)} sets ${expected.join(', ') || 'nothing'}: ${because}`, () => {
    const set = setIn(given, results, ['comp'], 'VAR')
    assert.deepEqual(set.map(each => `${String(each.data['attributeValue'])} ${String(each.status)}`), expected) // prettier-ignore
  })
}

test('the essence of an element has what tells it from others, and its value', () => {
  const evse = { id: 1, connectorId: 2, customData: {} }
  const element = { component: { name: 'C', evse, customData: {} }, variable: { name: 'V' }, attributeValue: '1' }
  const essence = essenceOf({ ...element, attributeType: 'Actual' })
  assert.deepEqual(JSON.parse(JSON.stringify(essence)), {
    component: { name: 'C', evse: { id: 1, connectorId: 2 } },
    variable: { name: 'V' },
    attributeValue: '1',
  })
})

test('names have no case; what is no name, no list and no object is none', () => {
  assert.deepEqual([isName('ab', 'x', 'AB'), isName('ab', 'x'), isName(5, '5')], [true, false, false])
  assert.deepEqual([records([{}, null, 1]), records({}), variablesIn(null, ['x'], 'y')], [[{}], [], []])
})
