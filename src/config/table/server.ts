/**
 * The server's part of the option table: where stations' sockets are accepted, and what one socket may use.
 *
 * Pure.
 */
import { bytes, file, hostName, integer, KiB, listOf, MiB, path, port } from '../kinds.ts'
import { group, option } from '../option.ts'

export const server = group('Server', {
  host: option(hostName, 'localhost', 'The address to listen on for stations. 0.0.0.0 or :: listens on all of them.', {
    flag: 'host',
  }),
  port: option(port, 8080, 'The port to listen on for stations. 0 takes any free port.', {
    flag: 'port',
    alsoEnv: 'PORT',
  }),
  healthPath: option(path, '/health', 'The path that answers 200 as long as the process lives.', {
    flag: 'health-path',
  }),
  readyPath: option(
    path,
    '/ready',
    'The path that answers 200 while stations are taken, the app can be reached and NATS is connected; else 503.',
    { flag: 'ready-path' },
  ),
  sslCert: option(
    listOf(file),
    [],
    'The certificate chains to serve TLS with, for example an RSA and an ECDSA one. Without any, connections are not encrypted.',
    { flag: 'ssl_cert', toml: 'server.ssl.cert_path' },
  ),
  sslKey: option(listOf(file), [], 'The private keys, one for each certificate, in the same order.', {
    flag: 'ssl_key',
    toml: 'server.ssl.key_path',
  }),
  maxConn: option(
    integer(),
    0,
    'How many stations may be connected at once; a further one is refused with 503. A station that takes over its own connection is let in. 0: as many as the open-files limit has room for.',
    { flag: 'max-conn' },
  ),
  maxMessageSize: option(
    bytes({ min: KiB }),
    MiB,
    'The largest message that a station may send; for a larger one its connection is closed with 1009.',
    { flag: 'max_message_size', toml: 'ws.max_message_size' },
  ),
  maxPendingSize: option(
    bytes(),
    MiB,
    'How much may wait to be written to a station that reads too slowly; beyond it the connection is ended. 0 sets no limit.',
    { flag: 'ws_max_pending_size', toml: 'ws.max_pending_size' },
  ),
})
