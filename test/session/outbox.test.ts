/**
 * Random outages, kills and vanishing stations, with an outbox: what was confirmed reaches the app, in the order of
 * each transaction, and a message that the app may have had carries `attempt`.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import type { DurableMemory, Outbox } from '../../src/session/ports.ts'
import { dataOf, dawn, FakeWorld, faults, type FakeStation, type RpcCall, type Said } from '../support/fakes.ts'
import { Clock } from './model/clock.ts'
import { FakeOutbox, memoryWith } from '../support/outbox.ts'

const runs = 400
/** Stations stay away for half a minute at most. */
const absentMs = 5_000
const stations = ['CP1', 'CP2'] as const
type StationId = (typeof stations)[number]

const moods = ['up', 'absent', 'lost', 'slow', 'raises', 'refuses', 'hangs'] as const
/** The disk works, is full, fails, or takes long. */
const disks = ['works', 'full', 'fails', 'slow'] as const
/** Longer than the 5 s after which the bridge gives the disk up. */
const slowDiskMs = 7_000
/** `rpc_command_timeout` */
const deadlineMs = 3_000
const event = fc.oneof(
  { weight: 5, arbitrary: fc.record({ is: fc.constant('make' as const), at: fc.nat(1), what: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('pass' as const), at: fc.nat(20), what: fc.nat(0) }) },
  {
    weight: 3,
    arbitrary: fc.record({ is: fc.constant('mood' as const), at: fc.nat(0), what: fc.nat(moods.length - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('vanish' as const), at: fc.nat(1), what: fc.nat(0) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('stay away' as const), at: fc.nat(1), what: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('kill' as const), at: fc.nat(0), what: fc.nat(0) }) },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('disk' as const), at: fc.nat(disks.length - 1), what: fc.nat(0) }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('second' as const), at: fc.nat(1), what: fc.nat(0) }) },
)
type Event = { readonly is: string; readonly at: number; readonly what: number }

type Message = { readonly id: string; readonly payload: object; readonly transaction: number; isConfirmed: boolean }
type Run = { readonly id: unknown; readonly process: number; readonly isStored: boolean; readonly attempt: unknown }

/** A process dies: what it has not written is never written, and it learns of nothing any more. */
function mortal(outbox: FakeOutbox) {
  const life = { isAlive: true }
  const live = <Result>(run: () => Promise<Result>): Promise<Result> => {
    const never = new Promise<never>(() => undefined)
    return life.isAlive ? run().then(result => (life.isAlive ? result : never)) : never
  }
  // Appends run in the order of their calls, as in the store.
  let last: Promise<unknown> = Promise.resolve()
  const own: Outbox = {
    append: message => {
      const appended = last.then(() => live(() => outbox.append(message)))
      last = appended.catch(() => undefined)
      return appended
    },
    pendingOf: (stationId, afterSeq) => live(() => outbox.pendingOf(stationId, afterSeq)),
    delivered: seq => live(() => outbox.delivered(seq)),
    failed: (seq, attempts, nextAttemptAt) => live(() => outbox.failed(seq, attempts, nextAttemptAt)),
    deadLetter: seq => live(() => outbox.deadLetter(seq)),
    keepSession: (stationId, session) => live(() => outbox.keepSession(stationId, session)),
    sessionOf: stationId => live(() => outbox.sessionOf(stationId)),
    size: () => live(() => outbox.size()),
  }
  return { life, own }
}

/** A process. Its clock is the scene's: a timer of a dead process must not touch those of its successor. */
class Process extends FakeWorld {
  override readonly now: () => number
  override readonly date: () => Date

  constructor(t: TestContext, memory: DurableMemory, clock: Clock) {
    super(t, { sn: 'station_id' }, { ratePerSecond: 1_000 }, memory, clock.now, absentMs)
    clock.install()
    this.now = () => clock.now
    this.date = () => new Date(clock.now)
  }
}

class Scene {
  readonly made = new Map<StationId, Message[]>(stations.map(id => [id, []]))
  readonly ran: Run[] = []
  readonly refused: unknown[] = []
  readonly #t: TestContext
  readonly #outbox = new FakeOutbox()
  /** Until when a station does not connect, in ms. */
  readonly #awayUntil = new Map<StationId, number>()
  /** Deliveries without a connection. */
  absent = 0
  readonly #sockets = new Map<StationId, FakeStation>()
  readonly #heard = new WeakMap<FakeStation, number>()
  readonly #pending = new Map<StationId, FakeStation>()
  #mood: (typeof moods)[number] = 'up'
  readonly #clock = new Clock()
  #world: FakeWorld
  #life = { isAlive: true }
  #process = 0

  constructor(t: TestContext) {
    this.#t = t
    this.#world = this.#start()
  }

  /** Gives the real timers back. */
  close(): void {
    this.#countAbsent()
    this.#t.mock.timers.reset()
  }

  async play(events: readonly Event[]): Promise<void> {
    for (const { is, at, what } of events) {
      if (is === 'make') this.#make(stations[at] ?? 'CP1', what)
      else if (is === 'pass') await this.#pass(at)
      else if (is === 'mood') this.#mood = moods[what] ?? 'up'
      else if (is === 'vanish') this.#sockets.get(stations[at] ?? 'CP1')?.vanish()
      else if (is === 'stay away') this.#stayAway(stations[at] ?? 'CP1', what * 1_000)
      else if (is === 'kill') this.#kill()
      else if (is === 'second') this.#second(stations[at] ?? 'CP1')
      else this.#outbox.appending = this.#appendingTo(disks[at] ?? 'works')
    }
    this.#mood = 'up'
    this.#outbox.appending = () => Promise.resolve('stored')
    for (let count = 0; count < 100 && !this.isDone; count++) await this.#pass(20)
  }

  get isDone(): boolean {
    const all = [...this.made.values()].flat()
    return this.#outbox.stored.length === 0 && all.every(({ isConfirmed }) => isConfirmed)
  }

  #start(): FakeWorld {
    const { memory, durable } = memoryWith(this.#outbox, stations)
    const { life, own } = mortal(this.#outbox)
    memory.durableOutbox = { ...durable, outbox: own }
    this.#life = life
    const process = ++this.#process
    const world = new Process(this.#t, memory, this.#clock)
    world.rpc.otherwise(call => this.#say(world, call, process))
    return world
  }

  #stayAway(stationId: StationId, ms: number): void {
    this.#sockets.get(stationId)?.vanish()
    this.#awayUntil.set(stationId, this.#clock.now + ms)
  }

  #kill(): void {
    this.#countAbsent()
    this.#life.isAlive = false
    this.#sockets.clear()
    this.#pending.clear()
    this.#world = this.#start()
  }

  /** The station connects again, and its old connection does not end by itself. */
  #second(stationId: StationId): void {
    if (this.#world.hub.debts.waitSeconds(stationId as never) !== null) return
    this.#pending.delete(stationId)
    const station = this.#world.plug(stationId)
    this.#sockets.set(stationId, station)
    station.call('Heartbeat', {}, 'heartbeat')
  }

  #appendingTo(disk: (typeof disks)[number]): FakeOutbox['appending'] {
    switch (disk) {
      case 'works':
        return () => Promise.resolve('stored')
      case 'full':
        return () => Promise.resolve('refused')
      case 'fails':
        return () => Promise.reject(new Error('the disk fails'))
      case 'slow':
        return () => {
          const life = this.#life
          // What a process has not written when it is killed is never written.
          return new Promise(resolve =>
            this.#clock.start(() => resolve(life.isAlive ? 'stored' : 'refused'), slowDiskMs),
          )
        }
    }
  }

  /** A step of a second: stations connect, send the head of their queue, and read its answer. */
  async #pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      for (const id of stations) this.#send(id)
      this.#world.hub.sweep()
      // What the real `check` finds out.
      if (this.#world.rpc.checks > 0 && this.#mood !== 'absent') this.#world.rpc.presence.isAway = false
      await this.#clock.pass(1_000)
      for (const id of stations) this.#read(id)
    }
  }

  #countAbsent(): void {
    this.absent += this.#world.log.said('info').filter(line => /of a station that is not connected/.test(line)).length
  }

  #make(stationId: StationId, transaction: number): void {
    const made = this.made.get(stationId) ?? []
    const timestamp = new Date(dawn + 1_000 * made.length).toISOString()
    const meterValue = [{ timestamp, sampledValue: [{ value: '1' }] }]
    const payload = { connectorId: 1, transactionId: transaction, meterValue }
    made.push({ id: `${stationId} ${made.length}`, payload, transaction, isConfirmed: false })
  }

  #send(stationId: StationId): void {
    if (this.#clock.now < (this.#awayUntil.get(stationId) ?? 0)) return
    let station = this.#sockets.get(stationId)
    if (station === undefined || station.session.isClosed) {
      this.#pending.delete(stationId)
      if (this.#world.hub.debts.waitSeconds(stationId as never) !== null) return
      station = this.#world.plug(stationId)
      this.#sockets.set(stationId, station)
      station.call('Heartbeat', {}, 'heartbeat')
    }
    const head = this.made.get(stationId)?.find(({ isConfirmed }) => !isConfirmed)
    if (head === undefined || this.#pending.has(stationId)) return
    this.#pending.set(stationId, station)
    station.call('MeterValues', head.payload, head.id)
  }

  #read(stationId: StationId): void {
    const station = this.#pending.get(stationId)
    if (station === undefined) return
    const from = this.#heard.get(station) ?? 0
    this.#heard.set(station, station.got.length)
    for (const [type, id] of station.got.slice(from)) {
      const message = this.made.get(stationId)?.find(each => each.id === id)
      if (message === undefined) continue
      this.#pending.delete(stationId)
      if (type === 3) message.isConfirmed = true
      else this.refused.push(id)
    }
  }

  #say(world: FakeWorld, call: RpcCall, process: number): Said | Promise<Said> {
    // A dead process says nothing to the app.
    if (world !== this.#world) throw faults.absent
    world.rpc.presence.isAway = this.#mood === 'absent'
    if (this.#mood === 'absent') throw faults.absent
    const isPerform = call.name === 'meter_values'
    if (isPerform && this.#mood === 'raises') throw faults.raised
    if (isPerform && this.#mood === 'refuses') return { status: 'failure' }
    if (this.#mood === 'hangs')
      return new Promise((_, reject) => this.#clock.start(() => reject(faults.slow), deadlineMs))
    if (isPerform && this.#mood !== 'slow') {
      const { id, attempt, storedAt } = dataOf(call)
      this.ran.push({ id, process, attempt, isStored: storedAt !== undefined })
    }
    if (this.#mood === 'lost') throw faults.lost
    if (this.#mood === 'slow') throw faults.slow
    world.rpc.presence.repliedAt = world.now()
    return {}
  }
}

test(
  `nothing confirmed is lost, and order and attempts hold, in ${runs} random outages with an outbox`,
  { timeout: 300_000 },
  async t => {
    let absent = 0
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 40 }), async events => {
        const scene = new Scene(t)
        await scene.play(events)
        scene.close()
        absent += scene.absent
        assert.ok(scene.isDone, 'all is confirmed and delivered in the end')
        // While the disk fails, live messages are performed before what it has.
        const keepsOrder = events.every(({ is, at }) => is !== 'disk' || disks[at] === 'works' || disks[at] === 'full')
        const all = [...scene.made.values()].flat()
        const firstRun = (id: string): number => scene.ran.findIndex(run => run.id === id)
        for (const { id, transaction } of all) {
          assert.notEqual(firstRun(id), -1, `${id} was confirmed, and reached the app`)
          const before = all.filter(each => each.transaction === transaction && each.id.slice(0, 3) === id.slice(0, 3))
          const next = before[before.findIndex(each => each.id === id) + 1]
          if (next !== undefined && keepsOrder) assert.ok(firstRun(id) < firstRun(next.id), `${id} before ${next.id}`)
        }
        scene.ran.forEach((run, at) => {
          const hadBefore = scene.ran.slice(0, at).some(({ id, process }) => id === run.id && process === run.process)
          if (hadBefore) assert.ok(Number(run.attempt) >= 2, `${String(run.id)} may have reached the app before`)
        })
      }),
      { numRuns: runs, includeErrorInReport: true },
    )
    assert.ok(absent > 0, 'some were delivered without a connection')
  },
)
