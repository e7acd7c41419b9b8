/**
 * Stations on clients that share no code: `ocpp-rpc`, and Python's `websockets` with Python's own TLS.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { installPackages, run } from './process.ts'
import { openStation } from './station.ts'

/** What a station has. */
export type Credentials = {
  readonly password?: Buffer
  /** Path of the CA that it trusts. */
  readonly ca?: string
  /** Paths of its own certificate and its key. */
  readonly cert?: string
  readonly key?: string
}

export type Visitor = {
  readonly id: string
  readonly version: 'ocpp1.6' | 'ocpp2.0.1'
  readonly credentials: Credentials
}

/** The status of the upgrade, 101 once a Heartbeat is answered; `null` for a connection that fails before a status. */
export type Stranger = (url: string, visitor: Visitor) => Promise<number | null>

// Debian's: a Python that comes first in the PATH does not have its packages.
const python = '/usr/bin/python3'

export async function installStrangers(): Promise<void> {
  const isThere = async () => (await run(python, ['-c', 'import websockets.legacy.client'])).code === 0
  if (await isThere()) return
  await installPackages('python3', 'python3-websockets')
  if (!(await isThere()))
    throw new Error('websockets for Python is missing. On Debian, as root: apt-get install python3-websockets')
}

const viaPython: Stranger = async (url, { credentials: { password, ...files }, ...visitor }) => {
  await installStrangers()
  const hexadecimal = password === undefined ? {} : { password: password.toString('hex') }
  const argument = JSON.stringify({ url, ...visitor, ...files, ...hexadecimal, host: '127.0.0.1' })
  const script = fileURLToPath(new URL('stranger.py', import.meta.url))
  const { stdout, stderr } = await run(python, [script, argument])
  if (stdout === '') throw new Error(stderr)
  const { status, answer } = JSON.parse(stdout) as { status: number | null; answer?: [number, string, object] }
  if (status === 101 && !('currentTime' in (answer?.[2] ?? {}))) throw new Error(`no answer to a Heartbeat: ${stdout}`)
  return status
}

const viaOcppRpc: Stranger = async (url, { id, version, credentials: { password, ...files } }) => {
  const texts = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, readFileSync(file, 'utf8')]))
  try {
    const station = await openStation(url, id, { version, ...texts, ...(password !== undefined && { password }) })
    await station.call('Heartbeat')
    await station.close()
    return 101
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    return typeof code === 'number' ? code : null
  }
}

export const strangers: Readonly<Record<string, Stranger>> = {
  'ocpp-rpc': viaOcppRpc,
  "Python's websockets": viaPython,
}
