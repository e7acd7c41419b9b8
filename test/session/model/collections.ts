/**
 * All maps and sets that are created while a scene runs: an entry that is left at the end is a leak.
 */

type Collection = { values(): Iterable<unknown>; keys(): Iterable<unknown> }

export class Collections {
  readonly #made: Collection[] = []
  readonly #real = { Map, Set }

  /** Replaces the global `Map` and `Set` until `remove`. */
  install(): void {
    const made = this.#made
    const { Map: RealMap, Set: RealSet } = this.#real
    Object.assign(globalThis, {
      Map: class<Key, Value> extends RealMap<Key, Value> {
        constructor(entries?: Iterable<readonly [Key, Value]> | null) {
          super(entries)
          made.push(this)
        }
      },
      Set: class<Member> extends RealSet<Member> {
        constructor(members?: Iterable<Member> | null) {
          super(members)
          made.push(this)
        }
      },
    })
  }

  remove(): void {
    Object.assign(globalThis, this.#real)
  }

  /** How many keys, values and members satisfy `isOfKind`. */
  count(isOfKind: (value: unknown) => boolean): number {
    let count = 0
    for (const collection of this.#made) {
      for (const key of collection.keys()) if (isOfKind(key)) count++
      for (const value of collection.values()) if (isOfKind(value) && collection instanceof this.#real.Map) count++
    }
    return count
  }
}
