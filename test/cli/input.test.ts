import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandError } from '../../src/cli/command.ts'
import { readText } from '../../src/cli/input.ts'

test('a file that cannot be read is named, and counts as wrong usage', () => {
  assert.throws(
    () => readText('/nowhere/payload.json'),
    (error: unknown) =>
      error instanceof CommandError && error.exit === 2 && /^\/nowhere\/payload\.json: ENOENT/.test(error.message),
  )
})
