/**
 * The metrics, one row each: from it counting, exposition and docs/metrics.md derive.
 *
 * Pure. A metric that AnyCable has keeps AnyCable's name and help text, so that AnyCable's dashboards work with the
 * prefix `anycable_go_`.
 */

/** The values of a label: a list, or a map to their meanings; or a description of an open set. */
export type Values = readonly string[] | Readonly<Record<string, string>> | string
type Labels = Readonly<Record<string, Values>>

export type Row<Type, L extends Labels = Labels> = { readonly type: Type; readonly help: string; readonly labels: L }

const gauge = <const L extends Labels>(help: string, labels: L): Row<'gauge', L> => ({ type: 'gauge', help, labels })
const counter = <const L extends Labels>(help: string, labels: L): Row<'counter', L> => ({
  type: 'counter',
  help,
  labels,
})
const seconds = <const L extends Labels>(help: string, labels: L): Row<'histogram', L> => ({
  type: 'histogram',
  help,
  labels,
})

const version = 'the OCPP version, such as `1.6`'
const queue = {
  stations: 'connected stations (`max-conn`)',
  rpc: 'calls that wait for a permit: the longest of three queues, of calls, Connects and Disconnects',
  disconnects: 'Disconnect calls (`disconnect_backlog_size`)',
  outbox: 'bytes of stored transaction messages (`ocpp_outbox_size`)',
  store: 'operations that wait for the disk of `state_dir`',
  commands: 'remote commands for one station (`ocpp_call_queue`)',
  messages: 'messages of one station that wait for the app',
} as const
const outcome = '`ack`, `error`, or the code of a command that failed in the bridge, such as `CallTimeout`'
const action = 'the action as the version spells it; `other` for an unknown one'

export const table = {
  clients_num: gauge('The number of active clients', {}),
  broadcast_streams_num: gauge('The number of active broadcasting streams', {}),
  disconnect_queue_size: gauge('The size of delayed disconnect', {}),
  rpc_pending_num: gauge('The number of pending RPC calls', {}),
  rpc_capacity_num: gauge('The max number of concurrent RPC calls allowed', {}),
  state_open_num: gauge('1 while state_dir is in use; 0 if it is not set, is locked, or cannot be used', {}),
  ocpp_outbox_messages_num: gauge('The number of stored transaction messages that the app does not have yet', {}),
  ocpp_outbox_oldest_seconds: gauge('The age of the oldest of them', {}),
  ocpp_stations_num: gauge('The number of connected stations, by version and state', {
    version,
    state: {
      attaching: 'the app has not accepted the station yet',
      unknown: 'the app has accepted it, and it has not booted on this connection',
      accepted: 'its last boot was accepted',
      pending: 'its last boot got Pending',
      rejected: 'its last boot got Rejected',
    },
  }),
  queue_size: gauge('How much of a queue is used; of the fullest one where each station has its own', { queue }),
  queue_limit: gauge('The limit of that queue; none for a queue without a limit', { queue }),
  ready: gauge('Whether a part is ready, 1 or 0, as `/ready` says', {
    part: {
      rpc: "the connection to the app's RPC server",
      nats: 'the connection to NATS; absent without `nats_servers`',
    },
  }),
  certificate_expiry_timestamp_seconds: gauge(
    'When the first certificate, or revocation list, of a file expires, in seconds since the epoch',
    { file: 'a file of `ssl_cert`, `ssl_client_ca` or `ssl_client_crl`', kind: ['certificate', 'revocation_list'] },
  ),
  event_loop_delay_seconds: gauge('How late timers fire, since the last scrape', {
    quantile: ['0.5', '0.99', '1'],
  }),
  mem_sys_bytes: gauge('The total bytes of memory obtained from the OS', {}),

  rpc_call_total: counter('The total number of RPC calls', {}),
  rpc_retries_total: counter('The total number of RPC call retries', {}),
  rpc_error_total: counter('The total number of failed RPC calls', {}),
  rpc_timeout_total: counter('The total number of RPC call that timed out', {}),
  rpc_canceled_total: counter('The total number of canceled RPC calls', {}),
  failed_auths_total: counter('The total number of failed authentication attempts', {}),
  client_msg_total: counter('The total number of received messages from clients', {}),
  failed_client_msg_total: counter('The total number of unrecognized messages received from clients', {}),
  server_msg_total: counter('The total number of messages sent to clients', {}),
  broadcast_msg_total: counter('The total number of messages received through PubSub (for broadcast)', {}),
  remote_commands_total: counter('The total number of remote commands received through PubSub', {}),
  failed_broadcast_msg_total: counter(
    'The total number of publications of the application that were not recognized, or exceeded a limit',
    {},
  ),
  data_sent_total: counter('The total amount of bytes sent to clients', {}),
  data_rcvd_total: counter('The total amount of bytes received from clients', {}),
  disconnected_slow_clients_total: counter('The total number of disconnected slow clients', {}),
  disconnect_lost_total: counter('The total number of lost Disconnect calls', {}),

  ocpp_call_total: counter('The total number of calls from stations, by who answered', {
    version,
    action,
    answer: ['app', 'replayed', 'silent', 'local', 'stored', 'failed', 'refused', 'unauthorized', 'rejected'],
  }),
  ocpp_command_total: counter('The total number of remote commands, by outcome', {
    version,
    action,
    outcome,
  }),
  ocpp_dropped_total: counter('The total number of dropped messages, from stations and from the app', {
    reason: {
      no_station: 'an OCPP message from the app to a stream that no station of this bridge listens to',
      not_ocpp: 'any other broadcast to a stream that no station of this bridge listens to, such as one for browsers',
      closed: 'a command to a station that has just disconnected',
      foreign: 'a message from the app that is neither a command nor an answer',
      ack_for_nothing: 'an `Ack` or `Error` from the app for a call that is not pending (any more)',
      streams: 'a subscription to a stream beyond the limit of 1,000 per station',
      state:
        'a key of the state that the app keeps for a station (`cstate`, `istate`), beyond the limit of 1,000 keys or 65,536 characters',
      outcome: 'the `ack` or `error` of a command that the app did not accept, or that exceeded the queue limit',
      answer_to_nothing: 'an answer from a station to a command that is not pending (any more)',
      repeated: 'a repetition of a call that is in flight; the station gets one answer',
      superseded: 'the answer to a call that the station has replaced by another one with the same id',
      send: 'a SEND (OCPP 2.1) that is unknown, not allowed in the boot state, or invalid with `strict` validation',
    },
  }),
  ocpp_unanswered_total: counter(
    'The total number of connections closed over a transaction message that could not be performed',
    {
      cause: {
        away: 'the app is unreachable',
        timeout: 'the app gave no reply in time',
        queue: 'the message waited too long behind others, or the app was full',
        ended: 'the bridge stops',
        raised: 'the action raised an error',
        refused: 'the app aborted the action (FAILURE)',
        behind: 'the app raises on a stored message of the same transaction, which goes first',
        unattached: 'Connect or subscribe raised an error',
        unauthorized: 'the app does not accept the station; closed with 1008',
        unready: 'the station was told Pending, because the app was away',
      },
    },
  ),
  ocpp_report_total: counter('The total number of reports collected from their parts, by outcome', {
    outcome: ['whole', 'incomplete', 'too_large', 'lost'],
  }),
  ocpp_connection_total: counter('The total number of connections of stations', { version }),
  ocpp_refused_total: counter('The total number of connections that did not become a station', {
    reason: {
      draining: 'the bridge is shutting down',
      profile: 'its security profile is too low, or lower than before',
      proxy: 'a proxy is not trusted, or what it says of the station cannot be read',
      certificate: 'its client certificate is missing or invalid, or that of another station',
      full: 'there is no room (`max-conn`, or the open-files limit)',
      owing: 'the station owes a transaction message, and the app is away',
      taken: 'another connection of the station is open (`ocpp_takeover=refuse`)',
      replaced: 'a newer upgrade of the same station waits for the app (`ocpp_connect_on=upgrade`)',
      unauthorized: 'the app, or `ocpp_auth_file`, does not accept its credentials',
      unknown: 'the app, or `ocpp_auth_file`, does not know the station',
      guessing: 'too many failed authentications of the address, or of the address for this station',
      unavailable:
        'before the upgrade, the app gave no answer (`ocpp_connect_on=upgrade`), or too many keys wait for their check',
      path: "another path than the stations'",
      identity: 'no identity, or an invalid one',
      version: 'no common OCPP version',
      request: 'the request is malformed, or no WebSocket upgrade that can be served',
      address: 'its address has too many connections (`limits_conn_per_address`), or upgrades (`limits_upgrade_rate`)',
      tls: 'the TLS handshake failed, or TLS on a port without it',
      timeout: 'its request was not whole in time (408), or nothing moved on the connection',
    },
  }),
  ocpp_limit_total: counter('The total number of times that a station reached a limit of its connection', {
    limit: {
      frames: 'frames and bytes per second: it is read later',
      flood: 'the same, far beyond, before the app accepted it: closed with 1008',
      message_size: 'the size of a message: closed with 1009',
      overrun: 'data sent while nothing was read: closed with 1009',
      fragments: 'the parts of a message: closed with 1008',
      message_time: 'the time for a message: closed with 1008',
      unaccepted_bytes: 'the bytes before the app accepted it: closed with 1008',
      unfinished: 'unfinished messages of all stations that the app has not accepted: closed with 1013',
    },
  }),
  ocpp_evicted_total: counter('The total number of times that the oldest entry of what is remembered was evicted', {
    kind: {
      serial_numbers: 'serial numbers of stations',
      heartbeats: 'heartbeat intervals that stations were told',
      credentials: 'digests of the credentials that the app accepted',
      proofs: 'security profiles, and serial numbers of certificates: that station may connect with less',
      rejections: 'credentials that the app rejected: it is asked again',
      guesses: 'failed authentications, by address and identity',
      guessers: 'addresses that failed to authenticate',
      put_off: 'credentials that were put off because of guesses: they draw later',
      departures: 'how connections ended that the app had accepted: the station is no longer listed',
      strangers: 'how connections ended that the app had not accepted',
      refusals: 'refused upgrades, by identity',
    },
  }),
  ocpp_takeover_total: counter('The total number of connections that replaced an older one of the same station', {}),
  ocpp_takeover_slowed_total: counter('The total number of takeovers that were delayed to slow down flapping', {}),
  ocpp_shared_sn_total: counter('The total number of subscriptions with the sn of another station', {}),
  ocpp_violation_total: counter('The total number of messages that violated their official schema', {
    version,
    action,
    direction: ['in', 'out', 'acks'],
  }),

  ocpp_outbox_total: counter('The total number of transaction messages for the outbox, by outcome', {
    outcome: {
      stored: 'on the disk, and confirmed to the station',
      delivered: 'the app has it',
      refused: 'the outbox was full, or the disk failed: the connection was closed instead',
      dead: 'the app raised on it for longer than `ocpp_outbox_ttl`',
    },
  }),

  ocpp_outbox_silent_total: counter(
    'The total number of delivered messages of the outbox that the app performed without an Ack',
    {},
  ),
  state_write_total: counter('The total number of writes to state_dir that are on the disk', {}),
  state_error_total: counter('The total number of failures of state_dir', {
    code: {
      full: 'there is no space left',
      readonly: 'it cannot be written',
      corrupt: 'its file is damaged',
      locked: 'another process uses it',
      newer: 'a newer version has written it',
      io: 'its device fails, or is too slow',
    },
  }),
  log_dropped_total: counter('The total number of dropped lines of the log, because stdout was not read', {}),

  rpc_call_seconds: seconds('The duration of an RPC call, including queueing and retries', {
    method: ['connect', 'command', 'disconnect'],
  }),
  ocpp_call_seconds: seconds("The time from a station's call to its answer", { version }),
  ocpp_command_wait_seconds: seconds(
    "The time from a remote command's arrival to its CALL on the station's connection",
    {},
  ),
  ocpp_command_seconds: seconds("The time from a remote command's arrival to its first outcome", { outcome }),
}

type Table = typeof table
type NameOf<Type> = { [N in keyof Table]: Table[N] extends Row<Type> ? N : never }[keyof Table]
type LabelsOf<N extends keyof Table> = {
  readonly [L in keyof Table[N]['labels']]: ValueOf<Table[N]['labels'][L]>
}
type ValueOf<V> = V extends readonly (infer Value extends string)[]
  ? Value
  : V extends string
    ? string
    : keyof V & string

/** Why a message was dropped. */
export type DropReason = LabelsOf<'ocpp_dropped_total'>['reason']

/** What is remembered of many stations, or of addresses. */
export type Remembered = LabelsOf<'ocpp_evicted_total'>['kind']

/** A limit that a station can reach while it is connected. */
export type Limit = LabelsOf<'ocpp_limit_total'>['limit']

export type CounterName = NameOf<'counter'>
export type HistogramName = NameOf<'histogram'>
type PlainCounterName = { [N in CounterName]: keyof LabelsOf<N> extends never ? N : never }[CounterName]

/**
 * Counts and observes. The rest of the program depends on this interface only.
 *
 * Every label value is kept for the life of the process and costs a time series in the operator's database. A value
 * that a station or the app chooses freely, such as an id or an unknown action, must not become a label: callers map
 * unknown actions to `other`.
 */
export interface Meter {
  /** False where nobody reads the metrics. Hot paths check it before they build labels. */
  readonly isRead: boolean
  /** Counters without labels, to be incremented directly on hot paths. */
  readonly totals: Readonly<Record<PlainCounterName, { value: number }>>
  count(metric: PlainCounterName, labels?: Readonly<Record<string, never>>, by?: number): void
  count<N extends Exclude<CounterName, PlainCounterName>>(metric: N, labels: LabelsOf<N>, by?: number): void
  observe<N extends HistogramName>(metric: N, labels: LabelsOf<N>, seconds: number): void
}

/** One series of a gauge. */
export type Sample<N extends GaugeName> = readonly [labels: LabelsOf<N>, value: number]
export type GaugeName = NameOf<'gauge'>

/** Read from their owners at each scrape: a number, or a series for each value of the labels. */
export type Gauges = {
  readonly [N in Exclude<GaugeName, 'mem_sys_bytes'>]: () => keyof LabelsOf<N> extends never
    ? number
    : readonly Sample<N>[]
}
