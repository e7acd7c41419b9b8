/**
 * A TCP proxy on 127.0.0.1 that fails as networks do, at a test's command: it cuts or half-closes connections, holds
 * bytes back, is slow, or does not listen. It does not read what it forwards.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './ports.ts'

/** `up`: from the client to the target; `down`: back. */
export type Direction = 'up' | 'down'

export interface Proxy {
  readonly port: number
  /** For `rpc_host`. */
  readonly host: string
  /** How many connections it has accepted, and how many are open. */
  readonly accepted: number
  readonly open: number
  /** How many bytes have arrived, forwarded or not. */
  readonly bytes: Readonly<Record<Direction, number>>
  /** Ends all connections on both sides with RST. Bytes held back are lost. */
  cut(): void
  /** Ends this direction of all connections with FIN; the other direction goes on. */
  halfClose(direction: Direction): void
  /** Holds back everything that arrives from now on, also on new connections. */
  hold(...directions: readonly Direction[]): void
  /** Forwards what was held back and what arrives; by default in both directions. */
  release(...directions: readonly Direction[]): void
  /** Delays everything in both directions. */
  delay(ms: number): void
  /** Refuses new connections, as if nobody listened. Open ones stay. */
  refuse(): Promise<void>
  accept(): Promise<void>
  /** Forwards new connections to another port of 127.0.0.1. */
  retarget(port: number): void
  close(): Promise<void>
}

/** The current settings of all connections. */
type Course = {
  delayMs: number
  readonly bytes: Record<Direction, number>
  readonly gates: Record<Direction, Gate>
}

/** Pending while a direction is held. */
type Gate = { readonly passed: Promise<void>; readonly open: () => void }

const both: readonly Direction[] = ['up', 'down']

/** @param targetPort of 127.0.0.1; nothing has to listen there yet */
export async function openProxy(targetPort: number): Promise<Proxy> {
  const port = await freePort()
  const links = new Set<Link>()
  const course: Course = { delayMs: 0, bytes: { up: 0, down: 0 }, gates: { up: openGate, down: openGate } }
  let target = targetPort
  let accepted = 0
  let server: Server | null = null

  const accept = async () => {
    server = createServer({ allowHalfOpen: true }, near => {
      accepted++
      const link = new Link(near, target, course, () => links.delete(link))
      links.add(link)
    })
    const listening = once(server, 'listening')
    server.listen(port, '127.0.0.1')
    await listening
  }
  const refuse = () => {
    server?.close() // stops listening at once; 'close' comes when its connections have ended
    server = null
    return Promise.resolve()
  }
  const release = (...directions: readonly Direction[]) => {
    for (const direction of directions.length === 0 ? both : directions) {
      course.gates[direction].open()
      course.gates[direction] = openGate
    }
  }
  const cut = () => links.forEach(link => link.cut())
  await accept()
  return {
    port,
    host: `127.0.0.1:${port}`,
    get accepted() {
      return accepted
    },
    get open() {
      return links.size
    },
    bytes: course.bytes,
    cut,
    halfClose: direction => links.forEach(link => link.halfClose(direction)),
    hold: (...directions) => {
      for (const direction of directions) {
        if (course.gates[direction] === openGate) course.gates[direction] = closedGate()
      }
    },
    release,
    delay: ms => (course.delayMs = ms),
    refuse,
    accept,
    retarget: port => (target = port),
    close: async () => {
      await refuse()
      release()
      cut()
    },
  }
}

const openGate: Gate = { passed: Promise.resolve(), open: () => undefined }

function closedGate(): Gate {
  let open: () => void = () => undefined
  const passed = new Promise<void>(resolve => (open = resolve))
  return { passed, open }
}

/** A connection from a client and the one to the target. */
class Link {
  readonly #ends: Record<Direction, Socket>
  readonly #course: Course
  readonly #onClose: () => void
  readonly #isEnded = { up: false, down: false }

  constructor(near: Socket, targetPort: number, course: Course, onClose: () => void) {
    const far = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    this.#ends = { up: far, down: near }
    this.#course = course
    this.#onClose = onClose
    this.#forward(near, far, 'up')
    this.#forward(far, near, 'down')
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on('error', () => this.cut())
      socket.once('close', hadError => {
        // A killed process resets its connections, whatever is held back.
        if (hadError || (near.destroyed && far.destroyed)) this.cut()
      })
    }
  }

  cut(): void {
    for (const direction of both) {
      const socket = this.#ends[direction]
      this.#isEnded[direction] = true
      // Node 20 spins forever when a socket is reset whose FIN is in flight.
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
    this.#onClose()
  }

  halfClose(direction: Direction): void {
    this.#isEnded[direction] = true
    this.#ends[direction].end()
  }

  #forward(from: Socket, to: Socket, direction: Direction): void {
    let last = Promise.resolve()
    const later = (act: () => void) => {
      const dueAt = Date.now() + this.#course.delayMs
      last = last.then(async () => {
        if (dueAt > Date.now()) await sleep(dueAt - Date.now())
        await this.#course.gates[direction].passed
        if (!this.#isEnded[direction]) act()
      })
    }
    from.on('data', (bytes: Buffer) => {
      this.#course.bytes[direction] += bytes.length
      later(() => to.write(bytes))
    })
    from.on('end', () => later(() => to.end()))
  }
}
