/**
 * Opens the admin API.
 */
import type { HttpServer } from '../ops/http/server.ts'
import type { Log } from '../ops/log.ts'
import type { OutboxAdmin, StationEvent, Trace, World } from '../session/ports.ts'
import { fileURLToPath } from 'node:url'
import { Clock } from './clock.ts'
import { readPages } from './console/pages.ts'
import { Series } from './console/series.ts'
import { operationsOf } from './operations.ts'
import type { Facts, Stations } from './ports.ts'
import { openServer, type ServerSettings } from './http/server.ts'
import { Calls } from './stations/calls.ts'
import { StationList } from './stations/list.ts'
import { Scans } from './stations/scan.ts'
import { Events } from './watch/events.ts'
import { Frames, type FrameSettings } from './watch/frames.ts'
import { Streams } from './watch/streams.ts'

export type AdminSettings = ServerSettings & FrameSettings

export type AdminParts = {
  readonly stations: Stations
  readonly outbox: OutboxAdmin | null
  readonly facts: Facts
  readonly world: Pick<World, 'now' | 'date' | 'newId' | 'log' | 'once'>
  /** Writes at debug level, whatever the level of the process. */
  readonly verboseLog: Log
  onTrace(trace: Trace | null): void
  onEvents(take: ((event: StationEvent) => void) | null): void
}

export type Admin = HttpServer & {
  onRefused(stationId: string, status: number, reason: string): void
  /** Whether the log has all frames, from now on. */
  logAll(logsAll: boolean): void
}

/** Rejects if the port cannot be bound. */
export async function openAdmin(settings: AdminSettings, parts: AdminParts): Promise<Admin> {
  const { stations, outbox, facts, world } = parts
  const clock = new Clock(world)
  const frames = new Frames(settings, clock, parts.verboseLog, trace => parts.onTrace(trace))
  const events = new Events(clock, take => parts.onEvents(take))
  const streams = new Streams()
  const scans = new Scans(world.now)
  const list = new StationList(stations, clock, scans)
  const calls = new Calls(clock, world.newId)
  const startedAt = world.now()
  const watching = { frames, events, streams }
  const series = new Series({
    counts: () => facts.counts(),
    levels: () => ({
      stations: stations.size,
      rpcPending: facts.rpc().pending,
      disconnects: facts.disconnects(),
      outbox: stations.backlog?.messages ?? null,
    }),
    timeNow: () => clock.timeOf(world.now()),
  })
  const shown = { stations, clock, scans, list, calls, series, outbox, facts, startedAt }
  const operations = operationsOf({ ...shown, ...watching })
  const pages = readPages(fileURLToPath(new URL('../console', import.meta.url)))
  const server = await openServer(settings, operations, streams, pages, world)
  return {
    port: server.port,
    onRefused: (stationId, status, reason) => events.onRefused(stationId, status, reason),
    logAll: frames.logAll.bind(frames),
    close: async () => {
      frames.close()
      series.close()
      await server.close()
    },
  }
}
