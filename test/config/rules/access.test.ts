import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolve } from '../../../src/config/resolve.ts'

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

const onStationsPort = /^http_broadcast_port is 8080, the stations' port, and broadcasts need no key: set broadcast_key/
const reachable = /^host is .*, which other machines reach, and broadcasts on port 8090 need no key: set broadcast_key/

const rows: readonly [flags: readonly string[], problem: RegExp | null, because: string][] = [
  [[], null, 'only this machine reaches the port'],
  [['host=127.0.0.1'], null, 'a loopback address'],
  [['host=::1'], null, 'the loopback address of IPv6'],
  [['host=0.0.0.0'], reachable, 'every address, without a key'],
  [['host=::'], reachable, 'every address of IPv6, without a key'],
  [['host=192.0.2.1'], reachable, 'one address, without a key'],
  [['host=0.0.0.0', 'secret=s', 'broadcast_key=none'], reachable, 'a key set to none'],
  [['host=0.0.0.0', 'nats_servers=n:1', 'broadcast_adapter=nats,http'], reachable, 'NATS beside keyless HTTP'],
  [['host=0.0.0.0', 'broadcast_key=k'], null, 'a key'],
  [['host=0.0.0.0', 'secret=s'], null, 'a key derived from the secret'],
  [['host=0.0.0.0', 'nats_servers=n:1'], null, 'HTTP broadcasts are not used'],
  [['http_broadcast_port=8080', 'broadcast_key=k'], null, "the stations' port with a key"],
  [['http_broadcast_port=8080'], onStationsPort, "the stations' port without a key"],
  [['http_broadcast_port=8080', 'host=0.0.0.0'], onStationsPort, "the stations' port, one line for both faults"],
  [['http_broadcast_port=8080', 'broadcast_adapter=nats'], null, 'HTTP broadcasts are not used'],
]
for (const [flags, problem, because] of rows) {
  test(`${flags.join(' ') || 'the default'} ${problem === null ? 'starts' : 'does not start'}: ${because}`, () => {
    const resolution = resolved(...flags.map(flag => `--${flag}`))
    const problems = resolution.ok ? [] : resolution.problems
    assert.equal(problems.length, problem === null ? 0 : 1)
    if (problem !== null) assert.match(problems[0] ?? '', problem)
  })
}

const unchecked =
  /^ocpp_profile is [12], but the keys of stations are not checked: add authorization to headers, or set/
const keyRows: readonly (readonly [flags: readonly string[], caution: RegExp | null, because: string])[] = [
  [['ocpp_profile=1', 'headers=cookie'], unchecked, 'the app does not get them'],
  [['ocpp_profile=2', 'headers=cookie', 'ssl_cert=c', 'ssl_key=k'], unchecked, 'nor over TLS'],
  [['ocpp_profile=1'], null, 'the app gets them'],
  [['ocpp_profile=1', 'headers=cookie', 'ocpp_auth_file=keys'], null, 'the bridge checks them'],
  [['headers=cookie'], null, 'no profile needs them'],
]
for (const [flags, caution, because] of keyRows) {
  test(`${flags.join(' ')} ${caution === null ? 'is no reason to warn' : 'is warned of'}: ${because}`, () => {
    const found = resolved(...flags.map(flag => `--${flag}`)).warnings.filter(each => each.includes('keys of stations'))
    if (caution === null) assert.deepEqual(found, [])
    else assert.match(found.join(), caution)
  })
}
