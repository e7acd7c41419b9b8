import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyValue, labelOf, pointerOf, typedValue, valueAt, withValue } from '../../../src/console/model/form.ts'
import type { Schema } from '../../../src/console/model/schema.ts'

const text: Schema = { type: 'string' }
const nested: Schema = {
  type: 'object',
  required: ['key', 'evse', 'list'],
  properties: {
    key: text,
    evse: { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } },
    list: { type: 'array', minItems: 1, items: { type: 'object', properties: {} } },
    more: { type: 'object', properties: {} },
  },
}

test('a form begins with the objects and items that are required, and without values', () => {
  assert.deepEqual(emptyValue(nested), { evse: {}, list: [{}] })
})

const changes = [
  [{}, ['a'], 1, { a: 1 }, 'a member'],
  [{ a: 1, b: 2 }, ['a'], undefined, { b: 2 }, 'a member is taken out'],
  [{ a: { b: 1 } }, ['a', 'b'], 2, { a: { b: 2 } }, 'a member of a member'],
  [{}, ['a', 0, 'b'], 1, { a: [{ b: 1 }] }, 'what is not there yet'],
  [{ a: ['x', 'y'] }, ['a', 0], undefined, { a: ['y'] }, 'an item is taken out'],
  [{ a: ['x', 'y'] }, ['a', 1], 'z', { a: ['x', 'z'] }, 'an item'],
  [{ a: [{ b: 1 }] }, ['a', 0, 'b'], undefined, { a: [{}] }, 'the item stays when its member goes'],
] as const
for (const [value, path, next, expected, because] of changes) {
  test(`${JSON.stringify(value)} with ${JSON.stringify(next)} at ${pointerOf(path)} is ${JSON.stringify(expected)}: ${because}`, () => {
    const before = JSON.stringify(value)
    assert.deepEqual(withValue(value, path, next), expected)
    assert.equal(JSON.stringify(value), before)
    assert.deepEqual(valueAt(expected, path) === next || next === undefined, true)
  })
}

const typed = [
  ['', text, undefined, 'an empty field is not sent'],
  ['12', text, '12', 'digits stay text where the schema wants text'],
  ['12', { type: 'integer' }, 12, 'a number'],
  ['1e', { type: 'number' }, '1e', 'no number: the schema says so later'],
  ['false', { type: 'boolean' }, false, 'a choice of two'],
  ['{"a":1}', {}, { a: 1 }, 'JSON, where anything may stand'],
  ['hello', {}, 'hello', 'text, where anything may stand'],
] as const
for (const [given, schema, expected, because] of typed) {
  test(`${JSON.stringify(given)} is ${JSON.stringify(expected)}: ${because}`, () => {
    assert.deepEqual(typedValue(given, schema), expected)
  })
}

test('the name of a member is shown in words', () => {
  assert.deepEqual(
    ['connectorId', 'chargingProfile', 'idTag', 'evse', 'requestedMessage', 'iso15118CertificateHashData'].map(labelOf),
    ['connector id', 'charging profile', 'id tag', 'evse', 'requested message', 'iso15118 certificate hash data'],
  )
})
