import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as kinds from '../../src/config/kinds.ts'
import { textOf, type Kind } from '../../src/config/option.ts'

/** JSON, or `nothing` for `undefined`, the result of invalid input. */
const shown = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))

const unheard = () => assert.fail('only tables report faults in their parts')

const seconds = kinds.duration({ bare: 's' })
const milliseconds = kinds.duration({ bare: 'ms' })
const atLeastASecond = kinds.duration({ bare: 's', minMs: 1000 })
const size = kinds.bytes({ min: 1024 })
const list = kinds.listOf(kinds.text())
const words = kinds.listOf(kinds.oneOf('a', 'b'), { min: 1, distinct: true })

const texts: readonly [kind: Kind<unknown>, text: string, expected: unknown, because: string][] = [
  [kinds.text(), ' a b ', ' a b ', 'a text is not trimmed'],
  [kinds.text(), '', undefined, 'an empty text'],
  [kinds.text('digits', /^\d+$/), '12x', undefined, 'a text that does not match'],
  [kinds.path, '/ocpp', '/ocpp', 'a path'],
  [kinds.path, '/', '/', 'the root'],
  [kinds.path, 'ocpp', undefined, 'a path without its /'],
  [kinds.path, '/ocpp?x', undefined, 'a path with a query'],
  [kinds.hostName, '::', '::', 'the IPv6 wildcard address'],
  [kinds.hostName, 'http://here', undefined, 'a URL is not a host'],
  [kinds.headerName, 'Client-Cert', 'client-cert', 'a header is in lower case'],
  [kinds.headerName, 'client cert', undefined, 'a space'],
  [kinds.headerName, 'Client-Cert:', undefined, 'a colon'],
  [kinds.integer(), '0', 0, 'zero'],
  [kinds.integer(), '007', 7, 'leading zeros'],
  [kinds.integer(), '-1', undefined, 'a sign'],
  [kinds.integer(), '1.5', undefined, 'a fraction'],
  [kinds.integer(), '1e3', undefined, 'an exponent'],
  [kinds.integer(), '', undefined, 'an empty text is not a number'],
  [kinds.integer(), '99999999999999999999', undefined, 'a number beyond double precision'],
  [kinds.integer({ min: 1 }), '0', undefined, 'below the minimum'],
  [kinds.port, '65535', 65535, 'the last port'],
  [kinds.port, '65536', undefined, 'beyond the last port'],
  [seconds, '5', 5000, 'a bare number, in seconds'],
  [milliseconds, '5', 5, 'a bare number, in milliseconds'],
  [seconds, '300ms', 300, 'milliseconds'],
  [milliseconds, '5s', 5000, 'seconds'],
  [seconds, '2m', 120_000, 'minutes'],
  [seconds, '24h', 86_400_000, 'the maximum'],
  [seconds, '25h', undefined, 'above the maximum'],
  [seconds, '0', 0, 'zero, if the minimum allows it'],
  [atLeastASecond, '999ms', undefined, 'below the minimum'],
  [seconds, '5d', undefined, 'an unknown unit'],
  [seconds, '5S', undefined, 'an upper-case unit'],
  [seconds, '5 s', undefined, 'a space before the unit'],
  [seconds, '1.5s', undefined, 'a fraction'],
  [seconds, '-5s', undefined, 'a negative number'],
  [seconds, 's', undefined, 'a unit without a number'],
  [size, '2048', 2048, 'bare bytes'],
  [size, '64KiB', 65536, 'kibibytes'],
  [size, '1MiB', 1_048_576, 'mebibytes'],
  [size, '4096B', 4096, 'bytes with their unit'],
  [size, '1023', undefined, 'below the minimum'],
  [size, '1025MiB', undefined, 'above the maximum'],
  [size, '1MB', undefined, 'an ambiguous unit'],
  [kinds.oneOf('safe', 'off'), 'off', 'off', 'one of the words'],
  [kinds.oneOf('safe', 'off'), 'OFF', 'off', 'a word in capitals'],
  [kinds.oneOf('safe', 'off'), 'on', undefined, 'none of the words'],
  [kinds.optional(kinds.port), '', null, 'an empty text'],
  [kinds.optional(kinds.port), '80', 80, 'a value'],
  [kinds.optional(kinds.port), 'x', undefined, 'an invalid value'],
  [list, 'a, b ,,c', ['a', 'b', 'c'], 'spaces and empty items are dropped'],
  [list, 'a,a', ['a', 'a'], 'duplicates are kept in a list'],
  [list, '', [], 'an empty list'],
  [words, 'b,a,b', ['b', 'a'], 'duplicates are removed from a distinct list'],
  [words, 'a,c', undefined, 'one invalid item'],
  [words, ' , ', undefined, 'an empty list below its minimum'],
  [kinds.tags, 'env:production, node_id:x-1', { env: 'production', node_id: 'x-1' }, 'names with values'],
  [kinds.tags, 'env:a,env:b', { env: 'b' }, 'the last value of a name'],
  [kinds.tags, '', {}, 'no tags'],
  [kinds.tags, 'env', undefined, 'a name without a value'],
  [kinds.tags, 'env:', undefined, 'an empty value'],
  [kinds.tags, 'env:a:b', undefined, 'a colon within the value'],
  [kinds.tags, 'env:a|b', undefined, 'a character that separates the parts of a line of StatsD'],
  [kinds.tags, 'my-env:a', undefined, 'a name that Prometheus does not take'],
  [kinds.tags, '__env:a', undefined, 'a name that Prometheus keeps for itself'],
  [kinds.secret, 'none', 'none', 'the word for no secret'],
  [kinds.secret, 's3cret\n', 's3cret', 'the line break at the end of a mounted file'],
  [kinds.secret, 's3cret\r\n', 's3cret', 'the same, from Windows'],
  [kinds.secret, 's3\ncret', undefined, 'a line break within'],
  [kinds.secret, '\n', undefined, 'nothing but a line break'],
  [kinds.secret, 'schlüssel 鍵', 'schlüssel 鍵', 'characters beyond ASCII: only keys derived from it are sent'],
  [kinds.token, 'none', 'none', 'the word for no token'],
  [kinds.token, "a B!~'\n", "a B!~'", 'printable ASCII, and the line break at the end of a mounted file'],
  [kinds.token, '鍵', undefined, 'a character that Node refuses in a header'],
  [kinds.token, 'ü', undefined, 'a character that Ruby and Node write in different bytes'],
  [kinds.token, ' a', undefined, 'a space at the start'],
  [kinds.token, 'a ', undefined, 'a space at the end, which every receiver cuts off'],
  [kinds.token, 'a\tb', undefined, 'a control character'],
]
for (const [kind, text, expected, because] of texts) {
  test(`${kind.placeholder} ${JSON.stringify(text)} gives ${shown(expected)}: ${because}`, () => {
    assert.deepEqual(kind.parse(text), expected)
  })
}

for (const [words, expected] of [
  [['1', 't', 'T', 'true', 'TRUE', 'True'], true],
  [['0', 'f', 'F', 'false', 'FALSE', 'False'], false],
  [['yes', 'on', 'tRUE', '2', ''], undefined],
] as const) {
  for (const word of words) {
    test(`a switch given as ${JSON.stringify(word)} is ${expected ?? 'not accepted'}, as in Go's ParseBool`, () => {
      assert.equal(kinds.onOff.parse(word), expected)
    })
  }
}

const tomls: readonly [kind: Kind<unknown>, value: unknown, expected: unknown, because: string][] = [
  [kinds.port, 8080, 8080, "TOML's own number"],
  [kinds.port, '8080', 8080, 'a number in quotes'],
  [kinds.port, 80.5, undefined, 'a fraction'],
  [kinds.port, true, undefined, 'another type'],
  [kinds.onOff, false, false, "TOML's own boolean"],
  [kinds.onOff, 'false', false, 'a boolean in quotes'],
  [kinds.onOff, 0, undefined, 'another type'],
  [kinds.text(), 5, undefined, 'a number is not text'],
  [kinds.text(), {}, undefined, 'a table'],
  [seconds, 5, 5000, 'a bare number'],
  [seconds, '5m', 300_000, 'a duration with its unit'],
  [size, 4096, 4096, 'a bare number'],
  [kinds.optional(kinds.port), '', null, 'an empty text'],
  [kinds.optional(kinds.port), 80, 80, 'a value'],
  [list, ['a,b', 'c'], ['a,b', 'c'], 'commas inside array items do not separate'],
  [list, 'a,b', ['a', 'b'], 'a comma-separated list'],
  [list, ['a', 1], undefined, 'one item of another type'],
  [list, 5, undefined, 'neither an array nor a string'],
  [words, [], undefined, 'an empty array below its minimum'],
  [kinds.tags, { env: 'production', rev: 7 }, { env: 'production', rev: '7' }, "AnyCable's table"],
  [kinds.tags, ['env:production'], { env: 'production' }, 'an array'],
  [kinds.tags, 'env:production', { env: 'production' }, 'the text of the flag'],
  [kinds.tags, { env: { of: 'x' } }, undefined, 'a table within the table'],
  [kinds.tags, 5, undefined, 'a number'],
]
for (const [kind, value, expected, because] of tomls) {
  test(`${kind.placeholder} in TOML, ${JSON.stringify(value)}, gives ${shown(expected)}: ${because}`, () => {
    assert.deepEqual(kind.fromToml(value, unheard), expected)
  })
}

const written: readonly [kind: Kind<unknown>, value: unknown, expected: string, because: string][] = [
  [seconds, 0, '0s', 'zero has a unit'],
  [seconds, 90_000, '90s', 'the largest unit that gives a whole number'],
  [seconds, 120_000, '2m', 'minutes'],
  [seconds, 3_600_000, '1h', 'hours'],
  [seconds, 1500, '1500ms', 'milliseconds'],
  [size, 0, '0', 'no bytes'],
  [size, 1000, '1000', 'bytes that are not whole kibibytes'],
  [size, 65536, '64KiB', 'kibibytes'],
  [size, 1_048_576, '1MiB', 'mebibytes'],
  [kinds.optional(kinds.port), null, '', 'an unset value'],
  [kinds.listOf(kinds.port), [80, 81], '80,81', 'a list'],
  [kinds.tags, { env: 'a', rev: '7' }, 'env:a,rev:7', 'tags'],
  [kinds.listOf(kinds.optional(kinds.port)), [null], '', 'a list with an unset item'],
]
for (const [kind, value, expected, because] of written) {
  test(`${kind.placeholder} ${JSON.stringify(value)} is written ${JSON.stringify(expected)}: ${because}`, () => {
    assert.equal(textOf(kind, value), expected)
  })
}

test('a secret is hidden, the word none is not, and a list is hidden if one item is', () => {
  assert.equal(kinds.secret.hides('s3cret'), true)
  assert.equal(kinds.secret.hides('none'), false)
  assert.equal(kinds.listOf(kinds.secret).hides('none,s3cret'), true)
  assert.equal(kinds.listOf(kinds.text()).hides('a,b'), false)
})
