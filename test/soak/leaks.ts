/**
 * What a program has that it did not have before: by name.
 */
import type { Alive } from './probe.ts'

export type Reading = Alive & {
  /** Files and sockets, as the operating system counts them. */
  readonly handles: number
  /** The program's own gauges. */
  readonly gauges: Readonly<Record<string, number>>
  /** Sessions of which the app has seen the beginning and not the end. */
  readonly openSessions: number
}

/**
 * What may be more than before although nothing leaks: heaps are not swept evenly, and caches have bounds of their own.
 * An identity that is new leaves some entries: its serial number, its credentials' digest, that it was replaced. Every
 * station may leave 17 commands that its connections left unanswered.
 */
const allowed = { heap: 12 * 2 ** 20, resident: 96 * 2 ** 20, entries: 4_900, entriesOfIdentity: 4 }

/** Each number that stands for something that is there, in the order in which they are shown. */
export function countsOf({ handles, gauges, openSessions, objects, resources }: Reading): ReadonlyMap<string, number> {
  const named = (kind: string, counts: Readonly<Record<string, number>>): [string, number][] =>
    Object.entries(counts).map(([name, count]) => [`${kind} ${name}`, count])
  return new Map([
    ...named('metric', gauges),
    ['sessions open at the app', openSessions],
    ['open handles', handles],
    ...named('resource', resources),
    ...named('object', objects),
  ])
}

/** The numbers that did not come back to what they were. Fewer than before is no leak. */
export function leaksOf(before: Reading, after: Reading): string[] {
  const counts = countsOf(before)
  return [...countsOf(after)]
    .filter(([name, count]) => count > (counts.get(name) ?? 0))
    .map(([name, count]) => `${name}: ${counts.get(name) ?? 0} -> ${count}`)
}

/**
 * Memory that grew by more than it may, and collections.
 *
 * @param identities  those that came for the first time in between
 */
export function growthOf(before: Reading, after: Reading, identities: number): string[] {
  const more = allowed.entries + allowed.entriesOfIdentity * identities
  const memory = (['heap', 'resident'] as const)
    .filter(name => after[name] > before[name] + allowed[name])
    .map(name => `${name} memory: ${megabytes(before[name])} -> ${megabytes(after[name])}`)
  const entries = Object.entries(after.entries)
    .map(([name, count]) => ({ name, count, had: before.entries[name] ?? 0 }))
    .filter(({ count, had }) => count > had + more)
    .map(({ name, count, had }) => `entries of every ${name}: ${had} -> ${count}`)
  return [...memory, ...entries]
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`
}
