import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stationStates } from '../../../src/admin/answers.ts'
import { states } from '../../../src/console/model/states.ts'

test('every state has a word of its own, and a sign that no state of another tone has', () => {
  assert.deepEqual(Object.keys(states).sort(), [...stationStates].sort())
  const all = Object.values(states)
  assert.equal(new Set(all.map(({ word }) => word)).size, all.length)
  for (const { sign, tone } of all) assert.ok(all.every(other => other.sign !== sign || other.tone === tone))
})
