/** A UDP socket of 127.0.0.1 that keeps the packets that it gets. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

export interface StatsdServer {
  readonly port: number
  readonly packets: readonly string[]
  /** Of all packets. */
  readonly lines: readonly string[]
  /** The first line that matches, whether received or not. */
  line(pattern: RegExp): Promise<string>
  close(): Promise<void>
}

/** @param port a free one by default */
export async function openStatsdServer(port = 0): Promise<StatsdServer> {
  const packets: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', packet => void packets.push(packet.toString()))
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  const lines = () => packets.flatMap(packet => packet.split('\n'))
  return {
    port: socket.address().port,
    packets,
    get lines() {
      return lines()
    },
    line: async pattern => {
      for (;;) {
        const found = lines().find(line => pattern.test(line))
        if (found !== undefined) return found
        await once(socket, 'message')
      }
    },
    close: () => new Promise(resolve => socket.close(() => resolve())),
  }
}
