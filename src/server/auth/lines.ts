/**
 * The text of `ocpp_auth_file`: one line a station with its identity, percent-encoded, and the hash of its key; behind
 * it those of new keys that the station has not accepted yet. Empty lines and lines with `#` at the start are
 * comments.
 */
import { setImmediate } from 'node:timers/promises'
import type { StationId } from '../../translate/handshake.ts'
import { isHash } from './hash.ts'

/** The hash of the key, then those of new ones. */
export type Hashes = readonly string[]
export const maxHashes = 3

export type KeyLines = {
  readonly keys: ReadonlyMap<StationId, Hashes>
  /** Each with the number of its line. */
  readonly problems: readonly string[]
}

/** In a turn of the event loop: a file of 10,000 lines would hold it for some 100 ms. */
const linesAtOnce = 100

export async function parseKeys(text: string): Promise<KeyLines> {
  const keys = new Map<StationId, Hashes>()
  const problems: string[] = []
  for await (const { number, read } of readLines(text)) {
    if (read === null) continue
    const problem = typeof read === 'string' ? read : keys.has(read.stationId) ? 'the station has a line above' : null
    if (problem !== null) problems.push(`line ${number}: ${problem}`)
    else if (typeof read !== 'string') keys.set(read.stationId, read.hashes)
  }
  return { keys, problems }
}

/** The hashes of one station, by its line as `withKeys` writes it. */
export function hashesOf(text: string, stationId: StationId): Hashes {
  const start = `${encodeURIComponent(stationId)} `
  const line = text.split('\n').find(each => each.startsWith(start)) ?? ''
  const read = readLine(line)
  return read === null || typeof read === 'string' ? [] : read.hashes
}

/** The text with other lines for some stations; `null` removes one. Everything else stays as it is. */
export async function withKeys(text: string, changes: ReadonlyMap<StationId, Hashes | null>): Promise<string> {
  const added = new Map(changes)
  const lines: string[] = []
  for await (const { line, read } of readLines(text)) {
    // Of two lines of a station, the second one is a mistake, and stays.
    const hashes = read === null || typeof read === 'string' ? undefined : added.get(read.stationId)
    if (hashes === undefined || read === null || typeof read === 'string') {
      lines.push(line)
      continue
    }
    added.delete(read.stationId)
    if (hashes !== null) lines.push(serializeLine(read.stationId, hashes))
  }
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
type ReadLine = { readonly stationId: StationId; readonly hashes: Hashes } | string | null

async function* readLines(text: string): AsyncGenerator<{ number: number; line: string; read: ReadLine }> {
  let number = 0
  for (const line of text.split('\n')) {
    if (++number % linesAtOnce === 0) await setImmediate()
    yield { number, line, read: readLine(line) }
  }
}

function readLine(line: string): ReadLine {
  const [encoded = '', ...hashes] = line.trim().split(/\s+/)
  if (encoded === '' || encoded.startsWith('#')) return null
  const stationId = decoded(encoded)
  if (stationId === null) return 'the identity is not percent-encoded'
  if (hashes.length === 0 || hashes.length > maxHashes) return 'expected an identity and the hash of its key'
  return hashes.every(isHash) ? { stationId, hashes } : 'the hash of the key is not one of scrypt'
}

function decoded(encoded: string): StationId | null {
  try {
    return decodeURIComponent(encoded) as StationId
  } catch {
    return null
  }
}
