/** A real nats-server on its own port, which can be killed and restarted. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

// Debian installs the server in a folder that is only in root's PATH.
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

export class NatsServer {
  readonly port: number
  #process: ChildProcess | null = null

  constructor(port: number) {
    this.port = port
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  /** Resolves when the server accepts connections. */
  async start(...args: readonly string[]): Promise<void> {
    const child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(this.port), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    })
    this.#process = child
    await once(child, 'spawn')
    let last = ''
    for await (const line of createInterface({ input: child.stderr })) {
      last = line
      if (line.includes('Server is ready')) {
        child.stderr.resume()
        return
      }
    }
    throw new Error(`nats-server did not start: ${last}`)
  }

  /** Kills the server, like a crash. */
  async kill(): Promise<void> {
    const child = this.#process
    if (child?.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}
