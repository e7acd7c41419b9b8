/**
 * Ports for the programs that tests start.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below 32768, where Linux begins to take ports for outgoing connections: there a port may be taken again before it is
// used, or while the program behind it is being restarted, even by a client that tries to connect to this very port.
const lowest = 20_000
const highest = 32_000

const given = new Set<number>()

/** A port of 127.0.0.1 on which nothing listens, and which this process has not handed out before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    const listening = once(server, 'listening')
    server.listen(port, '127.0.0.1')
    await listening
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
