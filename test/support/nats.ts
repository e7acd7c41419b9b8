/**
 * A real nats-server.
 */
import { freePort } from './ports.ts'
import { installPackages, openProcess, run, type Process } from './process.ts'

// Debian installs the server where only root's PATH looks.
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

/** Installs nats-server if it is missing. */
export async function installNats(): Promise<void> {
  const isThere = async () => (await run('nats-server', ['--version'], { env })).code === 0
  if (await isThere()) return
  await installPackages('nats-server')
  if (!(await isThere())) throw new Error('nats-server is missing. On Debian, as root: apt-get install nats-server')
}

export interface Nats {
  readonly port: number
  /** For `nats_servers`, without credentials. */
  readonly url: string
  /** The server that runs now or ran last. */
  readonly process: Process
  /** Resolves when the server has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Ends the server if it runs and starts it again on the same port; resolves when it accepts connections. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** Starts a server without storage on 127.0.0.1; resolves when it accepts connections. */
export async function openNats({ port }: { port?: number } = {}): Promise<Nats> {
  await installNats()
  const ownPort = port ?? (await freePort())
  let server = await startServer(ownPort)

  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    server.signal(signal)
    await server.exited
  }
  return {
    port: ownPort,
    url: `nats://127.0.0.1:${ownPort}`,
    get process() {
      return server
    },
    kill,
    restart: async () => {
      await kill()
      server = await startServer(ownPort)
    },
    close: () => server.close(),
  }
}

async function startServer(port: number): Promise<Process> {
  const server = openProcess('nats-server', ['--addr', '127.0.0.1', '--port', `${port}`], { env })
  try {
    await server.line(/Server is ready/)
    return server
  } catch (error) {
    await server.close()
    throw error
  }
}
