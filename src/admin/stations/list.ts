/**
 * A page of stations: filtered, sorted, with a cursor.
 */
import type { Member } from '../../session/ports.ts'
import { versions } from '../../ocpp/version.ts'
import type { StationId } from '../../translate/handshake.ts'
import type { StationState, StationSummary } from '../answers.ts'
import type { Clock } from '../clock.ts'
import type { Stations } from '../ports.ts'
import { ProblemError } from '../problems.ts'
import type { AnswerOf, QueryOf } from '../routes.ts'
import { matcherOf } from '../watch/patterns.ts'
import { departedState, summaryOf } from './summary.ts'
import type { Scans } from './scan.ts'
import { errorsOf, troublesOf } from './troubles.ts'

type Query = QueryOf<'listStations'>

/** By what stations are sorted: a value, `null` for those without, then the identity. */
type Place = readonly [value: number | string | null, stationId: string]

type Found = { readonly place: Place; readonly stationId: StationId }

export class StationList {
  readonly #stations: Stations
  readonly #clock: Clock
  readonly #scans: Scans

  constructor(stations: Stations, clock: Clock, scans: Scans) {
    this.#stations = stations
    this.#clock = clock
    this.#scans = scans
  }

  /** Rejects with `ProblemError` for an invalid cursor. */
  async page(query: Query): Promise<AnswerOf<'listStations'>> {
    const { sort, limit, cursor } = query
    const compare = comparison(sort.startsWith('-'))
    const key = sort.replace('-', '')
    const after = cursor === undefined ? null : readCursor(cursor, key)
    const matches = this.#filter(query)
    const found: Found[] = []
    let matched = 0
    await this.#scans.each(this.#all(), stationId => {
      const session = this.#stations.claims.current(stationId)
      if (!matches(stationId, session)) return
      matched++
      const place = this.#place(stationId, session, key)
      if (after !== null && compare(place, after) <= 0) return
      insert(found, { place, stationId }, limit + 1, compare)
    })
    const page = found.slice(0, limit)
    const last = page.at(-1)
    const next = found.length > limit && last !== undefined ? writeCursor(last.place) : null
    return { stations: page.map(({ stationId }) => this.#summary(stationId)), matched, next }
  }

  /** Connected stations by version and by state. */
  async counts() {
    const byVersion: Record<string, number> = {}
    const byState: Record<string, number> = {}
    await this.#scans.each([...this.#stations.claims.stationIds()], stationId => {
      const session = this.#stations.claims.current(stationId)
      if (session === null) return
      const { number } = versions[session.handshake.version]
      byVersion[number] = (byVersion[number] ?? 0) + 1
      byState[session.view.state] = (byState[session.view.state] ?? 0) + 1
    })
    return { byVersion, byState }
  }

  /** The ids are taken at once: stations come and go during a scan. */
  *#all(): Generator<StationId> {
    const connected = [...this.#stations.claims.stationIds()]
    const gone = [...this.#stations.departures.stationIds()]
    yield* connected
    for (const stationId of gone) if (this.#stations.claims.current(stationId) === null) yield stationId
  }

  #filter({ id, version, state, connectedSince, silentFor }: Query) {
    const fitsId = matcherOf(id)
    const since = connectedSince === undefined ? -Infinity : this.#clock.at(connectedSince)
    const silentSince = silentFor === undefined ? Infinity : this.#clock.now() - silentFor * 1000
    const onlyConnected = connectedSince !== undefined || silentFor !== undefined
    return (stationId: StationId, session: Member | null): boolean => {
      if (!fitsId(stationId) || (onlyConnected && session === null)) return false
      if (state !== undefined && !this.#isIn(state, stationId, session)) return false
      if (version !== undefined && version !== this.#versionOf(stationId, session)) return false
      return session === null || (session.openedAt >= since && lastSignOf(session) <= silentSince)
    }
  }

  #isIn(state: NonNullable<Query['state']>, stationId: StationId, session: Member | null): boolean {
    if (state === 'connected') return session !== null
    if (state === 'troubled') return troublesOf(stationId, this.#stations, this.#clock.now()).length > 0
    return state === this.#stateOf(stationId, session)
  }

  #stateOf(stationId: StationId, session: Member | null): StationState {
    if (session !== null) return session.view.state
    return departedState(this.#stations.departures.leftOf(stationId))
  }

  #versionOf(stationId: StationId, session: Member | null): string | null {
    const version = session?.handshake.version ?? this.#stations.departures.leftOf(stationId)?.version
    return version === undefined ? null : versions[version].number
  }

  #place(stationId: StationId, session: Member | null, key: string): Place {
    if (key === 'id') return ['', stationId]
    if (key === 'errors') return [errorsOf(stationId, this.#stations).length, stationId]
    const value = key === 'connectedAt' ? session?.openedAt : session?.view.lastMessageAt
    return [value ?? null, stationId]
  }

  #summary(stationId: StationId): StationSummary {
    return summaryOf(stationId, this.#stations, this.#clock)
  }
}

function lastSignOf({ openedAt, view }: Member): number {
  return view.lastMessageAt ?? openedAt
}

type Compare = (one: Place, other: Place) => number

function comparison(isReversed: boolean): Compare {
  const sign = isReversed ? -1 : 1
  return ([one, oneId], [other, otherId]) => {
    if ((one === null) !== (other === null)) return one === null ? 1 : -1
    if (one !== other) return (one ?? '') < (other ?? '') ? -sign : sign
    if (oneId === otherId) return 0
    return oneId < otherId ? -sign : sign
  }
}

/** Keeps the first `most`, in order. */
function insert(found: Found[], one: Found, most: number, compare: Compare): void {
  const last = found.at(-1)
  if (found.length >= most && last !== undefined && compare(one.place, last.place) >= 0) return
  let low = 0
  let high = found.length
  while (low < high) {
    const middle = (low + high) >> 1
    const there = found[middle]
    if (there !== undefined && compare(there.place, one.place) < 0) low = middle + 1
    else high = middle
  }
  found.splice(low, 0, one)
  if (found.length > most) found.pop()
}

function writeCursor(place: Place): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** @param key by what the page is sorted */
function isPlace(place: unknown, key: string): place is Place {
  if (!Array.isArray(place) || place.length !== 2 || typeof place[1] !== 'string') return false
  return key === 'id' ? place[0] === '' : place[0] === null || typeof place[0] === 'number'
}

function readCursor(cursor: string, key: string): Place {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (isPlace(place, key)) return place
  } catch {
    // Below.
  }
  throw new ProblemError('bad-request', 'The parameter cursor must be the next of an earlier page')
}
