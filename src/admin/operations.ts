/**
 * What each route does. Errors are `ProblemError`; everything else is a bug.
 */
import { membersOf, emptyObject } from '../ocpp/json.ts'
import { redactWhole } from '../ops/redact/redact.ts'
import type { Member, OutboxAdmin } from '../session/ports.ts'
import type { StationId } from '../translate/handshake.ts'
import type { Grant } from './http/access.ts'
import type { Clock } from './clock.ts'
import { consoleOperations } from './console/operations.ts'
import type { Series } from './console/series.ts'
import { openapi } from './openapi.ts'
import { listedOf, messageText } from './outbox.ts'
import type { Facts, Stations } from './ports.ts'
import { ProblemError } from './problems.ts'
import type { AnswerOf, BodyOf, QueryOf, RouteName } from './routes.ts'
import type { Calls } from './stations/calls.ts'
import type { StationList } from './stations/list.ts'
import type { Scans } from './stations/scan.ts'
import { knownOf, viewOf } from './stations/summary.ts'
import type { Events } from './watch/events.ts'
import type { Frames } from './watch/frames.ts'
import type { Start, Streams } from './watch/streams.ts'

/** A request that the route table accepts. */
export type Asked<Name extends RouteName = RouteName> = {
  readonly parameters: Readonly<Record<string, string>>
  readonly query: QueryOf<Name>
  readonly body: BodyOf<Name>
  /** The body's own text; empty without one. */
  readonly text: string
  readonly grant: Grant
}

/** An answer that is written already, because it holds text that must not change. */
export class Written {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }
}

type Answered<Name extends RouteName> = [AnswerOf<Name>] extends [never] ? Start : AnswerOf<Name> | Written
export type Operations = {
  readonly [Name in RouteName]: (asked: Asked<Name>) => Answered<Name> | Promise<Answered<Name>>
}

export type Parts = {
  readonly stations: Stations
  readonly clock: Clock
  readonly scans: Scans
  readonly list: StationList
  readonly calls: Calls
  readonly frames: Frames
  readonly events: Events
  readonly streams: Streams
  readonly series: Series
  readonly outbox: OutboxAdmin | null
  readonly facts: Facts
  readonly startedAt: number
}

export function operationsOf(parts: Parts): Operations {
  return {
    ...stationOperations(parts),
    ...watchOperations(parts),
    ...outboxOperations(parts),
    ...bridgeOperations(parts),
    ...consoleOperations(parts),
  }
}

type StationRoute = 'listStations' | 'getStation' | 'callStation' | 'disconnectStation'

function stationOperations({ stations, clock, list, calls, facts }: Parts): Pick<Operations, StationRoute> {
  return {
    listStations: ({ query }) => list.page(query),
    getStation: ({ parameters }) => viewOf(idOf(parameters), stations, clock, facts.rpc().away),
    callStation: async ({ parameters, body, text }) => {
      const { action, timeout, notify } = body
      const payload = membersOf(text).get('payload') ?? emptyObject
      const timeoutMs = timeout === undefined ? facts.callTimeoutMs : timeout * 1000
      return new Written(
        await calls.call(sessionOf(parameters, stations, clock), { action, payload, timeoutMs, notify }),
      )
    },
    disconnectStation: ({ parameters, query: { reason } }) => {
      const session = sessionOf(parameters, stations, clock)
      const { sid, station: id } = session.who
      session.close(1000, reason)
      return { id, sid, code: 1000, reason }
    },
  }
}

type WatchRoute = 'listMessages' | 'setHistory' | 'setLog' | 'tailMessages' | 'tailEvents'

/** Frames are long: to write so many takes a fraction of a millisecond. */
const framesPerLook = 8

function watchOperations({ stations, clock, scans, frames, events }: Parts): Pick<Operations, WatchRoute> {
  return {
    listMessages: async ({ parameters, query: { limit } }) => {
      const station = idOf(parameters)
      const { messages, ...about } = frames.historyOf(station, limit)
      // A station may be unknown by now, and have a history.
      if (messages.length === 0) knownOf(station, stations)
      const texts: string[] = []
      await scans.each(messages, frame => texts.push(JSON.stringify(frame)), framesPerLook)
      return new Written(`${JSON.stringify(about).slice(0, -1)},"messages":[${texts.join(',')}]}`)
    },
    setHistory: ({ parameters, body }) => {
      const station = idOf(parameters)
      return { station, until: clock.timeOf(frames.setHistory(station, body.frames, body.for * 1000)) }
    },
    setLog: ({ parameters, body }) => {
      const station = idOf(parameters)
      return { station, until: clock.timeOf(frames.setLog(station, body.level, body.for * 1000)) }
    },
    tailMessages: ({ query }) => frames.tail(query),
    tailEvents: ({ query }) => events.tail(query),
  }
}

type OutboxRoute = 'listOutbox' | 'getOutboxMessage' | 'retryOutbox' | 'dropOutbox'

function outboxOperations({ outbox, stations }: Parts): Pick<Operations, OutboxRoute> {
  return {
    listOutbox: async ({ query: { station, state, after = 0, limit } }) => {
      const filter = { stationId: (station ?? null) as StationId | null, state: state ?? null, after, limit: limit + 1 }
      const found = await onDisk(outbox, opened => opened.list(filter))
      const messages = found.slice(0, limit).map(listedOf)
      return { messages, next: found.length > limit ? (messages.at(-1)?.number ?? null) : null }
    },
    getOutboxMessage: async ({ parameters, grant }) => {
      const number = parameters['number'] ?? ''
      const seq = /^\d{1,15}$/.test(number) ? Number(number) : null
      const row = seq === null ? null : await onDisk(outbox, opened => opened.find(seq))
      if (row === null) throw new ProblemError('unknown-message')
      const payload = grant === 'read token' ? redactWhole(row.payload) : row.payload
      return new Written(messageText(row, payload))
    },
    retryOutbox: async ({ body }) => {
      const which = whichOf(body)
      const { messages, stations: woken } = await onDisk(outbox, opened => opened.retry(which))
      stations.backlog?.wake(woken)
      return { messages }
    },
    dropOutbox: async ({ body }) => {
      const which = whichOf(body)
      return { messages: await onDisk(outbox, opened => opened.drop(which)) }
    },
  }
}

type BridgeRoute = 'getStats' | 'getConfig' | 'getOpenapi'

function bridgeOperations(parts: Parts): Pick<Operations, BridgeRoute> {
  const document = new Written(JSON.stringify(openapi(parts.facts.version)))
  return {
    getStats: () => statsOf(parts),
    getConfig: () => ({ options: parts.facts.options }),
    getOpenapi: () => document,
  }
}

async function statsOf({ stations, clock, list, frames, streams, facts, startedAt }: Parts) {
  const { size, streamCount, departures, backlog } = stations
  const watchOf = ({ station, until }: { readonly station: string; readonly until: number }) => ({
    station,
    until: clock.timeOf(until),
  })
  return {
    version: facts.version,
    nodeId: facts.nodeId,
    startedAt: clock.timeOf(startedAt),
    ready: facts.readiness(),
    stations: size,
    ...(await list.counts()),
    departed: departures.size,
    streams: streamCount,
    rpc: facts.rpc(),
    disconnects: facts.disconnects(),
    outbox: backlog === null ? null : { messages: backlog.messages, oldestSeconds: backlog.oldestSeconds },
    memory: { bytes: process.memoryUsage.rss() },
    watching: {
      streams: streams.size,
      logs: Array.from(frames.logs, watchOf),
      histories: Array.from(frames.histories, watchOf),
      historyBytes: frames.historyBytes,
    },
  }
}

function idOf({ id = '' }: Readonly<Record<string, string>>): StationId {
  return id as StationId
}

/** Throws `ProblemError` for a station that is not connected. */
function sessionOf(parameters: Readonly<Record<string, string>>, stations: Stations, clock: Clock): Member {
  const { session, left } = knownOf(idOf(parameters), stations)
  if (session !== null) return session
  const detail = left === null ? undefined : `It left at ${clock.timeOf(left.at)}: ${left.reason}`
  throw new ProblemError('not-connected', detail)
}

/** Rejects with `ProblemError` where there is no outbox, or its disk fails. */
async function onDisk<Result>(outbox: OutboxAdmin | null, run: (outbox: OutboxAdmin) => Promise<Result>) {
  if (outbox === null) throw new ProblemError('no-outbox')
  try {
    return await run(outbox)
  } catch (error) {
    throw new ProblemError('outbox-failed', error instanceof Error ? error.message : undefined)
  }
}

function whichOf({ numbers, all }: BodyOf<'retryOutbox'>): readonly number[] | null {
  if ((numbers === undefined) === (all !== true))
    throw new ProblemError('bad-request', 'The body must have either numbers or "all": true')
  return numbers ?? null
}
