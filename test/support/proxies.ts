/**
 * Real proxies: nginx and HAProxy, in the foreground, with a configuration of the test's.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPackages, openProcess, run } from './process.ts'

// Debian installs servers where only root's PATH looks.
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** Installs nginx and HAProxy if they are missing. */
export async function installProxies(): Promise<void> {
  const commands = [
    ['nginx', '-v'],
    ['haproxy', '-v'],
  ] as const
  const areThere = async () => {
    const results = await Promise.all(commands.map(([name, flag]) => run(name, [flag], { env })))
    return existsSync(streamModule) && results.every(({ code }) => code === 0)
  }
  if (await areThere()) return
  await installPackages('nginx', 'libnginx-mod-stream', 'haproxy')
  if (await areThere()) return
  throw new Error('nginx or haproxy is missing. On Debian, as root: apt-get install nginx libnginx-mod-stream haproxy')
}

export interface Proxy {
  close(): Promise<void>
}

/** @param config the blocks `http` and `stream`, all ports of 127.0.0.1; resolves when it listens */
export async function openNginx(config: string): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-nginx-'))
  const head = [
    `load_module ${streamModule};`,
    'daemon off;',
    'worker_processes 1;',
    `pid ${folder}/pid;`,
    'error_log stderr notice;',
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'events { worker_connections 256; }',
  ]
  await writeFile(join(folder, 'nginx.conf'), `${head.join('\n')}\n${config.replaceAll('{folder}', folder)}`)
  return openProxy(folder, 'nginx', ['-p', folder, '-e', 'stderr', '-c', 'nginx.conf'], /start worker process /)
}

/** @param config all but the section `global`; resolves when it listens */
export async function openHaproxy(config: string): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-haproxy-'))
  await writeFile(join(folder, 'haproxy.cfg'), `global\n  stats socket ${folder}/stats\n${config}`)
  return openProxy(folder, 'haproxy', ['-W', '-f', join(folder, 'haproxy.cfg')], /Loading success|New worker/)
}

async function openProxy(folder: string, name: string, args: readonly string[], isReady: RegExp): Promise<Proxy> {
  await installProxies()
  const server = openProcess(name, args, { env })
  const close = async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await server.line(isReady)
  } catch (error) {
    await close()
    throw error
  }
  return { close }
}
