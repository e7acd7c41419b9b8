/**
 * The server's part of the option table: where stations connect, and the limits of one socket.
 *
 * Pure.
 */
import { bytes, hostName, integer, KiB, MiB, path, port } from '../kinds.ts'
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
