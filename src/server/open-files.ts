/**
 * Derives the limit on stations from the open-files limit. A station takes one descriptor, and some must stay free for
 * the connections to the app and NATS.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** The limit and the current number of open files of this process. */
export type OpenFiles = { readonly limit: number; readonly open: number }

/** Descriptors reserved for everything but stations: the smaller of `most` and the `share` of the limit. */
const kept = { most: 100, share: 1 / 10 }

/** At or above this limit, nothing is said about the capacity. */
export const ampleOpenFiles = 4_096

/** @returns `null` if the limit is unknown, as on systems without /proc */
export function readOpenFiles(folder = '/proc/self'): OpenFiles | null {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync(`${folder}/limits`, 'utf8')) ?? []
    return limit === undefined ? null : { limit: Number(limit), open: readdirSync(`${folder}/fd`).length }
  } catch {
    return null
  }
}

/** The limit on connected stations, given the files that are open before the first one connects. */
export function roomFor({ limit, open }: OpenFiles): number {
  return Math.max(0, Math.floor(limit - open - Math.min(kept.most, limit * kept.share)))
}

/** The limit on connections, upgraded or not: slightly above that on stations, so that refused ones still get a 503. */
export function mostConnections(files: OpenFiles): number {
  return roomFor(files) + Math.floor(Math.min(kept.most, files.limit * kept.share) / 2)
}
