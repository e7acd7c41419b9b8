/**
 * OCPP's part of the option table: the protocol with stations, and the channel actions that the app sees of it.
 *
 * Pure.
 */
import { versionOf, versions, type Version } from '../../ocpp/version.ts'
import { parseCloseRule, serializeCloseRule, type CloseRule } from '../../translate/closing.ts'
import { silentAnswers, silentMode, validationMode, validationRules } from '../actions.ts'
import {
  bytes,
  day,
  duration,
  GiB,
  integer,
  MiB,
  listOf,
  oneOf,
  onOff,
  optional,
  path,
  scalar,
  second,
  text,
} from '../kinds.ts'
import { group, option, type Kind } from '../option.ts'
import { auth } from './auth.ts'

const className = text('a Ruby class name', /^[A-Z]\w*(::[A-Z]\w*)*$/, '<class>')

export const version: Kind<Version> = scalar({
  placeholder: '<version>',
  accepts: Object.values(versions)
    .map(row => row.number)
    .join(' or '),
  parse: given => versionOf(`ocpp${given}`) ?? versionOf(given) ?? undefined,
  toToml: given => versions[given].number,
  tomlType: 'number',
})

const closeRule: Kind<CloseRule> = scalar({
  placeholder: '<frame|abort>',
  accepts: 'frame or abort, or one of them for a pattern, as in ACME-*:abort',
  parse: parseCloseRule,
  toToml: serializeCloseRule,
})

export const ocpp = group('OCPP', {
  ...auth,
  path: option(path, '/ocpp', 'Path before the station identity, as in /ocpp/CP01.'),
  channel: option(className, 'OCPPChannel', 'Channel class that stations are subscribed to.'),
  granularActions: option(
    onOff,
    true,
    'Whether each OCPP action performs its own channel action (BootNotification performs boot_notification). If false, every message performs receive.',
  ),
  heartbeatIntervalMs: option(
    duration({ bare: 's', minMs: second }),
    30 * second,
    'Heartbeat interval that the bridge gives a station when the app gives none, in whole seconds.',
    { old: { flag: 'ocpp_hearbeat_interval', toml: 'ocpp.hearbeat_interval' } },
  ),
  timestamps: option(
    oneOf('milliseconds', 'seconds'),
    'milliseconds',
    'Precision of the currentTime that the bridge itself gives a station. seconds: 2026-01-02T03:04:05Z, for stations that reject fractions of a second.',
  ),
  versions: option(
    listOf(version, { min: 1, distinct: true }),
    ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'],
    "OCPP versions to serve. If a station offers several of them, the first one in the station's order is used.",
  ),
  defaultVersion: option(
    optional(version),
    null,
    'Version to assume for a station that offers no subprotocol; must be one of ocpp_versions. When empty, such a station is refused.',
  ),
  sn: option(
    oneOf('serial', 'station_id'),
    'serial',
    'Value of the sn param of the channel. serial: the serial number in the BootNotification, or the station id if there is none. station_id: always the station id, which is known before a station boots, after a restart of the bridge, and at every bridge.',
  ),
  triggerBoot: option(
    onOff,
    false,
    'Whether to ask a station of OCPP 1.6 for another boot (TriggerMessage) when it reconnects without one and its serial number is not known. OCPP forbids this after an accepted boot (errata 3.40). If false, such a station is subscribed by its id until it boots. Stations of OCPP 2.x are asked for the serial number itself (GetVariables).',
  ),
  takeover: option(
    oneOf('newest', 'refuse'),
    'newest',
    'What to do with a second connection of the same station. newest: it replaces the first one as soon as the app accepts it. refuse: it gets 409 while the first one is open.',
  ),
  compression: option(
    oneOf('auto', 'on', 'off'),
    'auto',
    'Whether to negotiate permessage-deflate with stations that offer it. auto: with OCPP 2.x, which requires a CSMS to support it, but not with 1.6. Each compressed connection takes more memory.',
  ),
  invalidUtf8: option(
    oneOf('close', 'replace'),
    'close',
    'What to do with a text message that is not UTF-8. close: close the connection with 1007, as RFC 6455 requires. replace: serve the message with U+FFFD for each invalid byte sequence, and log a warning; for stations that would send the same bytes again and again.',
  ),
  validateIn: option(
    validationMode,
    'warn',
    'What to do with a station message that breaks the official schema. off: no validation. warn: perform it, with the violations in the data. strict: answer with a CALLERROR, but still perform transaction messages.',
  ),
  validateOut: option(
    validationMode,
    'strict',
    'What to do with a remote command that breaks the official schema. off: no validation. warn: send it and log the violations. strict: drop it and report InvalidPayload to the app, with the path of each violation.',
  ),
  validateAcks: option(
    validationMode,
    'warn',
    'What to do with an Ack of the app that breaks the official schema. off: no validation. warn: send it and log the violations. strict: answer with a CALLERROR instead, but still send the Ack of a transaction message.',
  ),
  validation: option(
    validationRules,
    [],
    'Exceptions to ocpp_validate_in, ocpp_validate_out and ocpp_validate_acks, by station (a pattern for the identity: * matches any text, ? one character) and by action. The first table that matches a message wins; station and action default to *.',
  ),
  silentAck: option(
    silentMode,
    'safe',
    'How the bridge answers a station when the app ran the action but sent no Ack. safe: with an answer that decides nothing and loses nothing. anycable: with Accepted wherever OCPP has it, as AnyCable does, even for unknown idTags. off: with a CALLERROR where an answer would have to decide something.',
  ),
  silentAnswers: option(
    silentAnswers,
    {},
    'Overrides ocpp_silent_ack for single actions: with another mode, or with the payload of the answer. Heartbeat cannot be overridden; the bridge always answers it itself.',
  ),
  unanswered: option(
    oneOf('close', 'error'),
    'close',
    'What to do with a transaction message that cannot be performed in time. close: close the connection with 1012, so that the station keeps the message and sends it again. error: answer with a CALLERROR after 20 s; many stations then drop the message for good.',
  ),
  outboxSize: option(
    bytes({ min: MiB, max: 1024 * GiB }),
    GiB,
    'Limit on the transaction messages that state_dir holds for the app; beyond it, ocpp_unanswered applies. MeterValues are stored up to 80 % of it. Without state_dir, nothing is stored.',
  ),
  outboxDecide: option(
    oneOf('refuse', 'accept'),
    'refuse',
    'What to do, with state_dir, with a transaction message that needs a decision of the app (StartTransaction, TransactionEvent with an idToken) and cannot be performed in time. refuse: ocpp_unanswered applies. accept: store it and answer Accepted, a StartTransaction with a transaction id of the bridge; energy may be given to a card that the app would reject.',
  ),
  outboxTtlMs: option(
    duration({ bare: 's', minMs: second, maxMs: 365 * day }),
    7 * day,
    'How long a stored transaction message is retried on which the app raises; after that, it is kept as a dead letter, logged and counted.',
    { flag: 'ocpp_outbox_ttl' },
  ),
  close: option(
    listOf(closeRule, { min: 1 }),
    [{ station: '*', mode: 'frame' }],
    'How to close the connection of a station that should come back (1001, 1012). frame: with a close handshake. abort: by ending the TCP connection, for stations that do not return after a clean close. Either may follow a pattern for the station identity and a colon (* matches any text, ? one character); the first that matches applies.',
  ),
  ackTimeoutMs: option(
    duration({ bare: 's' }),
    0,
    'How long to wait, after the RPC reply, for an Ack that arrives as a broadcast. 0 does not wait.',
  ),
  forwardHeartbeats: option(
    onOff,
    false,
    'Whether heartbeats are performed in the app. If false, the bridge answers them and the app does not see them.',
  ),
  collectReports: option(
    onOff,
    false,
    'Whether to collect multi-part reports (NotifyReport, NotifyMonitoringReport, NotifyCustomerInformation, ReportChargingProfiles, NotifyDisplayMessages) and perform each one once, as a whole. If false, each part is performed as it arrives.',
  ),
  reportTimeoutMs: option(
    duration({ bare: 's', minMs: second }),
    60 * second,
    'How long to wait for the next part of a collected report; after that, the parts received are performed, and the missing ones are listed.',
  ),
  callTimeoutMs: option(
    duration({ bare: 's', minMs: second }),
    30 * second,
    'How long a station may take to answer a remote command; after that, the app gets CallTimeout.',
  ),
  callQueue: option(
    integer(),
    50,
    'Limit on remote commands queued for one station, not counting the one in flight; beyond it, the app gets QueueFull.',
  ),
  pingIntervalMs: option(
    duration({ bare: 's' }),
    30 * second,
    'How long a station may be silent before the bridge sends it a WebSocket ping. 0 sends no pings. A station that has answered a ping before is terminated after three unanswered ones.',
  ),
  idleTimeoutMs: option(
    duration({ bare: 's' }),
    0,
    'How long a station may send nothing, not even a pong, before its connection is terminated. A station that was told a heartbeat interval (by the answer to its boot, or a command that it accepted) may be silent for 2.5 times that interval, if that is longer. 0 means 2.5 times the interval that the station was told, or ocpp_heartbeat_interval if it was told none, but at least 2m.',
  ),
  bootTimeoutMs: option(
    duration({ bare: 's', minMs: second }),
    60 * second,
    'How long after the upgrade a station may send no CALL and answer no ping before its connection is closed with 1008. A station that says nothing for 3 s is pinged once, even with ocpp_ping_interval=0; one that answers stays.',
  ),
  history: option(
    integer({ max: 1000 }),
    0,
    'How many frames of each station to keep for the admin API (GET /v1/stations/{id}/messages), redacted, 64MiB in all. The admin API can switch it on for single stations. 0 keeps none.',
  ),
})
