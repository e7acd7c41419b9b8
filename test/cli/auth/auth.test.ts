import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { runCommand } from '../../../src/cli/run.ts'
import { hashOf, matches } from '../../../src/server/auth/hash.ts'
import { parseKeys, withKeys } from '../../../src/server/auth/lines.ts'
import { secretOf } from '../../../src/server/auth/secret.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { temporaryDirectory } from '../../support/store.ts'
import { FakeTerminal } from '../../support/terminal.ts'

const cp1 = 'CP 1' as StationId

function setUp(t: TestContext) {
  const file = join(temporaryDirectory(t), 'keys')
  const auth = async (words: readonly string[], input = '') => {
    const terminal = new FakeTerminal()
    terminal.input = input
    const flags = ['--ignore-config-path', `--ocpp_auth_file=${file}`]
    const code = await runCommand(['auth', ...words, ...flags], terminal)
    return { code, out: terminal.out, err: terminal.err }
  }
  const hashes = async (): Promise<readonly string[]> =>
    (await parseKeys(readFileSync(file, 'utf8'))).keys.get(cp1) ?? []
  const isKey = async (text: string, at = 0) => matches(secretOf(Buffer.from(text.trim())), (await hashes())[at] ?? '')
  return { file, auth, hashes, isKey }
}

test('auth add prints a new key once and keeps its hash alone; a second add changes nothing', async t => {
  const { file, auth, isKey } = setUp(t)
  const { code, out, err } = await auth(['add', 'CP 1'])
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^[\da-f]{40}\n$/)
  assert.equal(await isKey(out), true)
  const text = readFileSync(file, 'utf8')
  assert.equal(text.includes(out.trim()), false)
  const again = await auth(['add', 'CP 1'])
  assert.deepEqual([again.code, again.out, again.err], [1, '', 'CP 1 has a key already: rotate or remove it\n'])
  assert.equal(readFileSync(file, 'utf8'), text)
})

test('auth add --stdin takes a key that the station has, and prints none', async t => {
  const { auth, isKey } = setUp(t)
  assert.deepEqual(await auth(['add', 'CP 1', '--stdin'], 'a password of 2.x\n'), { code: 0, out: '', err: '' })
  assert.equal(await isKey('a password of 2.x'), true)
  assert.equal((await auth(['add', 'CP2', '--stdin'], '\n')).code, 2)
})

const refusedKeys: readonly (readonly [key: string, flags: readonly string[], because: string])[] = [
  ['x'.repeat(15), [], 'a key has 16 bytes at least'],
  ['0123456789abcdef', [], '16 digits are 8 bytes'],
  ['ab'.repeat(15), [], '30 digits are 15 bytes'],
  ['0123456789abcde', ['--ocpp_version=2.0.1'], 'a text of 15 bytes'],
  ['x'.repeat(257), [], 'no header may hold it'],
]
for (const [key, flags, because] of refusedKeys) {
  test(`auth add and rotate --stdin ${flags.join(' ')} refuse ${key.slice(0, 20)}, and change nothing: ${because}`, async t => {
    const { file, auth } = setUp(t)
    await auth(['add', 'CP 1'])
    const text = readFileSync(file, 'utf8')
    for (const words of [
      ['add', 'CP2'],
      ['rotate', 'CP 1'],
    ]) {
      const { code, err } = await auth([...words, '--stdin', ...flags], `${key}\n`)
      assert.equal(code, 2)
      assert.match(err, /^a key has 16 to 256 bytes/)
    }
    assert.equal(readFileSync(file, 'utf8'), text)
  })
}

const keptKeys: readonly (readonly [key: string, flags: readonly string[], because: string])[] = [
  ['30313233343536373839303132333435', [], '32 digits are 16 bytes, whatever these are'],
  ['0123456789abcdef', ['--ocpp_version=2.0.1'], 'a password of 16 characters in 2.x'],
  ['x'.repeat(256), [], 'the longest that a header may hold'],
]
for (const [key, flags, because] of keptKeys) {
  test(`auth add --stdin ${flags.join(' ')} takes ${key.slice(0, 40)}: ${because}`, async t => {
    const { auth, isKey } = setUp(t)
    assert.deepEqual(await auth(['add', 'CP 1', '--stdin', ...flags], key), { code: 0, out: '', err: '' })
    assert.equal(await isKey(key), true)
  })
}

test('auth add refuses an identity that no listener accepts, and writes nothing', async t => {
  const { file, auth } = setUp(t)
  for (const stationId of ['', '..', 'CP\n1', 'x'.repeat(256)]) {
    const { code, out, err } = await auth(['add', stationId])
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /^"[^\n]*": no listener accepts this identity\n/)
  }
  assert.equal(existsSync(file), false)
})

test('auth rotate adds a new key behind those that are there, and none to a full line', async t => {
  const { auth, hashes, isKey } = setUp(t)
  const old = await auth(['add', 'CP 1'])
  const pending = await auth(['rotate', 'CP 1'])
  const { out, err } = await auth(['rotate', 'CP 1', '--ocpp_version=2.0.1'])
  assert.match(out, /^[A-Za-z\d]{32}\n$/)
  assert.match(err, /^CP 1 keeps its old key, too, until/)
  const three = [await isKey(old.out), await isKey(pending.out, 1), await isKey(out, 2)]
  assert.deepEqual([(await hashes()).length, ...three], [3, true, true, true])
  const full = await auth(['rotate', 'CP 1'])
  assert.deepEqual([full.code, full.out, (await hashes()).length], [1, '', 3])
  assert.match(full.err, /^CP 1 has 2 new keys already: send it one of them, or delete /)
  assert.equal((await auth(['list'])).out, 'CP 1\tnew key not accepted yet\n')
  assert.equal((await auth(['rotate', 'CP2'])).err, 'CP2 has no key\n')
})

test('auth add and rotate keep a cheap hash of the keys that they make, and a costly one of a key from --stdin', async t => {
  const { auth, hashes } = setUp(t)
  const costs = async () => (await hashes()).map(hash => /ln=\d+/.exec(hash)?.[0])
  await auth(['add', 'CP 1'])
  await auth(['rotate', 'CP 1', '--stdin'], 'a password of 2.x\n')
  assert.deepEqual(await costs(), ['ln=1', 'ln=14'])
  await auth(['rotate', 'CP 1'])
  assert.deepEqual(await costs(), ['ln=1', 'ln=14', 'ln=1'])
})

test('auth remove deletes the line of a station, and fails for one without', async t => {
  const { file, auth } = setUp(t)
  writeFileSync(file, await withKeys('# mine\n', new Map([[cp1, [await hashOf(Buffer.from('key'), 'chosen')]]])))
  assert.deepEqual([(await auth(['remove', 'CP 1'])).code, (await auth(['remove', 'CP 1'])).code], [0, 1])
  assert.equal(readFileSync(file, 'utf8'), '# mine\n')
})

test('auth check counts the stations, names the lines that are wrong, and compares a key', async t => {
  const { file, auth } = setUp(t)
  const { out: key } = await auth(['add', 'CP 1'])
  assert.equal((await auth(['check'])).out, '1 station\n')
  assert.deepEqual(await auth(['check', 'CP 1'], key), { code: 0, out: '', err: '' })
  assert.deepEqual(await auth(['check', 'CP 1'], 'guess'), { code: 1, out: '', err: 'CP 1 has another key\n' })
  writeFileSync(file, 'CP2 hunter2\n')
  const { code, err } = await auth(['check'])
  assert.deepEqual([code, err], [1, `${file}: line 1: the hash of the key is not one of scrypt\n`])
  assert.equal((await auth(['add', 'CP3'])).code, 1, 'a broken file is not changed')
  assert.equal(readFileSync(file, 'utf8'), 'CP2 hunter2\n')
})

const wrong: readonly (readonly [words: readonly string[], expected: string])[] = [
  [['lst', '--ocpp_auth_file=keys'], '"lst": expected add, remove, rotate, list or check'],
  [['add', '--ocpp_auth_file=keys'], 'add takes the id of a station'],
  [['list'], 'ocpp_auth_file is not set: add --ocpp_auth_file=FILE'],
]
for (const [words, expected] of wrong) {
  test(`auth ${words.join(' ')} is wrong usage: ${expected}`, async () => {
    const terminal = new FakeTerminal()
    assert.equal(await runCommand(['auth', ...words, '--ignore-config-path'], terminal), 2)
    assert.equal(terminal.err, `${expected}\nSee ocpp-cable auth --help.\n`)
  })
}
