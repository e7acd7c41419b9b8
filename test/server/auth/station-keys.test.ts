/**
 * `ocpp_auth_file` in memory: verdicts, what a check costs, new keys. Real files, real scrypt.
 */
import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { hashOf, matches } from '../../../src/server/auth/hash.ts'
import { parseKeys, withKeys } from '../../../src/server/auth/lines.ts'
import { secretOf } from '../../../src/server/auth/secret.ts'
import { checkLimits, checksAtOnce, openStationKeys } from '../../../src/server/auth/station-keys.ts'
import type { NewKey } from '../../../src/ocpp/settings/keys.ts'
import type { KeyVerdict } from '../../../src/session/ports.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { FakeLog } from '../../support/fakes.ts'
import { temporaryDirectory } from '../../support/store.ts'

const id = (stationId: string): StationId => stationId as StationId
const cp1 = id('CP1')
const address = '192.0.2.1'
const basic = (stationId: string, key: string): string =>
  `Basic ${Buffer.from(`${stationId}:${key}`).toString('base64')}`
const hashed = (key: string): Promise<string> => hashOf(secretOf(Buffer.from(key)), 'chosen')

async function setUp(t: TestContext, keys: Readonly<Record<string, string>> = { CP1: 'old key of CP1' }) {
  const file = join(temporaryDirectory(t), 'keys')
  const lines = new Map<StationId, string[]>()
  for (const [stationId, key] of Object.entries(keys)) lines.set(id(stationId), [await hashed(key)])
  writeFileSync(file, await withKeys('', lines))
  const log = new FakeLog()
  const opened = await openStationKeys(file, log)
  /** The verdict, and whether it needed a check. */
  const ask = async (stationId: string, key: string) => {
    const recalled = opened.recall(id(stationId), basic(stationId, key))
    return recalled ?? `checked: ${await opened.check(id(stationId), basic(stationId, key), address)}`
  }
  const inFile = async () => (await parseKeys(readFileSync(file, 'utf8'))).keys
  return { file, log, keys: opened, ask, inFile }
}

test('a right key is checked once, and a wrong one too', async t => {
  const { ask, keys } = await setUp(t)
  assert.deepEqual(
    [
      await ask('CP1', 'old key of CP1'),
      await ask('CP1', 'old key of CP1'),
      await ask('CP1', 'guess'),
      await ask('CP1', 'guess'),
    ],
    ['checked: right', 'right', 'checked: wrong', 'wrong'],
  )
  assert.equal(await ask('CP2', 'old key of CP1'), 'unknown')
  assert.equal(keys.recall(cp1, ''), 'wrong')
  assert.equal(keys.recall(cp1, basic('CP2', 'old key of CP1')), 'wrong')
})

test('one check answers all who ask for the same at once', async t => {
  const { keys } = await setUp(t)
  const authorization = basic('CP1', 'old key of CP1')
  assert.equal(keys.isChecking(cp1, authorization), false)
  const same = Array.from({ length: 50 }, () => keys.check(cp1, authorization, address))
  assert.equal(keys.isChecking(cp1, authorization), true)
  assert.equal(keys.isChecking(cp1, basic('CP1', 'guess')), false)
  assert.equal(keys.isChecking(cp1, ''), false)
  assert.deepEqual(new Set(await Promise.all(same)), new Set(['right']))
  assert.equal(keys.isChecking(cp1, authorization), false)
})

test('a station is checked before the guesses of a stranger, who has filled the queue of another address', async t => {
  const { keys } = await setUp(t)
  const verdicts: string[] = []
  const guess = async (at: number) => verdicts.push(await keys.check(cp1, basic('CP1', `guess ${at}`), '192.0.2.66'))
  const guesses = Array.from({ length: 60 }, (_, at) => guess(at))
  assert.equal(await keys.check(cp1, basic('CP1', 'old key of CP1'), address), 'right')
  assert.ok(verdicts.length < guesses.length / 2, `${verdicts.length} guesses came first`)
  await Promise.all(guesses)
  assert.deepEqual(new Set(verdicts), new Set(['wrong']))
})

/** [cores, checks at a time] */
const cores: readonly (readonly [number, number])[] = [
  [1, 1],
  [2, 2],
  [3, 3],
  [64, 3],
]
for (const [count, atOnce] of cores) {
  test(`${count} cores check ${atOnce} keys at a time`, () => assert.equal(checksAtOnce(count), atOnce))
}

test('keys are checked as many at a time as the limit allows, and the others afterwards', async t => {
  const { keys } = await setUp(t)
  const running = new Set<number>()
  let most = 0
  const hook = createHook({
    init: (id, type) => {
      if (type !== 'SCRYPTREQUEST') return
      running.add(id)
      most = Math.max(most, running.size)
    },
    before: id => running.delete(id),
  }).enable()
  t.after(() => hook.disable())
  const guesses = Array.from({ length: 12 }, (_, at) => keys.check(cp1, basic('CP1', `guess ${at}`), address))
  assert.deepEqual(new Set(await Promise.all(guesses)), new Set(['wrong']))
  assert.equal(most, checkLimits.atOnce)
})

test('a random key is checked before the costly checks that wait, and is known as random until another replaces it', async t => {
  const { file, keys } = await setUp(t, { CP1: 'old key of CP1' })
  const random = await hashOf(secretOf(Buffer.from('a random key')), 'random')
  writeFileSync(file, await withKeys(readFileSync(file, 'utf8'), new Map([[id('CP2'), [random]]])))
  await keys.load()
  assert.deepEqual(['CP1', 'CP2', 'CP3'].map(each => keys.isRandom(id(each))), [false, true, false]) // prettier-ignore
  const order: string[] = []
  const ask = async (stationId: string, key: string) => {
    await keys.check(id(stationId), basic(stationId, key), address)
    order.push(stationId)
  }
  const guesses = Array.from({ length: 20 }, (_, at) => ask('CP1', `guess ${at}`))
  await Promise.all([...guesses, ask('CP2', 'a random key')])
  assert.notEqual(order.at(-1), 'CP2')
})

test('the oldest of more than eight wrong keys of a station is checked again', async t => {
  const { ask } = await setUp(t)
  for (let at = 0; at < 9; at++) assert.equal(await ask('CP1', `guess ${at}`), 'checked: wrong')
  assert.equal(await ask('CP1', 'guess 1'), 'wrong')
  assert.equal(await ask('CP1', 'guess 0'), 'checked: wrong')
})

test('a line that changes counts from then on; the others cost no further check', async t => {
  const { file, keys, ask } = await setUp(t, { CP1: 'old key of CP1', CP2: 'key of CP2' })
  await ask('CP1', 'old key of CP1')
  await ask('CP2', 'key of CP2')
  await ask('CP1', 'new key of CP1')
  writeFileSync(file, await withKeys(readFileSync(file, 'utf8'), new Map([[cp1, [await hashed('new key of CP1')]]])))
  await keys.load()
  assert.deepEqual(
    [await ask('CP1', 'old key of CP1'), await ask('CP1', 'new key of CP1'), await ask('CP2', 'key of CP2')],
    ['checked: wrong', 'checked: right', 'right'],
  )
  writeFileSync(file, '# no keys\n')
  await keys.load()
  assert.equal(await ask('CP2', 'key of CP2'), 'unknown')
})

test('a broken file changes nothing, and the problem names the line and no key', async t => {
  const { file, keys, ask } = await setUp(t)
  writeFileSync(file, `# keys\nCP1 hunter2\n`)
  await assert.rejects(keys.load(), (error: Error) => {
    assert.match(error.message, /keys: line 2: the hash of the key is not one of scrypt$/)
    return true
  })
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: right')
})

test('a file that is missing stops the start and is named; one that others may read, or without a key, is a warning', async t => {
  const dir = temporaryDirectory(t)
  const log = new FakeLog()
  await assert.rejects(openStationKeys(join(dir, 'none'), log), /^Error: ocpp_auth_file: .*none cannot be read$/)
  const file = join(dir, 'keys')
  writeFileSync(file, '# none yet\n', { mode: 0o644 })
  await openStationKeys(file, log)
  assert.deepEqual(log.said('warn').map(text => text.split(/[:,] /)[0]), ['other users may read or change ocpp_auth_file', 'ocpp_auth_file has no keys']) // prettier-ignore
})

test('a file that was emptied changes nothing, but one whose last key was removed does', async t => {
  const { file, keys, ask } = await setUp(t)
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, '')
  await assert.rejects(keys.load(), /is empty$/)
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: right')
  writeFileSync(file, await withKeys(text, new Map([[cp1, null]])))
  await keys.load()
  assert.equal(await ask('CP1', 'old key of CP1'), 'unknown')
})

test('a new key that a station has accepted replaces the old one at once, and in the file (A01.FR.03)', async t => {
  const { keys, ask, inFile, log } = await setUp(t)
  await ask('CP1', 'old key of CP1')
  const hex = '00ff'.repeat(10)
  await keys.offer(cp1, [hex])
  keys.onNewKey(cp1, { text: hex, isValid: 'now' })
  assert.equal(await ask('CP1', hex), 'right', 'without a check')
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: wrong')
  await keys.close()
  assert.equal(
    keys.recall(cp1, `Basic ${Buffer.concat([Buffer.from('CP1:'), Buffer.from(hex, 'hex')]).toString('base64')}`),
    'right',
  )
  const hashes = (await inFile()).get(cp1) ?? []
  assert.deepEqual(await Promise.all(hashes.map(hash => matches(Buffer.from(hex, 'hex'), hash))), [true])
  assert.deepEqual(log.said('info'), ['the station has a new key: the one before is refused'])
  await keys.load()
  assert.equal(await ask('CP1', hex), 'right', 'its own write costs no check')
})

test('a new key of bytes that are digits themselves is right when the station sends the bytes', async t => {
  const { keys, ask } = await setUp(t)
  const text = '0123456789012345'
  await keys.offer(cp1, [Buffer.from(text).toString('hex')])
  assert.equal(await ask('CP1', text), 'right')
})

test('a new key that is in the file already keeps its hash when the station accepts it; any other gets a costly one', async t => {
  const { file, keys, ask, inFile } = await setUp(t)
  const [old = ''] = (await inFile()).get(cp1) ?? []
  const made = await hashOf(Buffer.from('key of auth rotate'), 'random')
  writeFileSync(file, await withKeys('', new Map([[cp1, [old, made]]])))
  await keys.offer(cp1, ['key of auth rotate'])
  keys.onNewKey(cp1, { text: 'key of auth rotate', isValid: 'now' })
  await keys.close()
  assert.deepEqual((await inFile()).get(cp1), [made])
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: wrong')
  await keys.offer(cp1, ['key of the app'])
  keys.onNewKey(cp1, { text: 'key of the app', isValid: 'now' })
  await keys.close()
  assert.match((await inFile()).get(cp1)?.join(' ') ?? '', /^\$scrypt\$ln=14,\S+$/)
})

test('a new key that counts after a reboot is valid beside the old one, until it is used', async t => {
  const { keys, ask, inFile } = await setUp(t)
  await keys.offer(cp1, ['new key of CP1'])
  keys.onNewKey(cp1, { text: 'new key of CP1', isValid: 'afterReboot' })
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: right')
  await keys.close()
  assert.equal((await inFile()).get(cp1)?.length, 2)
  assert.equal(await ask('CP1', 'new key of CP1'), 'right')
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: wrong')
  await keys.close()
  assert.equal((await inFile()).get(cp1)?.length, 1)
})

test('a new key in the file is valid beside the old one, until it is used', async t => {
  const { file, keys, ask, inFile } = await setUp(t)
  const [old = ''] = (await inFile()).get(cp1) ?? []
  writeFileSync(file, await withKeys('', new Map([[cp1, [old, await hashed('new key of CP1')]]])))
  await keys.load()
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: right')
  assert.equal(await ask('CP1', 'new key of CP1'), 'checked: right')
  assert.equal(await ask('CP1', 'old key of CP1'), 'checked: wrong')
})

test('a key that a station is offered is in the file before it gets it, and valid beside the old one', async t => {
  const stations = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`CP${at}`, `old key of CP${at}`]))
  const { keys, ask, inFile } = await setUp(t, stations)
  const offer = async (stationId: string) => {
    const text = `new key of ${stationId}`
    assert.equal(await keys.offer(id(stationId), [text]), null)
    const hashes = (await inFile()).get(id(stationId)) ?? []
    return hashes.length === 2 && (await matches(secretOf(Buffer.from(text)), hashes[1] ?? ''))
  }
  assert.deepEqual(new Set(await Promise.all(Object.keys(stations).map(offer))), new Set([true]))
  assert.deepEqual(
    [await ask('CP1', 'old key of CP1'), await ask('CP2', 'new key of CP2'), await ask('CP2', 'old key of CP2')],
    ['checked: right', 'right', 'checked: wrong'],
  )
})

/** [what the station says, the keys that are right afterwards, also after a restart, because] */
const settled: readonly (readonly [NewKey['isValid'] | null, readonly ['old key' | 'new key', KeyVerdict][], string])[] = [
  ['now', [['old key', 'wrong'], ['new key', 'right']], 'it has accepted the key'],
  ['never', [['new key', 'wrong'], ['old key', 'right']], 'it has refused the key'],
  ['afterReboot', [['old key', 'right'], ['new key', 'right'], ['old key', 'wrong']], 'it has not used it yet'],
  [null, [['old key', 'right'], ['new key', 'right'], ['old key', 'wrong']], 'its answer is lost'],
] // prettier-ignore
for (const [isValid, verdicts, because] of settled) {
  test(`of a key that was offered, ${verdicts.map(each => each.join(' is ')).join(', ')}: ${because}`, async t => {
    const { file, keys, inFile } = await setUp(t, { CP1: 'old key' })
    await keys.offer(cp1, ['new key'])
    if (isValid !== null) keys.onNewKey(cp1, { text: 'new key', isValid })
    await keys.close()
    assert.equal((await inFile()).get(cp1)?.length, isValid === 'now' || isValid === 'never' ? 1 : 2)
    for (const opened of [await openStationKeys(file, new FakeLog()), keys])
      for (const [key, verdict] of verdicts) assert.equal(await opened.check(cp1, basic('CP1', key), address), verdict)
  })
}

test('a key that cannot be written is not offered, and not valid', async t => {
  const { file, keys, ask } = await setUp(t)
  rmSync(file)
  mkdirSync(file)
  assert.match((await keys.offer(cp1, ['new key of CP1'])) ?? '', /^the file cannot be written, /)
  assert.deepEqual([await ask('CP1', 'new key of CP1'), await ask('CP1', 'old key of CP1')], ['checked: wrong', 'checked: right']) // prettier-ignore
})

test('a key that a station has already needs no second hash; neither does one that auth rotate made', async t => {
  const { file, keys, ask, inFile } = await setUp(t)
  await ask('CP1', 'old key of CP1')
  assert.equal(await keys.offer(cp1, ['old key of CP1']), null)
  const [old = ''] = (await inFile()).get(cp1) ?? []
  assert.deepEqual((await inFile()).get(cp1), [old])
  const made = await hashOf(Buffer.from('key of auth rotate'), 'random')
  writeFileSync(file, await withKeys('', new Map([[cp1, [old, made]]])))
  await keys.load()
  assert.equal(await keys.offer(cp1, ['key of auth rotate']), null)
  assert.deepEqual((await inFile()).get(cp1), [old, made])
  keys.onNewKey(cp1, { text: 'key of auth rotate', isValid: 'never' })
  await keys.close()
  assert.deepEqual((await inFile()).get(cp1), [old, made], 'an operator wrote it')
})

test('a station without a line gets a key that the bridge does not keep', async t => {
  const { keys, inFile } = await setUp(t)
  assert.equal(await keys.offer(id('CP2'), ['key of CP2']), null)
  assert.equal((await inFile()).has(id('CP2')), false)
})

test('a third key without an answer is not stored, and drops none', async t => {
  const { keys, ask, inFile } = await setUp(t)
  const problems = []
  for (const key of ['one', 'two', 'three']) problems.push(await keys.offer(cp1, [key]))
  assert.deepEqual(problems, [null, null, 'the station has two new keys already, and has used neither'])
  assert.equal((await inFile()).get(cp1)?.length, 3)
  assert.deepEqual([await ask('CP1', 'three'), await ask('CP1', 'old key of CP1'), await ask('CP1', 'one')], ['checked: wrong', 'checked: right', 'right']) // prettier-ignore
  assert.equal(await ask('CP1', 'two'), 'right', 'it came after the one in use')
})

test('of the keys of one command, none is offered where one cannot be', async t => {
  const { keys, ask, inFile } = await setUp(t)
  assert.match((await keys.offer(cp1, ['one', 'x'.repeat(257)])) ?? '', /^a key has 1 to 256 bytes/)
  await keys.close()
  assert.equal((await inFile()).get(cp1)?.length, 1)
  assert.equal(await ask('CP1', 'one'), 'checked: wrong')
})

const badKeys = ['', '00112233445566', 'ab'.repeat(70), 'x'.repeat(257)]
for (const key of badKeys) {
  test(`a key that no station can prove is not offered: ${key.length} characters, ${key.slice(0, 14)}`, async t => {
    const { keys, inFile } = await setUp(t)
    assert.match((await keys.offer(cp1, [key])) ?? '', /^a key has 1 to 256 bytes/)
    assert.equal((await inFile()).get(cp1)?.length, 1)
  })
}

const damages: readonly (readonly [string, (line: string) => string])[] = [
  ['broken', line => line.replace('\n', ' x\n')],
  ['removed', () => '# no keys\n'],
  ['cut off', () => ''],
]
for (const [how, damage] of damages) {
  test(`a key is not offered while the line of its station is ${how}, and nothing is written`, async t => {
    const { file, keys, ask } = await setUp(t)
    const text = readFileSync(file, 'utf8')
    await keys.offer(cp1, ['earlier key'])
    writeFileSync(file, damage(text))
    assert.notEqual(await keys.offer(cp1, ['new key']), null)
    assert.notEqual(await keys.offer(cp1, ['earlier key']), null, 'it is not on the disk any more')
    assert.equal(readFileSync(file, 'utf8'), damage(text))
    assert.equal(await ask('CP1', 'new key'), 'checked: wrong')
  })
}

test('a key is not offered while the file is missing, and no file is made', async t => {
  const { file, keys } = await setUp(t)
  rmSync(file)
  assert.notEqual(await keys.offer(cp1, ['new key']), null)
  assert.throws(() => readFileSync(file), /ENOENT/)
})

test('a key that is accepted while the line of its station is broken replaces the old one in the file when that is mended', async t => {
  const { file, keys, inFile } = await setUp(t)
  await keys.offer(cp1, ['new key'])
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('\n', ' x\n'))
  keys.onNewKey(cp1, { text: 'new key', isValid: 'now' })
  await keys.close()
  await assert.rejects(keys.load())
  writeFileSync(file, text)
  await keys.load()
  await keys.close()
  const hashes = (await inFile()).get(cp1) ?? []
  assert.deepEqual(await Promise.all(hashes.map(hash => matches(Buffer.from('new key'), hash))), [true])
})

/** [the keys that are offered in turn, what the station says then, the verdicts, because] */
const late: readonly (readonly [
  readonly string[],
  readonly (readonly [string, NewKey['isValid']])[],
  readonly (readonly [string, KeyVerdict])[],
  string,
])[] = [
  [['A', 'B'], [['A', 'now']], [['old key', 'wrong'], ['A', 'right'], ['B', 'right'], ['A', 'wrong']], 'B may be used'],
  [['A', 'B'], [['B', 'now'], ['A', 'now']], [['A', 'wrong'], ['B', 'right']], 'the answer to A is late'],
  [['A', 'B'], [['A', 'never']], [['A', 'wrong'], ['B', 'right']], 'A is refused'],
  [['A', 'A'], [['A', 'never']], [['A', 'right'], ['old key', 'wrong']], 'the first command with A has no answer'],
  [['A', 'A'], [['A', 'never'], ['A', 'never']], [['A', 'wrong'], ['old key', 'right']], 'both are refused'],
  [['A', 'A'], [['A', 'afterReboot'], ['A', 'never']], [['old key', 'right'], ['A', 'right']], 'A was accepted once'],
] // prettier-ignore
for (const [offers, answers, verdicts, because] of late) {
  const said = answers.map(([key, isValid]) => `${key} counts ${isValid}`).join(', ')
  test(`${offers.join(', then ')} offered, ${said}: ${verdicts.map(each => each.join(' is ')).join(', ')}: ${because}`, async t => {
    const { keys, file } = await setUp(t, { CP1: 'old key' })
    for (const key of offers) assert.equal(await keys.offer(cp1, [key]), null)
    for (const [text, isValid] of answers) keys.onNewKey(cp1, { text, isValid })
    await keys.close()
    for (const opened of [await openStationKeys(file, new FakeLog()), keys])
      for (const [key, verdict] of verdicts) {
        assert.equal(await opened.check(cp1, basic('CP1', key), address), verdict, key)
        await opened.close()
      }
  })
}

test('a refused key stays when the bridge has restarted since an earlier command with it', async t => {
  const { keys, file } = await setUp(t)
  await keys.offer(cp1, ['new key'])
  const restarted = await openStationKeys(file, new FakeLog())
  await restarted.offer(cp1, ['new key'])
  restarted.onNewKey(cp1, { text: 'new key', isValid: 'never' })
  assert.equal(await restarted.check(cp1, basic('CP1', 'new key'), address), 'right')
})

test('a key that auth rotate has made stays when the bridge writes before it has read it', async t => {
  const { file, keys, inFile } = await setUp(t)
  const [old = ''] = (await inFile()).get(cp1) ?? []
  const made = await hashOf(Buffer.from('key of auth rotate'), 'random')
  writeFileSync(file, await withKeys('', new Map([[cp1, [old, made]]])))
  assert.equal(await keys.offer(cp1, ['new key']), null)
  assert.deepEqual((await inFile()).get(cp1)?.slice(0, 2), [old, made])
  keys.onNewKey(cp1, { text: 'new key', isValid: 'never' })
  await keys.close()
  assert.deepEqual((await inFile()).get(cp1), [old, made])
  assert.equal(await keys.check(cp1, basic('CP1', 'key of auth rotate'), address), 'right')
})

test('a key of auth remove and add stays when the station accepts another one that is not in the file any more', async t => {
  const { file, keys, inFile } = await setUp(t)
  await keys.offer(cp1, ['new key'])
  const made = await hashOf(Buffer.from('key of auth add'), 'random')
  writeFileSync(file, await withKeys('', new Map([[cp1, [made]]])))
  keys.onNewKey(cp1, { text: 'new key', isValid: 'now' })
  await keys.close()
  assert.deepEqual((await inFile()).get(cp1), [made])
  assert.deepEqual(await keys.load(), [cp1], 'its connection ends')
  await keys.close()
  assert.equal(await keys.check(cp1, basic('CP1', 'new key'), address), 'wrong')
  assert.equal(await keys.check(cp1, basic('CP1', 'key of auth add'), address), 'right')
})

test('what a station says of a key outlives a reload of a line that has another key more', async t => {
  const { file, keys, inFile } = await setUp(t)
  await keys.offer(cp1, ['new key'])
  const made = await hashOf(Buffer.from('key of auth rotate'), 'random')
  writeFileSync(file, await withKeys('', new Map([[cp1, [...((await inFile()).get(cp1) ?? []), made]]])))
  assert.deepEqual(await keys.load(), [])
  keys.onNewKey(cp1, { text: 'new key', isValid: 'now' })
  await keys.close()
  assert.deepEqual((await inFile()).get(cp1)?.slice(1), [made])
  assert.equal(await keys.check(cp1, basic('CP1', 'old key of CP1'), address), 'wrong')
})

test('a key in a line that an operator replaces while another one is hashed stays in use', async t => {
  const { file, keys, inFile } = await setUp(t)
  const offered = keys.offer(cp1, ['new key of CP1'])
  const mine = await hashOf(Buffer.from('key of the operator'), 'random')
  writeFileSync(file, await withKeys('', new Map([[cp1, [mine]]])))
  await keys.load()
  await offered
  assert.equal((await inFile()).get(cp1)?.[0], mine)
  keys.onNewKey(cp1, { text: 'new key of CP1', isValid: 'never' })
  await keys.close()
  assert.deepEqual((await inFile()).get(cp1), [mine])
})

test('no reload brings an old key back, or loses a station, while new ones are written', async t => {
  const { file, keys } = await setUp(t, { CP1: 'old key of CP1' })
  const random = await hashOf(Buffer.from('a random key'), 'random')
  const lines = new Map(Array.from({ length: 300 }, (_, at) => [id(`CP${at}`), [random]] as const))
  writeFileSync(file, await withKeys('', lines))
  await keys.load()
  const lost: StationId[] = []
  const reload = async (): Promise<void> => void lost.push(...(await keys.load()))
  for (let round = 0; round < 5; round++) {
    const reloads = [reload(), reload()]
    await keys.offer(cp1, [`key ${round}`])
    reloads.push(reload())
    keys.onNewKey(cp1, { text: `key ${round}`, isValid: 'now' })
    reloads.push(reload())
    await Promise.all(reloads)
    await keys.close()
    assert.equal(keys.recall(cp1, basic('CP1', `key ${round}`)), 'right')
  }
  assert.deepEqual(lost, [])
})

test('a station that was removed from the file does not come back by a new key', async t => {
  const { file, keys, inFile } = await setUp(t)
  await keys.offer(cp1, ['new key of CP1'])
  writeFileSync(file, '# no keys\n')
  keys.onNewKey(cp1, { text: 'new key of CP1', isValid: 'now' })
  await keys.close()
  assert.equal((await inFile()).size, 0)
  await keys.load()
  keys.onNewKey(cp1, { text: 'new key of CP1', isValid: 'now' })
  assert.equal(keys.recall(cp1, basic('CP1', 'new key of CP1')), 'unknown')
})

test('a new key that cannot be written counts all the same, is an error in the log, and is written later', async t => {
  const { file, keys, ask, inFile, log } = await setUp(t)
  await keys.offer(cp1, ['new key of CP1'])
  const text = readFileSync(file, 'utf8')
  rmSync(file)
  mkdirSync(file)
  keys.onNewKey(cp1, { text: 'new key of CP1', isValid: 'now' })
  await keys.close()
  assert.deepEqual(log.said('error'), [
    'ocpp_auth_file cannot be written: new keys fail, and replaced ones are valid again after a restart',
  ])
  assert.equal(await ask('CP1', 'new key of CP1'), 'right')
  rmdirSync(file)
  writeFileSync(file, text)
  await keys.load()
  await keys.close()
  assert.equal(await ask('CP1', 'new key of CP1'), 'right')
  assert.equal(await matches(Buffer.from('new key of CP1'), (await inFile()).get(cp1)?.[0] ?? ''), true)
})

test('a load returns the stations whose key is no longer in the file', async t => {
  const { file, keys, inFile } = await setUp(t, {
    CP1: 'key of CP1',
    CP2: 'key of CP2',
    CP3: 'key of CP3',
    CP4: 'key of CP4',
  })
  const lines = new Map(await inFile())
  const [rotated = ''] = lines.get(id('CP2')) ?? []
  lines.set(cp1, [await hashed('other key of CP1')])
  lines.set(id('CP2'), [rotated, await hashed('new key of CP2')])
  lines.delete(id('CP3'))
  writeFileSync(file, await withKeys('', lines))
  assert.deepEqual(await keys.load(), ['CP1', 'CP3'], 'CP2 has two keys now, CP4 has the same')
  assert.deepEqual(await keys.load(), [], 'nothing has changed since')
})

for (const isValid of ['now', 'afterReboot'] as const) {
  test(`a load returns no station that has accepted its new key itself, valid ${isValid}, before and after it is written`, async t => {
    const { keys, ask } = await setUp(t)
    await ask('CP1', 'old key of CP1')
    await keys.offer(cp1, ['new key of CP1'])
    keys.onNewKey(cp1, { text: 'new key of CP1', isValid })
    const before = await keys.load()
    await keys.close()
    const written = await keys.load()
    await ask('CP1', 'new key of CP1')
    await keys.close()
    assert.deepEqual([before, written, await keys.load()], [[], [], []])
  })
}
