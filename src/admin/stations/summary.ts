/**
 * A station as the admin API shows it: in a list, and by itself.
 */
import { versions } from '../../ocpp/version.ts'
import type { Departure, Inspected, Member, OpenCall } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import { withoutQuery } from '../../translate/url.ts'
import type { StationState, StationSummary, StationView } from '../answers.ts'
import type { Clock } from '../clock.ts'
import type { Stations } from '../ports.ts'
import { ProblemError } from '../problems.ts'
import { errorsOf, recentEndsOf, troublesOf } from './troubles.ts'

export function summaryOf(stationId: StationId, stations: Stations, clock: Clock): StationSummary {
  const session = stations.claims.current(stationId)
  return session === null ? departed(stationId, stations, clock) : connected(session, stations, clock)
}

function connected({ handshake, openedAt, view }: Member, stations: Stations, clock: Clock): StationSummary {
  const { stationId, version, env } = handshake
  const left = stations.departures.leftOf(stationId)
  return {
    id: stationId,
    state: view.state,
    version: versions[version].number,
    address: env.headers['REMOTE_ADDR'] ?? null,
    connectedAt: clock.timeOf(openedAt),
    lastMessageAt: timeOrNull(view.lastMessageAt, clock),
    sn: view.sn,
    leftAt: timeOrNull(left?.at ?? null, clock),
    leftBecause: left?.reason ?? null,
    messages: view.messages,
    ...recentOf(stationId, stations, clock),
  }
}

function departed(stationId: StationId, stations: Stations, clock: Clock): StationSummary {
  const { departures } = stations
  const left = departures.leftOf(stationId)
  const last = left ?? departures.refusedOf(stationId)
  return {
    id: stationId,
    state: departedState(left),
    version: left === null ? null : versions[left.version].number,
    address: last?.address ?? null,
    connectedAt: null,
    lastMessageAt: null,
    sn: left?.sn ?? null,
    leftAt: timeOrNull(last?.at ?? null, clock),
    leftBecause: last?.reason ?? null,
    messages: 0,
    ...recentOf(stationId, stations, clock),
  }
}

function recentOf(stationId: StationId, stations: Stations, clock: Clock) {
  const errors = errorsOf(stationId, stations)
  const troubles = troublesOf(stationId, stations, clock.now())
  return { recentErrors: errors.length, lastError: errors.at(-1)?.code ?? null, troubles }
}

/** @param left how the last connection of the station ended; `null` if it has had none */
export function departedState(left: Departure | null): StationState {
  return left === null ? 'refused' : 'disconnected'
}

/** Throws `ProblemError` for a station that the bridge does not know. */
export function knownOf(stationId: StationId, { claims, departures }: Stations) {
  const session = claims.current(stationId)
  const [left, refused] = [departures.leftOf(stationId), departures.refusedOf(stationId)]
  if (session === null && left === null && refused === null) throw new ProblemError('unknown-station')
  return { session, left, refused }
}

/** Throws as `knownOf`. */
export function viewOf(stationId: StationId, stations: Stations, clock: Clock, appAway: boolean): StationView {
  const { session, left, refused } = knownOf(stationId, stations)
  const timed = <Kept extends { readonly at: number }>(kept: Kept) => ({ ...kept, at: clock.timeOf(kept.at) })
  const about = session === null ? noConnection : connectionOf(session, stations, clock)
  return {
    ...summaryOf(stationId, stations, clock),
    ...about,
    queues: { ...about.queues, stored: stations.backlog?.has(stationId) ?? false },
    remembered: rememberedOf(stationId, stations),
    heartbeatSeconds: secondsOrNull(stations.known.heartbeatIntervalOf(stationId)),
    recentEnds: recentEndsOf(left, clock.now()),
    appAway,
    violation: session?.view.violation ? timed(session.view.violation) : null,
    errors: errorsOf(stationId, stations).map(timed).reverse(),
    lastEnd: left === null ? null : { at: clock.timeOf(left.at), code: left.code, reason: left.reason },
    lastRefusal:
      refused === null
        ? null
        : { at: clock.timeOf(refused.at), status: refused.status, reason: refused.reason, address: refused.address },
  }
}

const noConnection = {
  sid: null,
  tls: null,
  profile: null,
  url: null,
  streams: [],
  calls: { fromStation: [], toStation: [] },
  queues: { messages: 0, messageBytes: 0, isPaused: false, commands: 0, outcomes: 0 },
  counts: { fromStation: {}, toStation: {} },
}

function connectionOf(session: Member, stations: Stations, clock: Clock) {
  const { who, handshake, view } = session
  const { fromStation, toStation, queues, received, sent } = view.detail()
  const url = withoutQuery(handshake.env.url)
  return {
    sid: who.sid,
    tls: url.startsWith('https:'),
    profile: handshake.profile,
    url,
    streams: stations.streamsOf(session),
    calls: { fromStation: fromStation.map(openCall(clock)), toStation: toStation.map(openCall(clock)) },
    queues,
    counts: { fromStation: received, toStation: sent },
  }
}

function rememberedOf(stationId: StationId, { known: { proofs } }: Stations): StationView['remembered'] {
  const proof = proofs.of(stationId)
  if (proof === null) return null
  const { profile, serialNumber } = proof
  return { profile, serialNumber, mayDowngrade: proofs.mayDowngrade(stationId) }
}

function openCall(clock: Clock) {
  return ({ id, action, since }: OpenCall) => ({
    id,
    action,
    seconds: since === null ? null : Math.round(clock.now() - since) / 1000,
  })
}

function secondsOrNull(ms: number | null): number | null {
  return ms === null ? null : ms / 1000
}

function timeOrNull(at: Inspected['lastMessageAt'], clock: Clock): string | null {
  return at === null ? null : clock.timeOf(at)
}
