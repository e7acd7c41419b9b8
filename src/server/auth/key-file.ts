/**
 * Changes `ocpp_auth_file` on the disk. The bridge and `ocpp-cable auth` both write it: under a lock, each reads the
 * file again, and replaces it as a whole.
 */
import { randomUUID } from 'node:crypto'
import { chmod, chown, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readRegularFile } from '../../ops/files/regular.ts'

const lock = { tryMs: 20, withinMs: 10_000, staleMs: 5_000 }
/** Of a new file: only its owner may read it. */
const newMode = 0o600

/**
 * @param change gets the text of the file, empty if there is none; where it returns the same text, nothing is written
 */
export async function changeFile(path: string, change: (text: string) => string | Promise<string>): Promise<void> {
  const file = await realpath(path).catch(() => path)
  const unlock = await locked(`${file}.lock`)
  try {
    const before = await readRegularFile(file).catch(unlessMissing(''))
    const after = await change(before)
    if (after !== before) await replace(file, after)
  } finally {
    await unlock()
  }
}

/** Keeps the mode, and the owner where that is allowed: the bridge may run as another user. */
async function replace(file: string, text: string): Promise<void> {
  const owned = await stat(file).catch(unlessMissing(null))
  const draft = `${file}.${randomUUID()}`
  try {
    const handle = await open(draft, 'wx', newMode)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (owned !== null) {
      await chmod(draft, owned.mode & 0o777)
      await chownTo(draft, owned)
    }
    await rename(draft, file)
    await syncName(file)
  } finally {
    await rm(draft, { force: true })
  }
}

/** Its name survives a power cut. Windows opens no directory. */
async function syncName(file: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(file))
  await folder.sync().finally(() => folder.close())
}

/** Not called without need: a sandbox may forbid it, as that of the systemd unit does. */
async function chownTo(file: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
  const own = await stat(file)
  if (own.uid !== uid || own.gid !== gid) await chown(file, uid, gid).catch(unlessForbidden)
}

/** @returns removes the lock */
async function locked(path: string): Promise<() => Promise<void>> {
  const deadline = Date.now() + lock.withinMs
  for (;;) {
    try {
      await (await open(path, 'wx', newMode)).close()
      return () => rm(path, { force: true })
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      if (Date.now() > deadline) throw new Error(`${path} is in the way: remove it`, { cause: error })
    }
    await breakStale(path)
    await sleep(lock.tryMs)
  }
}

/** A lock is held for some milliseconds: an old one is that of a process that was killed. */
async function breakStale(path: string): Promise<void> {
  const held = await stat(path).catch(unlessMissing(null))
  // The clock may have been set back.
  if (held === null || Math.abs(Date.now() - held.mtimeMs) < lock.staleMs) return
  // Of two processes that find it, one can rename it.
  const aside = `${path}.${randomUUID()}`
  await rename(path, aside).catch(unlessMissing(undefined))
  await rm(aside, { force: true })
}

function unlessMissing<Value>(value: Value): (error: unknown) => Value {
  return error => {
    if (codeOf(error) === 'ENOENT') return value
    throw error
  }
}

/** The new file belongs to this user then. */
function unlessForbidden(error: unknown): void {
  if (codeOf(error) !== 'EPERM') throw error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
