/**
 * The app's side of the option table: how it is called, and how its broadcasts arrive.
 *
 * Pure.
 */
import { certificates, natsServer, rpcAddress } from '../addresses.ts'
import {
  bytes,
  duration,
  file,
  integer,
  listOf,
  oneOf,
  onOff,
  optional,
  path,
  port,
  scalar,
  second,
  secret,
  text,
} from '../kinds.ts'
import { group, option, type Kind } from '../option.ts'

const subject = text('a NATS subject without wildcards', /^[^\s*>]+$/, '<subject>')

const headerName: Kind<string> = scalar({
  placeholder: '<header>',
  accepts: 'the name of an HTTP header, in any case',
  parse: given => (/^[\w!#$%&'*+.^`|~-]+$/.test(given) ? given.toLowerCase() : undefined),
  toToml: given => given,
})

export const rpc = group('RPC: reaching the app', {
  host: option(
    rpcAddress,
    'localhost:50051',
    'Where the app takes calls: over gRPC, spread over all addresses of a name (dns:///) or of a list (grpc-list://), or over HTTP (http://, https://).',
  ),
  impl: option(
    oneOf('auto', 'grpc', 'grpc-js', 'http'),
    'auto',
    "How the app is called. auto: http if rpc_host begins with http:// or https://, else grpc. grpc-js is gRPC too, by the library of that name instead of the bridge's own client: it takes more CPU.",
    { toml: 'rpc.implementation' },
  ),
  concurrency: option(
    integer(),
    28,
    "How many calls may be under way at once; more wait their turn. Keep it below the pool of the app's server (30 by default). 0 finds the number out: it shrinks when the app refuses calls, and grows while calls wait.",
  ),
  requestTimeoutMs: option(
    duration({ bare: 'ms' }),
    0,
    'How long one attempt of a call may take. 0 sets no limit but that of rpc_command_timeout.',
  ),
  commandTimeoutMs: option(
    duration({ bare: 'ms', minMs: 1 }),
    3 * second,
    'How long a call may take altogether, with its turn to wait for and all attempts; then the station is answered without the app. A transaction message may wait longer for its turn, and has this from then on.',
  ),
  enableTls: option(
    onOff,
    false,
    'Whether gRPC calls are encrypted. rpc_tls_root_ca sets it too; over HTTP, https:// says it.',
  ),
  tlsVerify: option(
    onOff,
    true,
    "Whether the certificate of the app's server is checked. If false, anybody on the way may pass for the app.",
  ),
  tlsRootCa: option(
    optional(certificates),
    null,
    "The CA certificates to check the app's server by. When empty: those of the system.",
    { toml: 'rpc.tls_root_ca_path' },
  ),
  maxCallRecvSize: option(
    bytes(),
    0,
    "The largest reply that is taken from the app. 0 keeps gRPC's own limit, 4MiB, over HTTP too.",
    { toml: 'rpc.max_recv_size' },
  ),
  maxCallSendSize: option(
    bytes(),
    0,
    'The largest call that is sent to the app, whose server takes 4MiB unless told otherwise. 0 sets no limit.',
    { toml: 'rpc.max_send_size' },
  ),
  httpSecret: option(
    optional(secret),
    null,
    'What calls over HTTP must carry (Authorization: Bearer). When empty it is derived from secret, as the app does; none sends nothing.',
    { flag: 'http_rpc_secret', toml: 'rpc.secret' },
  ),
  headers: option(
    listOf(headerName, { distinct: true }),
    ['cookie', 'authorization', 'sec-websocket-protocol'],
    "The headers of a station's upgrade request that the app is given.",
    { flag: 'headers', toml: 'rpc.proxy_headers' },
  ),
})

export const broadcast = group('Broadcasts: what the app sends', {
  adapters: option(
    listOf(oneOf('nats', 'http'), { distinct: true }),
    [],
    'How broadcasts of the app arrive. When empty: nats if nats_servers is given, else http.',
    { flag: 'broadcast_adapter', toml: 'broadcast_adapters' },
  ),
  natsServers: option(
    listOf(natsServer),
    [],
    'The NATS servers; credentials stand in the URL. When empty and nats is used: nats://127.0.0.1:4222.',
    { flag: 'nats_servers', toml: 'nats.servers' },
  ),
  natsChannel: option(subject, '__anycable__', 'The NATS subject that the app publishes to.', {
    flag: 'nats_channel',
    toml: 'nats_broadcast.channel',
  }),
  natsDontRandomizeServers: option(
    onOff,
    false,
    'Whether the NATS servers are tried in the order given. If false, in any order.',
    {
      flag: 'nats_dont_randomize_servers',
      toml: 'nats.dont_randomize_servers',
    },
  ),
  natsCredentials: option(optional(file), null, 'A NATS credentials file (.creds: JWT and seed).', {
    flag: 'nats_credentials',
    toml: 'nats.credentials',
  }),
  natsNkey: option(optional(file), null, 'A file with the NATS user nkey seed (SU…).', {
    flag: 'nats_nkey',
    toml: 'nats.nkey',
  }),
  natsToken: option(optional(secret), null, 'The token that NATS asks for, where it does not stand in the URL.', {
    flag: 'nats_token',
    toml: 'nats.token',
  }),
  natsTlsCa: option(
    optional(file),
    null,
    'The CA certificates to check NATS servers by; with it, NATS is reached by TLS only.',
    {
      flag: 'nats_tls_ca',
      toml: 'nats.tls_ca',
    },
  ),
  natsTlsCert: option(optional(file), null, 'The certificate to show to NATS servers; it needs nats_tls_key.', {
    flag: 'nats_tls_cert',
    toml: 'nats.tls_cert',
  }),
  natsTlsKey: option(optional(file), null, 'The private key of nats_tls_cert.', {
    flag: 'nats_tls_key',
    toml: 'nats.tls_key',
  }),
  httpPort: option(
    port,
    0,
    'The port that takes broadcasts over HTTP. 0 takes the port of the stations if there is a broadcast_key or a secret, else 8090.',
    { flag: 'http_broadcast_port', toml: 'http_broadcast.port' },
  ),
  httpPath: option(path, '/_broadcast', 'The path that takes broadcasts over HTTP, by POST.', {
    flag: 'http_broadcast_path',
    toml: 'http_broadcast.path',
  }),
  key: option(
    optional(secret),
    null,
    'The key that an HTTP broadcast must carry (Authorization: Bearer). When empty it is derived from secret, as the app does; none asks for no key at all.',
    { toml: 'broadcast_key' },
  ),
  secret: option(
    optional(secret),
    null,
    'The secret shared with the app, of which keys are derived; none is the same as empty.',
    {
      flag: 'secret',
      toml: 'secret',
    },
  ),
})
