import assert from 'node:assert/strict'
import { test } from 'node:test'
import { paint } from '../../../src/cli/show/paint.ts'

test('paint colours a text only where the terminal has colours', () => {
  assert.equal(paint('x', 31, { hasColours: true }), '\u001b[31mx\u001b[0m')
  assert.equal(paint('x', 31, { hasColours: false }), 'x')
})
