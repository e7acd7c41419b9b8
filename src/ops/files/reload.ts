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
import type { Opened } from '../http/server.ts'

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
  /**
   * Loads all parts, changed or not, one after another: now, or as soon as the running load has ended. Whoever asks
   * meanwhile waits for the same reload. Never rejects; does nothing once closed.
   */
  reload(): Promise<void>
}

const usualEveryMs = 2_000

/** A part with what is known of its files. */
type Watched = Reloadable & {
  /** The state of the files at the last load or failure. */
  loaded: string
  /** The state at the last look: files that still change are left alone. */
  seen: string
}

/** @param everyMs between two looks; a change is loaded once two looks have found the same */
export function openReloads(log: Pick<Log, 'info' | 'warn'>, everyMs = usualEveryMs): Reloads {
  const parts: Watched[] = []
  let isClosed = false
  let running = Promise.resolve()
  /** A reload that has not begun: it serves all who ask for one until then. */
  let pending: Promise<void> | null = null
  const inTurn = (work: () => Promise<void>): Promise<void> => (running = running.then(work))
  const loadEach = async (isDue: (part: Watched) => Promise<boolean>): Promise<void> => {
    for (const part of parts) if (!isClosed && (await isDue(part))) await load(part, log)
  }
  const look = async (): Promise<void> => {
    await loadEach(hasSettled)
    if (!isClosed) timer = setTimeout(() => void inTurn(look), everyMs)
  }
  let timer = setTimeout(() => void inTurn(look), everyMs)
  return {
    watch: reloadable => void parts.push({ ...reloadable, loaded: stateNow(reloadable.files), seen: '' }),
    reload: () =>
      (pending ??= inTurn(() => {
        pending = null
        return loadEach(isNoted)
      })),
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
  if (!isStill || state === part.loaded) return false
  part.loaded = state
  return true
}

/** Always: notes the state of the files before they are read, so that a later change counts as one. */
async function isNoted(part: Watched): Promise<boolean> {
  part.loaded = await stateOf(part.files)
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
