/**
 * Decides before the 101 which stations may connect: by the state of the bridge, by their keys where the bridge holds
 * them, and by the app's Connect where `ocpp_connect_on` is `upgrade`.
 *
 * Spec: OCPP-J 1.6 §3.2 and white paper "Improved security" §2.3, OCPP 2.0.1 and 2.1 Part 4 §3.2: an unknown station
 * gets 404, wrong credentials are refused before the upgrade; RFC 9110 §11.6.1 (401), RFC 6585 §4 (429).
 */
import type { Connected } from '../../cable/rpc.ts'
import { hasAcceptedCredentials } from '../../session/allowance.ts'
import { networkAt } from '../../session/auth/guesses.ts'
import type { Admitted, StationKeys, World } from '../../session/ports.ts'
import { credentialsDigest } from '../../session/transactions/credentials.ts'
import { profileRefused, refused, type Refusal, type StationHandshake } from '../../translate/handshake.ts'
import type { Hub } from '../hub.ts'
import { Connects, isIdentified } from './connects.ts'
import { draining, full, guessed, rejected, unjudged } from './refusals.ts'

export type AdmissionSettings = {
  /** When the app's Connect is made. */
  readonly connectOn: 'boot' | 'upgrade'
  /** How many stations may be connected. */
  readonly room: number
}

export class Admission {
  readonly #settings: AdmissionSettings
  readonly #hub: Hub
  readonly #world: World
  readonly #connects: Connects
  #isStopped = false

  constructor(settings: AdmissionSettings, hub: Hub, world: World) {
    this.#settings = settings
    this.#hub = hub
    this.#world = world
    this.#connects = new Connects(hub, world, handshake => this.#obstacle(handshake))
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
    if (this.#settings.connectOn === 'upgrade') return this.#connects.ask(handshake, gone)
    return this.#obstacle(handshake) ?? { kind: 'admitted', connected: null }
  }

  /** Queues the Disconnect of a station that the app has accepted, and whose upgrade has failed. */
  release(handshake: StationHandshake, connected: Connected): void {
    this.#connects.release(handshake, connected)
  }

  /** Refuses every station from now on, pending Connects included. Resolves when their Disconnects have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#connects.stop()
  }

  /** Why the state of the bridge keeps the station out. */
  #obstacle(handshake: StationHandshake): Refusal | null {
    const { claims, debts, known, size } = this.#hub
    const { stationId } = handshake
    if (this.#isStopped) return draining()
    if (claims.isTaken(stationId)) return refused(409, 'taken', 'This Charging Station is already connected')
    const downgrade = known.proofs.downgradeProblem(handshake)
    if (downgrade !== null) return profileRefused(handshake.profile, downgrade)
    const waitSeconds = debts.waitSeconds(stationId, credentialsDigest(handshake))
    if (waitSeconds !== null)
      return refused(503, 'owing', 'The CSMS cannot process messages now', { 'Retry-After': waitSeconds })
    const asking = this.#connects.besides(handshake)
    const isFull = size + asking.all >= this.#settings.room && !claims.mayReplace(handshake, asking.ofStation)
    return isFull ? full() : null
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
    return unjudged('The CSMS checks too many keys', this.#world.random())
  }

  #onWrongKey(verdict: 'wrong' | 'unknown'): Refusal {
    this.#world.meter.count('failed_auths_total')
    return rejected(verdict === 'wrong' ? 'unauthorized' : verdict)
  }
}
