import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askedOf, resolve, type Asked, type Sources } from '../../src/config/resolve.ts'
import type { Config } from '../../src/config/rules.ts'

type Given = { argv?: readonly string[]; env?: Sources['env']; toml?: string }

function resolved({ argv = [], env = {}, toml }: Given) {
  const file = toml === undefined ? null : { path: './ocpp-cable.toml', text: toml }
  return resolve({ argv, env, file, nodeId: 'random' })
}

function configOf(given: Given): Config {
  const resolution = resolved(given)
  assert.ok(resolution.ok, JSON.stringify(resolution))
  return resolution.config
}

function problemsOf(given: Given): readonly string[] {
  const resolution = resolved(given)
  return resolution.ok ? [] : resolution.problems
}

test('every option has its default when nothing is given', () => {
  const config = configOf({})
  assert.deepEqual(config.server, {
    host: 'localhost',
    port: 8080,
    healthPath: '/health',
    readyPath: '/ready',
    listeners: [
      {
        host: 'localhost',
        port: 8080,
        sslCert: [],
        sslKey: [],
        sslClientCa: null,
        sslClientCrl: null,
        sslClientVerify: 'off',
        sslLegacy: false,
        proxyProtocol: false,
        profile: 0,
      },
    ],
    trustedProxies: [],
    proxyClientCert: null,
    proxyProtocol: false,
    maxConn: 0,
    maxMessageSize: 1_048_576,
    maxPendingSize: 1_048_576,
  })
  assert.deepEqual(config.ocpp.versions, ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'])
  assert.equal(config.rpc.commandTimeoutMs, 3000)
  assert.equal(config.node.id, 'random')
  assert.deepEqual(resolved({}).warnings, [])
})

const read: readonly [given: Given, read: (config: Config) => unknown, expected: unknown, because: string][] = [
  [{ argv: ['--port=0'] }, c => c.server.port, 0, 'port 0'],
  [{ argv: ['--metrics_http='] }, c => c.metrics.httpPath, null, 'an empty value unsets an optional one'],
  [{ argv: ['--ocpp_granular_actions=false'] }, c => c.ocpp.granularActions, false, 'a switch turned off'],
  [{ argv: ['--ocpp_granular_actions=F'] }, c => c.ocpp.granularActions, false, "a switch in Go's spelling"],
  [{ argv: ['--rpc_request_timeout=500'] }, c => c.rpc.requestTimeoutMs, 500, "AnyCable's milliseconds"],
  [{ argv: ['--rpc_command_timeout=5s'] }, c => c.rpc.commandTimeoutMs, 5000, 'with a unit'],
  [{ argv: ['--shutdown_timeout=5'] }, c => c.lifecycle.shutdownTimeoutMs, 5000, "AnyCable's seconds"],
  [{ argv: ['--ocpp_heartbeat_interval=60'] }, c => c.ocpp.heartbeatIntervalMs, 60_000, "AnyCable's seconds"],
  [{ argv: ['--ocpp_call_timeout=2'] }, c => c.ocpp.callTimeoutMs, 2000, 'bare numbers are seconds in our own options'],
  [{ argv: ['--headers=Cookie,X-Key'] }, c => c.rpc.headers, ['cookie', 'x-key'], 'headers are lower-cased'],
  [{ argv: ['--headers='] }, c => c.rpc.headers, [], 'no headers'],
  [{ argv: ['--rpc_host=dns:///app:50051'] }, c => c.rpc.host, 'dns:///app:50051', 'a name of several addresses'],
  [{ argv: ['--rpc_host=[::1]:50051'] }, c => c.rpc.host, '[::1]:50051', 'an IPv6 address'],
  [{ argv: ['--rpc_concurrency=0'] }, c => c.rpc.concurrency, 0, '0 adapts the limit'],
  [{ argv: ['--rpc_tls_verify=false'] }, c => c.rpc.tlsVerify, false, 'verification turned off'],
  [{ argv: ['--rpc_max_call_recv_size=16MiB'] }, c => c.rpc.maxCallRecvSize, 16_777_216, 'a limit on replies'],
  [{ argv: ['--shutdown_delay=5'] }, c => c.lifecycle.shutdownDelayMs, 5000, "AnyCable's seconds"],
  [{ argv: ['-shutdown_slowdrain'] }, c => c.lifecycle.slowDrain, true, "AnyCable Pro's switch"],
  [{ argv: ['--disconnect_mode=never'] }, c => c.lifecycle.disconnectMode, 'never', 'no Disconnect calls'],
  [
    {
      toml: '[rpc]\nhost = "grpc-list://a:1,b:2"\nimplementation = "grpc"\nconcurrency = 0\nenable_tls = true\ntls_root_ca_path = "ca"\nmax_recv_size = 5',
    },
    c => [c.rpc.host, c.rpc.impl, c.rpc.concurrency, c.rpc.enableTls, c.rpc.tlsRootCa, c.rpc.maxCallRecvSize],
    ['grpc-list://a:1,b:2', 'grpc', 0, true, 'ca', 5],
    "AnyCable's TOML file",
  ],
  [{ argv: ['--ocpp_versions=2.1,1.6'] }, c => c.ocpp.versions, ['ocpp2.1', 'ocpp1.6'], 'versions by number'],
  [{ argv: ['--ocpp_versions=ocpp1.6'] }, c => c.ocpp.versions, ['ocpp1.6'], 'versions by subprotocol'],
  [{ argv: ['--ocpp_default_version=1.6'] }, c => c.ocpp.defaultVersion, 'ocpp1.6', 'a default version'],
  [
    { argv: ['--nats_servers=h:1,tls://u:p@[::1]:2'] },
    c => c.broadcast.natsServers.length,
    2,
    'server addresses as in Go',
  ],
  [{ env: { ANYCABLE_MAX_CONN: '7' } }, c => c.server.maxConn, 7, 'a variable; a dash becomes _'],
  [{ env: { PORT: '81' } }, c => c.server.port, 81, 'PORT'],
  [{ env: { ANYCABLE_OCPP_GRANULAR_ACTIONS: '' } }, c => c.ocpp.granularActions, false, 'an empty switch is false'],
  [{ env: { ANYCABLE_OCPP_GRANULAR_ACTIONS: 'f' } }, c => c.ocpp.granularActions, false, 'a switch'],
  [{ env: { ANYCABLE_DEBUG: '1' } }, c => c.log.debug, true, 'a switch'],
  [
    { env: { ANYCABLE_REDIS_URL: 'x', ANYCABLE_CONFIG_PATH: 'x' } },
    c => c.server.port,
    8080,
    'unknown variables are ignored',
  ],
  [{ env: { ANYCABLE_NODE_ID: 'n1' } }, c => c.node.id, 'n1', 'a given node id'],
  [{ toml: '[ocpp]\nversions = [1.6, "2.0.1"]' }, c => c.ocpp.versions, ['ocpp1.6', 'ocpp2.0.1'], '1.6 as a number'],
  [{ toml: '[rpc]\nrequest_timeout = 500' }, c => c.rpc.requestTimeoutMs, 500, "AnyCable's milliseconds"],
  [{ argv: ['--ocpp_validate_in=Strict'] }, c => c.ocpp.validateIn, 'strict', 'words are case-insensitive'],
  [{ argv: ['--ocpp_silent_ack=anycable'] }, c => c.ocpp.silentAck, 'anycable', "AnyCable's answers"],
  [{ argv: ['--ocpp_report_timeout=90'] }, c => c.ocpp.reportTimeoutMs, 90_000, 'seconds'],
  [
    { toml: '[[ocpp_validation]]\nmode = "off"\nstation = "ABB-*"\n[[ocpp_validation]]\nmode = "strict"' },
    c => c.ocpp.validation,
    [
      { station: 'ABB-*', action: '*', mode: 'off' },
      { station: '*', action: '*', mode: 'strict' },
    ],
    'an array of tables in order',
  ],
  [
    { toml: '[[listener]]\nport = 1\n[[listener]]\nport = 2\nssl_cert = "c"\nssl_key = "k"\nssl_client_ca = "a"' },
    c =>
      c.server.listeners.map(({ port, sslCert, sslClientVerify, profile }) => [
        port,
        sslCert,
        sslClientVerify,
        profile,
      ]),
    [
      [8080, [], 'off', 0],
      [1, [], 'off', 0],
      [2, ['c'], 'required', 3],
    ],
    'listeners, of which the first is that of the flags; one that requires certificates has profile 3',
  ],
  [
    {
      toml: '[[listener]]\nport = 1\nssl_cert = "c"\nssl_key = "k"\nssl_client_ca = "a"\nssl_client_verify = "optional"',
    },
    c => c.server.listeners[1]?.profile,
    2,
    'without a certificate, a station needs Basic credentials',
  ],
  [
    { toml: '[ocpp_silent_answers]\nAuthorize = "anycable"\n[ocpp_silent_answers.DataTransfer]\nstatus = "Accepted"' },
    c => c.ocpp.silentAnswers,
    {
      Authorize: { kind: 'mode', mode: 'anycable' },
      DataTransfer: { kind: 'payload', payload: '{"status":"Accepted"}' },
    },
    'a table with modes and payloads',
  ],
  [{ toml: '[ocpp_silent_answers]\n[server]' }, c => c.ocpp.silentAnswers, {}, 'an empty table'],
  [
    { env: { ANYCABLE_OCPP_VALIDATION: 'x', ANYCABLE_OCPP_SILENT_ANSWERS: 'x' } },
    c => [c.ocpp.validation, c.ocpp.silentAnswers],
    [[], {}],
    'tables have no variables',
  ],
  [{ toml: '[logging]\ndebug = true' }, c => c.log.level, 'debug', 'debug sets the level'],
]
for (const [given, pick, expected, because] of read) {
  test(`${JSON.stringify(given)} resolves to ${JSON.stringify(expected)}: ${because}`, () => {
    assert.deepEqual(pick(configOf(given)), expected)
  })
}

const layers: readonly [given: Given, port: number][] = [
  [{}, 8080],
  [{ toml: 'server.port = 1' }, 1],
  [{ toml: 'server.port = 1', env: { ANYCABLE_PORT: '2' } }, 2],
  [{ toml: 'server.port = 1', env: { PORT: '2' } }, 2],
  [{ toml: 'server.port = 1', env: { ANYCABLE_PORT: '2' }, argv: ['--port=3'] }, 3],
  [{ toml: 'server.port = 1', argv: ['--port=3'] }, 3],
]
for (const [given, port] of layers) {
  test(`the port is ${port}, as flags override environment, TOML and defaults: ${JSON.stringify(given)}`, () => {
    assert.equal(configOf(given).server.port, port)
  })
}

test('a flag replaces a list from another source', () => {
  const config = configOf({ env: { ANYCABLE_HEADERS: 'a,b' }, argv: ['--headers=c'] })
  assert.deepEqual(config.rpc.headers, ['c'])
})

const old: readonly [given: Given, warning: string][] = [
  [
    { argv: ['-ocpp_hearbeat_interval=60'] },
    '-ocpp_hearbeat_interval: deprecated spelling; use --ocpp_heartbeat_interval',
  ],
  [
    { env: { ANYCABLE_OCPP_HEARBEAT_INTERVAL: '60' } },
    'ANYCABLE_OCPP_HEARBEAT_INTERVAL: deprecated spelling; use ANYCABLE_OCPP_HEARTBEAT_INTERVAL',
  ],
  [
    { toml: '[ocpp]\nhearbeat_interval = 60' },
    'ocpp.hearbeat_interval in ./ocpp-cable.toml: deprecated spelling; use ocpp.heartbeat_interval',
  ],
]
for (const [given, warning] of old) {
  test(`AnyCable's misspelling is accepted with a warning: ${JSON.stringify(given)}`, () => {
    assert.equal(configOf(given).ocpp.heartbeatIntervalMs, 60_000)
    assert.deepEqual(resolved(given).warnings, [warning])
  })
}

for (const given of [
  { env: { ANYCABLE_OCPP_HEARBEAT_INTERVAL: '60', ANYCABLE_OCPP_HEARTBEAT_INTERVAL: '90' } },
  { toml: '[ocpp]\nhearbeat_interval = 60\nheartbeat_interval = 90' },
]) {
  test(`the canonical spelling wins without a warning when both are given: ${JSON.stringify(given)}`, () => {
    assert.equal(configOf(given).ocpp.heartbeatIntervalMs, 90_000)
    assert.deepEqual(resolved(given).warnings, [])
  })
}

const wrong: readonly [given: Given, problems: readonly string[], because: string][] = [
  [{ argv: ['--port='] }, ['--port: invalid value ""; expected a whole number, from 0 to 65535'], 'an empty value'],
  [
    { toml: '[[listener]]\nport = 1\nocpp_profile = 2\n[[listener]]\nport = 1\n' },
    [
      'listener[0]: ocpp_profile is 2, but ssl_cert is not set: set it, or trusted_proxies',
      'listener[1]: port is 1, which another listener has: set another port',
    ],
    'listeners that cannot be',
  ],
  [
    { toml: '[[listener]]\nhost = "a"\nocpp_profile = 4' },
    [
      'listener[0] in ./ocpp-cable.toml: port is missing; expected a whole number, from 0 to 65535',
      'listener[0].ocpp_profile in ./ocpp-cable.toml: invalid value 4; expected 0, 1, 2 or 3',
    ],
    'a listener without a port',
  ],
  [
    { toml: 'ocpp_validation = "off"' },
    [
      'ocpp_validation in ./ocpp-cable.toml: invalid value "off"; expected an array ([[ ]]), each item a table with mode (off or warn or strict) and optionally station and action',
    ],
    'a value that is not a table',
  ],
  [
    { toml: '[[ocpp_validation]]\nmode = "off"\n[[ocpp_validation]]\nstaton = "x"\nmode = "of"' },
    [
      'ocpp_validation[1].staton in ./ocpp-cable.toml: unknown key; did you mean station?',
      'ocpp_validation[1].mode in ./ocpp-cable.toml: invalid value "of"; expected off or warn or strict',
    ],
    'two problems in one table, each with its path',
  ],
  [{ argv: ['--debug=maybe'] }, ['--debug: invalid value "maybe"; expected true or false'], 'a switch'],
  [{ argv: ['--help=maybe'] }, ['--help: invalid value "maybe"; expected true or false'], 'a flag of the command line'],
  [
    { env: { PORT: 'tcp://10.0.0.1:80' } },
    ['PORT: invalid value "tcp://10.0.0.1:80"; expected a whole number, from 0 to 65535'],
    'an invalid variable',
  ],
  [
    { toml: '[server]\nport = true' },
    ['server.port in ./ocpp-cable.toml: invalid value true; expected a whole number, from 0 to 65535'],
    'a value of another type',
  ],
  [
    { toml: '[server]\nport = inf' },
    ['server.port in ./ocpp-cable.toml: invalid value Infinity; expected a whole number, from 0 to 65535'],
    'a number that is not finite',
  ],
  [
    { toml: '[server.host]\na = 1' },
    ['server.host in ./ocpp-cable.toml: invalid value {"a":1}; expected a host name or an IP address'],
    'a table in place of a value',
  ],
  [
    { toml: 'secret = 5' },
    [
      'secret in ./ocpp-cable.toml: invalid value (not shown); expected text without control characters (never shown); empty for none',
    ],
    'a secret is not shown',
  ],
  [
    { argv: ['--http_rpc_secret=ключ', '--broadcast_key=ключ', '--secret=ключ'] },
    ['http_rpc_secret', 'broadcast_key'].map(
      flag =>
        `--${flag}: invalid value (not shown); expected printable ASCII characters, without a space at either end (never shown); empty for none`,
    ),
    'a token that no HTTP header can carry',
  ],
  [
    { toml: 'nats.servers = ["nats://u:p@h h"]' },
    [
      'nats.servers in ./ocpp-cable.toml: invalid value (not shown); expected a comma-separated list, each a URL such as nats://127.0.0.1:4222; a user or password has /, ?, # and % percent-encoded',
    ],
    'credentials in a URL are not shown',
  ],
  [
    { argv: ['--rpc_host=http://u:hush@app'], env: { ANYCABLE_RPC_TLS_ROOT_CA: '-----BEGIN PRIVATE KEY-----' } },
    [
      'ANYCABLE_RPC_TLS_ROOT_CA: invalid value (not shown); expected a file path, or certificates as PEM text; empty for none',
      '--rpc_host: invalid value (not shown); expected host:port, dns:///host:port, grpc-list://host:port,host:port, or an http:// or https:// URL without user and query',
    ],
    'a password in a URL and a private key are not shown',
  ],
  [
    { argv: [`--ocpp_path=${'x'.repeat(99)}`] },
    [`--ocpp_path: invalid value "${'x'.repeat(79)}…; expected a path that starts with /`],
    'a long value is truncated',
  ],
  [
    { argv: ['--broadcast_adapter=nats,redis'] },
    ['--broadcast_adapter: invalid value "nats,redis"; expected a comma-separated list, each nats or http'],
    'an unknown adapter',
  ],
  [
    { argv: ['--ocpp_versions='] },
    ['--ocpp_versions: invalid value ""; expected a comma-separated list, each 1.6 or 2.0.1 or 2.1; at least one'],
    'an empty list of versions',
  ],
  [
    { argv: ['--ocpp_versions=1.5'] },
    ['--ocpp_versions: invalid value "1.5"; expected a comma-separated list, each 1.6 or 2.0.1 or 2.1; at least one'],
    'an unknown version',
  ],
  [
    { argv: ['--rpc_host=app'] },
    [
      '--rpc_host: invalid value "app"; expected host:port, dns:///host:port, grpc-list://host:port,host:port, or an http:// or https:// URL without user and query',
    ],
    'an address without a port',
  ],
  [
    { argv: ['--ocpp_heartbeat_interval=0'] },
    [
      '--ocpp_heartbeat_interval: invalid value "0"; expected a duration (300ms, 5s, 2m, 1h), from 1s to 24h; a bare number is seconds',
    ],
    'a value below the minimum',
  ],
]
for (const [given, problems, because] of wrong) {
  test(`${JSON.stringify(given)} is a problem: ${because}`, () => {
    assert.deepEqual(problemsOf(given), problems)
  })
}

test('an unreadable file is a problem', () => {
  const file = { path: 'a.toml', unreadable: 'there is no such file' }
  const resolution = resolve({ argv: ['--config-path=a.toml'], env: {}, file, nodeId: 'n' })
  assert.deepEqual(resolution, { ok: false, problems: ['a.toml: there is no such file'], warnings: [] })
})

test('resolve reports all problems and warnings at once, ordered by file, environment, flags and rules', () => {
  const given = {
    toml: 'x = 1\n[ocpp]\nhearbeat_interval = "?"',
    env: { ANYCABLE_RPC_CONCURRENCY: '-1', ANYCABLE_HEADERS: 'Origin' },
    argv: ['--prot', '--port=?', '--ssl_cert=a', '--metrics_http=/m'],
  }
  const resolution = resolved(given)
  assert.ok(!resolution.ok)
  assert.deepEqual(
    resolution.problems.map(problem => problem.split(' ')[0]),
    ['x', 'ocpp.hearbeat_interval', 'ANYCABLE_RPC_CONCURRENCY:', '--prot:', '--port:', 'ssl_cert', 'metrics_http'],
  )
  assert.deepEqual(
    resolution.warnings.map(warning => warning.split(' ')[0]),
    ['ocpp.hearbeat_interval', 'headers'],
  )
})

test('a rule is skipped when one of its options is invalid', () => {
  assert.equal(problemsOf({ argv: ['--metrics_http=/m', '--metrics_port=?'] }).length, 1)
})

test('an invalid value is a problem even if a later source overrides it', () => {
  assert.equal(problemsOf({ env: { ANYCABLE_PORT: '?' }, argv: ['--port=1'] }).length, 1)
})

const here = { path: './ocpp-cable.toml', required: false }
const asked: readonly [argv: readonly string[], expected: Asked, because: string][] = [
  [[], { wish: 'run', file: here }, 'no flags'],
  [['--config-path', 'a.toml'], { wish: 'run', file: { path: 'a.toml', required: true } }, 'a named file is required'],
  [['-config-path=a.toml', '--ignore-config-path'], { wish: 'run', file: null }, 'no file'],
  [['--help'], { wish: 'help', file: here }, 'help'],
  [['-h'], { wish: 'help', file: here }, 'the short flag for help'],
  [['--help=false'], { wish: 'run', file: here }, 'help turned off'],
  [['--nonsense', '--help'], { wish: 'help', file: here }, 'help is shown despite unknown flags'],
  [['--version'], { wish: 'version', file: here }, 'the version'],
  [['-v'], { wish: 'version', file: here }, 'the short flag for the version'],
  [['--print-config', '--port=1'], { wish: 'print-config', file: here }, 'the configuration'],
  [['--help', '--version', '--print-config'], { wish: 'help', file: here }, 'help wins over the others'],
]
for (const [argv, expected, because] of asked) {
  test(`[${argv.join(' ')}] asks for ${expected.wish}: ${because}`, () => {
    assert.deepEqual(askedOf(argv), expected)
  })
}

test('flags of the command line are not settings', () => {
  assert.equal('program' in configOf({ argv: ['--print-config'] }), false)
})
