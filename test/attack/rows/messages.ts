/**
 * Attacks by what is sent after the upgrade. The app accepts none of these stations.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { compressedFrameOf, frameOf, opcodes } from '../../support/peer.ts'
import { floods, fragment, KiB, many, MiB, unending, type Attack } from '../attack.ts'
import { compressed, dialStation, graceMs, hangUp, repeat, version16 } from '../connections.ts'

const pong = many(frameOf('', { opcode: opcodes.pong }))
const ping = many(frameOf('x'.repeat(8), { opcode: opcodes.ping }))
const empty = many(frameOf(''))
const blank = many(frameOf(' '))
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

const flooded = { counted: 'ocpp_limit_total', mustEnd: 'ws 1008', ends: ['ws 1008', 'closed'] } as const
const tooLarge = { counted: 'ocpp_limit_total', mustEnd: 'ws 1009', ends: ['ws 1009', 'closed'] } as const

export const messages: readonly Attack[] = [
  { name: 'pongs, 1 connection', ...flooded, run: floods(1, pong) },
  { name: 'pongs, 30 connections', ...flooded, isShort: true, run: floods(30, pong) },
  { name: 'pings, 30 connections', ...flooded, isShort: true, run: floods(30, ping) },
  { name: 'empty messages, 30 connections', ...flooded, run: floods(30, empty) },
  { name: 'blank messages, 30 connections', ...flooded, isShort: true, run: floods(30, blank) },
  { name: 'fragments, 30 connections', ...flooded, isShort: true, run: floods(30, fragments) },
  {
    name: 'one message id again and again, 30 connections',
    ends: ['ws 1008', 'closed'],
    mustEnd: 'ws 1008',
    isShort: true,
    run: floods(30, repeated),
  },
  {
    name: 'deep nesting, 30 connections',
    ...flooded,
    ends: [...flooded.ends, 'ws 1002'],
    isShort: true,
    run: floods(30, deep),
  },
  { name: 'messages over the limit, 30 connections', ...tooLarge, isShort: true, run: floods(30, huge) },
  {
    name: 'messages that inflate to 1 MiB, 10 connections',
    ...tooLarge,
    isShort: true,
    run: (target, ends) =>
      repeat(10, target.until, async () => {
        const socket = await dialStation(target, ends, compressed)
        for (let at = 0; socket !== null && !socket.destroyed && performance.now() < target.until + graceMs; at++) {
          socket.write(bombs[at % bombs.length] ?? '')
          await sleep(67)
        }
        hangUp(socket)
      }),
  },
  {
    name: 'messages without an end that inflate to 1 MiB, 500',
    ...tooLarge,
    ends: ['ws 1009'],
    run: unending(500, compressed, unendingDeflated),
  },
  {
    name: 'messages without an end, 16,000 fragments of one byte, 500',
    ...flooded,
    ends: ['ws 1008', 'closed'],
    run: unending(500, [version16], fragments),
  },
]
