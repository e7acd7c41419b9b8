/**
 * The WebSockets of stations. The only import of `ws`.
 *
 * Spec: RFC 6455.
 */
import type { IncomingMessage } from 'node:http'
import { WebSocketServer, type ServerOptions } from 'ws'
import { Budgets } from '../../ops/limits/budgets.ts'
import type { World } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import type { Turns } from '../limits/turnstile.ts'
import { deflate, mayCompress } from './compression.ts'
import { rateOf } from './intake.ts'
import { Patience } from './liveness.ts'
import { LiveSocket } from './socket.ts'
import { Outgoing } from './outgoing.ts'
import type { Shared, SocketSettings, Sockets, Watched } from './ports.ts'

/** How often the watched connections are looked at, for what must not take long; the others at each sweep. */
const lookMs = 250
/** How long a connection may outlive the close frame that the bridge sends. */
const closeTimeoutMs = 2_000

export function openSockets(
  settings: SocketSettings,
  { meter, once, now }: Pick<World, 'meter' | 'once' | 'now'>,
  turnstile: Turns,
): Sockets {
  const open = new Set<LiveSocket>()
  const watched = new Set<Watched>()
  const patience = new Patience(settings)
  const outgoing = new Outgoing(settings, meter, watched)
  const budgets = new Budgets<StationId>(rateOf(settings.frameRate), now)
  const onReplaced = (station: StationId): void => void once('invalid UTF-8', { station }, replacedText, station)
  const shared = { settings, patience, meter, turnstile, budgets, outgoing, open, watched, now, onReplaced }
  /** What to do for a request that the server refuses. */
  const refused = new WeakMap<IncomingMessage, (problem: string) => void>()
  const plain = newServer(settings, false)
  const compressing = newServer(settings, deflate)
  for (const server of [plain, compressing])
    server.on('wsClientError', (error, _stream, request) => refused.get(request)?.(error.message))
  const stopWatching = watchSockets(shared)
  return {
    upgrade: (request, stream, head, { stationId, subprotocol, version }, { onOpen, onRefused }) => {
      // `ws` parses both headers again and refuses what HTTP allows: other protocols in Upgrade (RFC 9110 §7.8), empty
      // or repeated elements in the list of subprotocols (§5.6.1).
      request.headers.upgrade = 'websocket'
      if (subprotocol === null) delete request.headers['sec-websocket-protocol']
      else request.headers['sec-websocket-protocol'] = subprotocol
      const upgradeBy = (server: WebSocketServer, onProblem: (problem: string) => void): void => {
        refused.set(request, onProblem)
        server.handleUpgrade(request, stream, head, ws => {
          const socket = new LiveSocket(ws, request.socket, stationId, shared)
          socket.attach(onOpen(socket))
        })
      }
      const upgradePlainly = (): void => upgradeBy(plain, onRefused)
      if (!mayCompress(settings.compression, version)) return upgradePlainly()
      // An offer that cannot be met is declined, but the station is not refused for it (RFC 7692 §5).
      upgradeBy(compressing, upgradePlainly)
    },
    close: () => {
      stopWatching()
      for (const socket of open) socket.terminate()
    },
  }
}

/** @returns ends the looks and the sweeps */
function watchSockets({ open, watched, patience, settings, now }: Shared<LiveSocket>): () => void {
  const sweep = setInterval(() => {
    for (const socket of open) {
      socket.check()
      socket.look(now(), Infinity)
    }
  }, patience.sweepMs)
  const looks = setInterval(() => {
    let unfinished = 0
    for (const socket of watched) unfinished += socket.look(now(), settings.unfinishedSize - unfinished)
  }, lookMs)
  return () => {
    clearInterval(sweep)
    clearInterval(looks)
  }
}

function newServer(settings: SocketSettings, perMessageDeflate: typeof deflate | false): WebSocketServer {
  // @types/ws does not know `closeTimeout`.
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    // Further frames wait for another turn of the event loop: see `parseAtOnce`.
    allowSynchronousEvents: false,
    // `LiveSocket` sends them.
    autoPong: false,
    closeTimeout: closeTimeoutMs,
    // Each connection gets limits of its own: see `limitMessages`.
    maxPayload: settings.maxMessageSize,
    skipUTF8Validation: settings.invalidUtf8 === 'replace',
    perMessageDeflate,
  }
  return new WebSocketServer(options)
}

const replacedText =
  'a station sent bytes that are not UTF-8: they are served as U+FFFD, an idTag with one is not known'
