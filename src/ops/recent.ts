/**
 * Maps that keep their latest entries only.
 */

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
