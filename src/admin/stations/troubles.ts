/**
 * What is wrong with a station, by what the bridge has seen of it lately.
 */
import type { Departure, KeptError, Member } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import { troubleKinds, type Trouble } from '../answers.ts'
import type { Stations } from '../ports.ts'

const hourMs = 3_600_000
/** A station may lose its connection now and then; its app, its bridge or a proxy may be restarted. */
const endsOfLoop = 3
/** A station sends a Heartbeat, or anything else, within one. */
const silentIntervals = 2
const maxErrors = 10

type Kind = (about: About) => boolean
type About = {
  readonly stationId: StationId
  readonly session: Member | null
  readonly left: Departure | null
  readonly stations: Stations
  /** In ms of `World.now`. */
  readonly now: number
}

const kinds: Readonly<Record<Trouble, Kind>> = {
  refused: ({ stationId, session, left, stations, now }) => {
    const refused = stations.departures.refusedOf(stationId)
    // Anybody may be refused under its id.
    if (session !== null && session.view.state !== 'attaching') return false
    return refused !== null && isRecent(refused.at, now) && refused.at > (session?.openedAt ?? left?.at ?? -Infinity)
  },
  reconnects: ({ left, now }) => recentEndsOf(left, now) >= endsOfLoop,
  silent: ({ stationId, session, stations, now }) => {
    const intervalMs = session === null ? null : stations.known.heartbeatIntervalOf(stationId)
    if (session === null || intervalMs === null) return false
    return now - (session.view.lastMessageAt ?? session.openedAt) > silentIntervals * intervalMs
  },
  violations: ({ session, now }) => isRecent(session?.view.violation?.at, now),
  errors: ({ stationId, stations, now }) => isRecent(errorsOf(stationId, stations).at(-1)?.at, now),
  stored: ({ stationId, stations }) => stations.backlog?.has(stationId) === true,
}

/** @param now in ms of `World.now` */
export function troublesOf(stationId: StationId, stations: Stations, now: number): readonly Trouble[] {
  const session = stations.claims.current(stationId)
  const left = stations.departures.leftOf(stationId)
  const about = { stationId, session, left, stations, now }
  return troubleKinds.filter(kind => kinds[kind](about))
}

/** The latest last, those of the connection before included. */
export function errorsOf(stationId: StationId, { claims, departures }: Stations): readonly KeptError[] {
  const before = departures.leftOf(stationId)?.errors ?? []
  return [...before, ...(claims.current(stationId)?.view.errors ?? [])].slice(-maxErrors)
}

/** How many connections of a station ended in the last hour. */
export function recentEndsOf(left: Departure | null, now: number): number {
  return left === null ? 0 : left.ends.filter(at => isRecent(at, now)).length
}

function isRecent(at: number | undefined, now: number): boolean {
  return at !== undefined && now - at < hourMs
}
