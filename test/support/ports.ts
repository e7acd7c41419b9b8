/**
 * Ports for the programs that tests start.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

// Below 32768, where Linux begins to take ports for outgoing connections: there a port may be taken again before it is
// used, or while the program behind it is being restarted, even by a client that tries to connect to this very port.
const lowest = 20_000
const highest = 32_000

// Several test files run at once, each in its own process, and each hands out ports long before it uses them. So a
// process owns whole blocks: it listens on a block's first port for as long as it lives, and gives away the rest.
const blockSize = 100

const free: number[] = []

/** A free port of 127.0.0.1 that no other test of this machine gets meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = free.shift()
    if (port === undefined) await takeBlock()
    else if (await isFree(port)) return port
  }
}

async function takeBlock(): Promise<void> {
  const blocks = (highest - lowest) / blockSize
  for (;;) {
    const first = lowest + Math.floor(Math.random() * blocks) * blockSize
    const guard = await listen(first)
    if (guard === undefined) continue
    guard.unref()
    free.push(...Array.from({ length: blockSize - 1 }, (_, index) => first + 1 + index))
    return
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port)
  server?.close()
  return server !== undefined
}

/** Undefined if something else listens. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer()
  try {
    const listening = once(server, 'listening')
    server.listen(port, '127.0.0.1')
    await listening
    return server
  } catch {
    return undefined
  }
}
