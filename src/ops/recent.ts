/**
 * Maps that keep their latest entries only.
 */

/** Makes an entry the map's latest, and evicts the oldest where the map has more than `limit`. */
export function setRecent<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, limit: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= limit) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
