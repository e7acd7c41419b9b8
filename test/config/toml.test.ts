import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, optional, text } from '../../src/config/kinds.ts'
import { readWith, type Kind } from '../../src/config/option.ts'
import { field, isTable, reportNonJson, tableBy, tableOf, tablesOf } from '../../src/config/toml.ts'

const port = integer({ max: 65_535 })
type Server = { readonly host: string; readonly port: number }

/** A table with a required key and an optional one. */
const server: Kind<Server> = tableOf<Server>({
  accepts: 'a server',
  keys: ['host', 'port'],
  read: (given, fault) => {
    const host = field(given, 'host', text(), fault)
    const number = field(given, 'port', port, fault, 80)
    return host === undefined || number === undefined ? undefined : { host, port: number }
  },
  toToml: value => value,
})
const servers = tablesOf(server, { host: 'h' })
const names = {
  accepts: 'a lower-case name',
  problemOf: (name: string) => (/[A-Z]/.test(name) ? 'not lower case' : null),
}
const byName = tableBy(names, server, { app: { host: 'h' } })

type Row = readonly [kind: Kind<unknown>, given: unknown, value: unknown, faults: readonly string[], because: string]
const rows: readonly Row[] = [
  [server, { host: 'h', port: 81 }, { host: 'h', port: 81 }, [], 'all keys are given'],
  [server, { host: 'h' }, { host: 'h', port: 80 }, [], 'a key with a default may be missing'],
  [server, {}, undefined, [': host is missing; expected text'], 'a required key is missing'],
  [
    server,
    { host: 5, port: -1 },
    undefined,
    ['.host: invalid value 5; expected text', '.port: invalid value -1; expected a whole number, from 0 to 65535'],
    'each invalid value is reported with its key',
  ],
  [
    server,
    { host: 'h', prot: 1, 'my key': 1 },
    undefined,
    ['.prot: unknown key; did you mean port?', '."my key": unknown key'],
    'an unknown key is reported, quoted where TOML quotes it',
  ],
  [server, [], undefined, [': invalid value []; expected a server'], 'an array is not a table'],
  [server, null, undefined, [': invalid value null; expected a server'], 'nor is null'],
  [server, new Date(0), undefined, [': invalid value "1970-01-01T00:00:00.000Z"; expected a server'], 'nor is a date'],
  [servers, [], [], [], 'an empty array'],
  [
    servers,
    [{ host: 'a' }, { host: 'b' }],
    [
      { host: 'a', port: 80 },
      { host: 'b', port: 80 },
    ],
    [],
    'items keep their order',
  ],
  [
    servers,
    [{ host: 'a' }, { host: 'b', port: 'x' }, 5],
    undefined,
    [
      '[1].port: invalid value "x"; expected a whole number, from 0 to 65535',
      '[2]: invalid value 5; expected a server',
    ],
    'faults name the item',
  ],
  [
    servers,
    { host: 'a' },
    undefined,
    [': invalid value {"host":"a"}; expected an array ([[ ]]), each item a server'],
    'a table is not an array',
  ],
  [byName, {}, {}, [], 'an empty table'],
  [byName, { app: { host: 'a' } }, { app: { host: 'a', port: 80 } }, [], 'a name and its value'],
  [
    byName,
    { App: { host: 1 }, app: { host: 1 } },
    undefined,
    ['.App: not lower case', '.app.host: invalid value 1; expected text'],
    'the value of an invalid name is not read',
  ],
  [
    byName,
    'x',
    undefined,
    [': invalid value "x"; expected a table, each key a lower-case name, each value a server'],
    'a text is not a table',
  ],
]
for (const [kind, given, value, faults, because] of rows) {
  test(`${kind.accepts.slice(0, 20)} given as ${JSON.stringify(given)}: ${because}`, () => {
    const reported: string[] = []
    assert.deepEqual(
      readWith(kind, given, (at, problem) => reported.push(`${at}: ${problem}`)),
      value,
    )
    assert.deepEqual(reported, faults)
  })
}

const written: readonly (readonly [kind: Kind<unknown>, value: unknown, expected: unknown, because: string])[] = [
  [servers, [], null, 'an empty array is not set'],
  [servers, [{ host: 'a', port: 1 }], [{ host: 'a', port: 1 }], 'an array of tables'],
  [byName, {}, null, 'an empty table is not set'],
  [byName, { app: { host: 'a', port: 1 } }, { app: { host: 'a', port: 1 } }, 'a table of tables'],
  [tableBy(names, optional(port), {}), { app: null }, { app: {} }, 'a value that is not set is an empty table'],
]
for (const [kind, value, expected, because] of written) {
  test(`${JSON.stringify(value)} is written as ${JSON.stringify(expected)}: ${because}`, () => {
    assert.deepEqual(kind.toToml(value), expected)
  })
}

test('a table cannot be given as a flag or a variable', () => {
  assert.equal(server.parse('host=h'), undefined)
  assert.deepEqual([server.shape, servers.shape, byName.shape], ['table', 'table', 'table'])
})

const nonJson: readonly (readonly [value: unknown, places: readonly string[], because: string])[] = [
  [{ a: [1, 'x', true, { b: {} }] }, [], 'JSON has all of these'],
  [new Date(0), [''], 'a date'],
  [Infinity, [''], 'inf'],
  [{ a: [{ 'b c': NaN }] }, ['.a[0]."b c"'], 'nan, deep inside'],
  [{ a: new Date(0), b: -Infinity }, ['.a', '.b'], 'each of several'],
]
for (const [value, places, because] of nonJson) {
  test(`reportNonJson reports ${places.length} places: ${because}`, () => {
    const reported: string[] = []
    reportNonJson(value, (at, problem) => {
      assert.match(problem, /expected a JSON value/)
      reported.push(at)
    })
    assert.deepEqual(reported, places)
  })
}

for (const [value, expected] of [
  [{}, true],
  [[], false],
  [null, false],
  [new Date(0), false],
  ['x', false],
] as const) {
  test(`isTable is ${expected} for ${JSON.stringify(value)}`, () => {
    assert.equal(isTable(value), expected)
  })
}
