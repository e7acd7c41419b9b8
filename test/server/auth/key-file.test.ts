import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { changeFile } from '../../../src/server/auth/key-file.ts'
import { temporaryDirectory } from '../../support/store.ts'

test('no change is lost when twenty are made at once', async t => {
  const file = join(temporaryDirectory(t), 'keys')
  const numbers = Array.from({ length: 20 }, (_, number) => number)
  await Promise.all(numbers.map(number => changeFile(file, text => `${text}${number}\n`)))
  const lines = readFileSync(file, 'utf8').trim().split('\n').map(Number)
  assert.deepEqual(
    lines.sort((one, other) => one - other),
    numbers,
  )
})

test('a new file is readable by its owner only; a changed one keeps its mode, and nothing else is left behind', async t => {
  const directory = temporaryDirectory(t)
  const file = join(directory, 'keys')
  await changeFile(file, () => 'one')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  writeFileSync(join(directory, 'shared'), 'one', { mode: 0o640 })
  symlinkSync('shared', join(directory, 'link'))
  await changeFile(join(directory, 'link'), () => 'two')
  assert.equal(readFileSync(join(directory, 'shared'), 'utf8'), 'two')
  assert.equal(statSync(join(directory, 'shared')).mode & 0o777, 0o640)
  assert.deepEqual(readdirSync(directory).sort(), ['keys', 'link', 'shared'])
})

test('a file is not written when the change makes none, and not when it fails', async t => {
  const directory = temporaryDirectory(t)
  const file = join(directory, 'keys')
  writeFileSync(file, 'one')
  const before = statSync(file).ino
  await changeFile(file, text => text)
  await assert.rejects(
    changeFile(file, () => {
      throw new Error('no')
    }),
    /^Error: no$/,
  )
  assert.deepEqual([statSync(file).ino, readdirSync(directory)], [before, ['keys']])
})

for (const [age, because] of [
  [60, 'a minute ago'],
  [-3_600, 'before the clock was set back by an hour'],
] as const)
  test(`the lock of a process that was killed does not stay: ${because}`, async t => {
    const file = join(temporaryDirectory(t), 'keys')
    writeFileSync(`${file}.lock`, '')
    const at = Date.now() / 1000 - age
    utimesSync(`${file}.lock`, at, at)
    await changeFile(file, () => 'one')
    assert.equal(readFileSync(file, 'utf8'), 'one')
  })

test('a user who may not give files away changes a file of another user, which is theirs then', async t => {
  if (process.geteuid?.() !== 0) return t.skip('only root can become somebody else')
  const [directory, nobody] = [temporaryDirectory(t), 65_534]
  const file = join(directory, 'keys')
  writeFileSync(file, 'one', { mode: 0o644 })
  chmodSync(directory, 0o777)
  process.setegid?.(nobody)
  process.seteuid?.(nobody)
  try {
    await changeFile(file, () => 'two')
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
  const { uid, mode } = statSync(file)
  assert.deepEqual([readFileSync(file, 'utf8'), uid, mode & 0o777], ['two', nobody, 0o644])
})
