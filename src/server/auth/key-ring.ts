/**
 * The keys of one station: the one in use, and those that it was offered and has not answered about. All of them are
 * valid, so that a station is not locked out when its answer is lost.
 *
 * Spec: OCPP 1.6 security white paper A01, OCPP 2.0.1 and 2.1 Part 2 A01 (a new key that the station has accepted
 * replaces the one before).
 */
import { timingSafeEqual } from 'node:crypto'
import { maxHashes, type Hashes } from './lines.ts'

/** Wrong keys remembered for each station. */
const maxWrong = 8

/** `hash`: `null` until it is made. `digest`: `null` until the key was used here. */
export type Key = {
  hash: string | null
  digest: Buffer | null
  /** Whether a station was offered it. Any other key is one of the file. */
  readonly wasOffered: boolean
  /** Resolves when it has its hash. */
  hashed: Promise<unknown>
}

export class KeyRing {
  /** The hashes in the file, as its line has them. */
  inFile: string
  #keys: readonly Key[]
  #wrong: readonly Buffer[] = []

  constructor(hashes: Hashes) {
    this.inFile = hashes.join(' ')
    this.#keys = hashes.map(hash => ({ hash, digest: null, wasOffered: false, hashed: Promise.resolve() }))
  }

  /** The one in use first. The list is another one after each change. */
  get keys(): readonly Key[] {
    return this.#keys
  }

  /** Of the keys that have one; none while the key in use has none. */
  get hashes(): Hashes {
    return this.#keys[0]?.hash === null ? [] : this.#keys.flatMap(({ hash }) => hash ?? [])
  }

  find(digest: Buffer): Key | null {
    return this.#keys.find(key => key.digest !== null && timingSafeEqual(key.digest, digest)) ?? null
  }

  isWrong(digest: Buffer): boolean {
    return this.#wrong.some(known => timingSafeEqual(known, digest))
  }

  addWrong(digest: Buffer): void {
    this.#wrong = [...this.#wrong, digest].slice(-maxWrong)
  }

  /** Beyond the limit of the file, the oldest offered key is dropped. */
  offer(digest: Buffer): Key {
    const key: Key = { hash: null, digest, wasOffered: true, hashed: Promise.resolve() }
    const [inUse, ...offered] = this.#keys
    const kept = [...offered, key].slice(1 - maxHashes)
    this.#keys = inUse === undefined ? kept : [inUse, ...kept]
    this.#wrong = []
    return key
  }

  /** A key that is in the file already takes the place of the offered one. */
  setHash(key: Key, hash: string): void {
    const twin = this.#keys.find(other => other !== key && other.hash === hash)
    key.hash = hash
    if (twin === undefined) return
    twin.digest = key.digest
    this.#keys = this.#keys.filter(other => other !== key)
  }

  /** The station has accepted the key, or uses it: all others are refused from now on. */
  replaceBy(key: Key): void {
    this.#keys = [key]
    this.#wrong = []
  }

  /** Drops a key that the station was offered. A key that an operator has put into the file stays. */
  withdraw(key: Key): void {
    if (key.wasOffered) this.#keys = this.#keys.filter((other, at) => at === 0 || other !== key)
  }
}
