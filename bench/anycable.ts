/**
 * AnyCable's own server, a prebuilt program in the gem anycable-thruster. It is searched on the PATH and in a cache
 * folder, and installed into that folder if missing, never into the project.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { cacheFolder } from '../test/support/cache.ts'
import { openProgram, type Server } from './children.ts'

const gem = 'anycable-thruster'
const cache = cacheFolder('bench-gems')

/** The program `thrust`, not the Ruby script of that name. Throws if it is missing and cannot be installed. */
export function findThrust(): string {
  const found = foundThrust()
  if (found !== undefined) return found
  const install = ['install', gem, '--no-document', '--install-dir', cache]
  const { stdout, stderr } = spawnSync('gem', install, { encoding: 'utf8' })
  const installed = foundThrust()
  if (installed === undefined) throw new Error(`gem ${install.join(' ')} installed no program:\n${stdout}${stderr}`)
  return installed
}

/** It listens on all addresses; it has no option for that. Broadcasts come over HTTP, with the key. */
export async function openAnyCable(
  thrust: string,
  rpcPort: number,
  broadcastKey: string,
): Promise<{ readonly server: Server; readonly broadcastPort: number }> {
  const [port, target, broadcastPort] = [await freePort(), await freePort(), await freePort()]
  const server = await openProgram(thrust, ['sleep', '3600'], /"Server started","http":":(\d+)"/, {
    HTTP_PORT: String(port),
    TARGET_PORT: String(target),
    ANYCABLE_RPC_HOST: `127.0.0.1:${rpcPort}`,
    ANYCABLE_BROADCAST_ADAPTER: 'http',
    ANYCABLE_HTTP_BROADCAST_PORT: String(broadcastPort),
    ANYCABLE_BROADCAST_KEY: broadcastKey,
    ANYCABLE_SECRET: 'benchmark',
    ANYCABLE_DISABLE_TELEMETRY: 'true',
  })
  return { server, broadcastPort }
}

function foundThrust(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const gems = join(cache, 'gems')
  for (const name of existsSync(gems) ? readdirSync(gems) : []) {
    const exe = join(gems, name, 'exe')
    for (const platform of readdirSync(exe, { withFileTypes: true }))
      if (platform.isDirectory()) folders.push(join(exe, platform.name))
  }
  return folders.map(folder => join(folder, 'thrust')).find(path => existsSync(path))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
