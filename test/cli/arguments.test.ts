import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments } from '../../src/cli/arguments.ts'
import { UsageError } from '../../src/cli/command.ts'
import { commands } from '../../src/cli/commands.ts'

const read = (line: string, env: Readonly<Record<string, string>> = {}) => {
  const [name = '', ...argv] = line.split(' ')
  const found = commands.find(each => each.name === name)
  assert.ok(found)
  return readArguments(found, argv, env)
}

const rows = [
  ['call CP1 Reset', ['CP1', 'Reset'], {}, 'words alone'],
  ['call CP1 --timeout 5s Reset', ['CP1', 'Reset'], { timeout: 5_000 }, 'a flag between words, its value apart'],
  ['call -timeout=2m CP1 Reset', ['CP1', 'Reset'], { timeout: 120_000 }, 'one dash'],
  ['call CP1 Reset -', ['CP1', 'Reset', '-'], {}, 'a dash alone is a word'],
  ['call -- -CP1 Reset', ['-CP1', 'Reset'], {}, 'after two dashes there are no flags'],
  ['stations --watch', [], { watch: true }, 'a switch takes no value'],
  ['stations --watch CP*', ['CP*'], { watch: true }, 'a word after a switch is no value of it'],
  ['stations --json=false', [], { json: false }, 'a switch that is off'],
  ['log CP1 debug --for 10m', ['CP1', 'debug'], { for: 600_000 }, 'a duration'],
  ['outbox retry 1 2', ['retry', '1', '2'], {}, 'the last argument may come many times'],
] as const
for (const [line, words, flags, because] of rows) {
  test(`${line} reads as its words and flags: ${because}`, () => {
    const found = read(line)
    assert.deepEqual(found.words, words)
    for (const [name, value] of Object.entries(flags)) assert.equal(found.flags[name], value)
    assert.deepEqual(found.bridgeFlags, [])
  })
}

test('readArguments takes the address of the API from variables, and a flag overrides them', () => {
  const env = {
    ANYCABLE_ADMIN_URL: 'http://one:1',
    ANYCABLE_ADMIN_TOKEN: 't',
    ANYCABLE_STATE_DIR: '',
    ANYCABLE_JSON: '1',
  }
  const { flags } = read('stations --admin_url=http://two:2', env)
  assert.deepEqual([flags['adminUrl'], flags['adminToken'], flags['stateDir']], ['http://two:2', 't', null])
  assert.equal(flags['json'], false)
})

for (const [name, other] of [
  ['admin_url', 'state_dir'],
  ['state_dir', 'admin_url'],
] as const) {
  test(`--${name} beats the variable of ${other}, and both flags are wrong usage`, () => {
    const values = { admin_url: 'http://one:1', state_dir: 'dir' }
    const env = { [`ANYCABLE_${other.toUpperCase()}`]: values[other] }
    for (const command of ['stations', 'tail', 'call CP1 Reset', 'log CP1 debug', 'disconnect CP1']) {
      const { flags } = read(`${command} --${name}=${values[name]}`, env)
      const { adminUrl, stateDir } = flags
      const only = (each: string) => (each === name ? values[name] : null)
      assert.deepEqual([adminUrl, stateDir], [only('admin_url'), only('state_dir')])
      assert.throws(
        () => read(`${command} --${name}=${values[name]} --${other} ${values[other]}`),
        /^UsageError: --admin_url and --state_dir exclude each other$/,
      )
    }
  })
}

test('readArguments leaves the flags of the bridge to the bridge', () => {
  const { words, flags, bridgeFlags } = read('outbox list --admin_token=t --state_dir dir --debug')
  assert.deepEqual(words, ['list'])
  assert.equal(flags['adminToken'], 't')
  assert.deepEqual(bridgeFlags, ['--state_dir', 'dir', '--debug'])
  assert.deepEqual(read('check --station CP1 --port 1').bridgeFlags, ['--port', '1'])
})

test('readArguments asks for help instead of reporting problems', () => {
  for (const line of ['call --help', 'call -h --nonsense', 'validate --help']) assert.equal(read(line).wantsHelp, true)
})

const problems = [
  ['call CP1', 'ACTION is missing', 'an argument is missing'],
  ['call', 'ID is missing\nACTION is missing', 'all problems at once'],
  ['station CP1 CP2', '"CP2": one argument too many', 'an argument too many'],
  ['stations --wach', '--wach: unknown flag; did you mean --watch?', 'a misspelled flag'],
  ['call CP1 Reset --timeout', '--timeout: a value is missing', 'the value is missing'],
  [
    'call CP1 Reset --timeout=x',
    '--timeout: invalid value "x"; expected a duration (300ms, 5s, 2m, 1h), from 1s to 10m; a bare number is seconds; empty for none',
    'a bad value',
  ],
  [
    'stations --admin_url=localhost',
    '--admin_url: invalid value "localhost"; expected an http:// or https:// URL, without user and query; empty for none',
    'no URL',
  ],
] as const
for (const [line, message, because] of problems) {
  test(`${line} is wrong usage: ${because}`, () => {
    assert.throws(
      () => read(line),
      (error: unknown) => error instanceof UsageError && error.message === message,
    )
  })
}

test('readArguments names the variable that has a bad value, and hides a token', () => {
  assert.throws(() => read('stations', { ANYCABLE_ADMIN_URL: 'x' }), /^UsageError: ANYCABLE_ADMIN_URL: /)
  assert.throws(
    () => read('stations', { ANYCABLE_ADMIN_TOKEN: 'sécret' }),
    (error: unknown) => error instanceof UsageError && !error.message.includes('cret'),
  )
})
