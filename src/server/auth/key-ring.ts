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

export type Key = {
  readonly hash: string
  /** `null` until the key was used here. */
  digest: Buffer | null
  /** Commands with this key that the station has not refused. `Infinity` for a key of the file: no refusal drops it. */
  offers: number
}

export class KeyRing {
  /** As the line was when it was last read or written here. */
  #inFile: Hashes
  #keys: readonly Key[]
  #wrong: readonly Buffer[] = []

  constructor(hashes: Hashes) {
    this.#inFile = hashes
    this.#keys = hashes.map(ofFile)
  }

  /** The one in use first, then the others as they came. The list is another one after each change. */
  get keys(): readonly Key[] {
    return this.#keys
  }

  get hashes(): Hashes {
    return this.#keys.map(({ hash }) => hash)
  }

  get isInFile(): boolean {
    return this.#inFile.join(' ') === this.hashes.join(' ')
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

  /** @returns `null` where the line has no room for one more */
  offer(hash: string, digest: Buffer): Key | null {
    const known = this.#keys.find(key => key.hash === hash)
    if (known === undefined && this.#keys.length >= maxHashes) return null
    const key = known ?? { hash, digest, offers: 0 }
    key.digest = digest
    key.offers++
    if (known === undefined) this.#change([...this.#keys, key])
    return key
  }

  /** The station has accepted the key, or uses it: all that came before it are refused from now on. */
  replaceBefore(key: Key): void {
    this.#change(this.#keys.slice(this.#keys.indexOf(key)))
  }

  /** The station has refused the key, or did not get it. An earlier command with it may have been carried out. */
  withdraw(key: Key): void {
    key.offers--
    if (key.offers <= 0 && this.#keys[0] !== key) this.#change(this.#keys.filter(other => other !== key))
  }

  /** The hashes that the station has where its line in the file is this one: changes from both sides count. */
  merged(line: Hashes): Hashes {
    const [before, own] = [this.#inFile, this.hashes]
    // An operator has replaced the key in use.
    if (!line.includes(before[0] ?? '')) return line
    const isLeft = (hash: string): boolean => !before.includes(hash) || (own.includes(hash) && line.includes(hash))
    const left = [...new Set([...own.slice(0, 1), ...line, ...own])].filter(isLeft)
    return left.length === 0 ? line : left.slice(0, maxHashes)
  }

  /** The line in the file is this one now. */
  adopt(line: Hashes): void {
    const merged = this.merged(line)
    const keys = merged.map(hash => this.#keys.find(key => key.hash === hash) ?? ofFile(hash))
    for (const key of keys) if (line.includes(key.hash) && !this.#inFile.includes(key.hash)) key.offers = Infinity
    if (merged.join(' ') !== this.hashes.join(' ')) this.#change(keys)
    this.#inFile = line
  }

  /** These hashes of its own are in the file now. */
  onWritten(hashes: Hashes): void {
    this.#inFile = hashes
  }

  #change(keys: readonly Key[]): void {
    this.#keys = keys
    this.#wrong = []
  }
}

function ofFile(hash: string): Key {
  return { hash, digest: null, offers: Infinity }
}
