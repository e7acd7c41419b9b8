import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolve } from '../../src/config/resolve.ts'
import type { Config } from '../../src/config/rules.ts'

function resolved(...flags: readonly string[]) {
  return resolve({ argv: flags.map(flag => `--${flag}`), env: {}, file: null, nodeId: 'random' })
}

const derived: readonly [
  flags: readonly string[],
  pick: (config: Config) => unknown,
  expected: unknown,
  because: string,
][] = [
  [[], c => c.ocpp.idleTimeoutMs, 120_000, 'the default is at least two minutes'],
  [['ocpp_heartbeat_interval=60'], c => c.ocpp.idleTimeoutMs, 150_000, '2.5 heartbeats'],
  [['ocpp_idle_timeout=45'], c => c.ocpp.idleTimeoutMs, 45_000, 'as given'],
  [['ocpp_heartbeat_interval=60'], c => c.ocpp.leastIdleTimeoutMs, 120_000, 'the least is two minutes'],
  [['ocpp_idle_timeout=45'], c => c.ocpp.leastIdleTimeoutMs, 45_000, 'or what is given'],
  [[], c => c.broadcast.adapters, ['http'], 'HTTP is the default without NATS servers'],
  [['nats_servers=nats://n:1'], c => c.broadcast.adapters, ['nats'], 'NATS is the default with NATS servers'],
  [
    ['nats_servers=nats://n:1', 'broadcast_adapter=http,nats,http'],
    c => c.broadcast.adapters,
    ['http', 'nats'],
    'as given',
  ],
  [[], c => c.broadcast.natsServers, [], 'no servers if NATS is not used'],
  [['broadcast_adapter=nats'], c => c.broadcast.natsServers, ['nats://127.0.0.1:4222'], "AnyCable's default"],
  [['nats_servers=nats://n:1'], c => c.broadcast.natsServers, ['nats://n:1'], 'as given'],
  [[], c => c.broadcast.httpPort, 8090, 'an own port without a key'],
  [['broadcast_key=k', 'port=81'], c => c.broadcast.httpPort, 81, "the stations' port with a key"],
  [['secret=s', 'port=81'], c => c.broadcast.httpPort, 81, "the stations' port with a derived key"],
  [['secret=s', 'broadcast_key=none'], c => c.broadcast.httpPort, 8090, 'an own port if the key is none'],
  [['http_broadcast_port=1'], c => c.broadcast.httpPort, 1, 'as given'],
  [[], c => c.broadcast.access, { kind: 'open' }, 'no key'],
  [['broadcast_key=none', 'secret=s'], c => c.broadcast.access, { kind: 'open' }, 'a key set to none'],
  [['broadcast_key=k', 'secret=s'], c => c.broadcast.access, { kind: 'key', key: 'k' }, 'the key wins over the secret'],
  [['secret=s'], c => c.broadcast.access, { kind: 'keyOf', secret: 's' }, 'a key derived from the secret'],
  [['secret=none'], c => c.broadcast.access, { kind: 'open' }, 'a secret set to none'],
  [['secret=none'], c => c.broadcast.secret, null, 'none is not a secret'],
  [['secret=s', 'broadcast_key=none'], c => c.broadcast.secret, 's', 'the secret stays set'],
  [[], c => c.rpc.impl, 'grpc', 'host:port is gRPC'],
  [['rpc_host=grpc-list://a:1,b:2'], c => c.rpc.impl, 'grpc', 'a list is gRPC'],
  [['rpc_host=http://app'], c => c.rpc.impl, 'http', 'a URL is HTTP'],
  [['rpc_host=https://app'], c => c.rpc.impl, 'http', 'an https URL is HTTP'],
  [['rpc_host=http:50051'], c => c.rpc.impl, 'grpc', 'a host named http is gRPC'],
  [['rpc_host=app:1', 'rpc_impl=grpc-js'], c => c.rpc.impl, 'grpc-js', 'the library is configured'],
  [[], c => c.rpc.enableTls, false, 'the default is no encryption'],
  [['rpc_enable_tls'], c => c.rpc.enableTls, true, 'encrypted'],
  [['rpc_tls_root_ca=ca.pem'], c => c.rpc.enableTls, true, 'a CA implies TLS'],
  [[], c => c.rpc.httpAccess, { kind: 'open' }, 'no key'],
  [['secret=s'], c => c.rpc.httpAccess, { kind: 'keyOf', secret: 's' }, 'a key derived from the secret'],
  [
    ['rpc_host=http://a', 'http_rpc_secret=k', 'secret=s'],
    c => c.rpc.httpAccess,
    { kind: 'key', key: 'k' },
    'as given',
  ],
  [['http_rpc_secret=none', 'secret=s'], c => c.rpc.httpAccess, { kind: 'open' }, 'a key set to none'],
  [['broadcast_key=k'], c => c.rpc.httpAccess, { kind: 'open' }, 'the broadcast key is not used for RPC'],
  [['nats_token=none'], c => c.broadcast.natsToken, null, 'a token set to none'],
  [['debug'], c => c.log.level, 'debug', 'debug sets the level'],
  [['debug=false', 'log_level=warn'], c => c.log.level, 'warn', 'debug=false keeps the level'],
  [[], c => c.node.id, 'random', 'the default id is passed in'],
  [['node_id=n1'], c => c.node.id, 'n1', 'as given'],
]
for (const [flags, pick, expected, because] of derived) {
  test(`[${flags.join(' ')}] resolves to ${JSON.stringify(expected)}: ${because}`, () => {
    const resolution = resolved(...flags)
    assert.ok(resolution.ok)
    assert.deepEqual(pick(resolution.config), expected)
  })
}

const rules: readonly [flags: readonly string[], problem: RegExp | null, because: string][] = [
  [['ocpp_heartbeat_interval=1500ms'], /^ocpp_heartbeat_interval is 1500ms/, 'OCPP has whole seconds only'],
  [['ocpp_versions=1.6', 'ocpp_default_version=1.6'], null, 'a default that is served'],
  [
    ['ocpp_versions=1.6', 'ocpp_default_version=2.1'],
    /^ocpp_default_version is 2\.1, which is not one/,
    'a default that is not served',
  ],
  [['http_broadcast_path=/health'], null, 'the same path on another port'],
  [
    ['http_broadcast_path=/health', 'secret=s'],
    /^http_broadcast_path is \/health, which is already in use/,
    'the same path on the same port',
  ],
  [['nats_tls_cert=c'], /^nats_tls_cert and nats_tls_key go together/, 'a certificate without its key'],
  [['nats_tls_cert=c', 'nats_tls_key=k'], null, 'a certificate with its key'],
  [['nats_token=t', 'nats_servers=n:1'], null, 'a token'],
  [['nats_token=none', 'nats_nkey=n'], null, 'a token set to none, and a seed'],
  [['nats_servers=u:p@a:1,u:p@b:1'], null, 'the same user for each server'],
  [['nats_nkey=n', 'nats_credentials=c'], /^nats_credentials and nats_nkey are set/, 'two seeds'],
  [['nats_nkey=n', 'nats_token=t'], /^nats_nkey and nats_token are set/, 'a seed and a token'],
  [['nats_credentials=c', 'nats_token=t'], /^nats_credentials and nats_token are set/, 'a JWT and a token'],
  [
    ['nats_servers=a:1,u:p@b:1', 'nats_token=t'],
    /^nats_token and the user in nats_servers are set/,
    'a token, and a user in a URL',
  ],
  [['rpc_host=app:1', 'rpc_impl=grpc'], null, 'address and implementation agree'],
  [['rpc_host=https://app', 'rpc_impl=http'], null, 'address and implementation agree'],
  [
    ['rpc_host=app:1', 'rpc_impl=http'],
    /^rpc_impl is http, but rpc_host is app:1: set it to an http:/,
    'HTTP without a URL',
  ],
  [
    ['rpc_host=http://app', 'rpc_impl=grpc'],
    /^rpc_impl is grpc, but rpc_host is http:\/\/app: set it to host/,
    'gRPC with a URL',
  ],
  [
    ['rpc_host=http://app', 'rpc_impl=grpc-js'],
    /^rpc_impl is grpc-js, but rpc_host is http:\/\/app: set it to host/,
    'grpc-js with a URL',
  ],
  [['rpc_host=http://app', 'rpc_enable_tls'], /^rpc_enable_tls is set, but .* use https:/, 'TLS with an http URL'],
  [['rpc_host=http://app', 'rpc_tls_root_ca=c'], /^rpc_tls_root_ca is set, but .* use https:/, 'a CA with an http URL'],
  [['rpc_host=https://app', 'rpc_enable_tls', 'rpc_tls_root_ca=c'], null, 'TLS with an https URL'],
  [['shutdown_delay=10', 'shutdown_timeout=30'], null, 'a delay below the timeout'],
  [
    ['shutdown_delay=30'],
    /^shutdown_delay is 30 s, which uses up shutdown_timeout \(30 s\)/,
    'a delay as long as the timeout',
  ],
  [['shutdown_timeout=0'], null, 'neither delay nor timeout'],
  [
    ['ready-path=/health'],
    /^(health|ready)-path is \/health, which is already in use/,
    'the same path for readiness and health',
  ],
  [['health-path=/ocpp'], /^health-path is \/ocpp, which is already in use/, "the health path is the stations' path"],
]
for (const [flags, problem, because] of rules) {
  test(`[${flags.join(' ')}] is ${problem === null ? 'valid' : 'a problem'}: ${because}`, () => {
    const resolution = resolved(...flags)
    const problems = resolution.ok ? [] : resolution.problems
    assert.equal(problems.length, problem === null ? 0 : 1, problems.join('\n'))
    if (problem !== null) assert.match(problems.join(), problem)
  })
}

const cautions: readonly [flags: readonly string[], warning: RegExp | null, because: string][] = [
  [['headers=cookie'], null, 'headers without origin'],
  [['headers=cookie,Origin'], /^headers includes origin/, 'Rails checks the origin'],
  [['http_rpc_secret=s'], /^http_rpc_secret is set, but rpc_host is localhost:50051/, 'an unused secret'],
  [['http_rpc_secret=s', 'rpc_host=http://app'], null, 'a secret for RPC over HTTP'],
  [['http_rpc_secret=none'], null, 'no secret'],
  [
    ['rpc_tls_verify=false', 'rpc_enable_tls'],
    /^rpc_tls_verify is false: the certificate of the app/,
    'TLS without verification',
  ],
  [
    ['rpc_tls_verify=false', 'rpc_host=https://app'],
    /^rpc_tls_verify is false: the cert/,
    'https without verification',
  ],
  [['rpc_tls_verify=false'], /^rpc_tls_verify is false: calls are not encrypted at all/, 'no TLS to verify'],
  [['rpc_tls_root_ca=ca'], null, 'a CA alone enables TLS'],
  [
    ['shutdown_slowdrain', 'shutdown_timeout=0'],
    /^shutdown_slowdrain is set, but shutdown_timeout/,
    'no time to spread the closing over',
  ],
  [['shutdown_slowdrain'], null, 'time to spread the closing over'],
  [['ocpp_outbox_decide=accept', 'state_dir=d'], /^ocpp_outbox_decide is accept: while/, 'stations give energy away'],
  [['ocpp_outbox_decide=accept'], /^ocpp_outbox_decide is accept, but state_dir is not/, 'nothing is stored'],
  [
    ['ocpp_outbox_decide=accept', 'state_dir=d', 'ocpp_unanswered=error'],
    /^ocpp_outbox_decide is accept, but ocpp_unanswered/,
    'nothing is stored',
  ],
  [['ocpp_outbox_decide=refuse', 'state_dir=d'], null, 'the app decides'],
  [['nats_servers=n:1', 'broadcast_adapter=http'], /^nats_servers is set/, 'servers without the nats adapter'],
  [['nats_servers=n:1', 'broadcast_adapter=http,nats'], null, 'servers with the nats adapter'],
  [['ocpp_idle_timeout=30'], /^the idle timeout is 30 s/, 'an idle timeout shorter than the ping interval'],
  [['ocpp_idle_timeout=30', 'ocpp_ping_interval=0'], null, 'no pings'],
  [['ocpp_ping_interval=5m'], /^the idle timeout is 120 s/, 'a derived idle timeout shorter than the ping interval'],
]
for (const [flags, warning, because] of cautions) {
  test(`[${flags.join(' ')}] gives ${warning === null ? 'no warning' : 'a warning'}: ${because}`, () => {
    const resolution = resolved(...flags)
    assert.ok(resolution.ok)
    assert.equal(resolution.warnings.length, warning === null ? 0 : 1, resolution.warnings.join('\n'))
    if (warning !== null) assert.match(resolution.warnings.join(), warning)
  })
}
