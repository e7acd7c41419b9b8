/**
 * Why an operation on the store failed, and what the operator can do about it.
 *
 * Pure.
 */

/** What each code means to the operator. */
const advice = {
  full: 'there is no space left for it: free some',
  readonly: "it cannot be written: make it a directory that the bridge's user may write to",
  corrupt:
    'its file is damaged: stop the bridge, move ocpp-cable.db* out of it, keep them for a repair, and start again',
  locked:
    'another process uses it: give each bridge a directory of its own, and start a bridge after the last one ended',
  newer: 'a newer ocpp-cable has written it: run that version, or set another directory',
  io: 'its device fails, or is too slow: look at the disk and at the system log',
} as const

export type StoreFault = keyof typeof advice

/** Why the store did not do something. Callers branch on `code`; `message` says what to do, `cause` what happened. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreFault

  constructor(code: StoreFault, dir: string, options?: ErrorOptions) {
    super(`state_dir ${dir}: ${advice[code]}`, options)
    this.code = code
  }
}

/** SQLite's primary result codes; every other one is `io`. */
const sqliteFaults: Readonly<Record<number, StoreFault>> = {
  3: 'readonly', // PERM
  5: 'locked', // BUSY
  6: 'locked', // LOCKED
  8: 'readonly', // READONLY
  11: 'corrupt', // CORRUPT
  13: 'full', // FULL
  14: 'readonly', // CANTOPEN: the directory lets no file be made
  26: 'corrupt', // NOTADB
}
/** SQLITE_IOERR_SHMSIZE: the file beside the log cannot grow. SQLite says FULL of the other files. */
const cannotGrow = 4874

const systemFaults: Readonly<Record<string, StoreFault>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'readonly',
  EACCES: 'readonly',
  EPERM: 'readonly',
  ENOTDIR: 'readonly',
  EEXIST: 'readonly',
}

/** What an error of SQLite or of the file system means; one that is neither is `io`. */
export function faultOf(error: unknown): StoreFault {
  if (error instanceof StoreError) return error.code
  const { errcode, code } = error as { readonly errcode?: unknown; readonly code?: unknown }
  if (typeof errcode === 'number') return errcode === cannotGrow ? 'full' : (sqliteFaults[errcode & 0xff] ?? 'io')
  return (typeof code === 'string' ? systemFaults[code] : undefined) ?? 'io'
}
