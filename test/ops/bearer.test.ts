import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearer } from '../../src/ops/bearer.ts'

const rows = [
  ['Bearer abc', true],
  ['bearer abc', false],
  ['Bearer abcd', false],
  ['abc', false],
  ['', false],
  [undefined, false],
] as const
for (const [authorization, expected] of rows)
  test(`the header ${String(authorization)} carries abc: ${expected}`, () =>
    assert.equal(bearer('abc')(authorization), expected))
