import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newKey } from '../../../src/cli/auth/generate.ts'

const forms = [
  ['ocpp1.6', /^[\da-f]{40}$/, '20 bytes as hexadecimal digits'],
  ['ocpp2.0.1', /^[A-Za-z\d]{32}$/, 'a passwordString of at most 40 characters'],
  ['ocpp2.1', /^[A-Za-z\d]{32}$/, 'a passwordString of at most 64 characters'],
] as const
for (const [version, form, because] of forms) {
  test(`a new key for ${version} has the form ${form.source}, and differs each time: ${because}`, () => {
    const keys = Array.from({ length: 50 }, () => newKey(version))
    for (const key of keys) assert.match(key, form)
    assert.equal(new Set(keys).size, keys.length)
  })
}
