/**
 * Real proxies: nginx, HAProxy and Caddy, in the foreground, with a configuration of the test's.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPackages, openProcess, run } from './process.ts'

// Debian installs servers where only root's PATH looks.
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

const packages = ['nginx', 'libnginx-mod-stream', 'haproxy', 'caddy']
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** Installs those that are missing. */
export async function installProxies(): Promise<void> {
  const commands = [
    ['nginx', '-v'],
    ['haproxy', '-v'],
    ['caddy', 'version'],
  ] as const
  const areThere = async () => {
    const results = await Promise.all(commands.map(([name, flag]) => run(name, [flag], { env })))
    return existsSync(streamModule) && results.every(({ code }) => code === 0)
  }
  if (await areThere()) return
  await installPackages(...packages)
  if (await areThere()) return
  throw new Error(`nginx, haproxy or caddy is missing. On Debian, as root: apt-get install ${packages.join(' ')}`)
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

/** @param config the sites of a Caddyfile; resolves when it listens */
export async function openCaddy(config: string): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-caddy-'))
  const head = '{\n  admin off\n  auto_https off\n  storage file_system {folder}/storage\n}\n'
  await writeFile(join(folder, 'Caddyfile'), head.replace('{folder}', folder) + config)
  const args = ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')]
  return openProxy(folder, 'caddy', args, /serving initial configuration/)
}

async function openProxy(folder: string, name: string, args: readonly string[], isReady: RegExp): Promise<Proxy> {
  await installProxies()
  // Caddy writes its last configuration below its home.
  const server = openProcess(name, args, { env: { ...env, HOME: folder, XDG_CONFIG_HOME: folder } })
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
