import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'smol-toml'
import { configurationPage, helpText, printedConfig } from '../../src/config/help.ts'
import { nameOf } from '../../src/config/option.ts'
import { programRows, rows } from '../../src/config/options.ts'
import { resolve } from '../../src/config/resolve.ts'

const help = helpText(['Commands', '  call  Calls a station.'])

test('helpText lists every option with its default and variable, and no deprecated spelling', () => {
  for (const { spellings } of rows) {
    for (const { flag, env, old } of spellings) {
      if (flag !== undefined) assert.equal(help.includes(`--${flag}`), !old, flag)
      if (env !== undefined) assert.equal(help.includes(`$${env}`), !old, env)
    }
  }
  assert.match(
    help,
    /--port <number>\n.*\n {6}\[a whole number, from 0 to 65535; default 8080; \$ANYCABLE_PORT, \$PORT\]\n/,
  )
})

test('helpText lists the flags of the command line without variables', () => {
  for (const { spellings } of programRows) assert.match(help, new RegExp(`\n  --${spellings[0].flag ?? ''}\\b`))
  assert.match(help, /\n {2}--help, -h\n/)
  assert.doesNotMatch(help, /ANYCABLE_(CONFIG_PATH|IGNORE_CONFIG_PATH|PRINT_CONFIG|HELP|VERSION|H|V)\b/)
})

test('helpText fits 100 columns and ends with a line break', () => {
  assert.deepEqual(
    help.split('\n').filter(line => line.length > 100 || line !== line.trimEnd()),
    [],
  )
  assert.ok(help.endsWith('.\n'))
})

test('docs/configuration.md matches the option table', () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  assert.equal(page, configurationPage(), 'run npm run docs')
})

test('helpText lists tables with their TOML headers, as TOML only', () => {
  assert.match(help, /\n {2}\[\[ocpp_validation\]\]\n( {6}.*\n)+ {6}\[TOML file only; an array/)
  assert.match(help, /\n {2}\[ocpp_silent_answers\]\n( {6}.*\n)+ {6}\[TOML file only; a table/)
  assert.doesNotMatch(help, /(--|\$)undefined|--ocpp_validation|\$ANYCABLE_OCPP_VALIDATION/)
})

test('docs/configuration.md has a valid example of each table', () => {
  const examples = Array.from(configurationPage().matchAll(/```toml\n(.*?)```/gs), ([, text = '']) => text)
  assert.equal(examples.length, rows.filter(each => each.option.kind.shape === 'table').length)
  for (const text of examples) {
    const resolution = resolve({ argv: [], env: {}, file: { path: 'example.toml', text }, nodeId: 'n' })
    assert.ok(resolution.ok, JSON.stringify(resolution))
    assert.notDeepEqual(resolution.settings, emptyHanded(), text)
  }
})

function emptyHanded() {
  const resolution = resolve({ argv: [], env: {}, file: null, nodeId: 'n' })
  assert.ok(resolution.ok, 'the defaults are a configuration')
  return resolution.settings
}

test('docs/configuration.md has an entry for every option, and lists deprecated spellings', () => {
  const page = configurationPage()
  for (const row of [...rows, ...programRows]) {
    const heading = row.option.kind.shape === 'table' ? /^### `\[+NAME\]+`$/ : /^### `--NAME\b/
    assert.match(page, new RegExp(heading.source.replace('NAME', nameOf(row)), 'm'), nameOf(row))
  }
  assert.match(page, /- The deprecated spelling `ocpp_hearbeat_interval` is accepted too/)
  assert.match(page, /- TOML: `cert_path` in `\[server\.ssl\]`\n/)
  assert.match(page, /- TOML: `broadcast_key` at the top level\n/)
})

function printed(argv: readonly string[], toml = ''): string {
  const resolution = resolve({ argv, env: {}, file: { path: 'given.toml', text: toml }, nodeId: 'random' })
  assert.ok(resolution.ok, JSON.stringify(resolution))
  return printedConfig(resolution.settings, resolution.config)
}

const lines: readonly [argv: readonly string[], expected: RegExp, because: string][] = [
  [[], /\n\[server\]\n(# .*\n)+host = "localhost"\n/, 'a section, with the description of a key'],
  [[], /\n# default_version = "" \(not set\)\n/, 'an unset option is a comment'],
  [[], /\nidle_timeout = "0s"\n# in effect: 2m\n/, 'a derived value stays unset, and a comment shows it'],
  [[], /\n# node_id = "" \(not set\)\n# in effect: random\n/, 'a random id is not written'],
  [['--debug'], /\nlevel = "info"\n# in effect: debug\n/, 'a level that another option overrules'],
  [[], /\nimplementation = "auto"\n# in effect: grpc\n/, 'the way that is found by the address'],
  [['--rpc_tls_root_ca=ca'], /\nenable_tls = false\n# in effect: true\n/, 'a switch that another option sets'],
  [['--secret=none'], /\nsecret = "none"\n# in effect: none\n/, 'a secret switched off'],
  [['--ocpp_call_timeout=90'], /\ncall_timeout = "90s"\n/, 'a duration has its unit'],
  [['--ocpp_sn=station_id'], /\nsn = "station_id"\n/, 'one of some words'],
  [['--headers=a,b'], /\nproxy_headers = \[ "a", "b" \]\n/, 'a list'],
]
for (const [argv, expected, because] of lines) {
  test(`printedConfig for [${argv.join(' ')}] matches ${expected.source}: ${because}`, () => {
    assert.match(printed(argv), expected)
  })
}

test('printedConfig writes an unset table as a comment with an example', () => {
  const lines = printed([]).split('\n')
  const at = lines.indexOf('# [[ocpp_validation]]')
  assert.deepEqual(lines.slice(at - 1, at + 4), [
    '# (not set) For example:',
    '# [[ocpp_validation]]',
    '# station = "ABB-*"',
    '# action = "MeterValues"',
    '# mode = "off"',
  ])
})

test('printedConfig writes tables last, because later keys would belong to them', () => {
  const toml = printed(
    [],
    'ocpp_validation = [{ mode = "off" }]\nocpp_silent_answers.DataTransfer = { status = "Rejected" }',
  )
  assert.match(
    toml,
    /\n\[\[ocpp_validation\]\]\nstation = "\*"\naction = "\*"\nmode = "off"\n\n(# .*\n)+\[ocpp_silent_answers\.DataTransfer\]\nstatus = "Rejected"\n$/,
  )
})

test('printedConfig hides secrets', () => {
  const toml = printed([
    ...['--secret=hush1', '--broadcast_key=hush2', '--nats_servers=nats://u:hush3@n:1'],
    ...['--rpc_host=http://app', '--http_rpc_secret=hush4'],
  ])
  assert.doesNotMatch(toml + printed(['--nats_token=hush5']), /hush/)
  assert.match(toml, /\[rpc\][^[]*\n# secret = "…" \(set, not shown\)\n/)
  assert.match(toml, /\n# secret = "…" \(set, not shown\)\n/)
  assert.match(toml, /\n# broadcast_key = "…" \(set, not shown\)\n/)
  assert.match(toml, /\n# servers = "…" \(set, not shown\)\n/)
})

const duration = fc.oneof(
  fc.integer({ min: 1, max: 3600 }).map(seconds => `${seconds}s`),
  fc.integer({ min: 1, max: 24 }).map(hours => `${hours}h`),
)
const ms = fc.integer({ min: 1, max: 86_400_000 }).map(each => `${each}ms`)
const onOff = fc.constantFrom('true', 'false')
const port = fc.integer({ min: 0, max: 65535 }).map(String)
const count = fc.integer({ min: 1, max: 1e9 }).map(String)
const path = fc.stringMatching(/^\/[\w."'\\#?é-]{0,12}$/).map(each => each.replace(/[#?]/g, '_'))
const name = fc.stringMatching(/^[A-Za-z_"'\\é-]{1,12}$/)
const text = fc.string({ minLength: 1, unit: 'binary' })
const secret = text.filter(given => !/\p{Cc}/u.test(given))
const token = fc.stringMatching(/^[!-~]{1,12}$/)
const size = fc.oneof(
  fc.integer({ min: 1024, max: 1e9 }).map(String),
  fc.integer({ min: 1, max: 1024 }).map(each => `${each}MiB`),
)
const list = (item: fc.Arbitrary<string>, minLength = 0) =>
  fc.array(item, { minLength, maxLength: 4 }).map(each => each.join(','))
/** For options that conflict with others: usually unset. */
const rarely = (value: fc.Arbitrary<string>, otherwise = '') =>
  fc.oneof({ arbitrary: fc.constant(otherwise), weight: 9 }, value)
const version = fc.constantFrom('1.6', '2.0.1', '2.1')

/** A value for each option, as a flag. The property skips combinations that conflict. */
const values: Readonly<Record<string, fc.Arbitrary<string>>> = {
  host: name,
  port,
  'health-path': path,
  'ready-path': path,
  ssl_cert: list(name, 1),
  ssl_key: list(name, 1),
  ssl_client_ca: rarely(path),
  ssl_client_crl: rarely(path),
  ssl_client_verify: fc.constantFrom('off', 'optional', 'required'),
  ssl_legacy: onOff,
  ocpp_profile: rarely(fc.constantFrom('2', '3'), '1'),
  ocpp_operator: name,
  ocpp_certificate_names: fc.constantFrom('cn', 'san', 'serial'),
  ocpp_profile_downgrade: list(name),
  trusted_proxies: list(fc.constantFrom('10.0.0.0/8', '192.0.2.1', '2001:db8::/32'), 1),
  proxy_client_cert: rarely(fc.constantFrom('client-cert', 'ssl-client-cert')),
  proxy_protocol: rarely(fc.constant('true'), 'false'),
  'max-conn': count,
  max_message_size: size,
  limits_conn_per_address: count,
  limits_upgrade_rate: count,
  limits_frame_rate: fc.integer({ min: 1, max: 1_000_000 }).map(String),
  limits_unaccepted_frame_rate: fc.integer({ min: 1, max: 1_000_000 }).map(String),
  limits_unaccepted_message_size: size,
  limits_unfinished_size: fc.constantFrom('1MiB', '64MiB'),
  limits_message_timeout: duration,
  ws_write_timeout: duration,
  ws_max_pending_size: size,
  ocpp_path: path,
  ocpp_channel: fc.constantFrom('OCPPChannel', 'Ev::StationChannel'),
  ocpp_granular_actions: onOff,
  ocpp_heartbeat_interval: duration,
  ocpp_timestamps: fc.constantFrom('milliseconds', 'seconds'),
  ocpp_versions: list(version, 1),
  ocpp_default_version: version,
  ocpp_sn: fc.constantFrom('serial', 'station_id'),
  ocpp_outbox_size: fc.integer({ min: 1, max: 1024 * 1024 }).map(each => `${each}MiB`),
  ocpp_outbox_decide: fc.constantFrom('refuse', 'accept'),
  ocpp_outbox_ttl: duration,
  ocpp_unanswered: fc.constantFrom('close', 'error'),
  ocpp_close: fc.constantFrom('frame', 'abort', 'ACME-*:abort', 'ACME-1:frame,ACME-*:abort'),
  ocpp_invalid_utf8: fc.constantFrom('close', 'replace'),
  ocpp_trigger_boot: onOff,
  ocpp_takeover: fc.constantFrom('newest', 'refuse'),
  ocpp_compression: fc.constantFrom('auto', 'on', 'off'),
  ocpp_validate_in: fc.constantFrom('off', 'warn', 'strict'),
  ocpp_validate_out: fc.constantFrom('off', 'warn', 'strict'),
  ocpp_validate_acks: fc.constantFrom('off', 'warn', 'strict'),
  ocpp_silent_ack: fc.constantFrom('safe', 'anycable', 'off'),
  ocpp_ack_timeout: ms,
  ocpp_forward_heartbeats: onOff,
  ocpp_collect_reports: onOff,
  ocpp_report_timeout: duration,
  ocpp_call_timeout: duration,
  ocpp_call_queue: count,
  ocpp_ping_interval: ms,
  ocpp_idle_timeout: ms,
  ocpp_boot_timeout: duration,
  rpc_host: fc.constantFrom('app:1', 'dns:///app:50051', '[::1]:50051', 'grpc-list://a:1,b:2', 'https://app/_anycable'),
  rpc_impl: rarely(fc.constantFrom('grpc', 'grpc-js', 'http'), 'auto'),
  rpc_concurrency: count,
  rpc_request_timeout: ms,
  rpc_command_timeout: ms,
  rpc_enable_tls: onOff,
  rpc_tls_verify: onOff,
  rpc_tls_root_ca: fc.oneof(path, fc.constant('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')),
  rpc_max_call_recv_size: size,
  rpc_max_call_send_size: size,
  http_rpc_secret: fc.oneof(token, fc.constant('none')),
  headers: list(fc.constantFrom('Cookie', 'Origin', 'x-key')),
  broadcast_adapter: list(fc.constantFrom('nats', 'http')),
  nats_servers: list(fc.constantFrom('nats://n:1', 'tls://n', 'n:2')),
  nats_channel: name,
  nats_dont_randomize_servers: onOff,
  nats_credentials: rarely(path),
  nats_nkey: rarely(path),
  nats_token: rarely(fc.oneof(secret, fc.constant('none'))),
  nats_tls_ca: path,
  nats_tls_cert: path,
  nats_tls_key: path,
  http_broadcast_port: port,
  http_broadcast_path: path,
  broadcast_key: fc.oneof(token, fc.constant('none')),
  secret: fc.oneof(secret, fc.constant('none')),
  disconnect_mode: fc.constantFrom('auto', 'always', 'never'),
  disconnect_rate: count,
  disconnect_backlog_size: count,
  shutdown_timeout: ms,
  shutdown_delay: fc.integer({ min: 0, max: 9999 }).map(each => `${each}ms`),
  shutdown_slowdrain: onOff,
  state_dir: path,
  log_level: fc.constantFrom('debug', 'info', 'warn', 'error'),
  log_format: fc.constantFrom('text', 'json'),
  debug: onOff,
  log_sensitive: onOff,
  metrics_http: path,
  traces: onOff,
  metrics_tags: list(fc.constantFrom('env:production', 'node_id:x-1')),
  metrics_log: onOff,
  metrics_log_filter: list(fc.constantFrom('rpc_call_total', 'clients_num')),
  metrics_rotate_interval: duration,
  statsd_host: fc.constantFrom('localhost', 'statsd:9125', '[::1]:8125'),
  statsd_prefix: fc.constantFrom('', 'anycable_go.'),
  statsd_tags_format: fc.constantFrom('datadog', 'influxdb', 'graphite'),
  statsd_max_packet_size: fc.integer({ min: 512, max: 65_507 }).map(String),
  metrics_host: name,
  metrics_port: port,
  metrics_prefix: fc.constantFrom('a_', '_b:', 'anycable_go_'),
  admin_port: port,
  admin_host: fc.constantFrom('localhost', '127.0.0.1', '::1'),
  admin_token: fc.oneof(token, fc.constant('none')),
  admin_read_token: fc.oneof(token, fc.constant('none')),
  ocpp_history: fc.integer({ min: 0, max: 1000 }).map(String),
  ocpp_connect_on: fc.constantFrom('boot', 'upgrade'),
  ocpp_auth_file: path,
  node_id: name,
}

const { json } = fc.letrec(tie => ({
  json: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(text, tie('json'), { maxKeys: 4 }),
  ),
}))

/** A value for each table, as TOML. */
const tables: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  ocpp_validation: fc.array(
    fc.record(
      {
        station: text,
        action: fc.constantFrom('*', 'MeterValues', 'Reset', 'NotifyPeriodicEventStream'),
        mode: fc.constantFrom('off', 'warn', 'strict'),
      },
      { requiredKeys: ['mode'] },
    ),
    { maxLength: 4 },
  ),
  listener: fc.array(
    fc.record(
      {
        host: name,
        port: fc.integer({ min: 0, max: 65535 }),
        ssl_legacy: fc.boolean(),
        proxy_protocol: fc.constant(false),
        ocpp_profile: fc.constantFrom(0, 1),
      },
      { requiredKeys: ['port'] },
    ),
    { maxLength: 2 },
  ),
  ocpp_silent_answers: fc.dictionary(
    fc.constantFrom('Authorize', 'DataTransfer', 'TransactionEvent', 'BootNotification'),
    fc.oneof(fc.constantFrom('safe', 'anycable', 'off'), fc.dictionary(text, json, { maxKeys: 4 })),
  ),
}

/** Each option may be absent. */
const anyFlags = fc.record(values, { requiredKeys: [] })
const anyTables = fc.record(tables, { requiredKeys: [] }).map(given => stringify(given))

test('the property test has a value for every option', () => {
  assert.deepEqual(new Set([...Object.keys(values), ...Object.keys(tables)]), new Set(rows.map(nameOf)))
})

test('the output of --print-config reads back as the same configuration, except for secrets', () => {
  fc.assert(
    fc.property(anyFlags, anyTables, (given, toml) => {
      const argv = Object.entries(given).map(([flag, value]) => `--${flag}=${value}`)
      const first = resolve({ argv, env: {}, file: { path: 'given.toml', text: toml }, nodeId: 'first' })
      if (!first.ok) {
        assert.deepEqual(
          first.problems.filter(problem => /invalid value|given\.toml/.test(problem)),
          [],
        )
        fc.pre(false)
        return
      }
      const file = { path: 'printed.toml', text: printedConfig(first.settings, first.config) }
      const secrets = {
        ANYCABLE_SECRET: given['secret'],
        ANYCABLE_BROADCAST_KEY: given['broadcast_key'],
        ANYCABLE_HTTP_RPC_SECRET: given['http_rpc_secret'],
        ANYCABLE_NATS_TOKEN: given['nats_token'],
        ANYCABLE_ADMIN_TOKEN: given['admin_token'],
        ANYCABLE_ADMIN_READ_TOKEN: given['admin_read_token'],
      }
      const second = resolve({ argv: [], env: secrets, file, nodeId: 'first' })
      assert.deepEqual(second, { ...first, warnings: second.warnings })
      assert.ok(second.ok)
      assert.equal(printedConfig(second.settings, second.config), file.text)
    }),
    // One set of random options in about 25 is free of conflicts; only those count as a run.
    { numRuns: 40, maxSkipsPerRun: 500 },
  )
})
