/**
 * OCPP's part of the option table: how it is spoken with stations, and with the app about them.
 *
 * Pure.
 */
import { versionOf, versions, type Version } from '../../ocpp/version.ts'
import { silentAnswers, silentMode, validationMode, validationRules } from '../actions.ts'
import { duration, integer, listOf, oneOf, onOff, optional, path, scalar, second, text } from '../kinds.ts'
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
  takeover: option(
    oneOf('newest', 'refuse'),
    'newest',
    'What becomes of a second connection of the same station. newest: once the app has let it in, it takes the place of the first. refuse: it is refused with 409 while the first is open.',
  ),
  compression: option(
    oneOf('auto', 'on', 'off'),
    'auto',
    'Whether permessage-deflate is agreed on with stations that offer it. auto does so with OCPP 2.x, which requires it of a CSMS, and not with 1.6; each compressed connection takes more memory.',
  ),
  validateIn: option(
    validationMode,
    'warn',
    "What becomes of a station's message that breaks the official schema. off does not look. warn performs it, with the violations in the data. strict answers a CALLERROR, but performs transaction messages all the same.",
  ),
  validateOut: option(
    validationMode,
    'strict',
    'What becomes of a remote command that breaks the official schema. off does not look. warn sends it, and logs what is wrong. strict does not send it and tells the app InvalidPayload, with the path that is wrong.',
  ),
  validateAcks: option(
    validationMode,
    'warn',
    "What becomes of an Ack of the app that breaks the official schema. off does not look. warn sends it, and logs what is wrong. strict answers a CALLERROR in its place, but sends a transaction message's Ack all the same.",
  ),
  validation: option(
    validationRules,
    [],
    'Exceptions from ocpp_validate_in, ocpp_validate_out and ocpp_validate_acks, for stations by a pattern of their identity (* is any text, ? one character) and for actions by name. The first table that fits a message decides; station and action are * where they are left out.',
  ),
  silentAck: option(
    silentMode,
    'safe',
    'What a station is told when the app ran the action and sent no Ack. safe gives the answer that decides nothing and loses nothing. anycable accepts wherever OCPP knows Accepted, as AnyCable does, unknown idTags too. off gives a CALLERROR where an answer would have to decide.',
  ),
  silentAnswers: option(
    silentAnswers,
    {},
    'What is told in place of what ocpp_silent_ack gives, action by action: the answer of another mode, or the payload of the answer itself. Heartbeat cannot be set, for it is always answered here.',
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
  collectReports: option(
    onOff,
    false,
    'Whether reports that come in parts (NotifyReport, NotifyMonitoringReport, NotifyCustomerInformation, ReportChargingProfiles, NotifyDisplayMessages) are performed once, whole. If false, each part is performed as it comes.',
  ),
  reportTimeoutMs: option(
    duration({ bare: 's', minMs: second }),
    60 * second,
    'How long the next part of a collected report may take; then what has come is performed, with what is missing named.',
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
