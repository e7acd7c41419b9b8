/**
 * AnyCable's publications, which the app sends over NATS or HTTP.
 *
 * Pure: no I/O, no clock. Imports nothing outside `cable/`.
 * Source: AnyCable `common/common.go`, PubSubMessageFromJSON: the three shapes, in the order in which it tries them.
 */
import type { StreamName } from './rpc.ts'

export type Broadcast =
  | {
      readonly kind: 'stream'
      readonly stream: StreamName
      /** The broadcast text, usually JSON, unchanged. */
      readonly data: string
      /** The `sid` of the session to skip (`broadcast_to …, to_others: true`). */
      readonly excludeSid: string | null
    }
  | { readonly kind: 'disconnect'; readonly connectionIdentifiers: string }
  | { readonly kind: 'unreadable'; readonly problem: string }

/** Delivers the text of one publication, valid or not. Never throws. */
export type Deliver = (text: string) => void

/** Reads one publication: a stream message, a batch of them in order, or a remote disconnect. Never throws. */
export function parseBroadcasts(text: string): readonly Broadcast[] {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return [unreadable('not JSON')]
  }
  if (!Array.isArray(body)) return [readBroadcast(body)]
  return body.length === 0 ? [unreadable('an empty batch')] : body.map(readBroadcast)
}

function readBroadcast(body: unknown): Broadcast {
  if (!isRecord(body)) return unreadable('neither an object nor a batch of objects')
  if (typeof body['stream'] === 'string' && body['stream'] !== '') return readStream(body['stream'], body)
  if (body['command'] === 'disconnect') return readDisconnect(body['payload'])
  return unreadable('neither a stream nor a known command')
}

function readStream(stream: string, body: Readonly<Record<string, unknown>>): Broadcast {
  const { data, meta } = body
  if (typeof data !== 'string') return unreadable('data is not a string (JSON data must be encoded as a string)')
  const excluded = isRecord(meta) ? meta['exclude_socket'] : undefined
  const excludeSid = typeof excluded === 'string' && excluded !== '' ? excluded : null
  return { kind: 'stream', stream: stream as StreamName, data, excludeSid }
}

function readDisconnect(payload: unknown): Broadcast {
  if (!isRecord(payload) || typeof payload['identifier'] !== 'string')
    return unreadable('a disconnect without an identifier')
  return { kind: 'disconnect', connectionIdentifiers: payload['identifier'] }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unreadable(problem: string): Broadcast {
  return { kind: 'unreadable', problem }
}
