/** TCP servers on 127.0.0.1 without a protocol: they send nothing, or the bytes of a test. */
import { once } from 'node:events'
import { createServer, type ServerOpts, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { freePort } from './ports.ts'

export interface TcpServer {
  readonly host: string
  /** The accepted connections. */
  readonly sockets: readonly Socket[]
  /** The next connection. */
  onConnection(): Promise<Socket>
  /** Ends its connections too. Called at the end of the test. */
  close(): void
}

type Options = ServerOpts & { readonly port?: number }

/** Accepts connections and sends nothing, like the gem while it waits for NATS. */
export function openMute(t: TestContext, options: Options = {}): Promise<TcpServer> {
  return openTcp(t, () => undefined, options)
}

/** @param speak  what it does with each connection */
export async function openTcp(
  t: TestContext,
  speak: (socket: Socket) => void,
  options: Options = {},
): Promise<TcpServer> {
  const { port = await freePort(), ...serverOptions } = options
  const sockets: Socket[] = []
  const server = createServer(serverOptions, socket => {
    sockets.push(socket.on('error', () => undefined))
    speak(socket)
  })
  const close = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  t.after(close)
  const onConnection = async (): Promise<Socket> => ((await once(server, 'connection')) as [Socket])[0]
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { host: `127.0.0.1:${port}`, sockets, onConnection, close }
}
