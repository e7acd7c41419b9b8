/** How the sources combine, and which values they accept, is in `resolve.test.ts` and `kinds.test.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameOf } from '../../src/config/option.ts'
import { readEnv, readFlags, readToml, type Reading } from '../../src/config/sources.ts'

const path = './a.toml'

/** What was given, as `name=value from place`, in order. */
function givenIn({ given }: Reading): string[] {
  return given.map(({ row, value, from }) => `${nameOf(row)}=${JSON.stringify(value)} from ${from}`)
}

const flags: readonly (readonly [argv: readonly string[], given: readonly string[], because: string])[] = [
  [[], [], 'no arguments'],
  [['--port', '81'], ['port=81 from --port'], 'a flag and its value'],
  [['--port=81'], ['port=81 from --port'], 'in one argument'],
  [['-port', '81'], ['port=81 from -port'], 'one dash'],
  [['-port=81'], ['port=81 from -port'], 'one dash, in one argument'],
  [['--port=1', '--port=2'], ['port=2 from --port'], 'the last of two wins'],
  [['--broadcast_key=a=b'], ['broadcast_key="a=b" from --broadcast_key'], 'only the first = parts'],
  [['--broadcast_key', '-x'], ['broadcast_key="-x" from --broadcast_key'], 'a value may begin with a dash'],
  [['--ssl_key=a\nb'], ['ssl_key=["a\\nb"] from --ssl_key'], 'a value may have lines'],
  [['--ssl_key=x', '--ssl_key', 'y,z'], ['ssl_key=["x","y","z"] from --ssl_key'], 'a repeated list grows'],
  [['--debug', '--port=81'], ['debug=true from --debug', 'port=81 from --port'], 'a switch alone is true'],
  [['--debug=false'], ['debug=false from --debug'], 'a switch can be turned off'],
  [['--print-config'], ['print-config=true from --print-config'], "the command line's own flags are read, too"],
]
for (const [argv, given, because] of flags) {
  test(`readFlags of [${argv.join(' ')}] gives ${given.join(', ') || 'nothing'}: ${because}`, () => {
    const reading = readFlags(argv)
    assert.deepEqual(givenIn(reading), given)
    assert.deepEqual(reading.problems, [])
  })
}

const badFlags: readonly (readonly [argv: readonly string[], problems: readonly string[], because: string])[] = [
  [['--xyzzy'], ['--xyzzy: unknown flag'], 'no name is near'],
  [['--prot=1'], ['--prot: unknown flag; did you mean --port?'], 'a name is near'],
  [['-max_conn', '5'], ['--max_conn: unknown flag; did you mean --max-conn?'], 'its value is not a second problem'],
  [
    ['--xyzzy', '--prot'],
    ['--xyzzy: unknown flag', '--prot: unknown flag; did you mean --port?'],
    'a flag is not the value of an unknown flag',
  ],
  [['--RPC_HOST=a:1'], ['--RPC_HOST: unknown flag; did you mean --rpc_host?'], 'flags are case-sensitive'],
  [['--sercet=hush'], ['--sercet: unknown flag; did you mean --secret?'], 'a value that may be a secret is not shown'],
  [['--port'], ['--port: a value is missing'], 'a flag at the end'],
  [['--host', '--port', '1'], ['--host: a value is missing'], 'a known flag is not a value'],
  [
    ['--ocpp_validation=x', '-ocpp_silent_answers', 'y'],
    [
      '--ocpp_validation: unknown flag; it is a table in the TOML file',
      '--ocpp_silent_answers: unknown flag; it is a table in the TOML file',
    ],
    'a table has no flag',
  ],
  [['start'], ['"start": only flags are accepted here'], 'a word'],
  [['--', '-'], ['"--": only flags are accepted here', '"-": only flags are accepted here'], 'dashes alone'],
  [
    ['--debug', 'false'],
    ['"false": only flags are accepted here (a switch is written --flag=false)'],
    'a switch takes no next argument',
  ],
]
for (const [argv, problems, because] of badFlags) {
  test(`readFlags of [${argv.join(' ')}] reports ${problems.join(', ')}: ${because}`, () => {
    assert.deepEqual(readFlags(argv).problems, problems)
  })
}

test('readFlags goes on behind a mistake', () => {
  assert.deepEqual(givenIn(readFlags(['--host', '--port', '1', '--xyzzy', '2', '--debug'])), [
    'port=1 from --port',
    'debug=true from --debug',
  ])
})

const variables: readonly (readonly [
  env: Readonly<Record<string, string>>,
  given: readonly string[],
  because: string,
])[] = [
  [{ ANYCABLE_MAX_CONN: '7' }, ['max-conn=7 from ANYCABLE_MAX_CONN'], 'a dash of the flag is an underscore'],
  [{ PORT: '81' }, ['port=81 from PORT'], 'a second variable'],
  [{ PORT: 'x', ANYCABLE_PORT: '82' }, ['port=82 from ANYCABLE_PORT'], 'the second one is not even read'],
  [{ PORT: '81', ANYCABLE_PORT: '' }, ['port=81 from PORT'], 'an empty variable is not set'],
  [{ ANYCABLE_DEBUG: '' }, ['debug=false from ANYCABLE_DEBUG'], 'an empty switch is false'],
  [{ ANYCABLE_REDIS_URL: 'x', HOST: 'x' }, [], 'unknown variables are ignored'],
  [{ ANYCABLE_HELP: '1', ANYCABLE_CONFIG_PATH: 'x' }, [], "the command line's own flags have no variables"],
]
for (const [env, given, because] of variables) {
  test(`readEnv of ${JSON.stringify(env)} gives ${given.join(', ') || 'nothing'}: ${because}`, () => {
    const reading = readEnv(env)
    assert.deepEqual(givenIn(reading), given)
    assert.deepEqual(reading.problems, [])
  })
}

const files: readonly (readonly [toml: string, given: readonly string[], because: string])[] = [
  ['', [], 'an empty file'],
  ['[server]\nport = 81', ['port=81 from server.port in ./a.toml'], 'a key of a section'],
  ['server.port = 81', ['port=81 from server.port in ./a.toml'], 'a dotted key'],
  ['server = { port = 81 }', ['port=81 from server.port in ./a.toml'], 'an inline table'],
  ['[server.ssl]\ncert_path = "a"', ['ssl_cert=["a"] from server.ssl.cert_path in ./a.toml'], 'a nested section'],
  ['secret = "x"', ['secret="x" from secret in ./a.toml'], 'a key at the top'],
  ['[server]\n[rpc]', [], 'empty sections that are known'],
  ['\ufeff[server]\r\nport = 81\r\n', ['port=81 from server.port in ./a.toml'], 'a byte order mark and CRLF'],
  ['[ocpp_silent_answers]', ['ocpp_silent_answers={} from ocpp_silent_answers in ./a.toml'], 'an empty table option'],
]
for (const [toml, given, because] of files) {
  test(`readToml of ${JSON.stringify(toml)} gives ${given.join(', ') || 'nothing'}: ${because}`, () => {
    const reading = readToml(toml, path)
    assert.deepEqual(givenIn(reading), given)
    assert.deepEqual(reading.problems, [])
  })
}

const badFiles: readonly (readonly [toml: string, problems: readonly string[], because: string])[] = [
  ['x = 1', ['x in ./a.toml: unknown key'], 'no key is near'],
  ['[server]\nprot = 1', ['server.prot in ./a.toml: unknown key; did you mean server.port?'], 'a key is near'],
  ['[redis]', ['redis in ./a.toml: unknown key'], 'an empty section that is not known'],
  [
    '[redis]\nurl = "a"\nd = 1979-05-27',
    ['redis.url in ./a.toml: unknown key', 'redis.d in ./a.toml: unknown key'],
    'each key of a section that is not known',
  ],
  ['server = 1', ['server in ./a.toml: unknown key'], 'a section that is not a table'],
  [
    '\n[server\nport = 1',
    ['./a.toml: line 2, column 8: Invalid TOML document: illegal character in key'],
    'a file that is not TOML',
  ],
]
for (const [toml, problems, because] of badFiles) {
  test(`readToml of ${JSON.stringify(toml)} reports ${problems.join(', ')}: ${because}`, () => {
    assert.deepEqual(readToml(toml, path).problems, problems)
  })
}

const invalid: readonly (readonly [reading: Reading, problem: string, because: string])[] = [
  [readFlags(['--port=x']), '--port: invalid value "x"', 'a flag is named as it was given'],
  [readFlags(['-port', 'x']), '-port: invalid value "x"', 'with its dashes'],
  [readEnv({ PORT: 'x' }), 'PORT: invalid value "x"', 'a variable'],
  [readToml('server.port = true', path), 'server.port in ./a.toml: invalid value true', 'a TOML key'],
  [readToml('[server.port]\na = 1', path), 'server.port in ./a.toml: invalid value {"a":1}', 'a table for a value'],
]
for (const [{ given, problems }, problem, because] of invalid) {
  test(`an invalid value is given without a value, and reports ${problem}: ${because}`, () => {
    assert.deepEqual(
      given.map(({ value }) => value),
      [undefined],
    )
    assert.deepEqual(given[0]?.problems, [`${problem}; expected a whole number, from 0 to 65535`])
    assert.deepEqual(problems, [], 'the source itself is fine')
  })
}

const spellings: readonly (readonly [reading: Reading, insteadOf: string | null, because: string])[] = [
  [readFlags(['-ocpp_hearbeat_interval=60']), '--ocpp_heartbeat_interval', 'a deprecated flag'],
  [readEnv({ ANYCABLE_OCPP_HEARBEAT_INTERVAL: '60' }), 'ANYCABLE_OCPP_HEARTBEAT_INTERVAL', 'a deprecated variable'],
  [readToml('ocpp.hearbeat_interval = 60', path), 'ocpp.heartbeat_interval', 'a deprecated key'],
  [readFlags(['--ocpp_heartbeat_interval=60']), null, 'the canonical flag'],
  [readEnv({ PORT: '1' }), null, 'a second variable is not deprecated'],
]
for (const [{ given }, insteadOf, because] of spellings) {
  test(`a value names ${insteadOf ?? 'nothing'} to use instead: ${because}`, () => {
    assert.equal(given.length, 1)
    assert.equal(given[0]?.insteadOf, insteadOf)
  })
}
