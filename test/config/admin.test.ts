import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolve } from '../../src/config/resolve.ts'

function resolved(...argv: readonly string[]) {
  return resolve({ argv, env: {}, file: null, nodeId: 'n' })
}

const problems = [
  [['--admin_port=8080'], /the stations' port/],
  [['--admin_port=9090', '--metrics_http=/metrics', '--metrics_port=9090'], /metrics_port too/],
  [['--admin_port=8091', '--admin_host=0.0.0.0'], /admin_host is 0.0.0.0, .*: set admin_token/],
  [['--admin_port=8091', '--admin_host=0.0.0.0', '--admin_token=none'], /set admin_token/],
  [['--admin_port=8091', '--admin_host=0.0.0.0', '--admin_read_token=r'], /set admin_token/],
  [['--admin_port=8091', '--admin_token=same', '--admin_read_token=same'], /the same as admin_token/],
] as const
for (const [argv, problem] of problems) {
  test(`${argv.join(' ')} prevents the start`, () => {
    const resolution = resolved(...argv)
    assert.ok(!resolution.ok)
    assert.equal(resolution.problems.length, 1)
    assert.match(resolution.problems[0] ?? '', problem)
  })
}

for (const argv of [
  ['--admin_host=0.0.0.0'],
  ['--admin_port=8091'],
  ['--admin_port=8091', '--admin_host=::1'],
  ['--admin_port=8091', '--admin_host=0.0.0.0', '--admin_token=t'],
])
  test(`${argv.join(' ')} starts`, () => assert.equal(resolved(...argv).ok, true))

test('a token without a port is warned of, and never shown', () => {
  const resolution = resolved('--admin_token=geheim42')
  assert.match(resolution.warnings.join(), /there is no admin API/)
  assert.equal(resolution.warnings.join().includes('geheim42'), false)
})
