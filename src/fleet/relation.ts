/**
 * Many to many, readable from both sides: streams and their sessions, sessions and their streams.
 */

/** Most keys have one member, and most members one key: a Set for each of them would take 150 bytes more. */
type OneOrMore<Value> = Value | Set<Value>

export class Relation<Key extends string, Member extends object> {
  readonly #members = new Map<Key, OneOrMore<Member>>()
  readonly #keys = new Map<Member, OneOrMore<Key>>()

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
    const keys = this.#keys.get(member)
    return keys instanceof Set ? [...keys] : keys === undefined ? [] : [keys]
  }

  /** In the order in which they were added. The list is the caller's: it does not change with the relation. */
  get(key: Key): readonly Member[] {
    const members = this.#members.get(key)
    return members instanceof Set ? [...members] : members === undefined ? [] : [members]
  }

  /** How many keys a member has. */
  countOf(member: Member): number {
    const keys = this.#keys.get(member)
    return keys instanceof Set ? keys.size : keys === undefined ? 0 : 1
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

function enter<A, B>(map: Map<A, OneOrMore<B>>, key: A, value: B): void {
  const present = map.get(key)
  if (present === undefined) map.set(key, value)
  else if (present instanceof Set) present.add(value)
  else if (present !== value) map.set(key, new Set([present, value]))
}

function remove<A, B>(map: Map<A, OneOrMore<B>>, key: A, value: B): void {
  const present = map.get(key)
  if (present instanceof Set) present.delete(value)
  if (present === value || (present instanceof Set && present.size === 0)) map.delete(key)
}
