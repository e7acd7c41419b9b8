/**
 * The validator of the console against Ajv with the bridge's settings, on the official schemas.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { versions, type Version } from '../../../src/ocpp/version.ts'
import { openSchemas } from '../../../src/validation/schemas.ts'
import { violationsOf, violationText, type Schema } from '../../../src/console/model/schema.ts'

const bridge = openSchemas()

const rows: readonly (readonly [Schema, unknown, string | null, string])[] = [
  [{ type: 'string' }, 1, 'type', 'a number is no text'],
  [{ type: 'integer' }, 1.5, 'type', 'a fraction is no integer'],
  [{ type: 'object' }, [], 'type', 'a list is no object'],
  [{ type: 'object' }, null, 'type', 'null is no object'],
  [{ type: 'string', maxLength: 2 }, '🚗🚗', null, 'characters count, not code units'],
  [{ type: 'string', maxLength: 1 }, 'ab', 'maxLength', 'too long'],
  [{ type: 'string', maxLength: 1 }, '***', null, 'a masked value says nothing'],
  [{ type: 'string', enum: ['Soft'] }, 'Warm', 'enum', 'not one of the words'],
  [{ type: 'number', multipleOf: 0.1 }, 0.3, null, 'tenths, in spite of binary fractions'],
  [{ type: 'number', multipleOf: 0.1 }, 0.35, 'multipleOf', 'a hundredth'],
  [
    { type: 'string', format: 'date-time' },
    '2026-01-31T12:00:00',
    null,
    'a time without a zone, which the bridge takes',
  ],
  [{ type: 'string', format: 'date-time' }, 'yesterday', 'format', 'no time'],
  [{ type: 'string', format: 'uri' }, 'nowhere', 'format', 'no URI'],
  [{ type: 'array', minItems: 1 }, [], 'minItems', 'too few'],
  [{ type: 'array', maxItems: 1 }, [1, 2], 'maxItems', 'too many'],
  [{ type: 'integer', minimum: 0 }, -1, 'minimum', 'too small'],
  [{ type: 'integer', maximum: 9 }, 10, 'maximum', 'too large'],
  [{ type: 'string', minLength: 1 }, '', 'minLength', 'empty'],
]
for (const [schema, value, rule, because] of rows) {
  test(`${JSON.stringify(value)} breaks ${rule ?? 'nothing'} of ${JSON.stringify(schema)}: ${because}`, () => {
    assert.equal(violationsOf(value, schema)[0]?.rule ?? null, rule)
  })
}

test('a violation is told in words, also that of a keyword that has none', () => {
  assert.equal(violationText({ path: '', rule: 'required' }), '/: it is missing')
  assert.equal(violationText({ path: '/a', rule: 'pattern' }), '/a: it breaks pattern')
})

test('violations name their place, and are ten at most', () => {
  const items: Schema = {
    type: 'object',
    required: ['a'],
    properties: { a: { type: 'string' } },
    additionalProperties: false,
  }
  assert.deepEqual(violationsOf([{ a: 1, b: 2 }, {}], { type: 'array', items }), [
    { path: '/0/a', rule: 'type' },
    { path: '/0/b', rule: 'additionalProperties' },
    { path: '/1/a', rule: 'required' },
  ])
  assert.equal(violationsOf(Array(99).fill({}), { type: 'array', items }).length, 10)
})

/** Values that are valid, nearly valid, or of another type. */
function valueFor(schema: Schema): fc.Arbitrary<unknown> {
  const odd = fc.constantFrom<unknown>(null, '', 'x'.repeat(3_000), -1, 0.05, true, [], {}, 'Accepted', 12)
  return fc.oneof({ weight: 12, arbitrary: soundFor(schema) }, { weight: 1, arbitrary: odd })
}

function soundFor(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const { type = 'string', minItems: minLength = 0, format } = schema
  const texts: readonly string[] = textsOfFormat[format ?? ''] ?? ['a', 'CP1']
  const sound = {
    object: () => objectFor(schema),
    array: () => fc.array(valueFor(schema.items ?? {}), { minLength, maxLength: 3 }),
    integer: () => fc.integer({ min: 0, max: 20 }),
    number: () => fc.integer({ min: 0, max: 200 }).map(tenths => tenths / 10),
    boolean: () => fc.boolean(),
    string: () => fc.constantFrom(...texts),
  } as const
  return sound[type]()
}

const textsOfFormat: Readonly<Record<string, readonly string[]>> = {
  'date-time': ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.5+01:00'],
  uri: ['https://a.example/b'],
}

function objectFor({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const members = Object.entries(properties).map(([name, property]) => [
    name,
    fc.option(valueFor(property), { nil: undefined, freq: required.includes(name) ? 30 : 1 }),
  ])
  const extra = { unknownMember: fc.constantFrom(undefined, undefined, undefined, undefined, 1) }
  return fc
    .record({ ...(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>), ...extra })
    .map(withoutUndefined)
}

function withoutUndefined(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

for (const [version, { number, toStation }] of Object.entries(versions)) {
  test(`a payload of ${number} is valid here exactly when it is for the bridge, at the same places`, () => {
    for (const action of toStation) {
      const schema = bridge.schemaOf(version as Version, action, 'request') as Schema
      const check = fc.property(valueFor(schema), payload => {
        const expected = bridge.violations(version as Version, action, 'request', JSON.stringify(payload) as never)
        const found = violationsOf(payload, schema)
        assert.equal(found.length === 0, expected.length === 0, JSON.stringify([action, payload, expected, found]))
        const paths = new Set(expected.map(({ path }) => path))
        if (expected.length < 10)
          for (const { path } of found) assert.ok(paths.has(path), JSON.stringify([action, payload, expected, found]))
      })
      fc.assert(check, { numRuns: 25, seed: 17 })
    }
  })
}
