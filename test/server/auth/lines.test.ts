import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { hashesOf, parseKeys, withKeys, type Hashes } from '../../../src/server/auth/lines.ts'
import type { StationId } from '../../../src/translate/handshake.ts'

const hash = '$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'
const other = hash.replace('aGFz', 'AGFz')

test('each line is a station and its hashes; comments, blanks and line ends of Windows do not count', async () => {
  const text = `# keys\n\nCP1 ${hash}\r\n  RDAM%20%7C1%3A2\t${hash}  ${other} \n#CP3 ${hash}\n`
  assert.deepEqual(await parseKeys(text), {
    keys: new Map([
      ['CP1', [hash]],
      ['RDAM |1:2', [hash, other]],
    ]),
    problems: [],
  })
})

test('the hashes of one station are those of its own line', async () => {
  const cp1 = 'CP 1' as StationId
  const text = await withKeys('', new Map([[cp1, [hash, other]], ['CP 10' as StationId, [other]]])) // prettier-ignore
  assert.deepEqual([hashesOf(text, cp1), hashesOf(text, 'CP' as StationId)], [[hash, other], []])
  assert.deepEqual(hashesOf('CP%201 secret\n', cp1), [])
})

const problems: readonly (readonly [line: string, expected: string])[] = [
  ['CP2', 'expected an identity and the hash of its key'],
  [`CP2 ${hash} ${hash} ${hash} ${hash}`, 'expected an identity and the hash of its key'],
  ['CP2 secret', 'the hash of the key is not one of scrypt'],
  [`CP2 ${hash} secret`, 'the hash of the key is not one of scrypt'],
  [`CP%zz ${hash}`, 'the identity is not percent-encoded'],
  [`CP1 ${other}`, 'the station has a line above'],
]
for (const [line, expected] of problems) {
  test(`${line.slice(0, 30)} is a problem with the number of its line, and repeats no key: ${expected}`, async () => {
    const { keys, problems: found } = await parseKeys(`CP1 ${hash}\n# comment\n${line}\n`)
    assert.deepEqual(found, [`line 3: ${expected}`])
    assert.deepEqual([...keys.keys()], ['CP1'])
  })
}

const changes: readonly (readonly [
  text: string,
  change: readonly [string, Hashes | null],
  expected: string,
  because: string,
])[] = [
  ['', ['CP1', [hash]], `CP1 ${hash}\n`, 'an empty file'],
  [`CP1 ${hash}`, ['CP 2', [hash]], `CP1 ${hash}\nCP%202 ${hash}\n`, 'the last line has no end'],
  [`# a\nCP1 ${hash}\n\nCP2 ${hash}\n`, ['CP1', [other]], `# a\nCP1 ${other}\n\nCP2 ${hash}\n`, 'all else stays'],
  [`# a\nCP1 ${hash}\nbroken\n`, ['CP1', null], '# a\nbroken\n', 'a removal'],
  [`CP1 ${hash}\n`, ['CP2', null], `CP1 ${hash}\n`, 'nothing to remove'],
  [`CP1 ${hash}\nCP1 ${hash}\n`, ['CP1', [other]], `CP1 ${other}\nCP1 ${hash}\n`, 'a second line is a mistake'],
]
for (const [text, [stationId, hashes], expected, because] of changes) {
  test(`the line of ${stationId} is ${hashes === null ? 'removed from' : 'written into'} ${JSON.stringify(text.slice(0, 20))}: ${because}`, async () => {
    assert.equal(await withKeys(text, new Map([[stationId as StationId, hashes]])), expected)
  })
}

test('a file of 10,000 lines is read and changed in many turns of the event loop', async () => {
  const text = Array.from({ length: 10_000 }, (_, at) => `CP${at} ${hash}\n`).join('')
  const turnsOf = async (work: Promise<unknown>): Promise<number> => {
    const state = { isDone: false, turns: 0 }
    void work.then(() => (state.isDone = true))
    for (; !state.isDone; state.turns++) await setImmediate()
    return state.turns
  }
  const turns = [await turnsOf(parseKeys(text)), await turnsOf(withKeys(text, new Map([['CP1' as StationId, null]])))]
  assert.ok(
    turns.every(each => each >= 100),
    String(turns),
  )
})
