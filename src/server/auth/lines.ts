/**
 * The text of `ocpp_auth_file`: one line a station with its identity, percent-encoded, and the hash of its key; with a
 * second hash, of a new key that the station has not accepted yet. Empty lines and lines with `#` at the start are
 * comments.
 */
import type { StationId } from '../../translate/handshake.ts'
import { isHash } from './hash.ts'

/** The hash of the key, then that of the new one, if there is one. */
export type Hashes = readonly string[]

export type KeyLines = {
  readonly keys: ReadonlyMap<StationId, Hashes>
  /** Each with the number of its line. */
  readonly problems: readonly string[]
}

export function parseKeys(text: string): KeyLines {
  const keys = new Map<StationId, Hashes>()
  const problems: string[] = []
  for (const [at, line] of text.split('\n').entries()) {
    const read = readLine(line)
    if (read === null) continue
    const problem = typeof read === 'string' ? read : keys.has(read.stationId) ? 'the station has a line above' : null
    if (problem !== null) problems.push(`line ${at + 1}: ${problem}`)
    else if (typeof read !== 'string') keys.set(read.stationId, read.hashes)
  }
  return { keys, problems }
}

/** The hashes of one station, by its line as `withKeys` writes it. */
export function hashesOf(text: string, stationId: StationId): Hashes {
  const start = `${encodeURIComponent(stationId)} `
  const lines = text.split('\n').filter(line => line.startsWith(start))
  return parseKeys(lines.join('\n')).keys.get(stationId) ?? []
}

/** The text with other lines for some stations; `null` removes one. Everything else stays as it is. */
export function withKeys(text: string, changes: ReadonlyMap<StationId, Hashes | null>): string {
  const added = new Map(changes)
  const lines = text.split('\n').flatMap(line => {
    const read = readLine(line)
    const hashes = read === null || typeof read === 'string' ? undefined : changes.get(read.stationId)
    if (hashes === undefined || read === null || typeof read === 'string') return [line]
    added.delete(read.stationId)
    return hashes === null ? [] : [serializeLine(read.stationId, hashes)]
  })
  if (lines.at(-1) === '') lines.pop()
  for (const [stationId, hashes] of added) if (hashes !== null) lines.push(serializeLine(stationId, hashes))
  // An empty file is one that was cut off.
  return lines.length === 0 && text !== '' ? noKeys : lines.map(line => `${line}\n`).join('')
}

const noKeys = '# no keys\n'

function serializeLine(stationId: StationId, hashes: Hashes): string {
  return [encodeURIComponent(stationId), ...hashes].join(' ')
}

/** `null` for a comment; a text says what is wrong. */
function readLine(line: string): { readonly stationId: StationId; readonly hashes: Hashes } | string | null {
  const [encoded = '', ...hashes] = line.trim().split(/\s+/)
  if (encoded === '' || encoded.startsWith('#')) return null
  const stationId = decoded(encoded)
  if (stationId === null) return 'the identity is not percent-encoded'
  if (hashes.length === 0 || hashes.length > 2) return 'expected an identity and the hash of its key'
  return hashes.every(isHash) ? { stationId, hashes } : 'the hash of the key is not one of scrypt'
}

function decoded(encoded: string): StationId | null {
  try {
    return decodeURIComponent(encoded) as StationId
  } catch {
    return null
  }
}
