/**
 * Many to many, readable from both sides: streams and their sessions, sessions and their streams.
 */

export class Relation<Key, Member extends object> {
  readonly #members = new Map<Key, Set<Member>>()
  readonly #keys = new Map<Member, Set<Key>>()

  /** How many keys have a member. */
  get size(): number {
    return this.#members.size
  }

  /** All members, whatever their keys. */
  members(): Iterable<Member> {
    return this.#keys.keys()
  }

  keys(): Iterable<Key> {
    return this.#members.keys()
  }

  keysOf(member: Member): readonly Key[] {
    return [...(this.#keys.get(member) ?? [])]
  }

  get(key: Key): ReadonlySet<Member> {
    return this.#members.get(key) ?? new Set()
  }

  /** How many keys a member has. */
  countOf(member: Member): number {
    return this.#keys.get(member)?.size ?? 0
  }

  add(key: Key, member: Member): void {
    enter(this.#members, key, member)
    enter(this.#keys, member, key)
  }

  delete(key: Key, member: Member): void {
    remove(this.#members, key, member)
    remove(this.#keys, member, key)
  }

  /** No scan: a member's keys are known. */
  deleteAll(member: Member): void {
    for (const key of this.keysOf(member)) this.delete(key, member)
  }
}

function enter<A, B>(map: Map<A, Set<B>>, key: A, value: B): void {
  const present = map.get(key)
  if (present === undefined) map.set(key, new Set([value]))
  else present.add(value)
}

function remove<A, B>(map: Map<A, Set<B>>, key: A, value: B): void {
  const set = map.get(key)
  set?.delete(value)
  if (set?.size === 0) map.delete(key)
}
