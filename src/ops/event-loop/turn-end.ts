/**
 * The end of a turn of the event loop: what the turn has for stations and for the app is written first, then work that
 * comes in slices goes on. By themselves such slices would come first: an immediate that is set by another one runs
 * ahead of those that the next turn sets.
 *
 * One for the process, as its event loop is.
 */

const writes = new Set<() => void>()

/** Calls it once, at the next end of a turn. */
export function atTurnEnd(write: () => void): void {
  if (writes.size === 0) setImmediate(writeAll)
  writes.add(write)
}

/** Calls it at the next end of a turn, behind all writes; work that calls this again goes on a turn later. */
export function afterWrites(work: () => void): NodeJS.Immediate {
  return setImmediate(() => {
    writeAll()
    work()
  })
}

function writeAll(): void {
  for (const write of writes) {
    writes.delete(write)
    write()
  }
}
