import assert from 'node:assert/strict'
import { test } from 'node:test'
import { duration, integer, listOf, onOff, optional, secret, text } from '../../src/config/kinds.ts'
import {
  group,
  nameOf,
  notAccepted,
  option,
  readWith,
  rowsOf,
  textOf,
  type Kind,
  type Naming,
} from '../../src/config/option.ts'
import { table, tablesOf } from '../../src/config/toml.ts'

const about = 'A test.'
const port = integer({ max: 65_535 })
const ports = tablesOf<number>({ ...port, ...table, accepts: 'a port' }, 80)

/** The row of one option, in the group `rpc`. */
function rowOf<T>(key: string, kind: Kind<T>, initial: NoInfer<T>, naming: Naming = {}) {
  const [row] = rowsOf({ rpc: group('RPC', { [key]: option(kind, initial, about, naming) }) })
  assert.ok(row !== undefined)
  return row
}

const spellings = [
  [rowOf('host', text(), 'h'), [{ flag: 'rpc_host', env: 'ANYCABLE_RPC_HOST', toml: 'rpc.host', old: false }], 'group and key'], // prettier-ignore
  [rowOf('callTimeoutMs', port, 1), [{ flag: 'rpc_call_timeout', env: 'ANYCABLE_RPC_CALL_TIMEOUT', toml: 'rpc.call_timeout', old: false }], 'words are parted, and the unit is left out'], // prettier-ignore
  [rowOf('maxConn', port, 1, { flag: 'max-conn' }), [{ flag: 'max-conn', env: 'ANYCABLE_MAX_CONN', toml: 'rpc.max_conn', old: false }], 'the variable follows the flag, with underscores'], // prettier-ignore
  [rowOf('secret', text(), 's', { toml: 'secret' }), [{ flag: 'rpc_secret', env: 'ANYCABLE_RPC_SECRET', toml: 'secret', old: false }], 'a TOML key of its own'], // prettier-ignore
  [
    rowOf('help', onOff, false, { alsoFlag: 'h', alsoEnv: 'HELP' }),
    [
      { flag: 'rpc_help', env: 'ANYCABLE_RPC_HELP', toml: 'rpc.help', old: false },
      { flag: 'h', old: false },
      { env: 'HELP', old: false },
    ],
    'a second flag and a second variable',
  ],
  [
    rowOf('beat', port, 1, { old: { flag: 'rpc_baet', toml: 'rpc.baet' } }),
    [
      { flag: 'rpc_beat', env: 'ANYCABLE_RPC_BEAT', toml: 'rpc.beat', old: false },
      { flag: 'rpc_baet', env: 'ANYCABLE_RPC_BAET', toml: 'rpc.baet', old: true },
    ],
    'a deprecated spelling has all three names',
  ],
  [
    rowOf('rules', ports, [], { flag: 'rpc_rules' }),
    [{ toml: 'rpc_rules', old: false }],
    'a table has only a TOML key',
  ],
] as const
for (const [row, expected, because] of spellings) {
  test(`an option with the key ${row.key} is spelled ${JSON.stringify(expected[0])}: ${because}`, () => {
    assert.deepEqual(row.spellings, expected)
  })
}

test('the rows of a table keep its order, and name their group and key', () => {
  const options = { a: option(port, 1, about), b: option(port, 2, about) }
  const rows = rowsOf({ x: group('X', options), y: group('Y', { c: option(port, 3, about) }) })
  assert.deepEqual(
    rows.map(row => `${row.group}.${row.key}=${String(row.option.default)}`),
    ['x.a=1', 'x.b=2', 'y.c=3'],
  )
})

test('an option is called by its flag, and a table by its TOML key', () => {
  assert.equal(nameOf(rowOf('host', text(), 'h')), 'rpc_host')
  assert.equal(nameOf(rowOf('rules', ports, [], { flag: 'rpc_rules' })), 'rpc_rules')
})

const texts: readonly (readonly [kind: Kind<unknown>, value: unknown, expected: string, because: string])[] = [
  [port, 80, '80', 'a number'],
  [onOff, false, 'false', 'a switch'],
  [duration({ bare: 's' }), 90_000, '90s', 'as the kind writes it in TOML'],
  [optional(text()), null, '', 'an option that is not set'],
  [listOf(text()), ['a', 'b'], 'a,b', 'a list, as a flag takes it'],
  [ports, [80, 81], '[80,81]', 'a table, on one line'],
  [ports, [], '', 'an empty table is not set'],
]
for (const [kind, value, expected, because] of texts) {
  test(`the text of ${JSON.stringify(value)} is ${JSON.stringify(expected)}: ${because}`, () => {
    assert.equal(textOf(kind, value), expected)
  })
}

const refused: readonly (readonly [kind: Kind<unknown>, raw: unknown, problem: string, because: string])[] = [
  [port, 'x', 'invalid value "x"; expected a whole number, from 0 to 65535', 'a text is quoted'],
  [port, true, 'invalid value true; expected a whole number, from 0 to 65535', 'other values are JSON'],
  [port, NaN, 'invalid value NaN; expected a whole number, from 0 to 65535', 'a number that JSON does not have'],
  [text('short'), 'x'.repeat(99), `invalid value "${'x'.repeat(79)}…; expected short`, 'a long value is cut'],
  [
    secret,
    5,
    'invalid value (not shown); expected text without control characters (never shown)',
    'a secret is hidden',
  ],
]
for (const [kind, raw, problem, because] of refused) {
  test(`the problem with ${String(raw).slice(0, 9)} is ${JSON.stringify(problem.slice(0, 30))}: ${because}`, () => {
    assert.equal(notAccepted(kind, raw), problem)
  })
}

/** What a kind reads of a TOML value, and the faults that it reports. */
function read(kind: Kind<unknown>, raw: unknown) {
  const faults: string[] = []
  const value = readWith(kind, raw, (at, problem) => faults.push(`${at}: ${problem}`))
  return { value, faults }
}

test('readWith reads a valid value', () => {
  assert.deepEqual(read(ports, [80, 81]), { value: [80, 81], faults: [] })
})

test('readWith reports a value that is invalid as a whole, once', () => {
  const problem = ': invalid value "x"; expected an array ([[ ]]), each item a port'
  assert.deepEqual(read(ports, 'x'), { value: undefined, faults: [problem] })
})

test('readWith reports each invalid part, and reads nothing when one is invalid', () => {
  const { value, faults } = read(ports, [80, 'x', -1])
  assert.equal(value, undefined)
  assert.deepEqual(faults, ['[1]: invalid value "x"; expected a port', '[2]: invalid value -1; expected a port'])
})
