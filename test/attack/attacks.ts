/**
 * The attacks, one row each. The attackers have no credentials that the app accepts; their count and time are bounded.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { compressedFrameOf, frameOf, opcodes } from '../support/peer.ts'
import {
  compressed,
  dial,
  dialStation,
  flood,
  hold,
  repeat,
  upgradeOf,
  version16,
  type Ends,
  type Target,
} from './connections.ts'

export type Attack = {
  readonly name: string
  /** Whether the bridge serves TLS. */
  readonly isTls?: boolean
  /**
   * In the short form: how its connections may end. `closed` is an end without a word: the attacker's own, at the end of the
   * attack, or a close frame that it did not get to read. Without this, the row is for the long form only.
   */
  readonly shortEnds?: readonly string[]
  /** Whether the bridge counts a limit of its connections (`ocpp_limit_total`). */
  readonly isLimited?: boolean
  readonly run: (target: Target, ends: Ends) => Promise<void>
}

const KiB = 1024
const MiB = 1024 * KiB
const many = (frame: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: Math.ceil((64 * KiB) / frame.length) }, () => frame))
const pong = many(frameOf('', { opcode: opcodes.pong }))
const ping = many(frameOf('x'.repeat(8), { opcode: opcodes.ping }))
const empty = many(frameOf(''))
const blank = many(frameOf(' '))
const fragment = frameOf('x', { opcode: opcodes.continuation, fin: false })
const fragments = Buffer.concat([frameOf('[', { fin: false }), many(fragment)])
const repeated = many(frameOf('[2,"1","Heartbeat",{}]'))
const bombs = ['{},', '[[],'].map(unit =>
  compressedFrameOf(`[2,"1","NotifyEvent",{"a":[${unit.repeat((MiB - 100) / unit.length)}`),
)
const deep = frameOf(`[2,"1","BootNotification",${'['.repeat(60 * KiB)}`)
const huge = frameOf(`[2,"1","DataTransfer",{"vendorId":"${'x'.repeat(1100 * KiB)}"}]`)
/** 1 KiB that inflates to 1 MiB, without an end. */
const unendingDeflated = (() => {
  const bytes = compressedFrameOf('x'.repeat(MiB - 1))
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes
})()

/** Connections that send the same without end, and come again when they are closed. */
const floods =
  (count: number, bytes: Buffer) =>
  (target: Target, ends: Ends): Promise<void> =>
    repeat(count, target.until, async () => {
      const socket = await dialStation(target, ends)
      if (socket !== null) await flood(socket, bytes, target.until)
      socket?.destroy()
    })

/** Connections that say this once, and nothing more. */
const silent =
  (count: number, says: (socket: Socket, at: number) => void, isSlow = false) =>
  (target: Target, ends: Ends): Promise<void> =>
    hold(Math.ceil(count * target.share), target.until, async at => {
      const socket = dial(target, ends)
      await Promise.race([once(socket, target.isTls ? 'secureConnect' : 'connect'), once(socket, 'close')]).catch(
        () => undefined,
      )
      says(socket, at)
      if (isSlow) drip(socket)
      return socket
    })

/** Stations that send this once they are upgraded, and nothing more. */
const unending =
  (count: number, headers: readonly string[], bytes: Buffer, isSlow = false) =>
  (target: Target, ends: Ends): Promise<void> =>
    hold(Math.ceil(count * target.share), target.until, async () => {
      const socket = await dialStation(target, ends, headers)
      socket?.write(bytes)
      if (isSlow && socket !== null) drip(socket, fragment)
      return socket
    })

/** Sends a little each second. */
function drip(socket: Socket, bytes: Buffer | string = 'x'): void {
  const timer = setInterval(() => socket.write(bytes), 1_000)
  socket.once('close', () => clearInterval(timer))
}

/** Requests without credentials, as fast as they are answered. */
const requests =
  (count: number, portOf: (target: Target) => number, path: string) =>
  (target: Target, ends: Ends): Promise<void> =>
    repeat(count, target.until, async () => {
      const body = '{"stream":"ocpp:ev/healthy-1","data":"{}"}'
      const head = `POST ${path} HTTP/1.1\r\nHost: csms.example\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`
      const socket = dial({ port: portOf(target), isTls: false }, ends)
      socket.end(head + body)
      await once(socket, 'close')
    })

export const attacks: readonly Attack[] = [
  { name: 'pongs, 1 connection', run: floods(1, pong) },
  { name: 'pongs, 30 connections', shortEnds: ['ws 1008', 'closed'], isLimited: true, run: floods(30, pong) },
  { name: 'pings, 30 connections', shortEnds: ['ws 1008', 'closed'], isLimited: true, run: floods(30, ping) },
  { name: 'empty messages, 30 connections', run: floods(30, empty) },
  { name: 'blank messages, 30 connections', shortEnds: ['ws 1008', 'closed'], isLimited: true, run: floods(30, blank) },
  { name: 'fragments, 30 connections', shortEnds: ['ws 1008', 'closed'], isLimited: true, run: floods(30, fragments) },
  {
    name: 'one id again and again, 30 connections',
    shortEnds: ['ws 1008', 'closed'],

    run: floods(30, repeated),
  },
  {
    name: 'deep nesting, 30 connections',
    shortEnds: ['ws 1008', 'ws 1002', 'closed'],
    isLimited: true,
    run: floods(30, deep),
  },
  {
    name: 'messages over the limit, 30 connections',
    shortEnds: ['ws 1009', 'closed'],
    isLimited: true,
    run: floods(30, huge),
  },
  {
    name: 'inflating messages, 10 connections',
    shortEnds: ['ws 1009', 'closed'],
    isLimited: true,
    run: (target, ends) =>
      repeat(10, target.until, async () => {
        const socket = await dialStation(target, ends, compressed)
        for (let at = 0; socket !== null && !socket.destroyed && performance.now() < target.until; at++) {
          socket.write(bombs[at % bombs.length] ?? '')
          await sleep(67)
        }
        socket?.destroy()
      }),
  },
  { name: 'messages that never end, deflated, 500', run: unending(500, compressed, unendingDeflated) },
  {
    name: 'messages that never end, fragments, 500',
    run: unending(500, [version16], many(fragment).fill(fragments, 0, 7)),
  },
  { name: 'messages that never end, slowly, 500', run: unending(500, [version16], frameOf('[', { fin: false }), true) },
  { name: 'slowloris: no byte, 2,000', run: silent(2_000, () => undefined) },
  {
    name: 'slowloris: head, 2,000',
    run: silent(2_000, socket => void socket.write('GET /ocpp/x HTTP/1.1\r\nX: '), true),
  },
  {
    name: 'slowloris: body, 2,000',
    run: silent(
      2_000,
      socket => void socket.write('POST /ocpp/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n'),
      true,
    ),
  },
  { name: 'TLS, abandoned after the handshake, 2,000', isTls: true, run: silent(2_000, () => undefined) },
  {
    name: 'TLS, half a handshake, 2,000',
    isTls: true,
    run: (target, ends) =>
      silent(2_000, socket => void socket.write(Buffer.from('16030100c8010000c40303', 'hex')))(
        { ...target, isTls: false },
        ends,
      ),
  },
  {
    name: 'connections that say nothing',
    run: (target, ends) =>
      repeat(200, target.until, async () => {
        const socket = dial(target, ends)
        await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined)
        socket.destroy()
      }),
  },
  {
    name: 'upgrades and resets',
    shortEnds: ['closed'],
    run: (target, ends) =>
      repeat(100, target.until, async () => {
        const socket = await dialStation(target, ends)
        socket?.resetAndDestroy()
      }),
  },
  {
    name: 'wrong credentials',
    shortEnds: ['ws 1008', 'closed'],

    run: (target, ends) =>
      repeat(100, target.until, async at => {
        const header = `Authorization: Basic ${Buffer.from(`stranger-${at}:wrong`).toString('base64')}`
        const socket = await dialStation(target, ends, [version16, header], `stranger-${at}`)
        socket?.write(frameOf('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'))
        if (socket !== null && !socket.destroyed) await Promise.race([once(socket, 'close'), sleep(5_000)])
        socket?.destroy()
      }),
  },
  {
    name: 'a new identity each time',
    run: (target, ends) =>
      repeat(100, target.until, async () => {
        const socket = await dialStation(target, ends)
        socket?.write(frameOf('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'))
        if (socket !== null && !socket.destroyed) await Promise.race([once(socket, 'close'), sleep(5_000)])
        socket?.destroy()
      }),
  },
  {
    name: 'requests to the admin API',
    run: requests(50, ({ adminPort }) => adminPort, '/v1/stations/healthy-1/calls'),
  },
  { name: 'broadcasts without a key', run: requests(50, ({ broadcastPort }) => broadcastPort, '/_broadcast') },
  {
    name: 'upgrades of unknown paths',
    run: (target, ends) =>
      repeat(100, target.until, async () => {
        const socket = dial(target, ends)
        socket.write(upgradeOf('x/y/z', version16))
        await once(socket, 'close')
      }),
  },
]
