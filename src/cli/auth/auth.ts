/**
 * `ocpp-cable auth`: the keys of stations in `ocpp_auth_file`. Works on the file, with or without a bridge that runs.
 */
import { askedOf, resolve } from '../../config/resolve.ts'
import { versions } from '../../ocpp/version.ts'
import { readRegularFile } from '../../ops/files/regular.ts'
import { hashOf, matches } from '../../server/auth/hash.ts'
import { changeFile } from '../../server/auth/key-file.ts'
import { maxHashes, parseKeys, withKeys, type Hashes } from '../../server/auth/lines.ts'
import { bytesOfDigits, maxKeyBytes, secretOf } from '../../server/auth/secret.ts'
import { readConfigFile } from '../../settings.ts'
import { isIdentity, type StationId } from '../../translate/handshake.ts'
import { CommandError, exits, UsageError, type Call, type Terminal } from '../command.ts'
import type { auth } from '../flags.ts'
import { escaped } from '../show/escape.ts'
import { tabbed } from '../show/table.ts'
import { newKey } from './generate.ts'

type Given = Pick<Call<typeof auth>, 'flags' | 'terminal'> & { readonly file: string }
type Verb = (given: Given, stationId: StationId) => Promise<number>

/** The verbs that need a station. */
const ofStation: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ['add', add],
  ['remove', remove],
  ['rotate', rotate],
])

export async function run({ words, flags, bridgeFlags, terminal }: Call<typeof auth>): Promise<number> {
  const [verb = '', id] = words
  const given = { file: fileOf(bridgeFlags, terminal), flags, terminal }
  const verbOf = ofStation.get(verb)
  if (verbOf !== undefined) {
    if (id === undefined) throw new UsageError(`${verb} takes the id of a station`)
    return await verbOf(given, id as StationId)
  }
  if (verb === 'list') return await list(given)
  if (verb === 'check') return await check(given, (id ?? null) as StationId | null)
  throw new UsageError(`${JSON.stringify(verb)}: expected add, remove, rotate, list or check`)
}

/** By the flags, variables and file of the bridge. */
function fileOf(argv: readonly string[], { env }: Terminal): string {
  const resolution = resolve({ argv, env, file: readConfigFile(askedOf(argv).file), nodeId: 'auth' })
  if (!resolution.ok) throw new UsageError(resolution.problems.join('\n'))
  const { authFile } = resolution.config.ocpp
  if (authFile === null) throw new UsageError('ocpp_auth_file is not set: add --ocpp_auth_file=FILE')
  return authFile
}

async function add(given: Given, stationId: StationId): Promise<number> {
  if (!isIdentity(stationId)) throw new UsageError(`${JSON.stringify(stationId)}: no listener accepts this identity`)
  const key = await keyFor(given)
  await change(given.file, stationId, async before => {
    if (before !== undefined) throw new CommandError(`${stationId} has a key already: rotate or remove it`)
    return [await hashOfKey(key)]
  })
  return await print(given, key)
}

async function rotate(given: Given, stationId: StationId): Promise<number> {
  const key = await keyFor(given)
  await change(given.file, stationId, async before => {
    const hashes = known(before, stationId)
    // The station may have accepted each of them.
    if (hashes.length >= maxHashes)
      throw new CommandError(
        `${stationId} has ${hashes.length - 1} new keys already: send it one of them, or delete the hashes behind the first one from its line`,
      )
    return [...hashes, await hashOfKey(key)]
  })
  given.terminal.warn(
    `${escaped(stationId)} keeps its old key, too, until it has accepted or used the new one: send it the new one\n`,
  )
  return await print(given, key)
}

async function remove({ file }: Given, stationId: StationId): Promise<number> {
  await change(file, stationId, before => {
    known(before, stationId)
    return Promise.resolve(null)
  })
  return exits.done
}

async function list({ file, terminal }: Given): Promise<number> {
  for (const [stationId, hashes] of await readKeys(file))
    await terminal.write(`${tabbed([stationId, hashes.length > 1 ? 'new key not accepted yet' : ''])}\n`)
  return exits.done
}

async function check({ file, terminal }: Given, stationId: StationId | null): Promise<number> {
  const keys = await readKeys(file)
  if (stationId === null) {
    await terminal.write(`${keys.size} ${keys.size === 1 ? 'station' : 'stations'}\n`)
    return exits.done
  }
  const hashes = known(keys.get(stationId), stationId)
  const secret = secretOf(Buffer.from(await readKey(terminal)))
  for (const hash of hashes) if (await matches(secret, hash)) return exits.done
  throw new CommandError(`${stationId} has another key`)
}

/** @param next gets the hashes of the station; returns its new ones, or `null` to remove it */
async function change(
  file: string,
  stationId: StationId,
  next: (before: Hashes | undefined) => Promise<Hashes | null>,
): Promise<void> {
  await changeFile(file, async text => {
    const hashes = await next((await keysIn(file, text)).get(stationId))
    return withKeys(text, new Map([[stationId, hashes]]))
  }).catch(rethrow)
}

async function readKeys(file: string): Promise<ReadonlyMap<StationId, Hashes>> {
  return keysIn(file, await readRegularFile(file).catch(rethrow))
}

async function keysIn(file: string, text: string): Promise<ReadonlyMap<StationId, Hashes>> {
  const { keys, problems } = await parseKeys(text)
  if (problems.length > 0) throw new CommandError(`${file}: ${problems.join('; ')}`)
  return keys
}

function known(hashes: Hashes | undefined, stationId: StationId): Hashes {
  if (hashes === undefined) throw new CommandError(`${stationId} has no key`)
  return hashes
}

/** In all versions (1.6 white paper A00.FR.205, 2.x A00.FR.205). */
const minKeyBytes = 16

type Key = { readonly text: string; readonly isNew: boolean }

/** A new one, unless the operator gives it. */
async function keyFor({ flags, terminal }: Given): Promise<Key> {
  if (!flags.stdin) return { text: newKey(flags.ocppVersion), isNew: true }
  const text = await readKey(terminal)
  const key = Buffer.from(text)
  const used = (versions[flags.ocppVersion].configuresHexKeys ? bytesOfDigits(key) : null) ?? key
  if (used.length < minKeyBytes || key.length > maxKeyBytes)
    throw new UsageError(
      `a key has ${minKeyBytes} to ${maxKeyBytes} bytes; in 1.6 (see --ocpp_version) two hexadecimal digits are one byte`,
    )
  return { text, isNew: false }
}

function hashOfKey({ text, isNew }: Key): Promise<string> {
  return hashOf(secretOf(Buffer.from(text)), isNew ? 'random' : 'chosen')
}

async function readKey(terminal: Terminal): Promise<string> {
  const key = (await terminal.readInput()).replace(/\r?\n$/, '')
  if (key === '') throw new UsageError('standard input holds no key')
  return key
}

async function print({ terminal }: Given, { text, isNew }: Key) {
  if (isNew) await terminal.write(`${text}\n`)
  return exits.done
}

function rethrow(error: unknown): never {
  if (error instanceof CommandError || !(error instanceof Error)) throw error
  throw new CommandError(error.message, { cause: error })
}
