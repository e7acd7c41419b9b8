/**
 * Real proxies in front of a gRPC app, as deployments have them: nginx (`grpc_pass`), HAProxy (`proto h2`) and nghttpx.
 */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import { installPackages, openProcess, run } from './process.ts'

// Debian installs servers where only root's PATH looks.
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

type Kind = {
  /** The flag that prints the version. */
  readonly version: string
  readonly package: string
  /** The signal that reloads the configuration. */
  readonly reload: NodeJS.Signals
  /** The configuration file. */
  readonly config: (port: number, app: number, folder: string) => string
  readonly args: (file: string, folder: string) => readonly string[]
}

const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

export const grpcProxies = {
  // GOAWAY comes after 50 requests of a connection.
  nginx: {
    version: '-v',
    package: 'nginx',
    reload: 'SIGHUP',
    config: (port, app, folder) => `
daemon off;
pid ${folder}/pid;
error_log stderr warn;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { }
http {
  access_log off;
  keepalive_requests 50;
  ${temporary.map(name => `${name}_temp_path ${folder}/${name};`).join(' ')}
  server {
    listen 127.0.0.1:${port} http2;
    client_max_body_size 0;
    location / { grpc_pass grpc://127.0.0.1:${app}; }
  }
}
`,
    args: (file, folder) => ['-p', folder, '-e', 'stderr', '-c', file],
  },
  haproxy: {
    version: '-v',
    package: 'haproxy',
    reload: 'SIGUSR2',
    config: (port, app) => `
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
    args: file => ['-W', '-f', file],
  },
  nghttpx: {
    version: '--version',
    package: 'nghttp2-proxy',
    reload: 'SIGHUP',
    config: (port, app) => `
frontend=127.0.0.1,${port};no-tls
backend=127.0.0.1,${app};;proto=h2
errorlog-file=/dev/stderr
no-via=yes
no-add-x-forwarded-proto=yes
workers=1
`,
    args: file => [`--conf=${file}`],
  },
} as const satisfies Record<string, Kind>

export type GrpcProxyName = keyof typeof grpcProxies

/** Installs those that are missing. */
export async function installGrpcProxies(): Promise<void> {
  for (const [name, { version, package: debian }] of Object.entries<Kind>(grpcProxies)) {
    const isThere = async () => (await run(name, [version], { env })).code === 0
    if (await isThere()) continue
    await installPackages(debian)
    if (!(await isThere())) throw new Error(`${name} is missing. On Debian, as root: apt-get install ${debian}`)
  }
}

export interface GrpcProxy {
  /** For `rpc_host`. */
  readonly host: string
  /** Has it read its configuration again: new workers take over, old ones finish their calls. */
  reload(): void
  close(): Promise<void>
}

/** Starts a proxy to an app on 127.0.0.1; resolves when it listens. */
export async function openGrpcProxy(name: GrpcProxyName, app: number): Promise<GrpcProxy> {
  await installGrpcProxies()
  const kind: Kind = grpcProxies[name]
  const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), `ocpp-cable-${name}-`))]
  const file = join(folder, 'conf')
  await writeFile(file, kind.config(port, app, folder))
  const server = openProcess(name, kind.args(file, folder), { env })
  const close = async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  }
  const ended = server.exited.then(() => 'ended' as const)
  for (;;) {
    const found = await Promise.race([ended, isListening(port)])
    if (found === true) break
    if (found === false) continue
    await close()
    throw new Error(`${name} did not start: ${server.output}`)
  }
  return { host: `127.0.0.1:${port}`, reload: () => server.signal(kind.reload), close }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
