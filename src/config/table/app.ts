/**
 * The app's side of the option table: how it is called, and how its broadcasts arrive.
 *
 * Pure.
 */
import {
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

const rpcAddress = text(
  'host:port or dns:///host:port',
  /^(dns:\/\/\/)?(\[[\da-f:.]+\]|[^\s:/[\]]+):\d{1,5}$/i,
  '<address>',
)
const subject = text('a NATS subject without wildcards', /^[^\s*>]+$/, '<subject>')

const natsServer: Kind<string> = {
  ...text(
    'a URL such as nats://127.0.0.1:4222',
    /^((nats|tls):\/\/)?(\S+@)?(\[[\da-f:.]+\]|[^\s:/@[\]]+)(:\d{1,5})?\/?$/i,
    '<url>',
  ),
  hides: given => given.includes('@'),
}

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
    'The gRPC server of the app. dns:/// spreads the calls over all addresses of the name.',
  ),
  concurrency: option(
    integer({ min: 1 }),
    28,
    "How many calls may be under way at once; more wait their turn. Keep it below the pool of the app's server (30 by default).",
  ),
  requestTimeoutMs: option(
    duration({ bare: 'ms' }),
    0,
    'How long one attempt of a call may take. 0 sets no limit but that of rpc_command_timeout.',
  ),
  commandTimeoutMs: option(
    duration({ bare: 'ms', minMs: 1 }),
    3 * second,
    'How long a call may take altogether, with its turn to wait for and all attempts; then the station is answered without the app.',
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
