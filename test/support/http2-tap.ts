/**
 * A proxy before a gRPC server that counts HTTP/2 frames (RFC 9113 §4.1): the client's pings and the server's GOAWAYs.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { freePort } from './ports.ts'

const prefaceBytes = 24
const headBytes = 9
const ping = 0x6
const goaway = 0x7
const isAck = 0x1

export interface Http2Tap {
  readonly host: string
  readonly connections: number
  /** Acknowledgements are not counted. */
  readonly pings: number
  readonly goaways: number
  /** Resolves at the frame after which the predicate is true. */
  reaches(predicate: (tap: Http2Tap) => boolean): Promise<void>
  close(): void
}

export async function openHttp2Tap(target: string): Promise<Http2Tap> {
  const [host = '', port = ''] = target.split(':')
  const counts = { connections: 0, pings: 0, goaways: 0 }
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
    upstream.on(
      'data',
      frames(0, type => type === goaway && count('goaways')),
    )
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

/** A listener for the bytes of a connection; calls `onFrame` with the type and flags of each frame. */
function frames(skip: number, onFrame: (type: number, flags: number) => unknown): (bytes: Buffer) => void {
  let left = skip
  let rest = Buffer.alloc(0)
  return bytes => {
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      const skipped = Math.min(left, rest.length)
      left -= skipped
      rest = rest.subarray(skipped)
      if (left > 0 || rest.length < headBytes) return
      onFrame(rest.readUInt8(3), rest.readUInt8(4))
      left = headBytes + rest.readUIntBE(0, 3)
    }
  }
}
