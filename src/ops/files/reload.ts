/**
 * Files that are read again while the program runs: at once on `reload` (SIGHUP), and after a change on disk. The files
 * of one part are loaded together; while they cannot be, what was loaded before stays in effect.
 *
 * Polls. A watch on a path misses what replaces the file (a rename, the symlinks of Kubernetes) and changes on network
 * file systems; a `stat` of a few files every other second costs nothing.
 */
import { statSync, type Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Log } from '../log.ts'
import type { Opened } from '../server.ts'

export type Reloadable = {
  /** Names the part in the log: the option that names the files, if there is one. */
  readonly part: string
  readonly files: readonly string[]
  /** Reads the files and applies them, or throws, and then has changed nothing. Calls never overlap. */
  load(): void | Promise<void>
}

export interface Reloads extends Opened {
  /** Called after a first, successful load: nothing is loaded until the files change. */
  watch(reloadable: Reloadable): void
  /** Loads all parts now, changed or not, one after another. Never rejects. */
  reload(): Promise<void>
}

const usualEveryMs = 2_000

/** A part with what is known of its files. */
type Watched = Reloadable & {
  /** The state of the files at the last load or failure. */
  loaded: Promise<string>
  /** The state at the last look: files that still change are left alone. */
  seen: string
}

/** @param everyMs between two looks; a change is loaded once two looks have found the same */
export function openReloads(log: Pick<Log, 'info' | 'warn'>, everyMs = usualEveryMs): Reloads {
  const parts: Watched[] = []
  let running = Promise.resolve()
  const inTurn = (work: () => Promise<void>): Promise<void> => (running = running.then(work))
  const look = async (): Promise<void> => {
    for (const part of parts) if (await hasSettled(part)) await load(part, log)
    if (!isClosed) timer = setTimeout(() => void inTurn(look), everyMs)
  }
  let isClosed = false
  let timer = setTimeout(() => void inTurn(look), everyMs)
  return {
    watch: reloadable =>
      void parts.push({ ...reloadable, loaded: Promise.resolve(stateNow(reloadable.files)), seen: '' }),
    reload: () =>
      inTurn(async () => {
        for (const part of parts) {
          part.loaded = stateOf(part.files)
          await part.loaded
          await load(part, log)
        }
      }),
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await running
      clearTimeout(timer)
    },
  }
}

/** Whether the files differ from those loaded last, and have come to rest: a certificate and its key are two writes. */
async function hasSettled(part: Watched): Promise<boolean> {
  const state = await stateOf(part.files)
  const isStill = state === part.seen
  part.seen = state
  if (!isStill || state === (await part.loaded)) return false
  part.loaded = Promise.resolve(state)
  return true
}

async function load(watched: Watched, log: Pick<Log, 'info' | 'warn'>): Promise<void> {
  const { part, files } = watched
  try {
    await watched.load()
    log.info({ part, files }, 'reloaded')
  } catch (error) {
    log.warn({ part, error }, 'could not reload: what was loaded before stays in effect')
  }
}

async function stateOf(files: readonly string[]): Promise<string> {
  return joined(await Promise.all(files.map(file => stat(file).catch(() => undefined))))
}

/** At once: a file that changes while the program starts must not count as loaded. */
function stateNow(files: readonly string[]): string {
  return joined(files.map(file => statSync(file, { throwIfNoEntry: false })))
}

/** What a change of a file changes, symlinks followed. A file that is missing has a state, too. */
function joined(files: readonly (Stats | undefined)[]): string {
  return files.map(of => (of === undefined ? 'none' : [of.dev, of.ino, of.size, of.mtimeMs].join(' '))).join('; ')
}
