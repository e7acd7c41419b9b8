/**
 * The outbox in the directory of a bridge, without the bridge: read while one runs or is stopped, changed while it is
 * stopped. Everything throws `StoreError`.
 */
import type { OutboxRow } from '../session/ports.ts'
import { hasDatabase, openDatabase, readDatabase } from './database.ts'
import { changes, rows, seqIn } from './outbox-operations.ts'

/** For one read: a message has 1 MiB at most. */
const messagesAtOnce = 50

/** Whether a bridge has used the directory. */
export function hasOutbox(dir: string): boolean {
  return hasDatabase(dir)
}

/**
 * In the order of their numbers. Reads in pages: a read that goes on for long would keep a running bridge from emptying
 * its log.
 *
 * @param seqs numbers of messages; `null` for all
 * @param pageSize replaced in tests
 */
export function* readOutbox(
  dir: string,
  seqs: readonly number[] | null,
  pageSize = messagesAtOnce,
): Generator<OutboxRow> {
  const database = readDatabase(dir)
  try {
    const next = database.prepare(`${rows} WHERE seq > ? AND ${seqIn(seqs)} ORDER BY seq LIMIT ?`)
    for (let last = 0; ;) {
      // The columns are the fields.
      const page = next.all(last, pageSize) as unknown as OutboxRow[]
      yield* page
      const end = page.at(-1)
      if (end === undefined) return
      last = end.seq
    }
  } finally {
    database.close()
  }
}

/** @returns how many messages there were */
export function changeOutbox(dir: string, change: keyof typeof changes, seqs: readonly number[] | null): number {
  const database = openDatabase(dir)
  try {
    return database.transaction(() => database.prepare(`${changes[change]} WHERE ${seqIn(seqs)}`).run().changes)
  } finally {
    database.close()
  }
}
