import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problems, type ProblemName } from '../../../src/admin/problems.ts'
import { routes } from '../../../src/admin/routes.ts'
import { callExits, exitOf } from '../../../src/cli/stations/call-exits.ts'

const names = Object.keys(problems) as ProblemName[]

test('each problem has one exit code, and each code is of problems that the route has', () => {
  for (const name of names) assert.ok(callExits.filter(each => each.problems.includes(name)).length <= 1, name)
  const known = new Set<ProblemName>(routes.callStation.problems)
  for (const { problems: own } of callExits) assert.deepEqual(own.filter(name => !known.has(name)), []) // prettier-ignore
})

test('exitOf is 1 for a problem without a code of its own', () => {
  assert.deepEqual([exitOf('call-error'), exitOf('queue-full'), exitOf('unauthorized')], [3, 1, 1])
})
