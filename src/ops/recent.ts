/**
 * Maps that keep their latest entries only.
 */
import type { Meter, Remembered } from './metrics.ts'

/**
 * Makes an entry the map's latest, and evicts the oldest where the map has more than `limit`.
 *
 * @returns the key of the evicted entry
 */
export function setRecent<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, limit: number): Key | null {
  map.delete(key)
  map.set(key, value)
  if (map.size <= limit) return null
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return oldest
  }
  return null
}

/** What the owner of such maps needs; `now` is monotonic, in ms. */
export type ClockAndMeter = { readonly now: () => number; readonly meter: Meter }

/** Of how many entries a map consists, and as what an eviction is counted. */
export type Eviction = { readonly limit: number; readonly kind: Remembered; readonly meter: Meter }

/** As `setRecent`; counts the eviction. */
export function remember<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, eviction: Eviction): void {
  const evicted = setRecent(map, key, value, eviction.limit)
  if (evicted !== null) eviction.meter.count('ocpp_evicted_total', { kind: eviction.kind })
}
