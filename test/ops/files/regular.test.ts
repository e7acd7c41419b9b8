import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { maxFileMiB, readRegularFile, readRegularFileSync } from '../../../src/ops/files/regular.ts'
import { replacements } from '../../support/replacements.ts'
import { temporaryDirectory } from '../../support/store.ts'

const readers = [
  ['readRegularFile', readRegularFile],
  ['readRegularFileSync', (file: string) => new Promise<string>(resolve => resolve(readRegularFileSync(file)))],
] as const
for (const [name, read] of readers) {
  for (const { name: what, replace, problem } of replacements) {
    test(`${name} ${problem === null ? 'reads' : 'rejects'} ${what} at once`, { timeout: 10_000 }, async t => {
      const file = join(temporaryDirectory(t), 'file')
      await replace(file)
      if (problem === null) assert.equal(await read(file), '')
      else await assert.rejects(read(file), problem)
    })
  }

  test(`${name} reads the text behind symlinks, as Kubernetes mounts a Secret`, async t => {
    const folder = temporaryDirectory(t)
    mkdirSync(join(folder, '..2026'))
    writeFileSync(join(folder, '..2026/tls.crt'), 'é\n')
    symlinkSync('..2026', join(folder, '..data'))
    symlinkSync('..data/tls.crt', join(folder, 'tls.crt'))
    assert.equal(await read(join(folder, 'tls.crt')), 'é\n')
  })

  test(`${name} reads the largest file`, async t => {
    const file = join(temporaryDirectory(t), 'file')
    writeFileSync(file, '')
    truncateSync(file, maxFileMiB * 2 ** 20)
    assert.equal((await read(file)).length, maxFileMiB * 2 ** 20)
  })
}
