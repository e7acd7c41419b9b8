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
      /** The broadcast text, usually JSON, unchanged; of an object its JSON text, byte for byte. */
      readonly data: string
      /** The `sid` of the session to skip (`broadcast_to …, to_others: true`). */
      readonly excludeSid: string | null
    }
  | { readonly kind: 'disconnect'; readonly connectionIdentifiers: string }
  | { readonly kind: 'unreadable'; readonly problem: string }

/** Cuts JSON text byte for byte. Passed in, as this folder may not import `ocpp/json.ts`. */
export type Slicing = {
  /** The text of each element of an array. */
  elementsOf(text: string): readonly string[]
  /** The text of each member of an object. */
  membersOf(text: string): ReadonlyMap<string, string>
}

/** In characters; over HTTP, in bytes. A NATS server refuses more than 1 MB too, unless it is told to accept it. */
export const maxPublicationLength = 1024 * 1024

/** Delivers the text of one publication, valid or not. Never throws. */
export type Deliver = (text: string) => void

/**
 * Reads one publication: a stream message, a batch of them in order, or a remote disconnect. Never throws.
 *
 * @param slicing for `data` that is an object, as people post it by hand: AnyCable drops it
 * @param isParsable whether it is neither nested too deeply, nor has too many values: parsing it would hold up
 *   everything else
 */
export function parseBroadcasts(text: string, slicing: Slicing, isParsable: boolean): readonly Broadcast[] {
  if (text.length > maxPublicationLength) return [unreadable('more than 1 MiB')]
  if (!isParsable) return [unreadable('too many values, or nested too deeply')]
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return [unreadable('not JSON')]
  }
  if (!Array.isArray(body)) return [readBroadcast(body, () => dataIn(text, slicing))]
  if (body.length === 0) return [unreadable('an empty batch')]
  let texts: readonly string[] | null = null
  return body.map((each, at) => {
    return readBroadcast(each, () => dataIn((texts ??= slicing.elementsOf(text))[at] ?? '{}', slicing))
  })
}

/** The text of `data`, copied: a slice would keep the whole publication alive while a command waits in a queue. */
function dataIn(publication: string, slicing: Slicing): string {
  const text = slicing.membersOf(publication).get('data') ?? ''
  return JSON.parse(JSON.stringify(text)) as string
}

/** @param objectData the text of `data` where that is an object */
function readBroadcast(body: unknown, objectData: () => string): Broadcast {
  if (!isRecord(body)) return unreadable('neither an object nor a batch of objects')
  if (typeof body['stream'] === 'string' && body['stream'] !== '') return readStream(body['stream'], body, objectData)
  if (body['command'] === 'disconnect') return readDisconnect(body['payload'])
  return unreadable('neither a stream nor a known command')
}

function readStream(
  stream: string,
  { data: given, meta }: Readonly<Record<string, unknown>>,
  objectData: () => string,
): Broadcast {
  const data = isRecord(given) ? objectData() : given
  if (typeof data !== 'string') return unreadable('data is neither a string nor an object')
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
