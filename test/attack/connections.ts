/**
 * The connections of attackers: raw sockets that say what no client library would, and what becomes of them.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { upgradeHeaders } from '../support/peer.ts'

export type Target = {
  readonly port: number
  readonly isTls: boolean
  readonly adminPort: number
  readonly broadcastPort: number
  /** 0 where the bridge has no NATS server. */
  readonly natsPort: number
  /** The address that the attackers connect from. */
  readonly from: string
  /** In ms of `performance.now()`. */
  readonly until: number
  /** Part of the long run's connections that a short run opens. */
  readonly share: number
}

/** How the connections of an attack ended: `ws 1008`, `http 429`, `closed`, `refused`, or `open` at the end of it. */
export class Ends {
  readonly counts: Record<string, number> = {}

  count(end: string): void {
    this.counts[end] = (this.counts[end] ?? 0) + 1
  }
}

const host = '127.0.0.1'
const statusLine = /^HTTP\/1\.1 (\d+)/
const hungUp = new WeakSet<Socket>()

/** A connection whose end is counted once; what the bridge sends is read, unless the socket is paused. */
export function dial({ port, isTls, from }: Pick<Target, 'port' | 'isTls' | 'from'>, ends: Ends): Socket {
  const to = { port, host, localAddress: from }
  const socket = isTls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to)
  let end = 'refused'
  socket.once('connect', () => (end = 'closed'))
  socket.on('error', () => undefined) // 'close' follows
  socket.on('data', (chunk: Buffer) => {
    const [, status] = statusLine.exec(chunk.toString('latin1', 0, 12)) ?? []
    if (status !== undefined && status !== '101') end = `http ${status}`
    const at = chunk.lastIndexOf(0x88)
    const isClose = at !== -1 && at + 4 <= chunk.length && at + 2 + (chunk[at + 1] ?? 0) === chunk.length
    if (isClose) end = `ws ${chunk.readUInt16BE(at + 2)}`
  })
  socket.once('close', () => ends.count(end === 'closed' && hungUp.has(socket) ? 'open' : end))
  return socket
}

/** Ends a connection from the attacker's side: unless the bridge has said that it closes it, it counts as open. */
export function hangUp(socket: Socket | null): void {
  if (socket === null || socket.destroyed) return
  hungUp.add(socket)
  socket.destroy()
}

/** Says this over TLS, and resets the connection at once, or a moment later: its answer meets the reset. */
export async function sayAndReset({ port, from }: Target, ends: Ends, says: string, afterMs: number): Promise<void> {
  const raw = dial({ port, isTls: false, from }, ends)
  const secured = connectTls({ socket: raw, rejectUnauthorized: false }).on('error', () => undefined)
  await ready(secured, true)
  secured.write(says)
  if (afterMs > 0) await sleep(afterMs)
  if (!raw.destroyed) raw.resetAndDestroy()
  await gone(raw)
}

export function upgradeOf(id: string, ...headers: readonly string[]): string {
  const lines = [`GET /ocpp/${id} HTTP/1.1`, 'Host: csms.example', ...upgradeHeaders, ...headers]
  return `${lines.join('\r\n')}\r\n\r\n`
}

export const version16 = 'Sec-WebSocket-Protocol: ocpp1.6'
export const compressed = ['Sec-WebSocket-Protocol: ocpp2.0.1', 'Sec-WebSocket-Extensions: permessage-deflate'] as const

export const basic = (id: string, key: string): string =>
  `Authorization: Basic ${Buffer.from(`${id}:${key}`).toString('base64')}`

let stations = 0

export function newIdentity(): string {
  return `stranger-${process.pid}-${++stations}`
}

/** An upgraded connection under a new identity; `null` if it was refused. */
export async function dialStation(
  target: Target,
  ends: Ends,
  headers: readonly string[] = [version16],
  id = newIdentity(),
): Promise<Socket | null> {
  const socket = dial(target, ends)
  socket.write(upgradeOf(id, ...headers))
  return new Promise(resolve => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1', 0, 12).endsWith('101') ? socket : null))
    socket.once('close', () => resolve(null))
  })
}

/** Resolves when the connection has ended. */
export function gone(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

/** Resolves when the connection is made, or was refused. */
export async function ready(socket: Socket, isTls: boolean): Promise<void> {
  const made = new Promise<void>(resolve => socket.once(isTls ? 'secureConnect' : 'connect', () => resolve()))
  await Promise.race([made, gone(socket)])
}

/** Whether the bridge sends something before the connection ends, and within so many ms. */
export function isAnswered(socket: Socket, withinMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const settle = (isIt: boolean): void => {
      clearTimeout(timer)
      socket.off('data', onData).off('close', onClose)
      resolve(isIt)
    }
    const onData = (): void => settle(true)
    const onClose = (): void => settle(false)
    const timer = setTimeout(onClose, withinMs)
    socket.on('data', onData).on('close', onClose)
    if (socket.destroyed) onClose()
  })
}

/** Sends the same bytes as fast as they are taken, until the attack or the connection ends. */
export async function flood(socket: Socket, bytes: Buffer, until: number): Promise<void> {
  while (!socket.destroyed && socket.writable && performance.now() < until) {
    if (socket.write(bytes)) await new Promise(setImmediate)
    else await Promise.race([drained(socket), sleep(Math.max(1, until - performance.now()), undefined, { ref: false })])
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.on('drain', done).on('close', done)
  })
}

/** So many at a time, again and again until the attack ends. @param pauseMs each waits so long before it comes again */
export async function repeat(
  count: number,
  until: number,
  once: (at: number) => Promise<void>,
  pauseMs = 50,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      while (performance.now() < until) {
        await once(at)
        if (pauseMs > 0) await sleep(pauseMs)
      }
    }),
  )
}

/** How long an attack waits, after its end, for what the bridge must do: a slow machine does it late. */
export const graceMs = 30_000

/**
 * Opens so many, in batches, and another one for each that the bridge ends, until the attack ends; then waits until the
 * bridge has ended all of them.
 */
export async function hold(count: number, until: number, open: () => Promise<Socket | null>): Promise<void> {
  const held = new Set<Socket>()
  const add = async (): Promise<void> => {
    const socket = await open()
    if (socket === null || socket.destroyed) return
    held.add(socket)
    socket.once('close', () => held.delete(socket))
  }
  while (performance.now() < until) {
    await Promise.all(Array.from({ length: Math.min(50, count - held.size) }, add))
    await sleep(held.size < count ? 0 : 50)
  }
  while (held.size > 0 && performance.now() < until + graceMs) await sleep(100)
  held.forEach(hangUp)
}
