/**
 * The keys of `ocpp_auth_file` in memory. A check by scrypt is costly unless the key is random, so its verdict is
 * remembered, as a digest with a key of this process: a station that reconnects costs one check for each version of its
 * line.
 *
 * A new key is in the file before the station gets it: whenever the bridge ends, no station is locked out.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { NewKey } from '../../ocpp/settings/keys.ts'
import { readRegularFile } from '../../ops/files/regular.ts'
import type { Log } from '../../ops/log.ts'
import type { Opened } from '../../ops/http/server.ts'
import type { KeyVerdict, StationKeys } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import { cautionsOf, logCautions } from './cautions.ts'
import { Checks } from './checks.ts'
import { hashOf, isOfRandom, matches } from './hash.ts'
import { changeFile } from './key-file.ts'
import { KeyRing, type Key } from './key-ring.ts'
import { hashesOf, parseKeys, withKeys, type Hashes, type KeyLines } from './lines.ts'
import { isRecognizable, secretIn, secretOf } from './secret.ts'

/** Checks at a time: one thread of Node's four stays free for files and names. */
export const checksAtOnce = (cores: number): number => Math.min(3, cores)
/**
 * All stations behind one address may wait. A few threads take more than a minute for them, and a station that has left
 * meanwhile joins its check when it is back, or finds its verdict.
 */
export const checkLimits = { atOnce: checksAtOnce(availableParallelism()), waitingOfAddress: 10_000, waiting: 20_000 }
/** New keys are hashed a few at a time, so that those of a whole fleet leave room for checks. */
const hashLimits = { atOnce: 2, waitingOfAddress: Infinity, waiting: Infinity }

export type OpenedKeys = StationKeys &
  Opened & {
    /**
     * Reads the file again. Rejects, and changes nothing, where a line of it is wrong.
     *
     * @returns the stations whose key the new file does not hold
     */
    load(): Promise<readonly StationId[]>
  }

/** Rejects if the file cannot be read, or a line of it is wrong. */
export async function openStationKeys(file: string, log: Pick<Log, 'info' | 'warn' | 'error'>): Promise<OpenedKeys> {
  const keys = new Keys(file, log)
  await keys.load()
  logCautions(await cautionsOf(file, keys.size), file, log)
  return keys
}

/** Rejects if the file cannot be read; the message names the option and the file. */
export async function readKeyLines(file: string): Promise<KeyLines & { readonly isEmpty: boolean }> {
  const text = await readRegularFile(file).catch((error: unknown) => {
    throw new Error(`ocpp_auth_file: ${file} cannot be read`, { cause: error })
  })
  return { ...(await parseKeys(text)), isEmpty: text === '' }
}

class Keys implements OpenedKeys {
  readonly #file: string
  readonly #log: Pick<Log, 'info' | 'error'>
  readonly #digestKey = randomBytes(32)
  readonly #checks = new Checks(checkLimits)
  readonly #hashing = new Checks(hashLimits)
  readonly #inFlight = new Map<string, Promise<KeyVerdict | 'busy'>>()
  #rings = new Map<StationId, KeyRing>()
  /** Stations whose hashes may not be in the file yet. */
  readonly #unsaved = new Set<StationId>()
  /** The write that has not begun yet; `null` if none is to come. */
  #nextWrite: Promise<ReadonlySet<StationId>> | null = null
  /** Writes that have not ended. */
  readonly #writes = new Set<Promise<unknown>>()
  /** Reads and writes of the file, one after another. */
  #lastAccess: Promise<unknown> = Promise.resolve()

  constructor(file: string, log: Pick<Log, 'info' | 'error'>) {
    this.#file = file
    this.#log = log
  }

  async load(): Promise<readonly StationId[]> {
    const lost = await this.#inTurn(() => this.#read())
    if (this.#unsaved.size > 0) void this.#written()
    return lost
  }

  /** Stations with a key in the file. */
  get size(): number {
    return this.#rings.size
  }

  recall(stationId: StationId, authorization: string): KeyVerdict | null {
    const ring = this.#rings.get(stationId)
    if (ring === undefined) return 'unknown'
    const secret = secretIn(authorization, stationId)
    if (secret === null) return 'wrong'
    const digest = this.#digestOf(stationId, secret)
    const key = ring.find(digest)
    if (key === null) return ring.isWrong(digest) ? 'wrong' : null
    this.#onUsed(stationId, ring, key)
    return 'right'
  }

  isRandom(stationId: StationId): boolean {
    return this.#rings.get(stationId)?.hashes.every(isOfRandom) ?? false
  }

  isChecking(stationId: StationId, authorization: string): boolean {
    const secret = secretIn(authorization, stationId)
    return secret !== null && this.#inFlight.has(this.#digestOf(stationId, secret).toString('latin1'))
  }

  /** Two checks of the same are one. */
  check(stationId: StationId, authorization: string, address: string): Promise<KeyVerdict | 'busy'> {
    const recalled = this.recall(stationId, authorization)
    const secret = secretIn(authorization, stationId)
    if (recalled !== null || secret === null) return Promise.resolve(recalled ?? 'wrong')
    const digest = this.#digestOf(stationId, secret)
    const id = digest.toString('latin1')
    const check = this.#inFlight.get(id) ?? this.#checked(stationId, secret, digest, address)
    this.#inFlight.set(id, check)
    return check.finally(() => this.#inFlight.delete(id))
  }

  async offer(stationId: StationId, texts: readonly string[]): Promise<string | null> {
    for (const [at, text] of texts.entries()) {
      const problem = await this.#offered(stationId, text)
      if (problem === null) continue
      for (const sent of texts.slice(0, at)) this.onNewKey(stationId, { text: sent, isValid: 'never' })
      return problem
    }
    return null
  }

  onNewKey(stationId: StationId, { text, isValid }: NewKey): void {
    const ring = this.#rings.get(stationId)
    // One that is not there any more was replaced: by a later one, or by an operator.
    const key = ring?.find(this.#digestOf(stationId, secretOf(Buffer.from(text)))) ?? null
    if (ring === undefined || key === null || key === ring.keys[0]) return
    if (isValid === 'never') ring.withdraw(key)
    else {
      if (isValid === 'now') ring.replaceBefore(key)
      const old = isValid === 'now' ? 'is refused' : 'is accepted until the new one is used'
      this.#log.info({ station: stationId }, `the station has a new key: the one before ${old}`)
    }
    if (!ring.isInFile) void this.#save(stationId)
  }

  /** Resolves when all new keys are in the file, or cannot be written. */
  async close(): Promise<void> {
    while (this.#writes.size > 0) await Promise.all(this.#writes)
  }

  async #read(): Promise<readonly StationId[]> {
    const { keys, problems, isEmpty } = await readKeyLines(this.#file)
    if (isEmpty && this.#rings.size > 0) throw new Error(`${this.#file} is empty`)
    if (problems.length > 0) throw new Error(`${this.#file}: ${problems.join('; ')}`)
    const rings = new Map<StationId, KeyRing>()
    const inUse = new Map([...this.#rings].map(([stationId, { hashes }]) => [stationId, hashes[0] ?? '']))
    for (const [stationId, line] of keys) {
      const ring = this.#rings.get(stationId) ?? new KeyRing(line)
      ring.adopt(line)
      rings.set(stationId, ring)
    }
    this.#rings = rings
    for (const stationId of this.#unsaved) if (!rings.has(stationId)) this.#unsaved.delete(stationId)
    return [...inUse.keys()].filter(each => rings.get(each)?.hashes.includes(inUse.get(each) ?? '') !== true)
  }

  async #checked(stationId: StationId, secret: Buffer, digest: Buffer, address: string): Promise<KeyVerdict | 'busy'> {
    const match = async () => {
      const { keys = [], hashes = [] } = this.#rings.get(stationId) ?? {}
      const hash = await matching(secret, hashes)
      return { keys, key: keys.find(key => key.hash === hash) }
    }
    // A cheap check does not wait for costly ones.
    const checked = await (this.isRandom(stationId) ? match() : this.#checks.run(address, match))
    if (checked === null) return 'busy'
    const { keys, key } = checked
    const ring = this.#rings.get(stationId)
    if (ring === undefined) return 'unknown'
    // The station's keys have changed meanwhile: a new one is not to be remembered as wrong, nor the old one as right.
    if (ring.keys !== keys) return this.#checked(stationId, secret, digest, address)
    if (key === undefined) {
      ring.addWrong(digest)
      return 'wrong'
    }
    key.digest = digest
    this.#onUsed(stationId, ring, key)
    return 'right'
  }

  /** @returns why the key is not on the disk */
  async #offered(stationId: StationId, text: string): Promise<string | null> {
    if (!this.#rings.has(stationId)) return null
    if (!isRecognizable(text)) return unstored.unusable
    const secret = secretOf(Buffer.from(text))
    const digest = this.#digestOf(stationId, secret)
    const hash = this.#rings.get(stationId)?.find(digest)?.hash ?? (await this.#hashed(stationId, secret))
    const ring = this.#rings.get(stationId)
    if (ring === undefined || hash === null) return unstored.notThere
    // Another command with this key may have been hashed meanwhile.
    const key = ring.offer(ring.find(digest)?.hash ?? hash, digest)
    if (key === null) return unstored.noRoom
    const isSaved = await this.#save(stationId)
    if (isSaved && this.#rings.get(stationId) === ring && ring.keys.includes(key)) return null
    ring.withdraw(key)
    return unstored.notThere
  }

  /** A key that `auth rotate` made keeps its cheap hash, also before the file is loaded again. */
  #hashed(stationId: StationId, secret: Buffer): Promise<string | null> {
    const hash = async (): Promise<string> => {
      const text = await readRegularFile(this.#file).catch(() => '')
      return (await matching(secret, hashesOf(text, stationId))) ?? (await hashOf(secret, 'chosen'))
    }
    return this.#hashing.run('', hash).catch(() => null)
  }

  /** A station that uses its new key has accepted it. */
  #onUsed(stationId: StationId, ring: KeyRing, key: Key): void {
    if (ring.keys[0] === key) return
    ring.replaceBefore(key)
    this.#log.info({ station: stationId }, 'the station uses its new key: the one before is refused')
    void this.#save(stationId)
  }

  /** @returns whether the station's keys are in the file, which is read again for that */
  async #save(stationId: StationId): Promise<boolean> {
    this.#unsaved.add(stationId)
    return (await this.#written()).has(stationId)
  }

  /** Each write takes all that has come before it begins. @returns the stations whose keys are in the file */
  #written(): Promise<ReadonlySet<StationId>> {
    if (this.#nextWrite !== null) return this.#nextWrite
    const write = this.#inTurn(() => {
      this.#nextWrite = null
      return this.#write()
    })
    this.#nextWrite = write
    this.#writes.add(write)
    return write.finally(() => this.#writes.delete(write))
  }

  /** A station whose line is missing, broken or replaced stays unsaved until the file is loaded: the file counts. */
  async #write(): Promise<ReadonlySet<StationId>> {
    const unsaved = [...this.#unsaved]
    this.#unsaved.clear()
    const written = new Map<StationId, Hashes>()
    const change = async (text: string): Promise<string> => {
      const { keys } = await parseKeys(text)
      for (const stationId of unsaved) {
        const [ring, line] = [this.#rings.get(stationId), keys.get(stationId)]
        if (ring === undefined || line === undefined || !ring.merged(line).includes(ring.hashes[0] ?? '')) continue
        ring.adopt(line)
        written.set(stationId, ring.hashes)
      }
      return withKeys(text, written)
    }
    try {
      if (unsaved.length > 0) await changeFile(this.#file, change)
      for (const [stationId, hashes] of written) this.#rings.get(stationId)?.onWritten(hashes)
    } catch (error) {
      written.clear()
      this.#log.error({ stations: unsaved.slice(0, 10), num: unsaved.length, error }, unsavedText)
    }
    for (const stationId of unsaved) if (!written.has(stationId)) this.#unsaved.add(stationId)
    return new Set(written.keys())
  }

  #inTurn<Result>(access: () => Promise<Result>): Promise<Result> {
    const result = this.#lastAccess.then(access)
    this.#lastAccess = result.catch(() => undefined)
    return result
  }

  #digestOf(stationId: StationId, secret: Buffer): Buffer {
    return createHmac('sha256', this.#digestKey)
      .update(JSON.stringify([stationId]))
      .update(secret)
      .digest()
  }
}

/** The first of the hashes that is the secret's; `null` if none is. */
async function matching(secret: Buffer, hashes: Hashes): Promise<string | null> {
  for (const hash of hashes) if (await matches(secret, hash)) return hash
  return null
}

const unsavedText = 'ocpp_auth_file cannot be written: new keys fail, and replaced ones are valid again after a restart'
/** Why a key is not on the disk. */
const unstored = {
  notThere: 'the file cannot be written, or has no line of the station, or another one than before',
  noRoom: 'the station has two new keys already, and has used neither',
  unusable: 'a key has 1 to 256 bytes, and 16 to 128 hexadecimal digits if it has no other characters',
} as const
