/**
 * The Connects before the 101 (`ocpp_connect_on=upgrade`), one at a time for each peer: an identity with its
 * credentials. Of several upgrades of a peer, the newest takes over the Connect of the one before, and its place in the
 * queue: a station that retries while the app is slow neither waits behind itself nor starts anew, and one that opens
 * many connections does not keep others out. Other credentials are another peer: a stranger does not end a station's
 * Connect.
 */
import { RpcError, type Connected } from '../../cable/rpc.ts'
import { hasAcceptedCredentials } from '../../session/allowance.ts'
import { reportRejected, warnOfError } from '../../session/app/errors.ts'
import { networkAt } from '../../session/auth/guesses.ts'
import { verdictOf, type Verdict } from '../../session/auth/verdict.ts'
import type { Admitted, Who, World } from '../../session/ports.ts'
import { credentialsDigest } from '../../session/transactions/credentials.ts'
import { fingerprintIn } from '../../translate/certificate.ts'
import type { Refusal, StationHandshake, StationId } from '../../translate/handshake.ts'
import type { Hub } from '../hub.ts'
import { Relation } from '../relation.ts'
import { draining, rejected, replaced, unjudged } from './refusals.ts'

/** How long a Connect may wait for a permit, less than stations wait for an upgrade; then it has a whole timeout. */
const queueMs = 10_000

type Decision = Admitted | Refusal

type Upgrade = {
  readonly handshake: StationHandshake
  /** Aborted when the station leaves. */
  readonly gone: AbortSignal
  readonly decide: (decision: Decision) => void
  readonly fail: (error: unknown) => void
}

/** A peer whose Connect is in progress. */
type Asking = {
  readonly peer: string
  newest: Upgrade
  /** Until when its Connect may wait for a permit. */
  deadline: number
  /** The upgrade that the Connect was made for. */
  asked: Upgrade
  connect: AbortController
}

/** What the app has said; `null`: the Connect was aborted. */
type Answer = Connected | Refusal | null

export class Connects {
  readonly #hub: Hub
  readonly #world: World
  /** Why the state of the bridge keeps a station out. */
  readonly #obstacle: (handshake: StationHandshake) => Refusal | null
  readonly #askings = new Map<string, Asking>()
  readonly #ofStation = new Relation<StationId, Asking>()
  readonly #pending = new Set<Promise<void>>()
  /** Disconnects of stations that the app accepted, and whose upgrade failed. */
  readonly #releases = new Set<Promise<void>>()
  #isStopped = false

  constructor(hub: Hub, world: World, obstacle: (handshake: StationHandshake) => Refusal | null) {
    this.#hub = hub
    this.#world = world
    this.#obstacle = obstacle
  }

  /** How many other peers wait for the app: of all stations, and under this station's identity. */
  besides(handshake: StationHandshake): { readonly all: number; readonly ofStation: number } {
    if (this.#askings.size === 0) return { all: 0, ofStation: 0 }
    const own = this.#askings.has(this.#peerOf(handshake)) ? 1 : 0
    return { all: this.#askings.size - own, ofStation: this.#ofStation.get(handshake.stationId).length - own }
  }

  /** Asks the app. @param gone aborted when the station leaves */
  ask(handshake: StationHandshake, gone: AbortSignal): Promise<Decision> {
    const peer = this.#peerOf(handshake)
    return new Promise((decide, fail) => {
      const upgrade = { handshake, gone, decide, fail }
      const deadline = this.#world.now() + queueMs
      const before = this.#askings.get(peer)
      const asking = before ?? this.#begin(peer, upgrade, deadline)
      if (before !== undefined) supersede(before, upgrade, deadline)
      gone.addEventListener('abort', () => {
        if (asking.newest === upgrade) asking.connect.abort()
      })
    })
  }

  /** Queues the Disconnect of a station that the app has accepted, and whose upgrade has failed. */
  release({ stationId, env }: StationHandshake, { sid, reply }: Connected): void {
    const { connectionIdentifiers, cstate } = reply
    const call = { sid, env: { ...env, cstate }, connectionIdentifiers, subscriptions: [] }
    const queued = this.#hub.queueDisconnect(stationId, () =>
      this.#world.rpc.disconnect(call, new AbortController().signal),
    )
    const expedite = (): Promise<void> => (queued.expedite(), queued.done)
    this.#hub.claims.onLeft(stationId, { ended: queued.done, expedite })
    this.#releases.add(queued.done)
    void queued.done.then(() => this.#releases.delete(queued.done))
  }

  /** Aborts every Connect. Resolves when the app has seen those leave that it was just accepting. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const { connect } of this.#askings.values()) connect.abort()
    await Promise.all(this.#pending)
    await Promise.all(this.#releases)
  }

  #begin(peer: string, upgrade: Upgrade, deadline: number): Asking {
    const asking = { peer, newest: upgrade, deadline, asked: upgrade, connect: new AbortController() }
    this.#askings.set(peer, asking)
    this.#ofStation.add(upgrade.handshake.stationId, asking)
    const pending = this.#decide(asking)
    this.#pending.add(pending)
    void pending.then(() => this.#pending.delete(pending))
    return asking
  }

  /** Makes Connects until one is the newest upgrade's. Between the last look at the room and the end, nothing comes. */
  async #decide(asking: Asking): Promise<void> {
    try {
      let decision: Decision | null = null
      while (decision === null) decision = this.#decisionFor(asking, await this.#connect(asking))
      asking.newest.decide(decision)
    } catch (error) {
      asking.newest.fail(error)
    }
    this.#askings.delete(asking.peer)
    this.#ofStation.deleteAll(asking)
  }

  async #connect(asking: Asking): Promise<Answer> {
    const { handshake, gone } = (asking.asked = asking.newest)
    const { rpc, newId } = this.#world
    const who: Who = { sid: newId(), station: handshake.stationId }
    const { signal } = (asking.connect = new AbortController())
    if (gone.aborted || this.#isStopped) asking.connect.abort()
    const isReturning = hasAcceptedCredentials(handshake, this.#hub)
    const endAttempt = this.#hub.known.onAsking(handshake)
    const queueDeadline = (): number => (rpc.presence.isAway ? 0 : asking.deadline)
    try {
      const reply = await rpc.connect({ sid: who.sid, env: handshake.env, isReturning }, signal, queueDeadline)
      return reply.status === 'failure' ? this.#onRejected(handshake, who, verdictOf(reply)) : { sid: who.sid, reply }
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError({ who, world: this.#world }, 'connect', error)
      return error.code === 'aborted' ? null : this.#unavailable()
    } finally {
      endAttempt?.()
    }
  }

  /** The decision about the newest upgrade; `null`: the answer is not its own, and it may have a Connect of its own. */
  #decisionFor({ newest, asked }: Asking, answer: Answer): Decision | null {
    const isRefused = answer !== null && 'kind' in answer
    const isItsOwn = isSame(asked, newest)
    if (isRefused && isItsOwn) return answer
    const obstacle = newest.gone.aborted ? this.#unavailable() : this.#obstacle(newest.handshake)
    if (answer !== null && !isRefused) {
      if (isItsOwn && obstacle === null) return { kind: 'admitted', connected: answer }
      this.release(asked.handshake, answer)
    }
    if (asked === newest) return this.#isStopped ? draining() : (obstacle ?? this.#unavailable())
    return obstacle
  }

  #onRejected(handshake: StationHandshake, who: Who, verdict: Verdict): Refusal {
    this.#hub.known.onRejected(handshake, verdict)
    this.#hub.backlog?.onRejected(handshake)
    const refused = { kind: 'connect', withheld: handshake.withheld === true } as const
    reportRejected({ who, handshake, world: this.#world }, refused, who)
    return rejected(verdict)
  }

  #unavailable(): Refusal {
    return unjudged('The CSMS cannot be reached', this.#world.random())
  }

  /**
   * Where the key, or the certificate of the identity, has been checked, only the station itself comes here, whatever
   * else it sends. Peers without credentials are told apart by their addresses.
   */
  #peerOf(handshake: StationHandshake): string {
    const { stationId, env } = handshake
    if (this.#world.keys !== null || isIdentified(handshake)) return JSON.stringify([stationId])
    const proof = [credentialsDigest(handshake), fingerprintIn(env.headers) ?? '']
    return JSON.stringify([stationId, ...(proof.join('') === '' ? [networkAt(handshake)] : proof)])
  }
}

/** Whether its certificate is bound to its identity: it needs no key besides (1.6 and 2.x A00.FR.401). */
export function isIdentified({ proven, serialNumber }: StationHandshake): boolean {
  return proven === 3 && serialNumber === undefined
}

/** The newer upgrade takes over the Connect if the app would see the same in both; if not, the Connect is aborted. */
function supersede(asking: Asking, newer: Upgrade, deadline: number): void {
  asking.newest.decide(replaced())
  asking.newest = newer
  asking.deadline = deadline
  if (!isSame(asking.asked, newer)) asking.connect.abort()
}

function isSame({ handshake: { env } }: Upgrade, { handshake: { env: other } }: Upgrade): boolean {
  return JSON.stringify([env.url, env.headers]) === JSON.stringify([other.url, other.headers])
}
