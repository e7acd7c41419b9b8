import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, list, nullable, object, oneOf, text } from '../../src/admin/shapes.ts'

test('an object requires all its members', () => {
  const { schema } = object('A thing.', { name: text('Its name.'), sizes: list('Sizes.', integer('A size.')) })
  assert.deepEqual(schema['required'], ['name', 'sizes'])
})

test('nullable adds null to the type, and beside the words of an enumeration', () => {
  assert.deepEqual(nullable(text('A text.', { maxLength: 3 })).schema, {
    type: ['string', 'null'],
    description: 'A text.',
    maxLength: 3,
  })
  assert.deepEqual(nullable(oneOf('A word.', ['a'])).schema, {
    anyOf: [{ type: 'string', enum: ['a'] }, { type: 'null' }],
    description: 'A word.',
  })
})
