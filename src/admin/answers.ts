/**
 * What the admin API answers: the shape of each body and of each server-sent event.
 *
 * Pure: no I/O, no Node.
 */
import { versions } from '../ocpp/version.ts'
import {
  anyObject,
  flag,
  integer,
  list,
  nullable,
  number,
  object,
  oneOf,
  record,
  text,
  time,
  type TypeOf,
} from './shapes.ts'

export const versionNumbers = Object.values(versions).map(each => each.number)

export const stationStates = [
  'attaching',
  'unknown',
  'accepted',
  'pending',
  'rejected',
  'disconnected',
  'refused',
] as const
export type StationState = (typeof stationStates)[number]
export const stateFilters = ['connected', 'troubled', ...stationStates] as const

const state = oneOf(
  'Of a connected station: attaching (the app has not accepted it yet), unknown (accepted by the app; no boot was answered on this connection), or the status of its last boot. disconnected: it has left. refused: its upgrade was refused, and the bridge remembers no connection of it.',
  stationStates,
)
const version = text('The version of OCPP: 1.6, 2.0.1 or 2.1.')

/** The worst first. */
export const troubleKinds = ['refused', 'reconnects', 'silent', 'violations', 'errors', 'stored'] as const
export type Trouble = (typeof troubleKinds)[number]

const trouble = oneOf(
  'In the last hour: refused (its upgrade was refused after its last connection; of a connected station, only until the app has accepted it), reconnects (at least three of its connections that the app had accepted ended), violations (a message of this connection broke its official schema), errors (see recentErrors). Now: silent (no message for two heartbeat intervals), stored (the outbox has messages of it).',
  troubleKinds,
)

const summary = {
  id: text('The identity of the station.'),
  state,
  version: nullable(version),
  address: nullable(text("The peer's address.")),
  connectedAt: nullable(time('When the connection was opened; null for a station that is not connected.')),
  lastMessageAt: nullable(time('When its last message came; null if none has on this connection.')),
  sn: nullable(text('The sn that the app knows it by.')),
  leftAt: nullable(time('When its last connection ended, or its upgrade was refused.')),
  leftBecause: nullable(text('Why.')),
  messages: integer('CALLs and SENDs of this connection from the station, and commands sent to it.'),
  recentErrors: integer('Errors that are kept of it: at most ten; getStation has them.'),
  lastError: nullable(text('The code of the latest of them.')),
  troubles: list('What is wrong with it.', trouble),
}

const stationSummary = object('A station in a list.', summary)
export type StationSummary = TypeOf<typeof stationSummary>

export const stationPage = object('A page of stations.', {
  stations: list('In the order asked for.', stationSummary),
  matched: integer('How many stations fit the filter, on all pages.'),
  next: nullable(text('The cursor of the next page; null on the last one.')),
})

const openCall = object('A CALL without an answer.', {
  id: text('The message id.'),
  action: text('The action.'),
  seconds: nullable(number('For how long it has been open; null while it waits to be sent.')),
})

const callError = object('A CALLERROR, or a CALLRESULT that refuses a card.', {
  at: time('When.'),
  from: oneOf('Who answered with the error.', ['station', 'bridge', 'app']),
  id: text('The message id.'),
  action: text('The action of the CALL.'),
  code: text('The code, as sent; of a refused card, its status, such as Blocked.'),
  description: text('The description, as sent; of a refused card: the status of the card.'),
  cause: text(
    'Why: of an error from the station, station; otherwise who gave the answer and why, as in ocpp_call_total: app, rejected, failed, refused, unauthorized. Of a refused card: refused by the app, or who else gave the answer.',
  ),
})
export type CallErrorView = TypeOf<typeof callError>

const connectionEnd = object('How a connection ended.', {
  at: time('When.'),
  code: integer('The close code of the WebSocket.'),
  reason: text('Why.'),
})

const refusal = object('A refused upgrade.', {
  at: time('When.'),
  status: integer('The HTTP status.'),
  reason: text('Why, as the station was told.'),
  address: text("The peer's address."),
})

const proof = object(
  'What the station has proved of itself before, also on earlier connections. With less it gets 401 or 403, counted as reason="profile"; ocpp_profile_downgrade lifts that. null if nothing is remembered.',
  {
    profile: integer('The highest security profile with which the app accepted it, where that was checked.'),
    serialNumber: nullable(text('The serial number in its certificate, with ocpp_certificate_names=serial.')),
    mayDowngrade: flag('Whether ocpp_profile_downgrade names the station, or all.'),
  },
)

const schemaViolation = object(
  'The latest message of this connection that broke its official schema; null if none did, and where ocpp_validate_in is off.',
  {
    at: time('When.'),
    action: text('The action.'),
    path: text('A JSON pointer to the first place.'),
    rule: text('The keyword of the schema.'),
    count: integer('How many messages of this connection broke their schemas.'),
  },
)

export const stationView = object('All that is known of a station.', {
  ...summary,
  sid: nullable(text('The id of the connection, as in the log and in the data that the app gets.')),
  tls: nullable(flag('Whether the connection is encrypted up to the bridge.')),
  profile: nullable(
    integer('The security profile of the connection: 0 none, 1 Basic, 2 Basic over TLS, 3 client certificate.'),
  ),
  remembered: nullable(proof),
  heartbeatSeconds: nullable(number('The heartbeat interval that it was last told; null if none is known.')),
  recentEnds: integer('How many of its connections ended in the last hour; at most ten are counted.'),
  violation: nullable(schemaViolation),
  appAway: flag('Whether the app is known to be away.'),
  url: nullable(text('The URL that the app sees, without its query.')),
  streams: list('The streams that the app has subscribed it to.', text('A stream.')),
  calls: object('CALLs without an answer.', {
    fromStation: list('In the order they came.', openCall),
    toStation: list('The one on the wire first, then the queue.', openCall),
  }),
  queues: object('What waits.', {
    messages: integer('Messages of the station that wait for the app.'),
    messageBytes: integer('Their bytes.'),
    isPaused: flag('Whether its socket is paused, because they are too many.'),
    commands: integer('Commands that wait to be sent.'),
    outcomes: integer('Outcomes of commands that the app does not have yet.'),
    stored: flag('Whether the outbox has messages of the station.'),
  }),
  counts: object('Messages of this connection by action.', {
    fromStation: record('CALLs and SENDs.', integer('How many.')),
    toStation: record('Commands sent.', integer('How many.')),
  }),
  errors: list(
    'The last CALLERRORs and refused cards, at most ten, the latest first: those of this connection, and the last three of the one before.',
    callError,
  ),
  lastEnd: nullable(connectionEnd),
  lastRefusal: nullable(refusal),
})
export type StationView = TypeOf<typeof stationView>

export const callResult = object('The CALLRESULT of the station.', {
  id: text('The message id.'),
  action: text('The action of the command.'),
  payload: anyObject('As the station sent it, digit for digit.'),
  milliseconds: number('From the request to the answer, the time in the queue included.'),
  violations: list(
    'How the payload violates its official schema.',
    object('A violation.', { path: text('A JSON pointer.'), rule: text('The keyword of the schema.') }),
  ),
})

export const frame = object('A frame.', {
  at: time('When.'),
  station: text('The identity of the station.'),
  sid: text('The id of its connection.'),
  direction: oneOf('Seen from the bridge.', ['received', 'sent']),
  type: oneOf('The type of the message; malformed where it cannot be read.', [
    'call',
    'callResult',
    'callError',
    'callResultError',
    'send',
    'malformed',
  ]),
  id: nullable(text('The message id.')),
  action: nullable(text('The action; of an answer, that of its CALL, null if that passed before the watch began.')),
  milliseconds: nullable(number('Of an answer: the time since its CALL.')),
  isError: flag(
    'Whether it is an error: a CALLERROR, a CALLRESULTERROR, a message that cannot be read, or a CALLRESULT that refuses a card.',
  ),
  frame: text('The frame, redacted and cut as in the log.'),
})
export type FrameView = TypeOf<typeof frame>

export const frameList = object('The kept frames of a station.', {
  messages: list('Oldest first.', frame),
  kept: integer('How many frames of this station are kept at most; 0: none.'),
  until: nullable(time('When that ends; null if it does not.')),
})

export const watch = object('What was switched on.', {
  station: text('A pattern for the identity.'),
  until: time('When it ends.'),
})

export const closed = object('The connection that was closed.', {
  id: text('The identity of the station.'),
  sid: text('The id of the connection.'),
  code: integer('The close code.'),
  reason: text('The reason, as the station gets it.'),
})

export const stats = object('The bridge at a glance.', {
  version: text('The version of ocpp-cable.'),
  nodeId: text('Its name in the log.'),
  startedAt: time('When it was started.'),
  ready: record('The checks behind /ready.', flag('Whether it holds.')),
  stations: integer('Connected stations.'),
  byVersion: record('Connected stations by version.', integer('How many.')),
  byState: record('Connected stations by state.', integer('How many.')),
  departed: integer('Disconnected stations that are remembered.'),
  streams: integer('Streams with a station.'),
  rpc: object('Calls to the app.', {
    away: flag('Whether the app is known to be away.'),
    capacity: integer('How many may be in flight.'),
    pending: integer('How many wait.'),
  }),
  disconnects: integer('Disconnects that wait for the app.'),
  outbox: nullable(
    object('Stored messages.', {
      messages: integer('How many wait for the app.'),
      oldestSeconds: number('The age of the oldest of them.'),
    }),
  ),
  memory: object('Of the process.', { bytes: integer('Its resident set.') }),
  watching: object('What is switched on at run time.', {
    streams: integer('Open server-sent event streams.'),
    logs: list('Log levels.', watch),
    histories: list('Histories.', watch),
    historyBytes: integer('Bytes of kept frames.'),
  }),
})

export const config = object('The configuration in effect.', {
  options: record('By flag. Secrets are ***; null if not set.', nullable(text('As a flag takes it.'))),
})

const outboxMember = {
  number: integer('Its number.'),
  station: text('The identity of the station.'),
  version,
  action: text('The action.'),
  key: text('The key of the transaction message.'),
  storedAt: time('When it was stored.'),
  attempts: integer('How often the app was asked.'),
  state: oneOf('pending: to be delivered. dead: the app raised on it for too long.', ['pending', 'dead']),
  deadAt: nullable(time('When it became a dead letter.')),
  error: nullable(text('Why the last attempt failed.')),
}

export const outboxPage = object('A page of stored messages.', {
  messages: list('In the order they were stored.', object('A stored message.', outboxMember)),
  next: nullable(integer('The after of the next page; null on the last one.')),
})

export const outboxMessage = object('A stored message.', {
  ...outboxMember,
  id: text('The message id.'),
  payload: anyObject('As the station sent it. With the read-only token, secrets of drivers are masked.'),
})

export const outboxChange = object('What was changed.', { messages: integer('How many messages.') })

export const event = object('Something that happened to a station.', {
  at: time('When.'),
  type: oneOf('What.', ['connected', 'ready', 'disconnected', 'refused', 'command']),
  station: text('The identity of the station.'),
  sid: nullable(text('The id of its connection; null if it got none.')),
  version: nullable(version),
  action: nullable(text('Of command: the action.')),
  outcome: nullable(text('Of command: ack, error, or the code of a command that failed in the bridge.')),
  code: nullable(integer('Of disconnected: the close code. Of refused: the HTTP status.')),
  reason: nullable(text('Of disconnected and refused: why. Of command: the code and the text of an error.')),
})
export type EventView = TypeOf<typeof event>

export const lost = object('Events that this client did not get, because it read too slowly.', {
  count: integer('How many since the last event that it got.'),
})
