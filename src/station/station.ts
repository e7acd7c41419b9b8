/**
 * A station as all parts of its session see it: who it is, what it speaks, and what it is served by.
 */
import { versions, type VersionRow } from '../ocpp/version.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import type { Who, World } from './ports.ts'

/** One connection's; each part asks for the settings that it needs. */
export type Station<Settings = unknown> = {
  readonly handshake: StationHandshake
  /** Of the version that was agreed on. */
  readonly row: VersionRow
  readonly who: Who
  readonly settings: Settings
  readonly world: World
}

/** Gives the connection its id. */
export function newStation<Settings>(handshake: StationHandshake, settings: Settings, world: World): Station<Settings> {
  const who = { sid: world.newId(), station: handshake.stationId }
  return { handshake, row: versions[handshake.version], who, settings, world }
}
