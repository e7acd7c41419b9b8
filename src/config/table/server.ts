/**
 * The server's part of the option table: where stations connect, and the limits of one socket.
 *
 * Pure.
 */
import { network } from '../addresses.ts'
import { bytes, headerName, hostName, integer, KiB, listOf, MiB, onOff, optional, path, port } from '../kinds.ts'
import { group, option } from '../option.ts'

export const server = group('Server', {
  host: option(hostName, 'localhost', 'Address to listen on for stations. 0.0.0.0 or :: listens on all addresses.', {
    flag: 'host',
  }),
  port: option(port, 8080, 'Port to listen on for stations. 0 picks any free port.', {
    flag: 'port',
    alsoEnv: 'PORT',
  }),
  healthPath: option(path, '/health', 'Path of the health check: 200 as long as the process is alive.', {
    flag: 'health-path',
  }),
  readyPath: option(
    path,
    '/ready',
    'Path of the readiness check: 200 while stations are accepted, the app is reachable and NATS, if used, is connected; otherwise 503.',
    { flag: 'ready-path' },
  ),
  trustedProxies: option(
    listOf(network),
    [],
    "Addresses of the proxies in front of the bridge, in CIDR notation. From these only, X-Forwarded-For, X-Forwarded-Proto and Forwarded tell a station's address and scheme. List only proxies that set these headers themselves.",
    { flag: 'trusted_proxies', toml: 'server.trusted_proxies' },
  ),
  proxyClientCert: option(
    optional(headerName),
    null,
    "Header in which trusted_proxies send the client certificate that they have verified, such as Client-Cert. When empty, no header is read: a proxy that does not set it would pass on a station's own.",
    { flag: 'proxy_client_cert', toml: 'server.proxy_client_cert' },
  ),
  proxyProtocol: option(
    onOff,
    false,
    'Whether each connection begins with a header of the PROXY protocol, version 1 or 2, from one of trusted_proxies. Any other connection is closed.',
    { flag: 'proxy_protocol', toml: 'server.proxy_protocol' },
  ),
  maxConn: option(
    integer(),
    0,
    'Limit on connected stations; a station beyond it gets 503, unless it replaces its own connection. 0 derives the limit from the open-files limit.',
    { flag: 'max-conn' },
  ),
  maxMessageSize: option(
    bytes({ min: KiB }),
    MiB,
    'Largest message that a station may send; a larger one closes its connection with 1009.',
    { flag: 'max_message_size', toml: 'ws.max_message_size' },
  ),
  maxPendingSize: option(
    bytes(),
    MiB,
    'Limit on data buffered for a station that reads too slowly; beyond it, the connection is terminated. 0 means no limit.',
    { flag: 'ws_max_pending_size', toml: 'ws.max_pending_size' },
  ),
})
