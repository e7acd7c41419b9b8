/**
 * How a command finds a bridge on the same machine: each bridge writes a small file at its start, and removes it at its
 * end, in the runtime directory of its user and in its `state_dir`.
 *
 * The file never has a token in it: a copy or a backup of the directory must not open the API.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import { isObject, parseJson } from '../../ocpp/json.ts'

type LocalBridge = {
  readonly pid: number
  /** Of its admin API; `null` where that is off. */
  readonly url: string | null
  /** All that it listens on: `check` tells them from those of other programs. */
  readonly ports: readonly number[]
}

type Found = {
  readonly running: readonly LocalBridge[]
  /** Files of bridges that do not run any more. */
  readonly stale: readonly string[]
}

type Env = Readonly<Record<string, string | undefined>>

/** `$XDG_RUNTIME_DIR/ocpp-cable`, or `ocpp-cable-UID` in the directory for temporary files. */
export function runtimeDirectory(env: Env): string {
  const { XDG_RUNTIME_DIR: dir = '' } = env
  return dir === '' ? path.join(tmpdir(), `ocpp-cable-${userInfo().uid}`) : path.join(dir, 'ocpp-cable')
}

/**
 * Writes the file. Where a directory cannot be written, the bridge runs without.
 *
 * @param stateDir a directory that exists
 * @returns what removes it again
 */
export function announceBridge(bridge: LocalBridge, env: Env, stateDir: string | null): { close(): Promise<void> } {
  const runtime = runtimeDirectory(env)
  const written = [runtime, ...(stateDir === null ? [] : [stateDir])].flatMap(dir => {
    try {
      if (dir === runtime) mkdirSync(dir, { recursive: true, mode: 0o700 })
      if (dir === runtime && !isPrivate(dir)) return []
      for (const file of bridgesIn(dir).stale) rmSync(file, { force: true })
      const file = path.join(dir, `bridge-${bridge.pid}.json`)
      rmSync(file, { force: true })
      writeFileSync(file, `${JSON.stringify(bridge)}\n`, { flag: 'wx', mode: 0o600 })
      return [file]
    } catch {
      return [] // a command then needs --admin_url
    }
  })
  const close = (): Promise<void> => {
    for (const file of written) rmSync(file, { force: true })
    return Promise.resolve()
  }
  return { close }
}

/** The host by which this machine reaches a server that listens on `host`. */
export function localHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** Bridges in `stateDir`, or else in the runtime directory of this user. */
export function findBridges(env: Env, stateDir: string | null): Found {
  if (stateDir !== null) return bridgesIn(stateDir)
  const dir = runtimeDirectory(env)
  return isPrivate(dir) ? bridgesIn(dir) : { running: [], stale: [] }
}

/** In a directory of another user, a file could lead a command, and its token, to another server. */
function isPrivate(dir: string): boolean {
  if (process.platform === 'win32') return true
  try {
    const stats = lstatSync(dir)
    return stats.isDirectory() && stats.uid === userInfo().uid && (stats.mode & 0o022) === 0
  } catch {
    return false
  }
}

function bridgesIn(dir: string): Found {
  const running: LocalBridge[] = []
  const stale: string[] = []
  for (const file of filesIn(dir)) {
    const bridge = bridgeIn(file)
    if (bridge !== null && isRunning(bridge.pid)) running.push(bridge)
    else stale.push(file)
  }
  return { running, stale }
}

function filesIn(dir: string): string[] {
  try {
    const names = readdirSync(dir).filter(file => /^bridge-\d+\.json$/.test(file))
    return names.map(file => path.join(dir, file))
  } catch {
    return []
  }
}

function bridgeIn(file: string): LocalBridge | null {
  try {
    const bridge = parseJson(readFileSync(file, 'utf8'))
    if (!isObject(bridge)) return null
    const { pid, url, ports } = bridge
    const isUrl = url === null || (typeof url === 'string' && /^https?:/.test(url) && URL.canParse(url))
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || !isUrl) return null
    return { pid, url, ports: Array.isArray(ports) ? ports.filter(port => typeof port === 'number') : [] }
  } catch {
    return null
  }
}

/** A process of another user counts as running. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
