/**
 * Real proxies in the foreground, with a configuration of the test's: before the bridge, or before a gRPC app.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import { installPackages, openProcess, run } from './process.ts'

// Debian installs servers where only root's PATH looks.
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

type Program = {
  /** The flag that prints the version. */
  readonly version: string
  readonly packages: readonly string[]
  /** The signal that reloads the configuration. */
  readonly reload: NodeJS.Signals
  /** A line that it prints once it listens. */
  readonly isReady: RegExp
  /** The first lines of each configuration. */
  readonly head: readonly string[]
  readonly args: (file: string, folder: string) => readonly string[]
}

const programs = {
  nginx: {
    version: '-v',
    packages: ['nginx', 'libnginx-mod-stream'],
    reload: 'SIGHUP',
    isReady: /start worker process /,
    head: [
      `load_module ${streamModule};`,
      'daemon off;',
      'worker_processes 1;',
      'pid {folder}/pid;',
      'error_log stderr notice;',
      ...(process.getuid?.() === 0 ? ['user root;'] : []),
      'events { worker_connections 256; }',
    ],
    args: (file, folder) => ['-p', folder, '-e', 'stderr', '-c', file],
  },
  haproxy: {
    version: '-v',
    packages: ['haproxy'],
    reload: 'SIGUSR2',
    isReady: /Loading success|New worker/,
    head: ['global', '  stats socket {folder}/stats'],
    args: file => ['-W', '-f', file],
  },
  nghttpx: {
    version: '--version',
    packages: ['nghttp2-proxy'],
    reload: 'SIGHUP',
    isReady: /Created worker thread/,
    head: ['errorlog-file=/dev/stderr', 'workers=1'],
    args: file => [`--conf=${file}`],
  },
  caddy: {
    version: 'version',
    packages: ['caddy'],
    reload: 'SIGUSR1',
    isReady: /serving initial configuration/,
    head: ['{', '  admin off', '  auto_https off', '  storage file_system {folder}/storage', '}'],
    args: file => ['run', '--adapter', 'caddyfile', '--config', file],
  },
} as const satisfies Record<string, Program>

export type ProxyName = keyof typeof programs
type GrpcProxyName = Exclude<ProxyName, 'caddy'>

/** Installs the proxies that are missing. */
export async function installProxies(): Promise<void> {
  const all: [string, Program][] = Object.entries(programs)
  const areThere = async () => {
    const results = await Promise.all(all.map(([name, { version }]) => run(name, [version], { env })))
    return existsSync(streamModule) && results.every(({ code }) => code === 0)
  }
  if (await areThere()) return
  const packages = all.flatMap(([, program]) => program.packages)
  await installPackages(...packages)
  if (!(await areThere()))
    throw new Error(`A proxy is missing. On Debian, as root: apt-get install ${packages.join(' ')}`)
}

export interface Proxy {
  /** Has it read its configuration again: new workers take over, old ones finish their work. */
  reload(): void
  close(): Promise<void>
}

/** @param config all but the head, all ports of 127.0.0.1; `{folder}` is one of its own. Resolves when it listens */
export async function openProxy(name: ProxyName, config: string): Promise<Proxy> {
  await installProxies()
  const { head, args, isReady, reload }: Program = programs[name]
  const folder = await mkdtemp(join(tmpdir(), `ocpp-cable-${name}-`))
  const file = join(folder, 'conf')
  await writeFile(file, [...head, config].join('\n').replaceAll('{folder}', folder))
  // Caddy writes its last configuration below its home.
  const server = openProcess(name, args(file, folder), { env: { ...env, HOME: folder, XDG_CONFIG_HOME: folder } })
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
  return { reload: () => server.signal(reload), close }
}

/** What nginx would keep in folders of the system. */
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
  name => `${name}_temp_path {folder}/${name};`,
)
export const nginxFolders = temporary.join(' ')

/** As deployments have them before a gRPC app, with HTTP/2 on both sides. */
const grpcConfigs: Readonly<Record<GrpcProxyName, (port: number, app: number) => string>> = {
  // GOAWAY comes after 50 requests of a connection.
  nginx: (port, app) => `
http {
  access_log off;
  keepalive_requests 50;
  ${nginxFolders}
  server {
    listen 127.0.0.1:${port} http2;
    client_max_body_size 0;
    location / { grpc_pass grpc://127.0.0.1:${app}; }
  }
}
`,
  haproxy: (port, app) => `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend bridge
  bind 127.0.0.1:${port} proto h2
  default_backend app
backend app
  server app 127.0.0.1:${app} proto h2
`,
  nghttpx: (port, app) => `
frontend=127.0.0.1,${port};no-tls
backend=127.0.0.1,${app};;proto=h2
no-via=yes
no-add-x-forwarded-proto=yes
`,
}
export const proxyNames = Object.keys(grpcConfigs) as GrpcProxyName[]

/** A proxy before an app on 127.0.0.1, and its address for `rpc_host`. */
export async function openGrpcProxy(name: GrpcProxyName, app: number): Promise<Proxy & { readonly host: string }> {
  const port = await freePort()
  return { ...(await openProxy(name, grpcConfigs[name](port, app))), host: `127.0.0.1:${port}` }
}
