import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJson } from '../../../src/ocpp/json.ts'
import { jsonFaultAt } from '../../../src/ocpp/json/fault.ts'

/** [text up to its fault, the rest, because] */
const faults = [
  ['{"a":', ',"b":1}', 'a value left out'],
  ['{"a":1,', '}', 'a trailing comma in an object'],
  ['[1,', ']', 'a trailing comma in a list'],
  ['[1', '', 'a truncated list'],
  ['["a', '', 'a truncated string'],
  ['[1]', '[2]', 'a second value'],
  ['[1]', ']', 'a closing bracket too many'],
  ['[{', ']', 'brackets in the wrong order'],
  ['["a', '\tb"]', 'a control character'],
  ['["a', '\\x41"]', 'an escape that JSON does not have'],
  ['["a', '\\u12"]', 'an escape with two digits'],
  ['["say "', 'hi""]', 'a quote that is not escaped'],
  ['[', "'a']", 'a single quote'],
  ['[', 'NaN]', 'NaN'],
  ['[', '-Infinity]', 'Infinity'],
  ['[1 ', '5]', 'no comma'],
  ['[0', '1]', 'a leading zero'],
  ['{', 'a:1}', 'a name without quotes'],
  ['{"a" ', '= 1}', 'no colon'],
  ['[1,', ',2]', 'two commas'],
  [' [ 1 ] ', '// end', 'a comment'],
  ['', '\ufeff[]', 'a byte order mark'],
  ['', '', 'an empty text'],
] as const
for (const [before, rest, because] of faults) {
  test(`jsonFaultAt finds the place in ${JSON.stringify(before + rest)}: ${because}`, () => {
    assert.equal(jsonFaultAt(before + rest), before.length)
  })
}

test('jsonFaultAt reads every JSON text to its end, and finds a place in every other text', () => {
  const json = fc.jsonValue({ maxDepth: 5 }).map(value => JSON.stringify(value, null, 1))
  const changed = fc.tuple(json, fc.nat(), fc.constantFrom('', '"', ',', '}', ']', '\\', '0', '-', '.', '\n', 'e'))
  const text = fc.oneof(
    json,
    changed.map(([valid, where, other]) => {
      const at = where % valid.length
      return valid.slice(0, at) + other + valid.slice(at + 1)
    }),
  )
  fc.assert(
    fc.property(text, some => {
      const at = jsonFaultAt(some)
      // A text up to its fault can be continued to JSON, so the fault is at its end if it is cut there.
      assert.equal(jsonFaultAt(some.slice(0, at)), at)
      if (parseJson(some) === undefined) return
      assert.equal(at, some.length)
    }),
    { numRuns: 2000 },
  )
})

test('jsonFaultAt reads a string of a million characters', () => {
  assert.equal(jsonFaultAt(`["${'a\\n'.repeat(350_000)}"`), 1_050_003)
})
