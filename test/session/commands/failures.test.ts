import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { failures } from '../../../src/session/commands/failures.ts'

test('docs/protocol.md explains each code with which the bridge itself fails a command', () => {
  const docs = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
  const [, section = ''] = /^## Remote commands\n(.*?)(?=^## )/ms.exec(docs) ?? []
  const explained = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code)
  assert.deepEqual(explained.sort(), Object.keys(failures).sort())
})
