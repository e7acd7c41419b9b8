import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cautions, cautionsOf, logCautions } from '../../../src/server/auth/cautions.ts'
import { FakeLog } from '../../support/fakes.ts'
import { temporaryDirectory } from '../../support/store.ts'

const modes: readonly (readonly [mode: number, exposed: boolean, because: string])[] = [
  [0o600, false, 'its owner alone reads it'],
  [0o640, false, 'a group may read it'],
  [0o660, true, 'a group may add stations'],
  [0o644, true, 'anyone may read it'],
  [0o602, true, 'anyone may add stations'],
]
for (const [mode, exposed, because] of modes) {
  test(`a file of mode ${mode.toString(8)} ${exposed ? 'is a caution' : 'is none'}: ${because}`, async t => {
    const file = join(temporaryDirectory(t), 'keys')
    writeFileSync(file, '')
    chmodSync(file, mode)
    assert.deepEqual(await cautionsOf(file, 1), exposed ? ['exposed'] : [])
  })
}

test('a file without keys is a caution', async t => {
  const file = join(temporaryDirectory(t), 'keys')
  writeFileSync(file, '# none yet\n', { mode: 0o600 })
  assert.deepEqual(await cautionsOf(file, 0), ['empty'])
})

test('a file in a directory that cannot be written is a caution, whoever runs the bridge', async () => {
  assert.deepEqual(await cautionsOf('/proc/sys/kernel/ostype', 1), ['exposed', 'readOnly'])
})

test('each caution is one warning that names the file and says what to do', () => {
  const log = new FakeLog()
  logCautions(['exposed', 'empty', 'readOnly'], 'keys', log)
  assert.deepEqual(log.said('warn'), Object.values(cautions))
  for (const text of Object.values(cautions)) assert.match(text, /^[^:]+: [^:]+$/)
})
