/**
 * Decides an upgrade request: refuses it, or finishes it and opens the station's session. Where the app or the
 * station's key is asked first, the request waits for that.
 *
 * Spec: OCPP-J 1.6 §3.2, OCPP 2.0.1 Part 4 §3.2.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Connected } from '../../cable/rpc.ts'
import type { Admitted, StationSocket } from '../../session/ports.ts'
import {
  readHandshake,
  refused,
  retryLater,
  type HandshakeSettings,
  type Refusal,
  type StationHandshake,
  type UpgradeRequest,
} from '../../translate/handshake.ts'
import type { Reports } from '../reports.ts'
import type { Answers } from '../requests.ts'
import type { SocketEnd, Sockets } from '../websocket/ports.ts'
import { accessOf, type Access } from './access.ts'
import type { Peers } from './peer.ts'
import { refuse } from './refusals.ts'
import type { OpenConnections } from '../limits/connections.ts'
import { readWhileWaiting } from './waiting.ts'

export interface Reception extends Answers, Reports {
  /** Whether it has credentials that were right before: upgrades of its neighbours must not keep it out. */
  isKnown(handshake: StationHandshake, authorization: string): boolean
  /** Why the station cannot connect now, `null` if it can. */
  refusal(handshake: StationHandshake): Refusal | null
  /** Decides about a station that `refusal` lets pass; `null` where nothing more is asked. */
  readonly ask:
    ((handshake: StationHandshake, authorization: string, gone: AbortSignal) => Promise<Admitted | Refusal>) | null
  /** @param connected what the app has said before the upgrade; `null` if it was not asked */
  admit(handshake: StationHandshake, socket: StationSocket, connected: Connected | null): SocketEnd
  /** Called instead of `admit` where the upgrade fails after the app has accepted the station. */
  release(handshake: StationHandshake, connected: Connected): void
}

/** An upgrade as Node emits it; `head` is what was read beyond the request. */
type Upgrade = {
  readonly request: IncomingMessage
  readonly stream: Duplex
  readonly head: Buffer
  /** Whether its address has used up its upgrades. */
  readonly isTooFast: boolean
}

/** `asked` is what is known of its request. */
type ReadUpgrade = Upgrade & { readonly asked: UpgradeRequest }

type UpgradeSettings = {
  readonly handshake: HandshakeSettings
  readonly access: Access
  readonly peers: Peers
  readonly connections: Pick<OpenConnections, 'isTooFast'>
}

/** Confines a bug to the connection that triggers it. */
export function onUpgrade(upgrade: Upgrade, settings: UpgradeSettings, sockets: Sockets, reception: Reception): void {
  const onFault = (error: unknown): void => {
    upgrade.stream.destroy()
    reception.onFault(settings.peers.upgradeRequest(upgrade.request), error)
  }
  try {
    const readUpgrade = { ...upgrade, asked: settings.peers.upgradeRequest(upgrade.request) }
    const handshake = admissible(readUpgrade, settings, reception)
    if (handshake === null) return
    if (reception.ask === null) finish(readUpgrade, handshake, null, sockets, reception)
    else askFirst(reception.ask, readUpgrade, handshake, sockets, reception).catch(onFault)
  } catch (error) {
    onFault(error)
  }
}

const tooManyUpgrades = refused(429, 'address', 'Too many upgrades from one address', retryLater)

/** The handshake of a station that may connect now, as far as is known; any other is turned away. */
function admissible(upgrade: ReadUpgrade, settings: UpgradeSettings, reception: Reception): StationHandshake | null {
  const { stream, asked } = upgrade
  const read = readHandshake(asked, settings.handshake)
  const handshake = read.kind === 'station' ? accessOf(asked, read, settings.access) : read
  const refusal = handshake.kind === 'refused' ? handshake : refusalOf(handshake, upgrade, settings, reception)
  if (refusal !== null) turnAway(stream, asked, refusal, reception)
  return refusal !== null || handshake.kind === 'refused' ? null : handshake
}

function refusalOf(
  handshake: StationHandshake,
  { request, asked, isTooFast }: ReadUpgrade,
  { connections }: UpgradeSettings,
  reception: Reception,
): Refusal | null {
  if (!isTooFast) return reception.refusal(handshake)
  const isKnown = reception.isKnown(handshake, request.headers.authorization ?? '')
  const mayPass = isKnown && !connections.isTooFast(asked.remoteAddress, true)
  return mayPass ? reception.refusal(handshake) : tooManyUpgrades
}

async function askFirst(
  ask: NonNullable<Reception['ask']>,
  upgrade: ReadUpgrade,
  handshake: StationHandshake,
  sockets: Sockets,
  reception: Reception,
): Promise<void> {
  const { request, stream, asked } = upgrade
  // An upgrade that cannot succeed must cost the app nothing.
  if (!isWebSocketUpgrade(request)) {
    turnAway(stream, asked, invalidUpgrade('Invalid WebSocket upgrade'), reception)
    return
  }
  const gone = new AbortController()
  const onClose = (): void => gone.abort()
  stream.once('close', onClose)
  const stopWaiting = readWhileWaiting(stream)
  const decision = await ask(handshake, request.headers.authorization ?? '', gone.signal)
  stream.off('close', onClose)
  const head = Buffer.concat([upgrade.head, stopWaiting()])
  if (decision.kind === 'refused') turnAway(stream, asked, decision, reception)
  else finish({ ...upgrade, head }, handshake, decision.connected, sockets, reception)
}

function finish(
  { request, stream, head, asked }: ReadUpgrade,
  handshake: StationHandshake,
  connected: Connected | null,
  sockets: Sockets,
  reception: Reception,
): void {
  const upgraded = { isOpen: false }
  sockets.upgrade(request, stream, head, handshake, {
    onOpen: socket => {
      upgraded.isOpen = true
      return reception.admit(handshake, socket, connected)
    },
    onRefused: problem => turnAway(stream, asked, invalidUpgrade(problem), reception),
  })
  if (!upgraded.isOpen && connected !== null) reception.release(handshake, connected)
}

/** As `ws` checks it (RFC 6455 §4.2.1). */
function isWebSocketUpgrade({ method, headers }: IncomingMessage): boolean {
  const isVersion = headers['sec-websocket-version'] === '13' || headers['sec-websocket-version'] === '8'
  return method === 'GET' && isVersion && /^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')
}

/** RFC 6455 §4.4 requires the header for an unsupported version; it does no harm for other problems. */
function invalidUpgrade(problem: string): Refusal {
  return refused(400, 'request', problem, { 'Sec-WebSocket-Version': 13 })
}

/** Refuses, and says so in the log and the metrics. */
export function turnAway(stream: Duplex, asked: UpgradeRequest, refusal: Refusal, reception: Reception): void {
  reception.onRefused(asked, refusal)
  refuse(stream, refusal)
}
