/**
 * Decides an upgrade request: refuses it, or finishes it and opens the station's session.
 *
 * Spec: OCPP-J 1.6 §3.2, OCPP 2.0.1 Part 4 §3.2.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { StationSocket } from '../../session/ports.ts'
import {
  readHandshake,
  type HandshakeSettings,
  type Refusal,
  type StationHandshake,
  type UpgradeRequest,
} from '../../translate/handshake.ts'
import type { Reports } from '../reports.ts'
import type { Answers } from '../requests.ts'
import type { SocketEnd, Sockets } from '../websocket/socket.ts'
import { upgradeRequest } from './peer.ts'
import { refuse } from './refusals.ts'

export interface Reception extends Answers, Reports {
  /** Why the station cannot connect now, `null` if it can. */
  refusal(handshake: StationHandshake): Refusal | null
  admit(handshake: StationHandshake, socket: StationSocket): SocketEnd
}

/** An upgrade as Node emits it; `head` is what was read beyond the request. */
type Upgrade = { readonly request: IncomingMessage; readonly stream: Duplex; readonly head: Buffer }

/** Confines a bug to the connection that triggers it. */
export function onUpgrade(
  upgrade: Upgrade,
  settings: { readonly handshake: HandshakeSettings },
  sockets: Sockets,
  reception: Reception,
): void {
  const { request, stream } = upgrade
  try {
    decide(upgrade, settings.handshake, sockets, reception)
  } catch (error) {
    stream.destroy()
    reception.onFault(upgradeRequest(request), error)
  }
}

function decide(
  { request, stream, head }: Upgrade,
  settings: HandshakeSettings,
  sockets: Sockets,
  reception: Reception,
): void {
  const asked = upgradeRequest(request)
  const handshake = readHandshake(asked, settings)
  if (handshake.kind === 'refused') return turnAway(stream, asked, handshake, reception)
  const refusal = reception.refusal(handshake)
  if (refusal !== null) return turnAway(stream, asked, refusal, reception)
  sockets.upgrade(request, stream, head, handshake, socket => reception.admit(handshake, socket))
}

/** Refuses, and says so in the log and the metrics. */
export function turnAway(stream: Duplex, asked: UpgradeRequest, refusal: Refusal, reception: Reception): void {
  reception.onRefused(asked, refusal)
  refuse(stream, refusal)
}
