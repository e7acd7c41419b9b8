/**
 * How many stations the open-files limit has room for: a station is one descriptor, and the way to the app and to NATS
 * must never want for one.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** What the kernel says of this process. */
export type OpenFiles = { readonly limit: number; readonly open: number }

/** Descriptors that stay free for all that is no station: so many, or this share of the limit where that is less. */
const kept = { most: 100, share: 1 / 10 }

/** `null` where nothing is known of a limit. */
export function readOpenFiles(folder = '/proc/self'): OpenFiles | null {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync(`${folder}/limits`, 'utf8')) ?? []
    return limit === undefined ? null : { limit: Number(limit), open: readdirSync(`${folder}/fd`).length }
  } catch {
    return null
  }
}

/** How many stations may be connected, beside what is open before the first comes. */
export function roomFor({ limit, open }: OpenFiles): number {
  return Math.max(0, Math.floor(limit - open - Math.min(kept.most, limit * kept.share)))
}

/** How many connections may be open, upgraded or not: a few more than stations, so that those can be told why. */
export function mostConnections(files: OpenFiles): number {
  return roomFor(files) + Math.floor(Math.min(kept.most, files.limit * kept.share) / 2)
}
