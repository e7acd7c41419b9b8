/**
 * A server of stations' sockets that accepts every upgrade.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Version } from '../../src/ocpp/version.ts'
import { Turnstile, type Turns } from '../../src/server/limits/turnstile.ts'
import type { SocketSettings, UpgradeEnd } from '../../src/server/websocket/ports.ts'
import { openSockets } from '../../src/server/websocket/sockets.ts'
import type { StationSocket } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { FakeMeter } from './fakes.ts'
import { keepUntil } from './keep.ts'
import { socketSettings } from './stations-port.ts'

type Gone = { readonly code: number; readonly reason: string }
type Opened = { readonly socket: StationSocket; readonly received: string[]; readonly gone: Promise<Gone> }

const usual: SocketSettings = {
  ...socketSettings,
  // Has tests of its own.
  frameRate: 1_000_000,
  compression: 'on',
}

const now = (): number => performance.now()

/** Accepts stations of one version; `onReceive` is called with each message. */
export async function openUpgraded(
  t: TestContext,
  settings: Partial<SocketSettings> = {},
  version: Version = 'ocpp2.1',
  onReceive: (socket: StationSocket) => void = () => undefined,
  isAccepted = true,
  turnstile: Turns = new Turnstile(now),
) {
  const meter = new FakeMeter()
  const warnings: object[] = []
  const warn = (key: string, fields: object, _message: string, detail?: string): boolean =>
    warnings.push({ key, ...fields, detail }) > 0
  const keep = keepUntil(end => t.after(end))
  const sockets = keep(openSockets({ ...usual, ...settings }, { meter, once: warn, now }, turnstile))
  const waiting: ((opened: Opened) => void)[] = []
  const server = keep(createServer())
  const onOpen: UpgradeEnd['onOpen'] = socket => {
    const received: string[] = []
    let end: (gone: Gone) => void = () => undefined
    const gone = new Promise<Gone>(resolve => (end = resolve))
    if (isAccepted) socket.accept()
    waiting.shift()?.({ socket, received, gone })
    return {
      receive: text => {
        received.push(text)
        onReceive(socket)
      },
      gone: (code, reason) => end({ code, reason }),
    }
  }
  server.on('upgrade', (request, stream, head) => {
    const agreed = { stationId: 'CP1' as StationId, subprotocol: null, version }
    const onRefused = (problem: string) => stream.end(`HTTP/1.1 400 Bad Request\r\n\r\n${problem}`)
    sockets.upgrade(request, stream, head, agreed, { onOpen, onRefused })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    meter,
    warnings,
    port: (server.address() as AddressInfo).port,
    /** The bridge's socket of the next station that connects. */
    next: () => new Promise<Opened>(resolve => waiting.push(resolve)),
  }
}
