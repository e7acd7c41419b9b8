/**
 * The routes of the admin API. What the server accepts, the OpenAPI document, docs/admin-api.md and the help of the
 * commands derive from this table; a new route is a new row, and the function in `operations.ts` that serves it.
 *
 * Pure: no I/O, no Node.
 */
import * as answers from './answers.ts'
import { consoleRoutes } from './console/routes.ts'
import { limits } from './limits.ts'
import type { Route } from './route.ts'
import {
  anyObject,
  flag,
  integer,
  list,
  number,
  oneOf,
  optional,
  required,
  text,
  time,
  withDefault,
  type TypeOf,
} from './shapes.ts'

export type { Route } from './route.ts'

const none = {} as const
const orders = [
  'id',
  '-id',
  'connectedAt',
  '-connectedAt',
  'lastMessageAt',
  '-lastMessageAt',
  'errors',
  '-errors',
] as const
const longId = { minLength: 1, maxLength: 255 } as const
const pattern = text('An identity, or a pattern: * any text, ? one character; 64 characters, four * at most.', longId)
const action = text('An action, as OCPP spells it.', { minLength: 1, maxLength: 64 })
const seconds = number('For how many seconds.', { minimum: 1, maximum: limits.watchSeconds })
const numbers = {
  numbers: optional(
    list('The numbers of messages.', integer('A number.', { minimum: 1 }), { minItems: 1, maxItems: 1_000 }),
  ),
  all: optional(flag('Every message, instead of numbers.')),
}

export const routes = {
  listStations: {
    method: 'GET',
    path: '/v1/stations',
    about: 'Lists stations, connected ones and those that have left.',
    write: false,
    query: {
      id: optional(pattern),
      version: optional(oneOf('The version of OCPP.', answers.versionNumbers)),
      state: optional(
        oneOf(
          'The state. connected: any connected station; troubled: any station with troubles.',
          answers.stateFilters,
        ),
      ),
      connectedSince: optional(time('Connected at this time or later.')),
      silentFor: optional(
        number('No message for so many seconds, or none at all since it connected.', { minimum: 0, maximum: 1e9 }),
      ),
      sort: withDefault(oneOf('The order; - reverses it. Stations without the value come last.', orders), 'id'),
      limit: withDefault(integer('Most stations of a page.', { minimum: 1, maximum: limits.page }), 100),
      cursor: optional(text('The next of the page before.', { maxLength: 1_000 })),
    },
    body: null,
    answer: { json: answers.stationPage },
    problems: ['too-many-requests'],
  },
  getStation: {
    method: 'GET',
    path: '/v1/stations/{id}',
    about: 'Shows all that is known of a station.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.stationView },
    problems: ['unknown-station'],
  },
  callStation: {
    method: 'POST',
    path: '/v1/stations/{id}/calls',
    about:
      'Sends a command to a station, and answers with what the station answers. The app gets its ack or error too, with "origin":"admin".',
    write: true,
    query: none,
    body: {
      action: required(action),
      payload: optional(anyObject('The payload; {} if it is left out.')),
      timeout: optional(
        number(
          'In how many seconds the answer must come, the time in the queue included; ocpp_call_timeout if it is left out.',
          { minimum: 1, maximum: limits.callSeconds },
        ),
      ),
      notify: withDefault(flag('Whether the app gets the ack or error.'), true),
    },
    answer: { json: answers.callResult },
    problems: [
      'unknown-station',
      'not-connected',
      'not-accepted',
      'unknown-action',
      'invalid-payload',
      'invalid-id',
      'queue-full',
      'call-error',
      'invalid-result',
      'connection-closed',
      'not-sent',
      'key-not-stored',
      'call-timeout',
    ],
  },
  listMessages: {
    method: 'GET',
    path: '/v1/stations/{id}/messages',
    about: 'Lists the kept frames of a station. None are kept unless ocpp_history or PUT …/history says so.',
    write: false,
    query: {
      limit: withDefault(integer('The latest so many.', { minimum: 1, maximum: limits.historyFrames }), 100),
    },
    body: null,
    answer: { json: answers.frameList },
    problems: ['unknown-station', 'too-many-requests'],
  },
  setHistory: {
    method: 'PUT',
    path: '/v1/stations/{id}/history',
    about: 'Keeps the frames of a station for a time, or those of all stations that a pattern in place of the id fits.',
    write: true,
    query: none,
    body: {
      frames: required(
        integer('How many frames of each station; 0 ends it at once.', { minimum: 0, maximum: limits.historyFrames }),
      ),
      for: required(seconds),
    },
    answer: { json: answers.watch },
    problems: [],
  },
  setLog: {
    method: 'PUT',
    path: '/v1/stations/{id}/log',
    about: 'Logs the frames of a station for a time, or those of all stations that a pattern in place of the id fits.',
    write: true,
    query: none,
    body: {
      level: required(
        oneOf('debug: every frame, redacted, whatever log_level is. default: as log_level says.', ['debug', 'default']),
      ),
      for: required(seconds),
    },
    answer: { json: answers.watch },
    problems: [],
  },
  disconnectStation: {
    method: 'DELETE',
    path: '/v1/stations/{id}/connection',
    about: 'Closes the connection of a station with 1000. A station connects again by itself.',
    write: true,
    query: {
      reason: withDefault(text('What the station reads as the reason.', { maxLength: 100 }), 'Closed by an operator'),
    },
    body: null,
    answer: { json: answers.closed },
    problems: ['unknown-station', 'not-connected'],
  },
  tailMessages: {
    method: 'GET',
    path: '/v1/messages',
    about: 'Streams frames as they pass.',
    write: false,
    query: {
      station: optional(pattern),
      action: optional(action),
      errors: optional(flag('Only errors, answers that refuse a card, and messages that cannot be read.')),
    },
    body: null,
    answer: { stream: { message: answers.frame, lost: answers.lost } },
    problems: ['too-many-requests'],
  },
  tailEvents: {
    method: 'GET',
    path: '/v1/events',
    about: 'Streams what happens to stations.',
    write: false,
    query: {
      station: optional(pattern),
      type: optional(oneOf('One type of event only.', ['connected', 'ready', 'disconnected', 'refused', 'command'])),
    },
    body: null,
    answer: { stream: { event: answers.event, lost: answers.lost } },
    problems: ['too-many-requests'],
  },
  getStats: {
    method: 'GET',
    path: '/v1/stats',
    about: 'Shows the bridge at a glance.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.stats },
    problems: ['too-many-requests'],
  },
  getConfig: {
    method: 'GET',
    path: '/v1/config',
    about: 'Shows the configuration in effect, without secrets.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.config },
    problems: [],
  },
  listOutbox: {
    method: 'GET',
    path: '/v1/outbox',
    about: 'Lists the transaction messages in state_dir.',
    write: false,
    query: {
      station: optional(text('The identity of a station.', longId)),
      state: optional(oneOf('The state.', ['pending', 'dead'])),
      after: optional(integer('The next of the page before.', { minimum: 0 })),
      limit: withDefault(integer('Most messages of a page.', { minimum: 1, maximum: limits.page }), 100),
    },
    body: null,
    answer: { json: answers.outboxPage },
    problems: ['no-outbox', 'outbox-failed'],
  },
  getOutboxMessage: {
    method: 'GET',
    path: '/v1/outbox/{number}',
    about: 'Shows one of them with its payload.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.outboxMessage },
    problems: ['unknown-message', 'no-outbox', 'outbox-failed'],
  },
  retryOutbox: {
    method: 'POST',
    path: '/v1/outbox/retry',
    about: 'Makes dead letters pending again, and ends the wait of messages that are.',
    write: true,
    query: none,
    body: numbers,
    answer: { json: answers.outboxChange },
    problems: ['no-outbox', 'outbox-failed'],
  },
  dropOutbox: {
    method: 'POST',
    path: '/v1/outbox/drop',
    about: 'Deletes messages: the app never gets them.',
    write: true,
    query: none,
    body: numbers,
    answer: { json: answers.outboxChange },
    problems: ['no-outbox', 'outbox-failed'],
  },
  ...consoleRoutes,
  getOpenapi: {
    method: 'GET',
    path: '/openapi.json',
    about: 'This API as an OpenAPI 3.1 document.',
    write: false,
    query: none,
    body: null,
    answer: { json: anyObject('The document.') },
    problems: [],
  },
} as const satisfies Readonly<Record<string, Route>>

export type RouteName = keyof typeof routes

type Given<F> = {
  readonly [K in keyof F]: F[K] extends { required: true } | { hasDefault: true }
    ? TypeOf<F[K]>
    : TypeOf<F[K]> | undefined
}

/** The query of a route, read and checked. */
export type QueryOf<Name extends RouteName> = Given<(typeof routes)[Name]['query']>
/** The body of a route, read and checked. */
export type BodyOf<Name extends RouteName> = Given<NonNullable<(typeof routes)[Name]['body']>>
/** The body of an answer; `never` for a stream. */
export type AnswerOf<Name extends RouteName> = (typeof routes)[Name]['answer'] extends { readonly json: infer S }
  ? TypeOf<S>
  : never
