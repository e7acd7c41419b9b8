import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  boundedElementsOf,
  copyOf,
  elementsOf,
  isObject,
  isParsable,
  jsonText,
  membersOf,
  parsableInSteps,
  parseJson,
  parseObject,
} from '../../src/ocpp/json.ts'

const elements = [
  ['[]', [], 'nothing'],
  [' [ \n\t] ', [], 'nothing but white space'],
  ['[2,"19","Heartbeat",{}]', ['2', '"19"', '"Heartbeat"', '{}'], 'a frame'],
  [
    ' [ 2 ,\t"19"\r\n, "Heartbeat" , { } ] ',
    ['2', '"19"', '"Heartbeat"', '{ }'],
    'outer whitespace is trimmed, inner whitespace is kept',
  ],
  ['[2935.600,-0,1E5,1e400]', ['2935.600', '-0', '1E5', '1e400'], 'numbers are kept as written'],
  ['[12345678901234567890]', ['12345678901234567890'], 'a number beyond double precision is kept'],
  ['[{"a":1,"a":2}]', ['{"a":1,"a":2}'], 'equal keys are both kept'],
  [String.raw`["\u0041\u00e9"]`, [String.raw`"\u0041\u00e9"`], 'escapes are kept as written'],
  [String.raw`["\"","a\"b",1]`, [String.raw`"\""`, String.raw`"a\"b"`, '1'], 'an escaped quote does not end a string'],
  [String.raw`["\\",1]`, [String.raw`"\\"`, '1'], 'a quote after two backslashes ends the string'],
  [String.raw`["\\\"",1]`, [String.raw`"\\\""`, '1'], 'a quote after three backslashes does not end the string'],
  [String.raw`["\\\\",1]`, [String.raw`"\\\\"`, '1'], 'a quote after four backslashes ends the string'],
  ['["],[","}{",1]', ['"],["', '"}{"', '1'], 'brackets in strings'],
  ['[",",1]', ['","', '1'], 'a comma in a string'],
  ['["",""]', ['""', '""'], 'empty strings'],
  [
    '[[],[1,[2,3]],{"a":[1,2],"b":{"c":1}}]',
    ['[]', '[1,[2,3]]', '{"a":[1,2],"b":{"c":1}}'],
    'only the outermost commas separate',
  ],
  ['["\u00a0","\u2028 "]', ['"\u00a0"', '"\u2028 "'], 'non-JSON whitespace in a string is kept'],
  ['[null,true,false]', ['null', 'true', 'false'], 'literals'],
] as const
for (const [text, expected, because] of elements) {
  test(`elements of ${JSON.stringify(text)}: ${because}`, () => {
    assert.deepEqual(elementsOf(text), expected)
  })
}

const members = [
  ['{}', [], 'nothing'],
  ['{ \n }', [], 'nothing but white space'],
  [
    '{"a":1,"b":2}',
    [
      ['a', '1'],
      ['b', '2'],
    ],
    'two members',
  ],
  [
    ' { "a" : 2935.600 , "b" : { "c" : 1 } } ',
    [
      ['a', '2935.600'],
      ['b', '{ "c" : 1 }'],
    ],
    'outer whitespace is trimmed, inner whitespace is kept',
  ],
  [
    '{"a":1,"b":2,"a":3}',
    [
      ['a', '3'],
      ['b', '2'],
    ],
    'the last of equal keys counts, as in JSON.parse',
  ],
  [String.raw`{"\u0061":1,"a":2}`, [['a', '2']], 'an escaped key is the key it spells'],
  [
    String.raw`{"a\"b":1,"c\\":2}`,
    [
      ['a"b', '1'],
      ['c\\', '2'],
    ],
    'quotes and backslashes in keys',
  ],
  [
    '{"a:b":":","c":"d:e"}',
    [
      ['a:b', '":"'],
      ['c', '"d:e"'],
    ],
    'colons in keys and values',
  ],
  [
    '{"a,b":",","{":"}"}',
    [
      ['a,b', '","'],
      ['{', '"}"'],
    ],
    'commas and brackets in keys and values',
  ],
  ['{"":0}', [['', '0']], 'an empty key'],
  [
    '{"__proto__":{"a":1},"constructor":2}',
    [
      ['__proto__', '{"a":1}'],
      ['constructor', '2'],
    ],
    'keys named like inherited properties',
  ],
  [
    '{"2":0,"1":1}',
    [
      ['2', '0'],
      ['1', '1'],
    ],
    'numeric keys keep their order',
  ],
  [
    '{"payload":{"payload":{"id":1}},"id":2}',
    [
      ['payload', '{"payload":{"id":1}}'],
      ['id', '2'],
    ],
    'only the outermost members are listed',
  ],
] as const
for (const [text, expected, because] of members) {
  test(`members of ${JSON.stringify(text)}: ${because}`, () => {
    assert.deepEqual([...membersOf(text)], expected)
  })
}

const values = 10_000

const bounded = [
  ['[]', 1, 0, 'an array'],
  ['["[[["]', 1, 1, 'brackets in a string'],
  ['[[],[]]', 2, 2, 'sibling arrays do not add depth'],
  ['[[1],{"a":[{}]},[]]', 4, 3, 'the deepest part counts, at any position'],
  [`${'['.repeat(5000)}${']'.repeat(5000)}`, 5000, 1, 'JSON.parse accepts deep nesting, so it is limited'],
  ['[1,2,3,4]', 1, 4, 'elements'],
] as const
for (const [text, depth, parts, because] of bounded) {
  test(`${text.slice(0, 30)} has ${parts} elements and nests ${depth} deep: ${because}`, () => {
    assert.equal(boundedElementsOf(text, { parts, depth, values })?.length, parts)
    assert.equal(boundedElementsOf(text, { parts, depth: depth - 1, values }), null)
    if (parts > 1) assert.equal(boundedElementsOf(text, { parts: parts - 1, depth, values }), null)
  })
}

const counted = [
  ['[]', 1, 'an array'],
  ['[1,"a,b",{}]', 4, 'its elements, the last one being an object; not the commas of a string'],
  ['[{"a":1,"b":[2,3]}]', 5, 'members, and values at every depth'],
  ['{"a":[[],[]]}', 5, 'an object, too'],
] as const
for (const [text, count, because] of counted) {
  test(`${text} counts as ${count} values: ${because}`, () => {
    const bounds = { parts: 9, depth: 9, values: count }
    assert.notEqual(boundedElementsOf(text, bounds), null)
    assert.equal(boundedElementsOf(text, { ...bounds, values: count - 1 }), null)
  })
}

/** Objects of two members each, with different names. */
const named = (count: number, colon: string, rest = ''): string =>
  `[${Array.from({ length: count / 2 }, (_, n) => `{"${rest}a${n}"${colon}1,"${rest}b${n}"${colon}1}`).join(',')}]`
const names = [
  [named(4_096, ':'), true, '4,096 names'],
  [named(4_098, ':'), false, 'two more'],
  [named(4_098, ' \n\t: '), false, 'white space before the colon'],
  [named(4_098, ':', String.raw`\"`), false, 'names with quotes in them'],
  [named(4_098, ','), true, 'texts that are no names'],
  [`[${'{"a":1,"b":":"},'.repeat(5_000)}1]`, true, 'the same names again and again'],
  [`[${'{"ab":1,"cd":1},'.repeat(5_000)}1]`, true, 'two names of one length in turns'],
  [`[${'{"a":1,"a ":1},'.repeat(2_000)}${named(4_096, ':').slice(1)}`, false, 'names that begin alike'],
  [JSON.stringify([named(4_098, ':')]), true, 'JSON in a string'],
] as const
for (const [text, expected, because] of names) {
  test(`a text is ${expected ? 'within' : 'beyond'} the bounds for its names: ${because}`, () => {
    assert.equal(boundedElementsOf(text, { parts: Infinity, depth: 9, values: Infinity }) !== null, expected)
  })
}

for (const length of [1, 7, 16_384]) {
  test(`a long text that is checked in steps of ${length} characters is parsable, or not, as in one step`, () => {
    for (const [text, , because] of [...costs, ...names].filter(([text]) => text.length > 16_384)) {
      const check = parsableInSteps(text)
      let found = check(length)
      let steps = 1
      for (; found === null; steps++) found = check(length)
      assert.equal(found, isParsable(text), because)
      assert.ok(steps <= Math.ceil(text.length / length), because)
    }
  })
}

const costs = [
  ['['.repeat(8_000), true, 'a short text, whatever it is'],
  [`${'['.repeat(64)}${' '.repeat(20_000)}`, true, '64 levels'],
  [`${'['.repeat(65)}${' '.repeat(20_000)}`, false, '65 levels'],
  [`[${'{},'.repeat(9_999)}{}]`, true, 'a batch of 10,000'],
  [`[${'{},'.repeat(10_000)}{}]`, false, 'a batch of 10,001'],
  [`[[${'1,'.repeat(79_998)}1]]`, true, '80,000 values, the inner array being one'],
  [`[[${'1,'.repeat(79_999)}1]]`, false, 'one value more'],
  [JSON.stringify('['.repeat(100_000)), true, 'a string'],
  ['1'.repeat(1_000_000), true, 'a number'],
] as const
for (const [text, expected, because] of costs) {
  test(`a text of the app is ${expected ? '' : 'not '}parsed: ${because}`, () => {
    assert.equal(isParsable(text), expected)
  })
}

test('boundedElementsOf ignores text after the last bracket', () => {
  assert.deepEqual(boundedElementsOf('[1][2,3,4]', { parts: 2, depth: 1, values }), ['1'])
})

const texts = [
  ['', undefined, 'an empty text'],
  ['{', undefined, 'truncated JSON'],
  ["{'a':1}", undefined, 'single quotes'],
  ['undefined', undefined, 'a JavaScript literal'],
  ['\ufeff{}', undefined, 'a byte order mark is not skipped here'],
  ['null', null, 'null'],
  [' 7 ', 7, 'outer whitespace'],
] as const
for (const [text, expected, because] of texts) {
  test(`the value of ${JSON.stringify(text)}: ${because}`, () => {
    assert.equal(parseJson(text), expected)
  })
}

const objects = [
  ['{"a":1}', { a: 1 }, 'an object'],
  ['[1]', {}, 'an array is not an object'],
  ['null', {}, 'null is not an object'],
  ['"a"', {}, 'a string is not an object'],
  ['{', {}, 'invalid JSON is not an object'],
] as const
for (const [text, expected, because] of objects) {
  test(`the object of ${text}: ${because}`, () => {
    assert.deepEqual(parseObject(text), expected)
    assert.equal(isObject(parseJson(text)), because === 'an object')
  })
}

test('the elements of a text are the parsed values without whitespace', () => {
  assert.equal(jsonText({ a: [1, 'ü"'] }), '{"a":[1,"ü\\""]}')
})

/** JSON texts that `JSON.stringify` never writes: with whitespace, escapes, long numbers, equal keys. */
const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 })
const padded = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(space, text, space).map(([before, inner, after]) => before + inner + after)
const stringText = fc
  .tuple(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.string({ unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', ':', ' '), maxLength: 8 }),
      fc.constantFrom('__proto__', 'constructor', 'toString', 'a'),
    ),
    fc.boolean(),
  )
  .map(([text, escaped]) =>
    escaped
      ? `"${[...Array(text.length).keys()].map(at => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
      : JSON.stringify(text),
  )
const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(number => JSON.stringify(number)),
  fc.constantFrom('2935.600', '-0', '1E5', '1e-400', '12345678901234567890', '0.0'),
)
const { value } = fc.letrec<{ value: string; array: string; object: string }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('null', 'true', 'false'),
    numberText,
    stringText,
    tie('array'),
    tie('object'),
  ),
  array: fc.array(padded(tie('value')), { maxLength: 5 }).map(parts => `[${parts.join(',')}]`),
  object: fc
    .array(fc.tuple(padded(stringText), padded(tie('value'))), { maxLength: 5 })
    .map(parts => `{${parts.map(([key, inner]) => `${key}:${inner}`).join(',')}}`),
}))

test('elementsOf agrees with JSON.parse and returns each text unchanged', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(space, value, space), { maxLength: 6 }), space, (parts, outside) => {
      const text = `${outside}[${parts.map(part => part.join('')).join(',')}]${outside}`
      const found = elementsOf(text)
      assert.deepEqual(
        found,
        parts.map(([, inner]) => inner),
      )
      assert.deepEqual(
        found.map(inner => JSON.parse(inner) as unknown),
        JSON.parse(text),
      )
    }),
  )
})

test('membersOf agrees with JSON.parse and returns each text unchanged', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(padded(stringText), value, space), { maxLength: 6 }), space, (parts, outside) => {
      const text = `${outside}{${parts.map(([key, inner, after]) => `${key}:${inner}${after}`).join(',')}}${outside}`
      const found = membersOf(text)
      assert.deepEqual(found, new Map(parts.map(([key, inner]) => [JSON.parse(key) as string, inner])))
      const parsed = new Map(Object.entries(JSON.parse(text) as Record<string, unknown>))
      assert.deepEqual(new Map([...found].map(([key, inner]) => [key, JSON.parse(inner) as unknown])), parsed)
    }),
  )
})

test('the depth limit counts the nesting that JSON.parse sees', () => {
  const nesting = (inner: unknown): number =>
    typeof inner === 'object' && inner !== null ? 1 + Math.max(0, ...Object.values(inner).map(nesting)) : 0
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), array => {
      const depth = nesting(array)
      const text = JSON.stringify(array)
      assert.equal(boundedElementsOf(text, { parts: array.length, depth, values })?.length, array.length)
      assert.equal(boundedElementsOf(text, { parts: array.length, depth: depth - 1, values }), null)
    }),
  )
})

test('no function throws for valid JSON, and those for any text never throw', () => {
  fc.assert(
    fc.property(padded(value), text => {
      const parsed = JSON.parse(text) as unknown
      boundedElementsOf(text, { parts: 6, depth: 32, values })
      if (Array.isArray(parsed)) elementsOf(text)
      else if (isObject(parsed)) membersOf(text)
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      parseJson(text)
      parseObject(text)
    }),
  )
})

test('a copy has the same characters, also those of two code units', () => {
  for (const text of ['', 'CP1', 'Zähler 🔌']) assert.equal(copyOf(text), text)
})
