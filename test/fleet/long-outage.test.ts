/**
 * An app that is away for 10 minutes and for an hour, on a virtual clock: a fleet of stations over the real hub, each
 * with its ledger. Half of them discard a message after three sends.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dataOf, FakeWorld, faults, transmitted, type FakeStation, type RpcCall, type Said } from '../support/fakes.ts'
import { audit, StationLedger, type LedgerVersion, type Row } from '../support/ledger.ts'
import { memoryWith, type FakeOutbox } from '../support/outbox.ts'
import type { DurableMemory } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { Random } from '../fuzz/random.ts'
import { Clock } from '../session/model/clock.ts'

const stationCount = 50
const makesEverySeconds = 20
const secondsBefore = 130

/** A station that connects when it is let in, and sends one message after another. */
class VirtualStation {
  readonly ledger: StationLedger
  readonly #world: FakeWorld
  readonly #clock: Clock
  #link: FakeStation | null = null
  #read = 0
  #pendingId: string | null = null
  #mayConnectAt = 0
  #calls = 0

  constructor(world: FakeWorld, clock: Clock, ledger: StationLedger) {
    this.#world = world
    this.#clock = clock
    this.ledger = ledger
  }

  get isOnline(): boolean {
    return this.#link !== null && this.#link.socket.closed === null
  }

  send(): void {
    if (!this.isOnline && !this.#connect()) return
    if (this.#pendingId !== null) return
    const message = this.ledger.attempt()
    if (message === null) return
    this.#pendingId = `${this.ledger.stationId} ${++this.#calls}`
    this.#link?.call(message.action, message.payload(), this.#pendingId)
  }

  hear(): void {
    const sent = this.#link?.socket.sent.all ?? []
    for (const text of sent.slice(this.#read)) {
      const [type, id, payload] = JSON.parse(text) as unknown[]
      if (id !== this.#pendingId) continue
      this.#pendingId = null
      if (type === 3) this.ledger.confirm(payload as Record<string, unknown>)
      else this.ledger.drop()
    }
    this.#read = sent.length
    if (!this.isOnline) this.#pendingId = null
  }

  /** @returns whether it is let in; otherwise it asks again after the Retry-After */
  #connect(): boolean {
    if (this.#clock.now < this.#mayConnectAt) return false
    const { stationId, version } = this.ledger
    const waitSeconds = this.#world.hub.debts.waitSeconds(stationId as StationId)
    this.#mayConnectAt = this.#clock.now + 1_000 * (waitSeconds ?? 1)
    if (waitSeconds !== null) return false
    this.#link = this.#world.plug(stationId, { version })
    this.#read = 0
    this.#pendingId = null
    return true
  }
}

class Fleet extends FakeWorld {
  override readonly now: () => number
  override readonly date: () => Date
  override readonly random: () => number
  readonly rows: Row[] = []
  readonly stations: readonly VirtualStation[]
  isAppAway = false
  readonly #clock: Clock
  readonly #transactions = new Map<unknown, number>()
  #seconds = 0

  constructor(t: TestContext, clock: Clock, memory: DurableMemory | null, ids: readonly string[]) {
    super(t, { sn: 'station_id' }, {}, memory, clock.now)
    clock.install()
    this.#clock = clock
    this.now = () => clock.now
    this.date = () => new Date(clock.now)
    const random = new Random(1)
    this.random = () => random.next()
    this.rpc.otherwise(call => this.#say(call))
    this.stations = ids.map((id, at) => {
      const version: LedgerVersion = at % 2 === 0 ? 'ocpp1.6' : 'ocpp2.0.1'
      return new VirtualStation(this, clock, new StationLedger(id, version, at % 4 < 2 ? 3 : Infinity))
    })
  }

  async charge(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      const at = this.#seconds++ % makesEverySeconds
      this.stations.forEach((station, index) => {
        if (index % makesEverySeconds === at) station.ledger.make(!station.isOnline)
      })
      await this.#second()
    }
  }

  /** Until nothing is left at the stations, nor in the outbox. */
  async settle(outbox: FakeOutbox | null): Promise<void> {
    const isLeft = (): boolean =>
      (outbox?.stored.length ?? 0) > 0 || this.stations.some(({ ledger }) => ledger.queue.length > 0)
    for (let second = 0; second < 3_600 && isLeft(); second++) await this.#second()
  }

  async #second(): Promise<void> {
    for (const station of this.stations) station.send()
    this.hub.sweep()
    // What the real `check` finds out.
    if (this.rpc.checks > 0 && !this.isAppAway) this.#onReply()
    this.rpc.checks = 0
    await this.#clock.pass(1_000)
    for (const station of this.stations) station.hear()
  }

  #onReply(): void {
    this.rpc.presence = { isAway: false, repliedAt: this.#clock.now }
  }

  #say(call: RpcCall): Said {
    if (this.isAppAway) {
      this.rpc.presence.isAway = true
      throw faults.absent
    }
    this.#onReply()
    if (call.command !== 'message') return {}
    const data = dataOf(call)
    if (typeof data['key'] !== 'string') return {}
    const { command: action, attempt, key } = data
    const stationId = call.env.url.split('/').at(-1) ?? ''
    if (action === 'StartTransaction' && !this.#transactions.has(key))
      this.#transactions.set(key, this.#transactions.size + 1)
    const transactionId = this.#transactions.get(key)
    const payload = data.payload as Row['payload']
    this.rows.push({ stationId, action, key, payload, attempt, transactionId, isStored: 'storedAt' in data })
    const ack = action === 'StartTransaction' ? { transactionId, idTagInfo: { status: 'Accepted' } } : {}
    return transmitted({ command: 'Ack', id: data.id, payload: ack })
  }
}

async function assertNothingLost(t: TestContext, minutes: number, hasOutbox: boolean): Promise<void> {
  const ids = Array.from({ length: stationCount }, (_, at) => `CP${at}`)
  const kept = hasOutbox ? memoryWith(undefined, []) : null
  const fleet = new Fleet(t, new Clock(), kept?.memory ?? null, ids)
  t.after(() => t.mock.timers.reset())
  await fleet.charge(secondsBefore)
  fleet.isAppAway = true
  await fleet.charge(minutes * 60)
  const made = fleet.stations.flatMap(({ ledger }) => ledger.made).length
  assert.ok(fleet.rows.length < made / 2, `${fleet.rows.length} of ${made} were booked before the app came back`)
  if (kept !== null) assert.ok(kept.outbox.stored.length > 0, 'some are stored')
  fleet.isAppAway = false
  await fleet.charge(secondsBefore)
  await fleet.settle(kept?.outbox ?? null)
  const ledgers = fleet.stations.map(({ ledger }) => ledger)
  const { charged, booked, ...rest } = audit(ledgers, fleet.rows)
  assert.deepEqual(ledgers.flatMap(({ dropped }) => dropped), []) // prettier-ignore
  assert.deepEqual(rest, { lost: [], doubled: [], unmarked: [], marked: [], disordered: [] })
  assert.deepEqual(booked.toSorted(), charged.toSorted())
}

for (const minutes of [10, 60]) {
  for (const [hasOutbox, where] of [
    [false, 'without state_dir'],
    [true, 'with state_dir'],
  ] as const) {
    test(`${stationCount} stations lose nothing when the app is away for ${minutes} minutes, ${where}`, t =>
      assertNothingLost(t, minutes, hasOutbox))
  }
}
