/**
 * What a restart would forget, kept in the store: the serial numbers of stations, the answers to StartTransactions, and
 * which stations were here.
 */
import { membersOf } from '../ocpp/json.ts'
import { setRecent } from '../ops/recent.ts'
import type { DurableMemory, DurableOutbox, LastSeen, OutboxAdmin, World } from '../session/ports.ts'
import type { Proof } from '../translate/certificate.ts'
import type { StationId } from '../translate/handshake.ts'
import { openCredentials, type Credentials } from './stations/credentials.ts'
import { StoreError } from './errors.ts'
import { openSeenStations, type SeenStations } from './stations/last-seen.ts'
import type { StoredStart } from './operations.ts'
import { outboxAdminOf, outboxOf } from './outbox.ts'
import { openStore, type Store } from './store.ts'

/** For how long the answer to a StartTransaction is kept: as long as in memory, docs/protocol.md "Retries". */
const startLifeMs = 15 * 60_000

/** How often a store that another process uses is tried again. */
const usualRetryMs = 2_000
/** Changes that wait for it: one for each station and kind. */
const maxWaiting = 100_000
/** How many of them are made before the disk has kept them: the store refuses more than 10,000. */
const atOnce = 1_000

type Around = Pick<World, 'meter' | 'log' | 'once' | 'date'>
/** A change made while another process uses the store. */
type Waiting = { readonly stationId: StationId; readonly make: (opened: Opened) => void }
type OnProofs = Parameters<DurableMemory['onProofs']>[0]
type KeptProof = readonly [StationId, Proof]
type Opened = { readonly store: Store; readonly accepted: Credentials; readonly seen: SeenStations }

/**
 * Opens what the last process has left. Never rejects: where the store cannot be opened, the bridge goes on without
 * one. While another process uses it, it is tried again.
 *
 * @param outboxSize in bytes
 * @param open replaced in tests
 */
export async function openMemory(
  dir: string,
  outboxSize: number,
  around: Around,
  open: (dir: string) => Promise<Store> = openStore,
  retryMs = usualRetryMs,
): Promise<Memory> {
  const memory = new Memory(dir, outboxSize, around, open, retryMs)
  await memory.tried
  return memory
}

export class Memory implements DurableMemory {
  /** Resolves when the store is open, or has failed to open once. */
  readonly tried: Promise<void>
  serialNumbers: DurableMemory['serialNumbers'] = []
  starts: DurableMemory['starts'] = []
  #stations: readonly StationId[] = []
  readonly #dir: string
  readonly #outboxSize: number
  readonly #around: Around
  readonly #openStore: (dir: string) => Promise<Store>
  readonly #retryMs: number
  readonly #listeners: (() => void)[] = []
  readonly #proofListeners: OnProofs[] = []
  #proofs: readonly KeptProof[] | null = null
  /** The last change of each key. */
  readonly #waiting = new Map<string, Waiting>()
  #state: 'trying' | 'locked' | 'failed' | Opened = 'trying'
  #trying: Promise<void>
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(dir: string, outboxSize: number, around: Around, open: (dir: string) => Promise<Store>, retryMs: number) {
    this.#dir = dir
    this.#outboxSize = outboxSize
    this.#around = around
    this.#openStore = open
    this.#retryMs = retryMs
    this.tried = this.#try()
    this.#trying = this.tried
  }

  get isOpen(): boolean {
    return this.#opened !== null
  }

  get #opened(): Opened | null {
    return typeof this.#state === 'object' ? this.#state : null
  }

  /** Operations that wait for the disk; none, and without a limit, while the store is not open. */
  get queue(): Store['queue'] {
    return this.#opened?.store.queue ?? { size: 0, limit: Infinity }
  }

  get lastSeen(): readonly LastSeen[] {
    return this.#opened?.seen.before ?? []
  }

  get durableOutbox(): DurableOutbox | null {
    if (this.#state === 'failed') return null
    const stations = (): readonly StationId[] => this.#stations
    return {
      outbox: outboxOf({ call: this.#call.bind(this) }, this.#outboxSize),
      accepted: {
        wasAccepted: (...station) => this.#opened?.accepted.wasAccepted(...station) ?? false,
        onAccepted: (...station) =>
          this.#change(station[0], 'accepted', ({ accepted }) => accepted.onAccepted(...station)),
        // The key has the credentials: a rejection of wrong ones must not replace the rejection of revoked ones.
        onRejected: (...station) =>
          this.#change(station[0], `rejected ${station[1]}`, ({ accepted }) => accepted.onRejected(...station)),
      },
      get stations() {
        return stations()
      },
      onOpened: this.onOpened.bind(this),
      onFailure: this.#onFailure,
    }
  }

  /** `null` where nothing can be stored. */
  get outboxAdmin(): OutboxAdmin | null {
    return this.#state === 'failed' ? null : outboxAdminOf({ call: this.#call.bind(this) })
  }

  onOpened(listener: () => void): void {
    if (this.isOpen) listener()
    else this.#listeners.push(listener)
  }

  onProofs(listener: OnProofs): void {
    if (this.#proofs === null) this.#proofListeners.push(listener)
    else listener(this.#proofs)
  }

  keepSerialNumber(stationId: StationId, serialNumber: string): void {
    const at = this.#now()
    this.#write(stationId, 'serial number', store => store.call('keepSerialNumber', stationId, serialNumber, at))
  }

  keepSeen(station: LastSeen): void {
    this.#change(station.stationId, 'seen', ({ seen }) => seen.keep(station))
  }

  keepProof(stationId: StationId, proof: Proof): void {
    const at = this.#now()
    this.#write(stationId, 'proof', store => store.call('keepProof', stationId, proof, at))
  }

  keepStart(start: KeptStart): void {
    const now = this.#now()
    this.#write(start.stationId, `start ${start.key}`, store =>
      store.call('keepStart', storedStart(start), now, now - startLifeMs),
    )
  }

  dropStart(stationId: StationId, transactionId: string): void {
    this.#write(stationId, `end ${transactionId}`, store => store.call('dropStart', stationId, transactionId))
  }

  /** Finishes what is pending. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#retry)
    await this.#trying
    this.#opened?.seen.close()
    await this.#opened?.store.close()
  }

  async #try(): Promise<void> {
    try {
      await this.#open()
    } catch (error) {
      this.#onFault(error)
    }
  }

  async #open(): Promise<void> {
    const store = await this.#openStore(this.#dir)
    let seen: SeenStations | null = null
    try {
      const accepted = await openCredentials(store, () => this.#now(), this.#onFailure)
      seen = await openSeenStations(store, () => this.#now(), this.#onFailure)
      const opened = { store, accepted, seen }
      this.#takeProofs((await store.call('proofs')) as KeptProof[])
      // Before the rest is read: a transaction may have ended meanwhile.
      while (this.#waiting.size > 0) {
        this.#makeWaiting(opened, atOnce)
        await store.call('outboxSize')
      }
      // Nobody waits for it.
      store.call('prune').catch(this.#onFailure)
      this.serialNumbers = (await store.call('serialNumbers')) as [StationId, string][]
      this.starts = (await store.call('starts', this.#now() - startLifeMs)).map(keptStart)
      this.#stations = (await store.call('pendingStations')) as StationId[]
      this.#state = opened
      this.#makeWaiting(opened, Infinity)
    } catch (error) {
      seen?.close()
      await store.close()
      throw error
    }
    this.#around.log.info({ dir: this.#dir, stations: this.serialNumbers.length }, 'state_dir is open')
    for (const listener of this.#listeners.splice(0)) listener()
  }

  #onFault(error: unknown): void {
    const { meter, log } = this.#around
    const code = codeOf(error)
    const wasLocked = this.#state === 'locked'
    this.#state = code === 'locked' ? 'locked' : 'failed'
    if (this.#state === 'locked' && !this.#isClosed)
      this.#retry = setTimeout(() => void (this.#trying = this.#try()), this.#retryMs)
    if (wasLocked && this.#state === 'locked') return
    meter.count('state_error_total', { code })
    if (this.#state === 'locked') return log.warn({ error }, lockedText)
    this.#waiting.clear()
    log.error({ error }, 'state_dir cannot be used: the bridge goes on without it, and a restart will forget')
  }

  readonly #onFailure = (error: unknown): void => {
    const { meter, once } = this.#around
    meter.count('state_error_total', { code: codeOf(error) })
    once(`state ${codeOf(error)}`, { error }, 'state_dir failed: a restart will forget what was not kept')
  }

  #write(stationId: StationId, what: string, write: (store: Store) => Promise<void>): void {
    this.#change(stationId, what, ({ store }) => {
      write(store).then(() => this.#around.meter.count('state_write_total'), this.#onFailure)
    })
  }

  /** Nobody waits for a change. */
  #change(stationId: StationId, what: string, make: (opened: Opened) => void): void {
    if (this.#opened !== null) make(this.#opened)
    else if (this.#state !== 'failed')
      setRecent(this.#waiting, JSON.stringify([stationId, what]), { stationId, make }, maxWaiting)
  }

  /** Who has proved less here than to the last process may be someone else: what it has changed is not written. */
  #takeProofs(proofs: readonly KeptProof[]): void {
    this.#proofs = proofs
    const lower = new Set(this.#proofListeners.flatMap(listener => listener(proofs)))
    for (const [key, { stationId }] of this.#waiting) if (lower.has(stationId)) this.#waiting.delete(key)
  }

  #makeWaiting(opened: Opened, most: number): void {
    let made = 0
    for (const [key, { make }] of this.#waiting) {
      if (made++ === most) return
      this.#waiting.delete(key)
      make(opened)
    }
  }

  #call: Store['call'] = (name, ...args) =>
    this.#opened?.store.call(name, ...args) ?? Promise.reject(new StoreError('locked', this.#dir))

  #now(): number {
    return this.#around.date().getTime()
  }
}

const lockedText =
  'state_dir is in use by another process: until that one ends, the bridge goes on without it, and a restart will forget'

function codeOf(error: unknown): StoreError['code'] {
  return error instanceof StoreError ? error.code : 'io'
}

type KeptStart = DurableMemory['starts'][number]

function storedStart({ stationId, key, content, answer }: KeptStart): StoredStart {
  const transactionId = answer.kind === 'callResult' ? (membersOf(answer.payload).get('transactionId') ?? null) : null
  return { station: stationId, key, content, transactionId, answer: JSON.stringify(answer) }
}

function keptStart({ station, key, content, answer }: StoredStart): KeptStart {
  return { stationId: station as StationId, key, content, answer: JSON.parse(answer) as KeptStart['answer'] }
}
