/**
 * The app's part of the option table: RPC calls to it, and broadcasts from it.
 *
 * Pure.
 */
import { certificates, natsServer, rpcAddress } from '../addresses.ts'
import {
  bytes,
  duration,
  file,
  headerName,
  integer,
  listOf,
  oneOf,
  onOff,
  optional,
  path,
  port,
  second,
  secret,
  text,
  token,
} from '../kinds.ts'
import { group, option } from '../option.ts'

const subject = text('a NATS subject without wildcards', /^[^\s*>]+$/, '<subject>')

export const rpc = group('RPC: reaching the app', {
  host: option(
    rpcAddress,
    'localhost:50051',
    "Address of the app's RPC server: host:port for gRPC, dns:/// to spread calls over all addresses of a name, grpc-list:// to spread them over a list, http:// or https:// for RPC over HTTP.",
  ),
  impl: option(
    oneOf('auto', 'grpc', 'grpc-js', 'http'),
    'auto',
    "RPC implementation. auto: http if rpc_host starts with http:// or https://, otherwise grpc. grpc-js: gRPC through the library of that name instead of the bridge's own client; it takes more CPU.",
    { toml: 'rpc.implementation' },
  ),
  concurrency: option(
    integer(),
    28,
    "Limit on RPC calls in flight; calls beyond it are queued. Keep it below the app's RPC pool (30 by default); the closer to it, the more calls the app refuses and the bridge retries. 0 adapts the limit: it shrinks when the app refuses calls and grows while calls are queued.",
  ),
  requestTimeoutMs: option(
    duration({ bare: 'ms' }),
    0,
    'Timeout of one attempt of a call. 0 means no timeout other than rpc_command_timeout.',
  ),
  commandTimeoutMs: option(
    duration({ bare: 'ms', minMs: 1 }),
    3 * second,
    'Timeout of a whole call, including its time in the queue and all attempts; when it expires, the bridge answers the station without the app. A transaction message may stay queued for longer; its timeout starts when it leaves the queue.',
  ),
  enableTls: option(
    onOff,
    false,
    'Whether to encrypt gRPC calls. rpc_tls_root_ca implies it; over HTTP, use https:// instead.',
  ),
  tlsVerify: option(
    onOff,
    true,
    "Whether to verify the certificate of the app's server. If false, anyone on the network path can impersonate the app.",
  ),
  tlsRootCa: option(
    optional(certificates),
    null,
    "CA certificates to verify the app's server with. When empty: the system's CA certificates.",
    { toml: 'rpc.tls_root_ca_path' },
  ),
  maxCallRecvSize: option(
    bytes(),
    0,
    "Largest reply accepted from the app. 0 means gRPC's default limit, 4MiB, also over HTTP.",
    { toml: 'rpc.max_recv_size' },
  ),
  maxCallSendSize: option(
    bytes(),
    0,
    "Largest call sent to the app; the app's server accepts 4MiB by default. 0 means no limit.",
    { toml: 'rpc.max_send_size' },
  ),
  httpSecret: option(
    optional(token),
    null,
    'Bearer token sent with RPC over HTTP (Authorization header). When empty, it is derived from secret, as in the app; none sends no token.',
    { flag: 'http_rpc_secret', toml: 'rpc.secret' },
  ),
  headers: option(
    listOf(headerName, { distinct: true }),
    ['cookie', 'authorization', 'sec-websocket-protocol'],
    "Headers of a station's upgrade request to pass on to the app.",
    { flag: 'headers', toml: 'rpc.proxy_headers' },
  ),
})

export const broadcast = group('Broadcasts: what the app sends', {
  adapters: option(
    listOf(oneOf('nats', 'http'), { distinct: true }),
    [],
    'How broadcasts from the app arrive. When empty: nats if nats_servers is set, otherwise http.',
    { flag: 'broadcast_adapter', toml: 'broadcast_adapters' },
  ),
  natsServers: option(
    listOf(natsServer),
    [],
    'URLs of the NATS servers, which may include credentials. When empty and nats is used: nats://127.0.0.1:4222.',
    { flag: 'nats_servers', toml: 'nats.servers' },
  ),
  natsChannel: option(subject, '__anycable__', 'NATS subject that the app publishes to.', {
    flag: 'nats_channel',
    toml: 'nats_broadcast.channel',
  }),
  natsDontRandomizeServers: option(
    onOff,
    false,
    'Whether to try the NATS servers in the given order. If false, in random order.',
    {
      flag: 'nats_dont_randomize_servers',
      toml: 'nats.dont_randomize_servers',
    },
  ),
  natsCredentials: option(optional(file), null, 'NATS credentials file (.creds: JWT and seed).', {
    flag: 'nats_credentials',
    toml: 'nats.credentials',
  }),
  natsNkey: option(optional(file), null, "File with the NATS user's nkey seed (SU…).", {
    flag: 'nats_nkey',
    toml: 'nats.nkey',
  }),
  natsToken: option(optional(secret), null, 'NATS token, unless the URL has it.', {
    flag: 'nats_token',
    toml: 'nats.token',
  }),
  natsTlsCa: option(
    optional(file),
    null,
    'CA certificates to verify the NATS servers with; setting it makes TLS mandatory.',
    {
      flag: 'nats_tls_ca',
      toml: 'nats.tls_ca',
    },
  ),
  natsTlsCert: option(optional(file), null, 'Client certificate to present to the NATS servers; needs nats_tls_key.', {
    flag: 'nats_tls_cert',
    toml: 'nats.tls_cert',
  }),
  natsTlsKey: option(optional(file), null, 'Private key of nats_tls_cert.', {
    flag: 'nats_tls_key',
    toml: 'nats.tls_key',
  }),
  httpPort: option(
    port,
    0,
    "Port for broadcasts over HTTP. 0 means the stations' port if broadcast_key or secret is set, otherwise 8090, for which host must be a loopback address.",
    { flag: 'http_broadcast_port', toml: 'http_broadcast.port' },
  ),
  httpPath: option(path, '/_broadcast', 'Path for broadcasts over HTTP (POST).', {
    flag: 'http_broadcast_path',
    toml: 'http_broadcast.path',
  }),
  key: option(
    optional(token),
    null,
    'Bearer token that a broadcast over HTTP must carry (Authorization header). When empty, it is derived from secret, as in the app; none accepts broadcasts without a token.',
    { toml: 'broadcast_key' },
  ),
  secret: option(
    optional(secret),
    null,
    'Secret shared with the app; keys are derived from it. none means the same as empty.',
    {
      flag: 'secret',
      toml: 'secret',
    },
  ),
})
