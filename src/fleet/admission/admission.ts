/**
 * Decides before the 101 which stations may connect: by the state of the bridge, by their keys where the bridge holds
 * them, and by the app's Connect where `ocpp_connect_on` is `upgrade`.
 *
 * Spec: OCPP-J 1.6 §3.2 and white paper "Improved security" §2.3, OCPP 2.0.1 and 2.1 Part 4 §3.2: an unknown station
 * gets 404, wrong credentials are refused before the upgrade; RFC 9110 §11.6.1 (401), RFC 6585 §4 (429).
 */
import { RpcError, type Connected } from '../../cable/rpc.ts'
import { hasAcceptedCredentials } from '../../session/allowance.ts'
import { reportRejected, warnOfError } from '../../session/app/errors.ts'
import { networkAt } from '../../session/auth/guesses.ts'
import { verdictOf, type Verdict } from '../../session/auth/verdict.ts'
import type { Admitted, StationKeys, Who, World } from '../../session/ports.ts'
import { credentialsDigest } from '../../session/transactions/credentials.ts'
import { challenge, profileRefused, refused, type Refusal, type StationHandshake } from '../../translate/handshake.ts'
import type { Hub } from '../hub.ts'

export type AdmissionSettings = {
  /** When the app's Connect is made. */
  readonly connectOn: 'boot' | 'upgrade'
  /** How many stations may be connected. */
  readonly room: number
}

/** How long a Connect may wait for a permit, less than stations wait for an upgrade; then it has a whole timeout. */
const queueMs = 10_000
const retryLater = { 'Retry-After': 30 }
/**
 * The Retry-After of stations that could not be judged: at least so long, and a random time on top, so that they spread
 * out.
 */
const unjudgedSeconds = { least: 10, spread: 50 }

export class Admission {
  readonly #settings: AdmissionSettings
  readonly #hub: Hub
  readonly #world: World
  /** Connects in progress; each is aborted by its function. */
  readonly #connects = new Map<Promise<unknown>, () => void>()
  /** Disconnects of stations that the app accepted, and whose upgrade failed. */
  readonly #releases = new Set<Promise<void>>()
  #isStopped = false

  constructor(settings: AdmissionSettings, hub: Hub, world: World) {
    this.#settings = settings
    this.#hub = hub
    this.#world = world
  }

  /** Whether more than `refusal` decides about a station. */
  get asks(): boolean {
    return this.#world.keys !== null || this.#settings.connectOn === 'upgrade'
  }

  /** Whether it has credentials that the app accepted before, or a key that is known to be right. */
  isKnown(handshake: StationHandshake, authorization: string): boolean {
    if (hasAcceptedCredentials(handshake, this.#hub)) return true
    return this.#world.keys?.recall(handshake.stationId, authorization) === 'right'
  }

  /** Why a station cannot connect now, `null` if it can. */
  refusal(handshake: StationHandshake): Refusal | null {
    return this.#obstacle(handshake) ?? this.#rejection(handshake)
  }

  /**
   * Checks the station's key, and asks the app, as far as either is wanted.
   *
   * @param authorization the header; empty if there is none
   * @param gone aborted when the station leaves
   */
  async ask(handshake: StationHandshake, authorization: string, gone: AbortSignal): Promise<Admitted | Refusal> {
    const { keys } = this.#world
    const wrongKey =
      keys === null || isIdentified(handshake) ? null : await this.#checkKey(keys, handshake, authorization)
    if (wrongKey !== null) return wrongKey
    if (this.#settings.connectOn === 'upgrade') return this.#connect(handshake, gone)
    return this.#obstacle(handshake) ?? { kind: 'admitted', connected: null }
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

  /** Refuses every station from now on, pending Connects included. Resolves when their Disconnects have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const abort of this.#connects.values()) abort()
    await Promise.all(this.#connects.keys())
    await Promise.all(this.#releases)
  }

  /** Why the state of the bridge keeps the station out. @param others the stations whose Connect is in progress */
  #obstacle(handshake: StationHandshake, others = this.#connects.size): Refusal | null {
    const { claims, debts, known, size } = this.#hub
    const { stationId } = handshake
    if (this.#isStopped) return draining()
    if (claims.isTaken(stationId)) return refused(409, 'taken', 'This Charging Station is already connected')
    const downgrade = known.proofs.downgradeProblem(handshake)
    if (downgrade !== null) return profileRefused(handshake.profile, downgrade)
    const waitSeconds = debts.waitSeconds(stationId, credentialsDigest(handshake))
    if (waitSeconds !== null)
      return refused(503, 'owing', 'The CSMS cannot process messages now', { 'Retry-After': waitSeconds })
    const isFull = size + others >= this.#settings.room && !claims.mayReplace(handshake)
    return isFull ? refused(503, 'full', 'The CSMS has reached its connection limit', retryLater) : null
  }

  /** What is known of the station's credentials, without asking again. */
  #rejection(handshake: StationHandshake): Refusal | null {
    const { known } = this.#hub
    const rejection = known.rejections.find(handshake)
    if (rejection !== null) return rejected(rejection.verdict, rejection.seconds)
    // With keys of its own, the bridge first looks whether it knows this one.
    const mayGuess = this.#world.keys !== null || known.hasAccepted(handshake)
    return mayGuess ? null : this.#guessing(handshake)
  }

  #guessing(handshake: StationHandshake): Refusal | null {
    return guessed(this.#hub.known.guesses.waitSeconds(handshake))
  }

  async #checkKey(keys: StationKeys, handshake: StationHandshake, authorization: string): Promise<Refusal | null> {
    const { stationId } = handshake
    const { guesses } = this.#hub.known
    const recalled = keys.recall(stationId, authorization)
    if (recalled === 'right') return null
    if (recalled !== null) return this.#onRecalled(recalled, handshake)
    if (keys.isRandom(stationId)) return this.#checkRandom(keys, handshake, authorization)
    // A station that has left while its key was being checked is back with the same one: no further attempt.
    const isCounted = !keys.isChecking(stationId, authorization)
    const guessing = isCounted ? this.#guessing(handshake) : null
    if (guessing !== null) return guessing
    if (isCounted) guesses.add(handshake)
    const checked = await keys.check(stationId, authorization, networkAt(handshake))
    if (isCounted && (checked === 'right' || checked === 'busy')) guesses.takeBack(handshake)
    if (checked === 'busy') return this.#busy()
    if (checked !== 'right') return this.#onWrongKey(checked)
    guesses.onAccepted(handshake)
    return null
  }

  /** Nobody guesses such a key, and its check costs little: a right one does not wait for the guesses of others. */
  async #checkRandom(keys: StationKeys, handshake: StationHandshake, authorization: string): Promise<Refusal | null> {
    const { guesses } = this.#hub.known
    // A wrong key beyond the limit gets the answer that an unknown station gets there.
    const guessing = guessed(guesses.addressWaitSeconds(handshake))
    if (guessing === null) guesses.addUnknown(handshake)
    const checked = await keys.check(handshake.stationId, authorization, networkAt(handshake))
    if (checked === 'wrong' || checked === 'unknown') return guessing ?? this.#onWrongKey(checked)
    if (guessing === null) guesses.takeBackUnknown(handshake)
    return checked === 'right' ? null : this.#busy()
  }

  /** Beyond the limit of its address, a station that exists and one that does not get the same answer. */
  #onRecalled(verdict: 'wrong' | 'unknown', handshake: StationHandshake): Refusal {
    const { guesses } = this.#hub.known
    const guessing = guessed(guesses.addressWaitSeconds(handshake))
    if (guessing !== null) return guessing
    if (verdict === 'unknown') guesses.addUnknown(handshake)
    return this.#onWrongKey(verdict)
  }

  #busy(): Refusal {
    return refused(503, 'unavailable', 'The CSMS checks too many keys', { 'Retry-After': this.#laterSeconds() })
  }

  #onWrongKey(verdict: 'wrong' | 'unknown'): Refusal {
    this.#world.meter.count('failed_auths_total')
    return rejected(verdict === 'wrong' ? 'unauthorized' : verdict)
  }

  #connect(handshake: StationHandshake, gone: AbortSignal): Promise<Admitted | Refusal> {
    const aborting = new AbortController()
    const abort = (): void => aborting.abort()
    gone.addEventListener('abort', abort)
    const endAttempt = this.#hub.known.onAsking(handshake)
    const connect = this.#judged(handshake, aborting.signal, gone).finally(() => {
      endAttempt?.()
      this.#connects.delete(connect)
      gone.removeEventListener('abort', abort)
    })
    this.#connects.set(connect, abort)
    return connect
  }

  /** Makes the Connect. If the station can no longer be admitted, the app gets its Disconnect. */
  async #judged(handshake: StationHandshake, aborted: AbortSignal, gone: AbortSignal): Promise<Admitted | Refusal> {
    const { rpc, now, newId } = this.#world
    const who: Who = { sid: newId(), station: handshake.stationId }
    const deadline = now() + queueMs
    const queueDeadline = (): number => (rpc.presence.isAway ? 0 : deadline)
    try {
      const isReturning = hasAcceptedCredentials(handshake, this.#hub)
      const reply = await rpc.connect({ sid: who.sid, env: handshake.env, isReturning }, aborted, queueDeadline)
      if (reply.status === 'failure') return this.#onRejected(handshake, who, verdictOf(reply))
      const connected: Connected = { sid: who.sid, reply }
      const obstacle = gone.aborted ? this.#unavailable() : this.#obstacle(handshake, this.#connects.size - 1)
      if (obstacle === null) return { kind: 'admitted', connected }
      this.release(handshake, connected)
      return obstacle
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError({ who, world: this.#world }, 'connect', error)
      return this.#isStopped ? draining() : this.#unavailable()
    }
  }

  #onRejected(handshake: StationHandshake, who: Who, verdict: Verdict): Refusal {
    this.#hub.known.onRejected(handshake, verdict)
    this.#hub.backlog?.onRejected(handshake)
    const refused = { kind: 'connect', withheld: handshake.withheld === true } as const
    reportRejected({ who, handshake, world: this.#world }, refused, who)
    return rejected(verdict)
  }

  #unavailable(): Refusal {
    return refused(503, 'unavailable', 'The CSMS cannot be reached', { 'Retry-After': this.#laterSeconds() })
  }

  #laterSeconds(): number {
    return Math.ceil(unjudgedSeconds.least + unjudgedSeconds.spread * this.#world.random())
  }
}

/** Whether its certificate is bound to its identity: it needs no key besides (1.6 and 2.x A00.FR.401). */
function isIdentified({ proven, serialNumber }: StationHandshake): boolean {
  return proven === 3 && serialNumber === undefined
}

function guessed(waitSeconds: number | null): Refusal | null {
  if (waitSeconds === null) return null
  return refused(429, 'guessing', 'Too many failed authentications', { 'Retry-After': waitSeconds })
}

function draining(): Refusal {
  return refused(503, 'draining', 'The CSMS is shutting down', retryLater)
}

/** @param seconds for how long the verdict stands without another look; `null` where each try is judged */
function rejected(verdict: Verdict, seconds: number | null = null): Refusal {
  const headers = seconds === null ? {} : { 'Retry-After': seconds }
  if (verdict === 'unknown') return refused(404, 'unknown', 'The CSMS does not know this Charging Station', headers)
  return refused(401, 'unauthorized', 'The CSMS does not accept these credentials', { ...challenge, ...headers })
}
