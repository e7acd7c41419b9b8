/**
 * What an attack is, and what attacks are made of.
 */
import type { Socket } from 'node:net'
import { frameOf, opcodes } from '../support/peer.ts'
import {
  dial,
  dialStation,
  flood,
  gone,
  graceMs,
  hangUp,
  hold,
  ready,
  repeat,
  type Ends,
  type Target,
} from './connections.ts'
import type { SiteName } from './sites.ts'

export type Attack = {
  readonly name: string
  /** What is attacked; `plain` by default. */
  readonly site?: SiteName
  /**
   * How its connections may end. `closed`: without a response, or with a close frame that the attacker did not get to
   * read. `open`: the attacker itself ended it.
   */
  readonly ends: readonly string[]
  /** How it must end at least once. */
  readonly mustEnd?: string
  /** Whether the short form runs it. */
  readonly isShort?: boolean
  /** A counter of the bridge that it moves. */
  readonly counted?: string
  /** One that only the long form reaches. */
  readonly countedLong?: string
  /** Of the log, in all rounds. */
  readonly mostLines?: number
  /**
   * Of the long form: it has one round, in which connections come for so long if a phase is shorter. Stations are
   * measured in its first phase only.
   */
  readonly seconds?: number
  readonly run: (target: Target, ends: Ends) => Promise<void>
}

export const KiB = 1024
export const MiB = 1024 * KiB

/** A frame as often as it takes to fill 64 KiB. */
export const many = (frame: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: Math.ceil((64 * KiB) / frame.length) }, () => frame))

export const fragment = frameOf('x', { opcode: opcodes.continuation, fin: false })
export const boot = frameOf('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')

/** Connections that send the same without end, until the bridge closes them, and come again. */
export const floods =
  (count: number, bytes: Buffer): Attack['run'] =>
  (target, ends) =>
    repeat(count, target.until, async () => {
      const socket = await dialStation(target, ends)
      if (socket !== null) await flood(socket, bytes, target.until + graceMs)
      hangUp(socket)
    })

/** Connections that say this once, and then nothing more, or the same bytes each second. */
export const silent =
  (count: number, says: Buffer | string, drips?: Buffer | string): Attack['run'] =>
  (target, ends) =>
    hold(Math.ceil(count * target.share), target.until, async () => {
      const socket = dial(target, ends)
      await ready(socket, target.isTls)
      if (says.length > 0) socket.write(says)
      if (drips !== undefined) drip(socket, drips)
      return socket
    })

/** Stations that send this once they are upgraded, and then nothing more, or the same bytes each second. */
export const unending =
  (count: number, headers: readonly string[], bytes: Buffer, drips?: Buffer): Attack['run'] =>
  (target, ends) =>
    hold(Math.ceil(count * target.share), target.until, async () => {
      const socket = await dialStation(target, ends, headers)
      socket?.write(bytes)
      if (drips !== undefined && socket !== null) drip(socket, drips)
      return socket
    })

/** Clients that POST the same, and again 50 ms after each answer. */
export const posts =
  (
    count: number,
    portOf: (target: Target) => number,
    path: string,
    body: string,
    ...headers: readonly string[]
  ): Attack['run'] =>
  (target, ends) =>
    repeat(count, target.until, async () => {
      const length = `Content-Length: ${Buffer.byteLength(body)}`
      const head = [`POST ${path} HTTP/1.1`, 'Host: csms.example', 'Connection: close', length, ...headers]
      const socket = dial({ port: portOf(target), isTls: false, from: target.from }, ends)
      socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
      await gone(socket)
    })

function drip(socket: Socket, bytes: Buffer | string): void {
  const timer = setInterval(() => socket.write(bytes), 1_000)
  socket.once('close', () => clearInterval(timer))
}
