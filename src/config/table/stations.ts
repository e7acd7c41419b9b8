/**
 * The stations' side of the option table: where their sockets are accepted, and how OCPP is spoken with them.
 *
 * Pure.
 */
import { versionOf, versions, type Version } from '../../ocpp/version.ts'
import {
  bytes,
  duration,
  file,
  hostName,
  integer,
  KiB,
  listOf,
  MiB,
  oneOf,
  onOff,
  optional,
  path,
  port,
  scalar,
  second,
  text,
} from '../kinds.ts'
import { group, option, type Kind } from '../option.ts'

const className = text('the name of a Ruby class', /^[A-Z]\w*(::[A-Z]\w*)*$/, '<class>')

const version: Kind<Version> = scalar({
  placeholder: '<version>',
  accepts: Object.values(versions)
    .map(row => row.number)
    .join(' or '),
  parse: given => versionOf(`ocpp${given}`) ?? versionOf(given) ?? undefined,
  toToml: given => versions[given].number,
  tomlType: 'number',
})

/** Where a station's socket is accepted, and what one socket may use. */
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
    'How many stations may be connected at once; a further one is refused with 503. A station that takes over its own connection is let in. 0 sets no limit.',
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

export const ocpp = group('OCPP', {
  path: option(path, '/ocpp', 'The path before the identity of the station, as in /ocpp/CP01.'),
  channel: option(className, 'OCPPChannel', 'The channel of the app that stations are subscribed to.'),
  granularActions: option(
    onOff,
    true,
    'Whether each OCPP action performs a channel action of its own (BootNotification performs boot_notification). If false, everything lands in receive.',
  ),
  heartbeatIntervalMs: option(
    duration({ bare: 's', minMs: second }),
    30 * second,
    'The interval that a station is told to send heartbeats at, in whole seconds, where the app does not tell it one.',
    { old: { flag: 'ocpp_hearbeat_interval', toml: 'ocpp.hearbeat_interval' } },
  ),
  versions: option(
    listOf(version, { min: 1, distinct: true }),
    ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'],
    'The OCPP versions that are served. Of those that a station offers, the first in its own order is taken.',
  ),
  defaultVersion: option(
    optional(version),
    null,
    'The version, one of ocpp_versions, to assume for a station that offers no subprotocol. Without one such a station is refused.',
  ),
  sn: option(
    oneOf('serial', 'station_id'),
    'serial',
    'What the channel gets as sn: the serial number of the BootNotification (the station id, where there is none), or always the station id.',
  ),
  silentAck: option(
    oneOf('safe', 'off'),
    'safe',
    'What a station is told when the app ran the action and sent no Ack: safe gives the answer that decides nothing and loses nothing; off gives a CALLERROR where an answer would have to decide.',
  ),
  ackTimeoutMs: option(
    duration({ bare: 's' }),
    0,
    'How long to wait for an Ack that comes after the reply of the RPC call, as a broadcast. 0 waits for none.',
  ),
  forwardHeartbeats: option(
    onOff,
    false,
    'Whether heartbeats are performed in the app. If false, they are answered here and the app does not see them.',
  ),
  callTimeoutMs: option(
    duration({ bare: 's', minMs: second }),
    30 * second,
    'How long a station may take to answer a remote command; then the app is told CallTimeout.',
  ),
  callQueue: option(
    integer(),
    50,
    'How many remote commands may wait for one station, the one that is under way not counted; for a further one the app is told QueueFull.',
  ),
  pingIntervalMs: option(
    duration({ bare: 's' }),
    30 * second,
    'How long a station may say nothing before it is sent a WebSocket ping. 0 sends no pings.',
  ),
  idleTimeoutMs: option(
    duration({ bare: 's' }),
    0,
    'How long a station may say nothing, pongs included, before its connection is ended. 0 takes 2.5 times ocpp_heartbeat_interval, and at least 2m.',
  ),
  bootTimeoutMs: option(
    duration({ bare: 's', minMs: second }),
    60 * second,
    'How long a station may take from the upgrade to its first CALL before it is closed with 1008.',
  ),
})
