/**
 * The messages of `protos/rpc.proto` in the JSON of AnyCable's HTTP RPC, with the proto's own field names.
 *
 * Pure. What is empty is left out, on both ways. The status comes as a number, from an older google-protobuf as its
 * name; ERROR, which is 0, is left out too.
 */
import type { State } from '../cable/rpc.ts'
import type { CommandResponse, ConnectionResponse, DisconnectResponse, EnvResponse, Message } from './messages.ts'

type Fields = Readonly<Record<string, unknown>>

/** In the order of their numbers. */
const statuses: readonly unknown[] = ['ERROR', 'SUCCESS', 'FAILURE']

/** The maps of the env keep their empty values: they mean something to the app. */
export function jsonOf(message: Message): string {
  return JSON.stringify(withoutEmpty({ ...message, env: withoutEmpty(message.env) }))
}

/** @throws where the JSON is no such message; so do the other two */
export function connectionResponseOf(json: string): ConnectionResponse {
  const fields = fieldsOf(JSON.parse(json))
  return {
    ...repliedOf(fields),
    identifiers: textOf(fields['identifiers']),
    transmissions: textsOf(fields['transmissions']),
    env: envOf(fields['env']),
  }
}

export function commandResponseOf(json: string): CommandResponse {
  const fields = fieldsOf(JSON.parse(json))
  return {
    ...repliedOf(fields),
    disconnect: fields['disconnect'] === true,
    stop_streams: fields['stop_streams'] === true,
    streams: textsOf(fields['streams']),
    stopped_streams: textsOf(fields['stopped_streams']),
    transmissions: textsOf(fields['transmissions']),
    env: envOf(fields['env']),
  }
}

export function disconnectResponseOf(json: string): DisconnectResponse {
  return repliedOf(fieldsOf(JSON.parse(json)))
}

function repliedOf({ status = 0, error_msg: message }: Fields): DisconnectResponse {
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
  if (typeof fields !== 'object' || Array.isArray(fields)) throw misfit(fields, 'object')
  return fields as Fields
}

function textOf(value: unknown): string {
  const text = value ?? ''
  if (typeof text !== 'string') throw misfit(text, 'text')
  return text
}

function textsOf(value: unknown): readonly string[] {
  const texts = value ?? []
  if (!Array.isArray(texts) || !texts.every(text => typeof text === 'string')) throw misfit(texts, 'list of texts')
  return texts
}

function misfit(value: unknown, name: string): TypeError {
  return new TypeError(`${JSON.stringify(value).slice(0, 40)} is no ${name}`)
}

function withoutEmpty(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)))
}

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}
