import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Row, Spelling } from '../../src/config/option.ts'
import { nameOf, readWith, textOf } from '../../src/config/option.ts'
import { programRows, rows, type Settings } from '../../src/config/options.ts'
import { cautions, rules } from '../../src/config/rules.ts'
import type { SilentOverride } from '../../src/translate/answers.ts'

const all = [...rows, ...programRows]

// AnyCable's names where it has the option, so that an existing configuration keeps working.
const names: readonly [flag: string, env: string, toml: string][] = [
  ['host', 'ANYCABLE_HOST', 'server.host'],
  ['port', 'ANYCABLE_PORT', 'server.port'],
  ['health-path', 'ANYCABLE_HEALTH_PATH', 'server.health_path'],
  ['ready-path', 'ANYCABLE_READY_PATH', 'server.ready_path'],
  ['ssl_cert', 'ANYCABLE_SSL_CERT', 'server.ssl.cert_path'],
  ['ssl_key', 'ANYCABLE_SSL_KEY', 'server.ssl.key_path'],
  ['ssl_client_ca', 'ANYCABLE_SSL_CLIENT_CA', 'server.ssl.client_ca_path'],
  ['ssl_client_crl', 'ANYCABLE_SSL_CLIENT_CRL', 'server.ssl.client_crl_path'],
  ['ssl_client_verify', 'ANYCABLE_SSL_CLIENT_VERIFY', 'server.ssl.client_verify'],
  ['ssl_legacy', 'ANYCABLE_SSL_LEGACY', 'server.ssl.legacy'],
  ['ocpp_profile', 'ANYCABLE_OCPP_PROFILE', 'ocpp.profile'],
  ['ocpp_operator', 'ANYCABLE_OCPP_OPERATOR', 'ocpp.operator'],
  ['ocpp_certificate_names', 'ANYCABLE_OCPP_CERTIFICATE_NAMES', 'ocpp.certificate_names'],
  ['ocpp_profile_downgrade', 'ANYCABLE_OCPP_PROFILE_DOWNGRADE', 'ocpp.profile_downgrade'],
  ['trusted_proxies', 'ANYCABLE_TRUSTED_PROXIES', 'server.trusted_proxies'],
  ['proxy_client_cert', 'ANYCABLE_PROXY_CLIENT_CERT', 'server.proxy_client_cert'],
  ['proxy_protocol', 'ANYCABLE_PROXY_PROTOCOL', 'server.proxy_protocol'],
  ['max-conn', 'ANYCABLE_MAX_CONN', 'server.max_conn'],
  ['max_message_size', 'ANYCABLE_MAX_MESSAGE_SIZE', 'ws.max_message_size'],
  ['ws_max_pending_size', 'ANYCABLE_WS_MAX_PENDING_SIZE', 'ws.max_pending_size'],
  ['ws_write_timeout', 'ANYCABLE_WS_WRITE_TIMEOUT', 'ws.write_timeout'],
  ['limits_conn_per_address', 'ANYCABLE_LIMITS_CONN_PER_ADDRESS', 'limits.conn_per_address'],
  ['limits_upgrade_rate', 'ANYCABLE_LIMITS_UPGRADE_RATE', 'limits.upgrade_rate'],
  ['limits_frame_rate', 'ANYCABLE_LIMITS_FRAME_RATE', 'limits.frame_rate'],
  ['limits_unaccepted_frame_rate', 'ANYCABLE_LIMITS_UNACCEPTED_FRAME_RATE', 'limits.unaccepted_frame_rate'],
  ['limits_unaccepted_message_size', 'ANYCABLE_LIMITS_UNACCEPTED_MESSAGE_SIZE', 'limits.unaccepted_message_size'],
  ['limits_unfinished_size', 'ANYCABLE_LIMITS_UNFINISHED_SIZE', 'limits.unfinished_size'],
  ['limits_message_timeout', 'ANYCABLE_LIMITS_MESSAGE_TIMEOUT', 'limits.message_timeout'],
  ['ocpp_path', 'ANYCABLE_OCPP_PATH', 'ocpp.path'],
  ['ocpp_channel', 'ANYCABLE_OCPP_CHANNEL', 'ocpp.channel'],
  ['ocpp_granular_actions', 'ANYCABLE_OCPP_GRANULAR_ACTIONS', 'ocpp.granular_actions'],
  ['ocpp_heartbeat_interval', 'ANYCABLE_OCPP_HEARTBEAT_INTERVAL', 'ocpp.heartbeat_interval'],
  ['ocpp_timestamps', 'ANYCABLE_OCPP_TIMESTAMPS', 'ocpp.timestamps'],
  ['ocpp_versions', 'ANYCABLE_OCPP_VERSIONS', 'ocpp.versions'],
  ['ocpp_default_version', 'ANYCABLE_OCPP_DEFAULT_VERSION', 'ocpp.default_version'],
  ['ocpp_sn', 'ANYCABLE_OCPP_SN', 'ocpp.sn'],
  ['ocpp_trigger_boot', 'ANYCABLE_OCPP_TRIGGER_BOOT', 'ocpp.trigger_boot'],
  ['ocpp_takeover', 'ANYCABLE_OCPP_TAKEOVER', 'ocpp.takeover'],
  ['ocpp_compression', 'ANYCABLE_OCPP_COMPRESSION', 'ocpp.compression'],
  ['ocpp_validate_in', 'ANYCABLE_OCPP_VALIDATE_IN', 'ocpp.validate_in'],
  ['ocpp_validate_out', 'ANYCABLE_OCPP_VALIDATE_OUT', 'ocpp.validate_out'],
  ['ocpp_validate_acks', 'ANYCABLE_OCPP_VALIDATE_ACKS', 'ocpp.validate_acks'],
  ['ocpp_silent_ack', 'ANYCABLE_OCPP_SILENT_ACK', 'ocpp.silent_ack'],
  ['ocpp_ack_timeout', 'ANYCABLE_OCPP_ACK_TIMEOUT', 'ocpp.ack_timeout'],
  ['ocpp_forward_heartbeats', 'ANYCABLE_OCPP_FORWARD_HEARTBEATS', 'ocpp.forward_heartbeats'],
  ['ocpp_collect_reports', 'ANYCABLE_OCPP_COLLECT_REPORTS', 'ocpp.collect_reports'],
  ['ocpp_report_timeout', 'ANYCABLE_OCPP_REPORT_TIMEOUT', 'ocpp.report_timeout'],
  ['ocpp_call_timeout', 'ANYCABLE_OCPP_CALL_TIMEOUT', 'ocpp.call_timeout'],
  ['ocpp_call_queue', 'ANYCABLE_OCPP_CALL_QUEUE', 'ocpp.call_queue'],
  ['ocpp_ping_interval', 'ANYCABLE_OCPP_PING_INTERVAL', 'ocpp.ping_interval'],
  ['ocpp_unanswered', 'ANYCABLE_OCPP_UNANSWERED', 'ocpp.unanswered'],
  ['ocpp_outbox_size', 'ANYCABLE_OCPP_OUTBOX_SIZE', 'ocpp.outbox_size'],
  ['ocpp_outbox_decide', 'ANYCABLE_OCPP_OUTBOX_DECIDE', 'ocpp.outbox_decide'],
  ['ocpp_outbox_ttl', 'ANYCABLE_OCPP_OUTBOX_TTL', 'ocpp.outbox_ttl'],
  ['ocpp_close', 'ANYCABLE_OCPP_CLOSE', 'ocpp.close'],
  ['ocpp_invalid_utf8', 'ANYCABLE_OCPP_INVALID_UTF8', 'ocpp.invalid_utf8'],
  ['ocpp_idle_timeout', 'ANYCABLE_OCPP_IDLE_TIMEOUT', 'ocpp.idle_timeout'],
  ['ocpp_boot_timeout', 'ANYCABLE_OCPP_BOOT_TIMEOUT', 'ocpp.boot_timeout'],
  ['rpc_host', 'ANYCABLE_RPC_HOST', 'rpc.host'],
  ['rpc_impl', 'ANYCABLE_RPC_IMPL', 'rpc.implementation'],
  ['rpc_concurrency', 'ANYCABLE_RPC_CONCURRENCY', 'rpc.concurrency'],
  ['rpc_request_timeout', 'ANYCABLE_RPC_REQUEST_TIMEOUT', 'rpc.request_timeout'],
  ['rpc_command_timeout', 'ANYCABLE_RPC_COMMAND_TIMEOUT', 'rpc.command_timeout'],
  ['rpc_enable_tls', 'ANYCABLE_RPC_ENABLE_TLS', 'rpc.enable_tls'],
  ['rpc_tls_verify', 'ANYCABLE_RPC_TLS_VERIFY', 'rpc.tls_verify'],
  ['rpc_tls_root_ca', 'ANYCABLE_RPC_TLS_ROOT_CA', 'rpc.tls_root_ca_path'],
  ['rpc_max_call_recv_size', 'ANYCABLE_RPC_MAX_CALL_RECV_SIZE', 'rpc.max_recv_size'],
  ['rpc_max_call_send_size', 'ANYCABLE_RPC_MAX_CALL_SEND_SIZE', 'rpc.max_send_size'],
  ['http_rpc_secret', 'ANYCABLE_HTTP_RPC_SECRET', 'rpc.secret'],
  ['headers', 'ANYCABLE_HEADERS', 'rpc.proxy_headers'],
  ['broadcast_adapter', 'ANYCABLE_BROADCAST_ADAPTER', 'broadcast_adapters'],
  ['nats_servers', 'ANYCABLE_NATS_SERVERS', 'nats.servers'],
  ['nats_channel', 'ANYCABLE_NATS_CHANNEL', 'nats_broadcast.channel'],
  ['nats_dont_randomize_servers', 'ANYCABLE_NATS_DONT_RANDOMIZE_SERVERS', 'nats.dont_randomize_servers'],
  ['nats_credentials', 'ANYCABLE_NATS_CREDENTIALS', 'nats.credentials'],
  ['nats_nkey', 'ANYCABLE_NATS_NKEY', 'nats.nkey'],
  ['nats_token', 'ANYCABLE_NATS_TOKEN', 'nats.token'],
  ['nats_tls_ca', 'ANYCABLE_NATS_TLS_CA', 'nats.tls_ca'],
  ['nats_tls_cert', 'ANYCABLE_NATS_TLS_CERT', 'nats.tls_cert'],
  ['nats_tls_key', 'ANYCABLE_NATS_TLS_KEY', 'nats.tls_key'],
  ['http_broadcast_port', 'ANYCABLE_HTTP_BROADCAST_PORT', 'http_broadcast.port'],
  ['http_broadcast_path', 'ANYCABLE_HTTP_BROADCAST_PATH', 'http_broadcast.path'],
  ['broadcast_key', 'ANYCABLE_BROADCAST_KEY', 'broadcast_key'],
  ['secret', 'ANYCABLE_SECRET', 'secret'],
  ['disconnect_mode', 'ANYCABLE_DISCONNECT_MODE', 'app.disconnect_mode'],
  ['disconnect_rate', 'ANYCABLE_DISCONNECT_RATE', 'disconnector.rate'],
  ['disconnect_backlog_size', 'ANYCABLE_DISCONNECT_BACKLOG_SIZE', 'disconnector.backlog'],
  ['shutdown_timeout', 'ANYCABLE_SHUTDOWN_TIMEOUT', 'app.shutdown_timeout'],
  ['shutdown_delay', 'ANYCABLE_SHUTDOWN_DELAY', 'app.shutdown_delay'],
  ['shutdown_slowdrain', 'ANYCABLE_SHUTDOWN_SLOWDRAIN', 'app.shutdown_slowdrain'],
  ['state_dir', 'ANYCABLE_STATE_DIR', 'state.dir'],
  ['log_level', 'ANYCABLE_LOG_LEVEL', 'logging.level'],
  ['log_format', 'ANYCABLE_LOG_FORMAT', 'logging.format'],
  ['log_sensitive', 'ANYCABLE_LOG_SENSITIVE', 'logging.sensitive'],
  ['debug', 'ANYCABLE_DEBUG', 'logging.debug'],
  ['metrics_http', 'ANYCABLE_METRICS_HTTP', 'metrics.http_path'],
  ['metrics_host', 'ANYCABLE_METRICS_HOST', 'metrics.host'],
  ['metrics_port', 'ANYCABLE_METRICS_PORT', 'metrics.port'],
  ['metrics_prefix', 'ANYCABLE_METRICS_PREFIX', 'metrics.prefix'],
  ['metrics_tags', 'ANYCABLE_METRICS_TAGS', 'metrics.tags'],
  ['metrics_log', 'ANYCABLE_METRICS_LOG', 'metrics.log'],
  ['metrics_log_filter', 'ANYCABLE_METRICS_LOG_FILTER', 'metrics.log_filter'],
  ['metrics_rotate_interval', 'ANYCABLE_METRICS_ROTATE_INTERVAL', 'metrics.rotate_interval'],
  ['statsd_host', 'ANYCABLE_STATSD_HOST', 'metrics.statsd.host'],
  ['statsd_prefix', 'ANYCABLE_STATSD_PREFIX', 'metrics.statsd.prefix'],
  ['statsd_tags_format', 'ANYCABLE_STATSD_TAGS_FORMAT', 'metrics.statsd.tags_format'],
  ['statsd_max_packet_size', 'ANYCABLE_STATSD_MAX_PACKET_SIZE', 'metrics.statsd.max_packet_size'],
  ['traces', 'ANYCABLE_TRACES', 'traces.enabled'],
  ['admin_port', 'ANYCABLE_ADMIN_PORT', 'admin.port'],
  ['admin_host', 'ANYCABLE_ADMIN_HOST', 'admin.host'],
  ['admin_token', 'ANYCABLE_ADMIN_TOKEN', 'admin.token'],
  ['admin_read_token', 'ANYCABLE_ADMIN_READ_TOKEN', 'admin.read_token'],
  ['ocpp_history', 'ANYCABLE_OCPP_HISTORY', 'ocpp.history'],
  ['ocpp_connect_on', 'ANYCABLE_OCPP_CONNECT_ON', 'ocpp.connect_on'],
  ['ocpp_auth_file', 'ANYCABLE_OCPP_AUTH_FILE', 'ocpp.auth_file'],
  ['node_id', 'ANYCABLE_NODE_ID', 'node_id'],
]
for (const [flag, env, toml] of names) {
  test(`--${flag} has the variable ${env} and the key ${toml}`, () => {
    const row = rows.find(({ spellings }) => spellings[0].flag === flag)
    assert.deepEqual(row?.spellings[0], { flag, env, toml, old: false })
  })
}

const tables = ['listener', 'ocpp_validation', 'ocpp_silent_answers']
for (const toml of tables) {
  test(`${toml} is a table without flag and variable`, () => {
    const row = rows.find(({ spellings }) => spellings[0].toml === toml)
    assert.deepEqual(row?.spellings, [{ toml, old: false }])
  })
}

test('this test lists the names of every option', () => {
  assert.deepEqual(new Set([...names.map(([flag]) => flag), ...tables]), new Set(rows.map(nameOf)))
})

test('no two options share a name', () => {
  const named = (table: readonly Row[], nameIn: (spelling: Spelling) => string | undefined) =>
    table.flatMap(row => row.spellings.flatMap(spelling => nameIn(spelling) ?? []))
  for (const given of [named(all, each => each.flag), named(rows, each => each.env), named(rows, each => each.toml)]) {
    assert.equal(new Set(given).size, given.length)
  }
})

test('each default reads back as the same value', () => {
  for (const { option, key } of rows) {
    const { kind } = option
    if (kind.shape === 'table') continue
    const text = textOf(kind, option.default)
    const read = kind.shape === 'many' && text === '' ? kind.fromToml([], () => assert.fail(key)) : kind.parse(text)
    assert.deepEqual(read, option.default, key)
  }
})

test('the example of each table reads back as the same value, and the default is unset', () => {
  for (const { option, key } of rows.filter(each => each.option.kind.shape === 'table')) {
    const { kind } = option
    const read = readWith(kind, kind.example, (at, problem) => assert.fail(`${key}${at}: ${problem}`))
    assert.deepEqual(kind.toToml(read), kind.example, key)
    assert.equal(kind.toToml(option.default), null, key)
    assert.equal(kind.parse('x'), undefined, key)
  }
})

test('each description ends with a full stop', () => {
  for (const { option, key } of all) assert.match(option.about, /^[A-Z].*\.$|^[A-Z].*4222\.$/, key)
})

test('rules refer to existing options', () => {
  const flags = new Set(rows.map(nameOf))
  for (const rule of [...rules, ...cautions]) for (const flag of rule.of) assert.ok(flags.has(flag), flag)
})

test('the types of the settings derive from the rows', () => {
  const check = (settings: Settings) => {
    const timeout: number = settings.rpc.commandTimeoutMs
    const sn: 'serial' | 'station_id' = settings.ocpp.sn
    const version: 'ocpp1.6' | 'ocpp2.0.1' | 'ocpp2.1' | null = settings.ocpp.defaultVersion
    const adapters: readonly ('nats' | 'http')[] = settings.broadcast.adapters
    const rules: readonly { readonly station: string; readonly mode: 'off' | 'warn' | 'strict' }[] =
      settings.ocpp.validation
    const answer: SilentOverride | undefined = settings.ocpp.silentAnswers['Authorize']
    // @ts-expect-error: a key that may be missing
    const key: string = settings.broadcast.key
    // @ts-expect-error: no such option
    const host: unknown = settings.rpc.hots
    // @ts-expect-error: settings do not change
    settings.server.port = 1
    return [timeout, sn, version, adapters, rules, answer, key, host]
  }
  assert.equal(typeof check, 'function')
})
