/**
 * How many connections the stations' ports have, upgraded or not: all together, as the process needs descriptors for
 * other things too, and of each address; and each address's budget of upgrades. Remembers as much as it has to, and no
 * more.
 */
import type { EventEmitter } from 'node:events'
import { Budgets } from '../../ops/limits/budgets.ts'
import { networkOf } from '../../ops/limits/network.ts'

export type AddressLimits = {
  /** Open connections of one address; 0: no limit. */
  readonly connPerAddress: number
  /** Upgrades of one address per second; 0: no limit. */
  readonly upgradeRate: number
}

/** So many seconds' worth of upgrades may come at once: a whole fleet behind one address reconnects together. */
export const burstSeconds = 40
/** Beyond the limit on connections, so many more still get an answer. */
const answeredBeyond = 50

export class OpenConnections {
  readonly #limits: AddressLimits
  readonly #now: () => number
  readonly #most: number
  #open = 0
  /** The address that each connection counts for. */
  readonly #counted = new WeakMap<EventEmitter, string>()
  readonly #onClose: (this: EventEmitter) => void
  readonly #perNetwork = new Map<string, number>()
  readonly #upgrades: Budgets<string>

  /** @param now monotonic, in ms; @param most connections of all addresses together */
  constructor(limits: AddressLimits, now: () => number, most = Infinity) {
    this.#limits = limits
    this.#now = now
    this.#most = most
    this.#upgrades = new Budgets({ perSecond: limits.upgradeRate, burst: limits.upgradeRate * burstSeconds }, now)
    const release = this.#release.bind(this)
    this.#onClose = function () {
      release(this)
    }
  }

  /** Counts a connection until it is closed. @returns whether there is room for it; one without room is not counted */
  admit(connection: EventEmitter): boolean {
    if (this.#open >= this.#most) return false
    this.#open++
    // Not `once`, and one listener for all: a listener for each takes 250 bytes of a connection.
    connection.on('close', this.#onClose)
    return true
  }

  /**
   * Counts an admitted connection for its address too, until `admit`'s listener releases it.
   *
   * @returns whether the address has so many that this one must be closed without an answer
   */
  countAddress(address: string, connection: EventEmitter): boolean {
    this.#counted.set(connection, address)
    const network = networkOf(address)
    const count = (this.#perNetwork.get(network) ?? 0) + 1
    this.#perNetwork.set(network, count)
    const { connPerAddress: limit } = this.#limits
    return limit > 0 && count > limit + answeredBeyond
  }

  /** Whether it has more connections than it may have. */
  isFull(address: string): boolean {
    const { connPerAddress: limit } = this.#limits
    return limit > 0 && (this.#perNetwork.get(networkOf(address)) ?? 0) > limit
  }

  /**
   * Counts an upgrade. Stations that are known have as many of their own, so that neighbours do not use them up.
   *
   * @returns whether it is one too many; those that are refused cost nothing
   */
  isTooFast(address: string, isKnown = false): boolean {
    if (this.#limits.upgradeRate === 0) return false
    const network = isKnown ? `known ${networkOf(address)}` : networkOf(address)
    return !this.#upgrades.of(network).take(1, this.#now())
  }

  #release(connection: EventEmitter): void {
    this.#open--
    const address = this.#counted.get(connection)
    if (address === undefined) return
    const network = networkOf(address)
    const count = (this.#perNetwork.get(network) ?? 0) - 1
    if (count > 0) this.#perNetwork.set(network, count)
    else this.#perNetwork.delete(network)
  }
}
