import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolve } from '../../../src/config/resolve.ts'

function resolved(...flags: readonly string[]) {
  return resolve({ argv: flags.map(flag => `--${flag}`), env: {}, file: null, nodeId: 'n' })
}

const problems = [
  [['metrics_http=/metrics'], /set it, for example --metrics_port=9090/, 'metrics without a port'],
  [['metrics_http=/metrics', 'metrics_port=81', 'port=81'], /^metrics_port is 81, the stations' port/, 'one port'],
  [['metrics_log', 'metrics_rotate_interval=0'], /^--metrics_rotate_interval: .* from 1s/, 'no interval'],
  [['metrics_log', 'metrics_log_filter=rpc-call'], /^--metrics_log_filter: /, 'no name of a metric'],
  [['statsd_host=here', 'metrics_tags=production'], /^--metrics_tags: .* each name:value/, 'a tag without its name'],
  [['statsd_host=udp://here'], /^--statsd_host: .* expected host:port; without a port, 8125/, 'a URL'],
  [['statsd_host=here', 'statsd_prefix=a:b'], /^--statsd_prefix: /, 'a character of the protocol'],
  [['statsd_host=here', 'statsd_tags_format=dogstatsd'], /^--statsd_tags_format: .* datadog or influx/, 'no format'],
  [['statsd_host=here', 'statsd_max_packet_size=100'], /^--statsd_max_packet_size: .* from 512/, 'too small'],
  [['statsd_host=here', 'statsd_max_packet_size=65508'], /^--statsd_max_packet_size: .* to 65507/, 'too large'],
] as const
for (const [flags, problem, because] of problems) {
  test(`[${flags.join(' ')}] prevents the start: ${because}`, () => {
    const resolution = resolved(...flags)
    assert.ok(!resolution.ok)
    assert.equal(resolution.problems.length, 1)
    assert.match(resolution.problems[0] ?? '', problem)
  })
}

const cautions = [
  [['metrics_port=9090'], /^metrics_port is set, but metrics_http is not/],
  [['metrics_log_filter=clients_num'], /^metrics_log_filter is set, but metrics_log is not/],
  [['metrics_rotate_interval=60'], /^metrics_rotate_interval is set, but neither metrics_log nor statsd_host is/],
  [['metrics_tags=env:a', 'metrics_log'], /^metrics_tags is set, but neither metrics_http nor statsd_host is/],
  [['statsd_prefix=anycable_go.'], /^statsd_prefix is set, but statsd_host is not: nothing is sent to StatsD/],
  [['statsd_tags_format=graphite'], /^statsd_tags_format is set, but statsd_host is not/],
  [['statsd_max_packet_size=512'], /^statsd_max_packet_size is set, but statsd_host is not/],
] as const
for (const [flags, warning] of cautions) {
  test(`[${flags.join(' ')}] gives a warning: it does nothing`, () => {
    const resolution = resolved(...flags)
    assert.ok(resolution.ok)
    assert.equal(resolution.warnings.length, 1, resolution.warnings.join('\n'))
    assert.match(resolution.warnings[0] ?? '', warning)
  })
}

for (const flags of [
  ['metrics_http=/metrics', 'metrics_port=9090', 'metrics_tags=env:a'],
  ['metrics_log', 'metrics_log_filter=clients_num', 'metrics_rotate_interval=60'],
  [
    'statsd_host=here',
    'metrics_rotate_interval=5s',
    'metrics_tags=env:a',
    'statsd_prefix=',
    'statsd_max_packet_size=512',
  ],
])
  test(`[${flags.join(' ')}] gives no warning`, () => {
    const resolution = resolved(...flags)
    assert.ok(resolution.ok)
    assert.deepEqual(resolution.warnings, [])
  })
