/**
 * When stations that say nothing are attached to the app: a station that reconnects need not boot again, nor say
 * anything for hours, and commands must reach it all the same.
 *
 * Spec: OCPP-J 1.6 §5.3 and §5.4, OCPP 2.0.1 Part 4 §5.3, OCPP 2.1 Part 4 §5.4.
 */
import type { Member, World } from '../session/ports.ts'

/** How long a station may take to say something by itself: at least, and at random on top. */
const grace = { leastMs: 5_000, jitterMs: 2_000 }
/**
 * Over all stations. `rpc_concurrency` may be lower: then some wait for a permit, mostly behind the calls of connected
 * stations.
 */
const maxAtOnce = 16
/** While the app is away: the time between two attempts, of any station. */
const pause = { leastMs: 1_000, mostMs: 30_000 }
/** After the app has raised for a station: the time until the next attempt of that station. */
const retry = { leastMs: 10_000, mostMs: 10 * 60_000 }

type Turn = { readonly dueAt: number; readonly failures: number }

export class AttachSchedule {
  readonly #world: Pick<World, 'now' | 'random'>
  readonly #turns = new WeakMap<Member, Turn>()
  /** Due, in order. */
  #queue: Member[] = []
  #inFlight = 0
  #pausedUntil = 0
  /** Consecutive pauses. */
  #pauses = 0
  #isStopped = false

  constructor(world: Pick<World, 'now' | 'random'>) {
    this.#world = world
  }

  /**
   * Attaches the stations that are due; those beyond the limit follow as soon as there is room.
   *
   * @param members those that have shown life
   */
  sweep(members: Iterable<Member>): void {
    const now = this.#world.now()
    if (this.#isStopped || now < this.#pausedUntil) return
    const due: { readonly member: Member; readonly dueAt: number }[] = []
    for (const member of members) {
      if (!member.attaching.isWanted) continue
      const { dueAt } = this.#turnOf(member)
      if (dueAt <= now) due.push({ member, dueAt })
    }
    this.#queue = due.sort((one, other) => one.dueAt - other.dueAt).map(({ member }) => member)
    this.#next()
  }

  /** The app has accepted a station, whichever: it is not away. */
  onAccepted(): void {
    this.#pausedUntil = 0
  }

  /** Attaches no further station: the bridge is shutting down. */
  stop(): void {
    this.#isStopped = true
    this.#queue = []
  }

  #next(): void {
    // While the app is away, one station finds out whether it is back.
    const limit = this.#pauses === 0 ? maxAtOnce : 1
    while (this.#inFlight < limit) {
      const member = this.#queue.shift()
      if (member === undefined) return
      if (member.attaching.isWanted) void this.#attach(member)
    }
  }

  async #attach(member: Member): Promise<void> {
    this.#inFlight++
    // Until the attempt ends, the next sweep does not find the station due.
    this.#turns.set(member, { ...this.#turnOf(member), dueAt: Infinity })
    const attempt = await member.attaching.unprompted()
    this.#inFlight--
    const now = this.#world.now()
    const { failures } = this.#turnOf(member)
    const hasRaised = attempt === 'raised'
    // Not at once: while the app is away, another station tries first.
    const waitMs = hasRaised ? doubled(retry, failures) : pause.leastMs
    this.#turns.set(member, { dueAt: now + waitMs, failures: hasRaised ? failures + 1 : 0 })
    if (attempt === 'away') this.#pause(now)
    else if (attempt !== 'skipped') this.#pauses = 0
    this.#next()
  }

  /** Attempts in flight at the same time fail together, and pause once. */
  #pause(now: number): void {
    this.#queue = []
    if (now < this.#pausedUntil) return
    this.#pausedUntil = now + doubled(pause, this.#pauses) * (1 + this.#world.random() / 4)
    this.#pauses++
  }

  #turnOf(member: Member): Turn {
    const known = this.#turns.get(member)
    if (known !== undefined) return known
    const turn = { dueAt: member.openedAt + grace.leastMs + this.#world.random() * grace.jitterMs, failures: 0 }
    this.#turns.set(member, turn)
    return turn
  }
}

function doubled({ leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number }, times: number): number {
  return Math.min(leastMs * 2 ** times, mostMs)
}
