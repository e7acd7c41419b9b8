/**
 * A proxy before a gRPC server that counts HTTP/2 frames (RFC 9113 §4.1): the client's pings, the server's GOAWAYs, and
 * its statuses.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Decoder } from '../../src/http2/hpack.ts'
import { decodeMessage } from '../../src/rpc/grpc/status.ts'
import { freePort } from './ports.ts'

const prefaceBytes = 24
const headBytes = 9
const headers = 0x1
const ping = 0x6
const goaway = 0x7
const isAck = 0x1

export interface Http2Tap {
  readonly host: string
  readonly connections: number
  /** Acknowledgements are not counted. */
  readonly pings: number
  readonly goaways: number
  /** How often each status other than OK came, by its code and message. */
  readonly failures: Readonly<Record<string, number>>
  /** Resolves at the frame after which the predicate is true. */
  reaches(predicate: (tap: Http2Tap) => boolean): Promise<void>
  close(): void
}

export async function openHttp2Tap(target: string): Promise<Http2Tap> {
  const [host = '', port = ''] = target.split(':')
  const counts = { connections: 0, pings: 0, goaways: 0 }
  const failures: Record<string, number> = {}
  const sockets = new Set<Socket>()
  const waiting = new Set<() => void>()
  const count = (name: keyof typeof counts): void => {
    counts[name]++
    for (const look of waiting) look()
  }
  const server = createServer(client => {
    count('connections')
    const upstream = connect(Number(port), host)
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined))
    client.on(
      'data',
      frames(prefaceBytes, (type, flags) => type === ping && (flags & isAck) === 0 && count('pings')),
    )
    const decoder = new Decoder(2 ** 16, fields => failureOf(new Map(fields)))
    const onFrame = (type: number, _flags: number, payload: Buffer): void => {
      if (type === goaway) count('goaways')
      const failure = type === headers ? decoder.decode(payload) : null
      if (failure !== null) failures[failure] = (failures[failure] ?? 0) + 1
    }
    upstream.on('data', frames(0, onFrame))
    client.pipe(upstream).pipe(client)
  })
  const own = await freePort()
  server.listen(own, '127.0.0.1')
  await once(server, 'listening')
  const tap: Http2Tap = {
    host: `127.0.0.1:${own}`,
    get connections() {
      return counts.connections
    },
    get pings() {
      return counts.pings
    },
    get goaways() {
      return counts.goaways
    },
    failures,
    reaches: predicate =>
      new Promise(resolve => {
        const look = (): void => {
          if (!predicate(tap)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  return tap
}

/** `null` for a response, and for the status OK. */
function failureOf(fields: ReadonlyMap<string, string>): string | null {
  const code = fields.get('grpc-status') ?? '0'
  return code === '0' ? null : `code ${code}: ${decodeMessage(fields.get('grpc-message') ?? '')}`
}

type OnFrame = (type: number, flags: number, payload: Buffer) => unknown

/** A listener for the bytes of a connection; calls `onFrame` with each frame. */
function frames(skip: number, onFrame: OnFrame): (bytes: Buffer) => void {
  let left = skip
  let rest = Buffer.alloc(0)
  return bytes => {
    rest = Buffer.concat([rest, bytes])
    const skipped = Math.min(left, rest.length)
    left -= skipped
    rest = rest.subarray(skipped)
    while (rest.length >= headBytes) {
      const end = headBytes + rest.readUIntBE(0, 3)
      if (rest.length < end) return
      onFrame(rest.readUInt8(3), rest.readUInt8(4), rest.subarray(headBytes, end))
      rest = rest.subarray(end)
    }
  }
}
