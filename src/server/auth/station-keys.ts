/**
 * The keys of `ocpp_auth_file` in memory. A check by scrypt is costly unless the key is random, so its verdict is
 * remembered, as a digest with a key of this process: a station that reconnects costs one check for each version of its
 * line.
 *
 * A new key is in the file before the station gets it: whenever the bridge ends, no station is locked out.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { NewKey } from '../../ocpp/version.ts'
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
import { secretIn, secretOf } from './secret.ts'

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
  /** Stations whose hashes are not in the file yet. */
  readonly #unsaved = new Map<StationId, KeyRing>()
  /** New keys that are not in the file yet. */
  readonly #saving = new Set<Promise<unknown>>()
  /** Reads and writes of the file, one after another. */
  #lastAccess: Promise<unknown> = Promise.resolve()

  constructor(file: string, log: Pick<Log, 'info' | 'error'>) {
    this.#file = file
    this.#log = log
  }

  async load(): Promise<readonly StationId[]> {
    const lost = await this.#inTurn(() => this.#read())
    if (this.#unsaved.size > 0) void this.#track(this.#inTurn(() => this.#write()))
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
    const hashes = this.#rings.get(stationId)?.hashes ?? []
    return hashes.length > 0 && hashes.every(isOfRandom)
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

  async offer(stationId: StationId, texts: readonly string[]): Promise<boolean> {
    const stored = await Promise.all(texts.map(text => this.#offered(stationId, text)))
    return stored.every(Boolean)
  }

  onNewKey(stationId: StationId, { text, isValid }: NewKey): void {
    const ring = this.#rings.get(stationId)
    if (ring === undefined) return
    const secret = secretOf(Buffer.from(text))
    const known = ring.find(this.#digestOf(stationId, secret))
    if (isValid === 'never') {
      if (known !== null) ring.withdraw(known)
      return void this.#save(stationId, ring)
    }
    const key = known ?? this.#add(stationId, ring, secret)
    if (isValid === 'now') ring.replaceBy(key)
    void this.#track(key.hashed.then(() => this.#save(stationId, ring)))
    const old = isValid === 'now' ? 'is refused' : 'is accepted until the new one is used'
    this.#log.info({ station: stationId }, `the station has a new key: the one before ${old}`)
  }

  /** Resolves when all new keys are in the file, or cannot be written. */
  async close(): Promise<void> {
    while (this.#saving.size > 0) await Promise.all(this.#saving)
  }

  async #read(): Promise<readonly StationId[]> {
    const { keys, problems, isEmpty } = await readKeyLines(this.#file)
    if (isEmpty && this.#rings.size > 0) throw new Error(`${this.#file} is empty`)
    if (problems.length > 0) throw new Error(`${this.#file}: ${problems.join('; ')}`)
    const rings = new Map<StationId, KeyRing>()
    for (const [stationId, hashes] of keys) rings.set(stationId, this.#ringFor(stationId, hashes))
    const lost = [...this.#rings].filter(([stationId, { hashes }]) => isLost(hashes, rings.get(stationId)))
    this.#rings = rings
    return lost.map(([stationId]) => stationId)
  }

  /** Keeps what is known of a line that has not changed, and a new key that is on its way into the file. */
  #ringFor(stationId: StationId, hashes: Hashes): KeyRing {
    const inFile = hashes.join(' ')
    const before = this.#rings.get(stationId)
    if (before !== undefined && (before.inFile === inFile || before.hashes.join(' ') === inFile)) {
      before.inFile = inFile
      return before
    }
    this.#unsaved.delete(stationId)
    return new KeyRing(hashes)
  }

  async #checked(stationId: StationId, secret: Buffer, digest: Buffer, address: string): Promise<KeyVerdict | 'busy'> {
    const match = async () => {
      const keys = this.#rings.get(stationId)?.keys ?? []
      const hash = await matching(
        secret,
        keys.flatMap(key => key.hash ?? []),
      )
      return { keys, key: keys.find(key => hash !== null && key.hash === hash) }
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

  /** @returns whether the key is in the file */
  async #offered(stationId: StationId, text: string): Promise<boolean> {
    const ring = this.#rings.get(stationId)
    if (ring === undefined) return true
    const secret = secretOf(Buffer.from(text))
    const key = ring.find(this.#digestOf(stationId, secret)) ?? this.#add(stationId, ring, secret)
    await key.hashed
    if (key.hash !== null && (await this.#save(stationId, ring))) return true
    ring.withdraw(key)
    return false
  }

  /** Makes a key valid, and then its hash. */
  #add(stationId: StationId, ring: KeyRing, secret: Buffer): Key {
    const key = ring.offer(this.#digestOf(stationId, secret))
    const hash = async (): Promise<void> => {
      // A key that `auth rotate` made keeps its cheap hash, also before the file is loaded again.
      const text = await readRegularFile(this.#file).catch(() => '')
      ring.setHash(key, (await matching(secret, hashesOf(text, stationId))) ?? (await hashOf(secret, 'chosen')))
    }
    key.hashed = this.#hashing.run('', hash).catch(() => undefined)
    return key
  }

  /** A station that uses its new key has accepted it. */
  #onUsed(stationId: StationId, ring: KeyRing, key: Key): void {
    if (ring.keys[0] === key) return
    ring.replaceBy(key)
    this.#log.info({ station: stationId }, 'the station uses its new key: the one before is refused')
    void this.#save(stationId, ring)
  }

  /** Each write takes all that has come meanwhile. @returns whether the station's keys are in the file */
  async #save(stationId: StationId, ring: KeyRing): Promise<boolean> {
    // An operator has changed the line meanwhile: that counts.
    if (this.#rings.get(stationId) !== ring) return false
    if (ring.hashes.join(' ') === ring.inFile && !this.#unsaved.has(stationId)) return true
    this.#unsaved.set(stationId, ring)
    return this.#track(this.#inTurn(() => this.#write()))
  }

  async #write(): Promise<boolean> {
    const unsaved = [...this.#unsaved].map(([stationId, ring]) => ({ stationId, ring, hashes: ring.hashes }))
    this.#unsaved.clear()
    // While a key that the station uses has no hash yet, the file keeps the one before.
    const written = new Map(
      unsaved.filter(({ hashes }) => hashes.length > 0).map(each => [each.stationId, each.hashes]),
    )
    if (written.size === 0) return true
    try {
      await changeFile(this.#file, async text => {
        const { keys } = await parseKeys(text)
        // A station that was removed meanwhile stays removed.
        return withKeys(text, new Map([...written].filter(([stationId]) => keys.has(stationId))))
      })
      for (const { ring, hashes } of unsaved) if (hashes.length > 0) ring.inFile = hashes.join(' ')
      return true
    } catch (error) {
      for (const { stationId, ring } of unsaved) this.#unsaved.set(stationId, ring)
      this.#log.error(
        { stations: unsaved.map(each => each.stationId).slice(0, 10), num: unsaved.length, error },
        unsavedText,
      )
      return false
    }
  }

  #inTurn<Result>(access: () => Promise<Result>): Promise<Result> {
    const result = this.#lastAccess.then(access)
    this.#lastAccess = result.catch(() => undefined)
    return result
  }

  #track<Result>(saving: Promise<Result>): Promise<Result> {
    this.#saving.add(saving)
    const end = (): boolean => this.#saving.delete(saving)
    saving.then(end, end)
    return saving
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

/** The first hash is that of the key in use. There is none while a key that the station has just accepted is hashed. */
function isLost([inUse]: Hashes, after: KeyRing | undefined): boolean {
  return after === undefined || (inUse !== undefined && !after.hashes.includes(inUse))
}

const unsavedText = 'ocpp_auth_file cannot be written: new keys are not sent, and old ones stay valid'
