/**
 * What the routes of the console answer.
 *
 * Pure: no I/O, no Node.
 */
import { anyObject, integer, list, nullable, number, object, oneOf, text, time, type TypeOf } from '../shapes.ts'

const warning = object('A line of the log at warn or error.', {
  at: time('When it was written.'),
  level: oneOf('Its level.', ['warn', 'error']),
  message: text('What happened.'),
  fields: anyObject('Its fields, as in the log.'),
})
export type Warning = TypeOf<typeof warning>

export const warnings = object('The latest warnings and errors of the log, since the bridge was started.', {
  warnings: list('The latest first, a hundred at most.', warning),
})

const sample = object('What happened in one interval, and how things stood at its end.', {
  at: time('When the interval ended.'),
  stations: integer('Connected stations.'),
  received: number('Messages from stations per second.'),
  sent: number('Messages to stations per second.'),
  errors: number(
    'Errors per second: messages that cannot be read, CALLs that the bridge answered with an error, commands without a CALLRESULT.',
  ),
  rpcCalls: number('Calls to the app per second.'),
  rpcErrors: number('Failed calls to the app per second.'),
  rpcMeanMs: nullable(number('The mean duration of a call to the app, its wait included; null without calls.')),
  rpcP95Ms: nullable(number('95 of 100 calls took at most so long, estimated from the buckets of rpc_call_seconds.')),
  rpcPending: integer('Calls that wait for a permit.'),
  disconnects: integer('Disconnects that wait for the app.'),
  outbox: nullable(integer('Stored messages that the app does not have yet; null without an outbox.')),
})
export type Sample = TypeOf<typeof sample>

export const series = object('How the bridge did lately.', {
  seconds: number('Between two samples.'),
  samples: list('Oldest first; ten minutes at most.', sample),
})

export const actionNames = object('The actions of a version.', {
  toStation: list('Commands: what the CSMS may send.', text('An action.')),
  fromStation: list('What a Charging Station may send.', text('An action.')),
})

export const actionSchemas = object('The official JSON schemas of an action (OCPP part 3), references resolved.', {
  request: nullable(anyObject('Of the CALL or SEND; null if there is none.')),
  response: nullable(anyObject('Of the CALLRESULT; null if there is none.')),
})
