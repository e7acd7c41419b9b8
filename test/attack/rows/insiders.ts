/**
 * What an attacker at the other ports, the app, or an accepted station with the app's help does to the bridge.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'nats'
import { frameOf } from '../../support/peer.ts'
import { boot, KiB, MiB, posts, type Attack } from '../attack.ts'
import { dialStation, gone, graceMs, hangUp, isAnswered, repeat, version16, type Target } from '../connections.ts'
import { broadcastKey } from '../sites.ts'

const broadcastPort = (target: Target): number => target.broadcastPort
const broadcast = { stream: 'ocpp:healthy-1', data: '{"command":"x"}' }
const withKey = `Authorization: Bearer ${broadcastKey}`

/** A batch of broadcasts of so many bytes, for streams that no station has. */
function batch(bytes: number): string {
  const one = JSON.stringify({ stream: 'ocpp:nobody', data: '{"command":"ClearCache"}' })
  return `[${Array.from({ length: Math.floor(bytes / (one.length + 1)) }, () => one).join(',')}]`
}

const nested = (bytes: number): string => '['.repeat(bytes / 2) + ']'.repeat(bytes / 2)
/** Of few values: one long text. */
const long = (bytes: number): string => JSON.stringify({ ...broadcast, data: `"${'x'.repeat(bytes)}"` })

/** The app's publications over NATS, four a second. */
const publications =
  (text: string): Attack['run'] =>
  async ({ natsPort, until }, ends) => {
    const connection = await connect({ servers: `127.0.0.1:${natsPort}` })
    do {
      connection.publish('__anycable__', text)
      await connection.flush()
      ends.count('published')
      await sleep(250)
    } while (performance.now() < until)
    await connection.close()
  }

/** Accepted stations whose calls the app answers with a giant reply. */
const giantReplies =
  (kind: string): Attack['run'] =>
  (target, ends) =>
    repeat(2, target.until, async at => {
      const socket = await dialStation(target, ends, [version16], `healthy-giant-${kind}-${at}`)
      if (socket === null) return
      socket.write(boot)
      do {
        if (await isAnswered(socket, graceMs)) ends.count('answered')
        await sleep(100)
        socket.write(frameOf('[2,"2","DataTransfer",{"vendorId":"V"}]'))
      } while (!socket.destroyed && performance.now() < target.until)
      hangUp(socket)
    })

/**
 * Lines of noisy stations fill the pipe, and in the long form the 8 MiB that wait for the log's reader. The bridge
 * answers a Heartbeat without the app.
 */
const noisy = 10
const noisyCalls = 1_000
const noise = (at: number): Buffer => frameOf(`[2,"${at}","Heartbeat",{"x":"${'€'.repeat(950)}"}]`)

const giant = { ends: ['answered', 'open'], mustEnd: 'answered', counted: 'rpc_error_total', isShort: true } as const
const published = { site: 'nats', ends: ['published'], mustEnd: 'published' } as const

export const insiders: readonly Attack[] = [
  {
    name: 'requests to the admin API without a token',
    ends: ['http 401'],
    run: posts(50, ({ adminPort }) => adminPort, '/v1/stations/healthy-1/calls', '{}'),
  },
  {
    name: 'broadcasts without a key',
    ends: ['http 401'],
    run: posts(50, broadcastPort, '/_broadcast', JSON.stringify(broadcast)),
  },
  {
    name: 'broadcasts of 8 MB with the key',
    ends: ['http 413', 'closed'],
    isShort: true,
    run: posts(4, broadcastPort, '/_broadcast', batch(8 * MiB), withKey),
  },
  {
    name: 'broadcasts of 1 MB with the key: a batch',
    ends: ['http 201', 'http 503'],
    run: posts(2, broadcastPort, '/_broadcast', batch(MiB - KiB), withKey),
  },
  {
    name: 'broadcasts of 1 MB with the key: nested deep',
    ends: ['http 201', 'http 503'],
    counted: 'failed_broadcast_msg_total',
    isShort: true,
    run: posts(2, broadcastPort, '/_broadcast', nested(MiB - KiB), withKey),
  },
  {
    name: 'broadcasts of 8 MB over NATS: a batch',
    ...published,
    counted: 'failed_broadcast_msg_total',
    run: publications(batch(8 * MiB)),
  },
  {
    name: 'broadcasts of 8 MB over NATS: nested deep',
    ...published,
    counted: 'failed_broadcast_msg_total',
    run: publications(nested(8 * MiB)),
  },
  {
    name: 'broadcasts of 8 MB over NATS: a long text',
    ...published,
    counted: 'failed_broadcast_msg_total',
    run: publications(long(8 * MiB - KiB)),
  },
  { name: 'replies of the app: 2,000,000 transmissions', ...giant, run: giantReplies('transmissions') },
  { name: 'replies of the app: 36,000 commands', ...giant, run: giantReplies('commands') },
  { name: 'replies of the app: 900,000 streams', ...giant, run: giantReplies('streams') },
  { name: 'replies of the app: 150,000 state keys', ...giant, run: giantReplies('keys') },
  {
    name: "the log's reader stops, frames are logged",
    site: 'unread',
    ends: ['open'],
    countedLong: 'log_dropped_total',
    isShort: true,
    run: (target, ends) =>
      repeat(noisy, target.until, async at => {
        const socket = await dialStation(target, ends, [version16], `healthy-noisy-${at}`)
        if (socket === null) return
        const calls = Math.ceil(noisyCalls * target.share)
        const isLast = (chunk: Buffer): boolean => chunk.includes(`[3,"${calls}"`)
        const done = new Promise<void>(resolve => socket.on('data', (chunk: Buffer) => isLast(chunk) && resolve()))
        socket.write(Buffer.concat(Array.from({ length: calls }, (_, call) => noise(call + 1))))
        await Promise.race([done, gone(socket), sleep(graceMs, undefined, { ref: false })])
        hangUp(socket)
      }),
  },
  {
    name: "the log's reader stops, refusals are logged",
    site: 'unread',
    ends: ['http 400', 'http 404', 'http 429'],
    run: (target, ends) =>
      repeat(100, target.until, async () => {
        const socket = await dialStation(target, ends, [version16], 'x/y/z')
        hangUp(socket)
      }),
  },
]
