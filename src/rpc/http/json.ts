/**
 * The messages of `protos/rpc.proto` in the JSON of AnyCable's HTTP RPC, with the proto's own field names.
 *
 * Pure. Empty fields are omitted in both directions. The status is a number, or its name from an older google-protobuf;
 * ERROR is 0, and so is omitted too.
 */
import type { State } from '../../cable/rpc.ts'
import { isParsable } from '../../ocpp/json.ts'
import { maxReplyItems, tooManyItems } from '../transport.ts'
import type { CommandResponse, ConnectionResponse, DisconnectResponse, EnvResponse, Message } from '../messages.ts'

type Fields = Readonly<Record<string, unknown>>

/** By number. */
const statuses: readonly unknown[] = ['ERROR', 'SUCCESS', 'FAILURE']

/** The maps in the env keep their empty values, which the app reads as deletions. */
export function jsonOf(message: Message): string {
  return JSON.stringify(withoutEmpty({ ...message, env: withoutEmpty(message.env) }))
}

/** @throws where the JSON is not such a message; so do the other two */
export function connectionResponseOf(json: string): ConnectionResponse {
  const fields = fieldsOf(parsed(json))
  return limited({
    ...outcomeOf(fields),
    identifiers: textOf(fields['identifiers']),
    transmissions: textsOf(fields['transmissions']),
    env: envOf(fields['env']),
  })
}

export function commandResponseOf(json: string): CommandResponse {
  const fields = fieldsOf(parsed(json))
  return limited({
    ...outcomeOf(fields),
    disconnect: fields['disconnect'] === true,
    stop_streams: fields['stop_streams'] === true,
    streams: textsOf(fields['streams']),
    stopped_streams: textsOf(fields['stopped_streams']),
    transmissions: textsOf(fields['transmissions']),
    env: envOf(fields['env']),
  })
}

export function disconnectResponseOf(json: string): DisconnectResponse {
  return outcomeOf(fieldsOf(parsed(json)))
}

/** What is not parsed has more items than a reply may have. */
function parsed(json: string): unknown {
  if (!isParsable(json)) throw tooManyItems()
  return JSON.parse(json)
}

type Items = Pick<CommandResponse, 'transmissions' | 'env'> & Partial<CommandResponse>

function limited<Response extends Items>(response: Response): Response {
  const { transmissions, streams = [], stopped_streams: stopped = [], env } = response
  const keys = env === null ? 0 : Object.keys(env.cstate).length + Object.keys(env.istate).length
  if (transmissions.length + streams.length + stopped.length + keys > maxReplyItems) throw tooManyItems()
  return response
}

function outcomeOf({ status = 0, error_msg: message }: Fields): DisconnectResponse {
  const name = typeof status === 'number' ? statuses[status] : status
  return { status: name as DisconnectResponse['status'], error_msg: textOf(message) }
}

function envOf(value: unknown): EnvResponse {
  const { cstate, istate } = fieldsOf(value)
  return { cstate: stateOf(cstate), istate: stateOf(istate) }
}

function stateOf(value: unknown): State {
  const state = fieldsOf(value)
  textsOf(Object.values(state))
  return state as State
}

function fieldsOf(value: unknown): Fields {
  const fields = value ?? {}
  if (typeof fields !== 'object' || Array.isArray(fields)) throw mismatch(fields, 'an object')
  return fields as Fields
}

function textOf(value: unknown): string {
  const text = value ?? ''
  if (typeof text !== 'string') throw mismatch(text, 'a string')
  return text
}

function textsOf(value: unknown): readonly string[] {
  const texts = value ?? []
  if (!Array.isArray(texts) || !texts.every(text => typeof text === 'string'))
    throw mismatch(texts, 'a list of strings')
  return texts
}

function mismatch(value: unknown, expected: string): TypeError {
  return new TypeError(`${JSON.stringify(value).slice(0, 40)} is not ${expected}`)
}

function withoutEmpty(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)))
}

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}
