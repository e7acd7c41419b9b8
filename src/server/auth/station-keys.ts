/**
 * The keys of `ocpp_auth_file` in memory. A check by scrypt is costly unless the key is random, so its verdict is
 * remembered, as a digest with a key of this process: a station that reconnects costs one check for each version of its
 * line.
 *
 * Spec: OCPP 1.6 security white paper A01, OCPP 2.0.1 and 2.1 Part 2 A01 (a new key that the station has accepted
 * replaces the one before).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { NewKey } from '../../ocpp/version.ts'
import { readRegularFile } from '../../ops/files/regular.ts'
import type { Log } from '../../ops/log.ts'
import type { Opened } from '../../ops/server.ts'
import type { KeyVerdict, StationKeys } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import { cautionsOf, logCautions } from './cautions.ts'
import { Checks } from './checks.ts'
import { hashOf, isOfRandom, matches } from './hash.ts'
import { changeFile } from './key-file.ts'
import { hashesOf, parseKeys, withKeys, type Hashes, type KeyLines } from './lines.ts'
import { secretIn, secretOf } from './secret.ts'

/** Checks at a time: one thread of Node's four stays free for files and names. */
export const checksAtOnce = (cores: number): number => Math.min(3, cores)
/**
 * All stations behind one address may wait. A few threads take more than a minute for them, and a station that has left
 * meanwhile joins its check when it is back, or finds its verdict.
 */
export const checkLimits = { atOnce: checksAtOnce(availableParallelism()), waitingOfAddress: 10_000, waiting: 20_000 }
/** Wrong keys remembered for each station. */
const maxWrong = 8

/** A digest of a right key, and which of the station's hashes it has matched. */
type Right = { readonly digest: Buffer; readonly at: number }

/** A station's line and what is known of it. */
type Entry = {
  /** The hashes in the file. */
  inFile: string
  /** The hashes that count: a new key does before it is in the file. */
  hashes: Hashes
  right: readonly Right[]
  wrong: readonly Buffer[]
}

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
  readonly #inFlight = new Map<string, Promise<KeyVerdict | 'busy'>>()
  #entries = new Map<StationId, Entry>()
  /** Stations whose hashes are not in the file yet. */
  readonly #unsaved = new Map<StationId, Entry>()
  /** Hashes and writes new keys, one after another. */
  #saving: Promise<void> = Promise.resolve()

  constructor(file: string, log: Pick<Log, 'info' | 'error'>) {
    this.#file = file
    this.#log = log
  }

  async load(): Promise<readonly StationId[]> {
    const { keys, problems, isEmpty } = await readKeyLines(this.#file)
    if (isEmpty && this.#entries.size > 0) throw new Error(`${this.#file} is empty`)
    if (problems.length > 0) throw new Error(`${this.#file}: ${problems.join('; ')}`)
    const entries = new Map<StationId, Entry>()
    for (const [stationId, hashes] of keys) entries.set(stationId, this.#entryFor(stationId, hashes))
    const lost = [...this.#entries].filter(([stationId, { hashes }]) => isLost(hashes, entries.get(stationId)))
    this.#entries = entries
    this.#save()
    return lost.map(([stationId]) => stationId)
  }

  /** Stations with a key in the file. */
  get size(): number {
    return this.#entries.size
  }

  recall(stationId: StationId, authorization: string): KeyVerdict | null {
    const entry = this.#entries.get(stationId)
    if (entry === undefined) return 'unknown'
    const secret = secretIn(authorization, stationId)
    if (secret === null) return 'wrong'
    const digest = this.#digestOf(stationId, secret)
    const right = entry.right.find(known => timingSafeEqual(known.digest, digest))
    if (right !== undefined) {
      this.#onUsed(stationId, entry, right)
      return 'right'
    }
    return entry.wrong.some(known => timingSafeEqual(known, digest)) ? 'wrong' : null
  }

  isRandom(stationId: StationId): boolean {
    const hashes = this.#entries.get(stationId)?.hashes ?? []
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

  onNewKey(stationId: StationId, { text, isValid }: NewKey): void {
    const entry = this.#entries.get(stationId)
    if (entry === undefined) return
    const secret = secretOf(Buffer.from(text))
    const digest = this.#digestOf(stationId, secret)
    const before = isValid === 'now' ? [] : entry.hashes.slice(0, 1)
    // Valid from here on, before its hash exists: the station may reconnect at once.
    entry.right = [
      ...(isValid === 'now' ? [] : entry.right.filter(({ at }) => at === 0)),
      { digest, at: before.length },
    ]
    entry.wrong = []
    entry.hashes = before
    this.#saving = this.#saving.then(async () => {
      const hash = (await this.#hashInFile(stationId, secret)) ?? (await hashOf(secret, 'chosen'))
      // A newer key may have replaced it meanwhile.
      if (!entry.right.some(known => known.digest === digest)) return
      entry.hashes = [...before, hash]
      this.#keep(stationId, entry)
      const old = isValid === 'now' ? 'is refused' : 'is accepted until the new one is used'
      this.#log.info({ station: stationId }, `the station has a new key: the one before ${old}`)
    })
  }

  /** Resolves when all new keys are in the file, or cannot be written. */
  async close(): Promise<void> {
    for (let saving = null; saving !== this.#saving;) await (saving = this.#saving)
  }

  /** Keeps what is known of a line that has not changed, and a new key that is on its way into the file. */
  #entryFor(stationId: StationId, hashes: Hashes): Entry {
    const inFile = hashes.join(' ')
    const before = this.#entries.get(stationId)
    if (before !== undefined && (before.inFile === inFile || before.hashes.join(' ') === inFile)) {
      before.inFile = inFile
      return before
    }
    this.#unsaved.delete(stationId)
    return { inFile, hashes, right: [], wrong: [] }
  }

  async #checked(stationId: StationId, secret: Buffer, digest: Buffer, address: string): Promise<KeyVerdict | 'busy'> {
    const match = async () => {
      const hashes = this.#entries.get(stationId)?.hashes ?? []
      const hash = await matching(secret, hashes)
      return { hashes, at: hash === null ? null : hashes.indexOf(hash) }
    }
    // A cheap check does not wait for costly ones.
    const checked = await (this.isRandom(stationId) ? match() : this.#checks.run(address, match))
    if (checked === null) return 'busy'
    const { hashes, at } = checked
    const entry = this.#entries.get(stationId)
    if (entry === undefined) return 'unknown'
    // The station's line has changed meanwhile: a new key is not to be remembered as wrong, nor the old one as right.
    if (entry.hashes !== hashes) return this.#checked(stationId, secret, digest, address)
    if (at === null) {
      entry.wrong = [...entry.wrong, digest].slice(-maxWrong)
      return 'wrong'
    }
    const right = { digest, at }
    entry.right = [...entry.right, right]
    this.#onUsed(stationId, entry, right)
    return 'right'
  }

  /** A key that `auth rotate` made keeps its cheap hash, also before the file is loaded again. */
  async #hashInFile(stationId: StationId, secret: Buffer): Promise<string | null> {
    const text = await readFile(this.#file, 'utf8').catch(() => '')
    return matching(secret, hashesOf(text, stationId))
  }

  /** A station that uses its new key has accepted it. */
  #onUsed(stationId: StationId, entry: Entry, { digest, at }: Right): void {
    const hash = entry.hashes[at]
    if (at === 0 || hash === undefined) return
    entry.hashes = [hash]
    entry.right = [{ digest, at: 0 }]
    this.#keep(stationId, entry)
    this.#log.info({ station: stationId }, 'the station uses its new key: the one before is refused')
  }

  #keep(stationId: StationId, entry: Entry): void {
    this.#unsaved.set(stationId, entry)
    this.#save()
  }

  /** Writes one after another; each write takes all that has come meanwhile. */
  #save(): void {
    if (this.#unsaved.size > 0) this.#saving = this.#saving.then(() => this.#write())
  }

  async #write(): Promise<void> {
    const unsaved = new Map(this.#unsaved)
    if (unsaved.size === 0) return
    this.#unsaved.clear()
    const written = new Map([...unsaved].map(([stationId, { hashes }]) => [stationId, hashes] as const))
    try {
      await changeFile(this.#file, async text => {
        const { keys } = await parseKeys(text)
        // A station that was removed meanwhile stays removed.
        return withKeys(text, new Map([...written].filter(([stationId]) => keys.has(stationId))))
      })
      for (const [stationId, entry] of unsaved) entry.inFile = written.get(stationId)?.join(' ') ?? entry.inFile
    } catch (error) {
      for (const [stationId, entry] of unsaved) if (!this.#unsaved.has(stationId)) this.#unsaved.set(stationId, entry)
      this.#log.error({ stations: [...unsaved.keys()].slice(0, 10), num: unsaved.size, error }, unsavedText)
    }
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
function isLost([inUse]: Hashes, after: Entry | undefined): boolean {
  return after === undefined || (inUse !== undefined && !after.hashes.includes(inUse))
}

const unsavedText =
  'new keys of stations cannot be written to ocpp_auth_file: after a restart, these stations are refused'
