/**
 * Attacks by connections that come and go: floods of them, resets, guessed credentials, new identities.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { boot, KiB, type Attack } from '../attack.ts'
import {
  basic,
  dial,
  dialStation,
  flood,
  gone,
  graceMs,
  hangUp,
  isAnswered,
  newIdentity,
  ready,
  repeat,
  sayAndReset,
  upgradeOf,
  version16,
  type Ends,
  type Target,
} from '../connections.ts'
import { keyLines } from '../sites.ts'

/** A station that boots, and is closed by the bridge. */
async function visit(target: Target, ends: Ends, id: string, ...headers: readonly string[]): Promise<void> {
  const socket = await dialStation(target, ends, [version16, ...headers], id)
  socket?.write(boot)
  if (socket !== null) await Promise.race([gone(socket), sleep(graceMs, undefined, { ref: false })])
  hangUp(socket)
}

/** An upgrade that is refused. */
async function attempt(target: Target, ends: Ends, id: string, ...headers: readonly string[]): Promise<void> {
  const socket = dial(target, ends)
  socket.write(upgradeOf(id, version16, ...headers))
  await gone(socket)
}

/** From as many addresses as there are callers. */
const elsewhere = (target: Target, at: number): Target => ({
  ...target,
  from: `127.0.${1 + Math.floor(at / 250)}.${1 + (at % 250)}`,
})
const sameAddress = (target: Target): Target => target

/** A wrong key for a station of the file each time. */
const guesses =
  (count: number, placeOf: (target: Target, at: number) => Target): Attack['run'] =>
  (target, ends) => {
    let tries = 0
    return repeat(Math.ceil(count * target.share), target.until, async at => {
      const id = `known-${++tries % keyLines}`
      await attempt(placeOf(target, at), ends, id, basic(id, `wrong-${tries}`))
    })
  }

/** An identity that is not in the file each time. */
const unknown =
  (count: number, placeOf: (target: Target, at: number) => Target): Attack['run'] =>
  (target, ends) =>
    repeat(
      count,
      target.until,
      async at => {
        const id = newIdentity()
        await attempt(placeOf(target, at), ends, id, basic(id, 'a-key'))
      },
      0,
    )

/** As much in one packet as a socket is read at a time. */
const pipelined = Buffer.from('GET / HTTP/1.1\r\nHost:\r\n\r\n'.repeat((64 * KiB) / 27))
const chunks = Buffer.from('1\r\na\r\n'.repeat((64 * KiB) / 6))
const blankLines = Buffer.from('\r\n'.repeat(32 * KiB))
const chunkedHead = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: csms.example\r\nTransfer-Encoding: chunked\r\n\r\n`

/** Plain requests without end; a request begins with `head`. */
const plain =
  (head: string, rest: Buffer, portOf = ({ port }: Target): number => port): Attack['run'] =>
  (target, ends) =>
    repeat(30, target.until, async () => {
      const socket = dial({ ...target, port: portOf(target) }, ends)
      socket.write(head)
      await flood(socket, rest, target.until + graceMs)
      hangUp(socket)
    })

export const visits: readonly Attack[] = [
  {
    name: 'connections without a byte, ended at once',
    ends: ['open'],
    run: (target, ends) =>
      repeat(200, target.until, async () => {
        const socket = dial(target, ends)
        await ready(socket, false)
        hangUp(socket)
      }),
  },
  {
    name: 'upgrades and resets',
    ends: ['closed', 'http 429'],
    isShort: true,
    run: (target, ends) =>
      repeat(100, target.until, async () => {
        const socket = await dialStation(target, ends)
        socket?.resetAndDestroy()
      }),
  },
  {
    name: 'resets in the middle of a request',
    ends: ['closed'],
    run: (target, ends) =>
      repeat(100, target.until, async () => {
        const socket = dial(target, ends)
        await ready(socket, false)
        socket.write(upgradeOf('x', version16).slice(0, 100))
        socket.resetAndDestroy()
      }),
  },
  {
    name: 'TLS: a request, then a reset',
    site: 'tls',
    ends: ['closed'],
    isShort: true,
    run: (target, ends) =>
      repeat(40, target.until, at =>
        sayAndReset(target, ends, 'GET /health HTTP/1.1\r\nHost: csms.example\r\n\r\n', at % 2),
      ),
  },
  {
    name: 'upgrades of unknown paths',
    ends: ['http 400', 'http 404', 'http 429'],
    run: (target, ends) => repeat(100, target.until, () => attempt(target, ends, 'x/y/z')),
  },
  {
    name: 'plain requests in one packet, 30 connections',
    ends: ['http 404', 'closed'],
    isShort: true,
    run: plain('', pipelined),
  },
  {
    name: 'a plain request with a body of endless chunks, 30 connections',
    ends: ['http 426', 'closed'],
    isShort: true,
    run: plain(chunkedHead('/ocpp/x'), chunks),
  },
  {
    name: 'a broadcast without a key, with a body of endless chunks, 30 connections',
    ends: ['http 401', 'closed'],
    isShort: true,
    run: plain(chunkedHead('/_broadcast'), chunks, ({ broadcastPort }) => broadcastPort),
  },
  {
    name: 'blank lines before a request, 30 connections',
    ends: ['closed'],
    isShort: true,
    run: plain('', blankLines),
  },
  {
    name: 'requests in one packet on the broadcast port, 30 connections',
    ends: ['http 404', 'closed'],
    isShort: true,
    run: plain('', pipelined, ({ broadcastPort }) => broadcastPort),
  },
  {
    name: 'wrong credentials',
    ends: ['ws 1008', 'closed', 'http 401', 'http 429'],
    mustEnd: 'ws 1008',
    isShort: true,
    run: (target, ends) =>
      repeat(100, target.until, at => visit(target, ends, `stranger-${at}`, basic(`stranger-${at}`, 'wrong'))),
  },
  {
    name: "wrong credentials under the healthy stations' identities",
    ends: ['ws 1008', 'closed', 'http 401', 'http 429'],
    mustEnd: 'ws 1008',
    isShort: true,
    run: (target, ends) =>
      repeat(100, target.until, at => visit(target, ends, `healthy-${at % 30}`, basic(`healthy-${at % 30}`, 'wrong'))),
  },
  {
    name: 'a new identity each time',
    ends: ['ws 1008', 'closed', 'http 401', 'http 429'],
    mustEnd: 'ws 1008',
    run: (target, ends) => repeat(100, target.until, () => visit(target, ends, newIdentity())),
  },
  {
    name: 'one accepted station that reconnects in a loop',
    ends: ['closed', 'open'],
    mostLines: 200,
    isShort: true,
    run: (target, ends) =>
      repeat(
        1,
        target.until,
        async () => {
          const socket = await dialStation(target, ends, [version16], 'healthy-loop')
          hangUp(socket)
        },
        0,
      ),
  },
  {
    name: 'auth file: wrong keys for known stations, from one address',
    site: 'keys',
    ends: ['http 401', 'http 429', 'http 503'],
    mustEnd: 'http 401',
    counted: 'failed_auths_total',
    isShort: true,
    run: guesses(30, sameAddress),
  },
  {
    name: 'auth file: wrong keys for known stations, from 100 addresses',
    site: 'keys',
    ends: ['http 401', 'http 429', 'http 503'],
    mustEnd: 'http 401',
    counted: 'failed_auths_total',
    isShort: true,
    run: guesses(100, elsewhere),
  },
  {
    name: 'auth file: unknown stations, from one address',
    site: 'keys',
    ends: ['http 404', 'http 429'],
    mustEnd: 'http 404',
    counted: 'failed_auths_total',
    run: unknown(100, sameAddress),
  },
  {
    name: 'auth file: a new identity each time, from 100 addresses',
    site: 'keys',
    ends: ['http 404', 'http 429'],
    mustEnd: 'http 404',
    counted: 'failed_auths_total',
    isShort: true,
    seconds: 45,
    run: unknown(100, elsewhere),
  },
  {
    name: 'app away: unknown stations boot',
    site: 'away',
    ends: ['open', 'closed', 'http 503', 'http 429', 'ws 1008'],
    mustEnd: 'open',
    isShort: true,
    run: (target, ends) =>
      repeat(50, target.until, async () => {
        const socket = await dialStation(target, ends)
        socket?.write(boot)
        if (socket !== null) await isAnswered(socket, graceMs)
        hangUp(socket)
      }),
  },
]
