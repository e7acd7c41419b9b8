/**
 * The servers that a run compares, each with its address and protocol.
 */
import { openAnyCable } from './anycable.ts'
import type { CallName } from './calls.ts'
import { openProgram, openServer, type Server } from './children.ts'
import type { Compression, Dialect } from './load.ts'

/** A build of the bridge: the path of its program, and its flags. */
export type Bridge = {
  readonly name: string
  readonly bin: string
  readonly flags?: readonly string[]
} & Partial<Stations>

/** The compression of its stations. */
export type Stations = {
  readonly compression: Compression
  /** The call that each station makes once, besides its boot, before it is idle. */
  readonly firstCall: CallName | null
}

export type Subjects = {
  readonly bridges: readonly Bridge[]
  /** AnyCable's program; `null` for none. */
  readonly thrust: string | null
}

/** A server that stations connect to. */
export type Subject = {
  readonly name: string
  readonly server: Server
  readonly dialect: Dialect
  readonly url: string
  /** `alone`: it answers by itself; `bridge`: it calls the app; `cable`: it calls the app and needs its answer. */
  readonly kind: 'alone' | 'bridge' | 'cable'
} & Stations

export const echoName = 'bare `ws` echo'

/**
 * The echo server, the servers for comparison and the bridges, in this order.
 *
 * @param nodeFlags for all of them but AnyCable's server, which does not run on Node
 */
export async function openSubjects(
  { bridges, thrust }: Subjects,
  app: Server,
  nodeFlags: readonly string[] = [],
): Promise<Subject[]> {
  const subjects = [
    ocpp('alone', echoName, await openServer('./echo-server.ts', [], nodeFlags)),
    ocpp('alone', '`ocpp-rpc`, no validation', await openServer('./ocpp-rpc-server.ts', [], nodeFlags)),
    ocpp('alone', '`ocpp-rpc`, strict', await openServer('./ocpp-rpc-server.ts', ['strict'], nodeFlags)),
  ]
  if (thrust !== null) subjects.push(cable('anycable-go', await openAnyCable(thrust, app.port)))
  for (const bridge of bridges) subjects.push(await openBridge(bridge, app, nodeFlags))
  return subjects
}

export async function openBridge(
  { name, bin, flags = [], ...stations }: Bridge,
  app: Server,
  nodeFlags: readonly string[] = [],
): Promise<Subject> {
  const ends = ['--port=0', `--rpc_host=127.0.0.1:${app.port}`, '--broadcast_adapter=http', '--broadcast_key=benchmark']
  const ready = /WebSocket connections at http:\/\/localhost:(\d+)/
  const server = await openProgram(process.execPath, [...nodeFlags, bin, ...ends, ...flags], ready)
  return { ...ocpp('bridge', name, server), ...stations }
}

const usual: Stations = { compression: 'none', firstCall: null }

function ocpp(kind: Subject['kind'], name: string, server: Server): Subject {
  return { ...usual, kind, name, server, dialect: 'ocpp', url: `ws://127.0.0.1:${server.port}/ocpp` }
}

function cable(name: string, server: Server): Subject {
  return { ...usual, kind: 'cable', name, server, dialect: 'cable', url: `ws://127.0.0.1:${server.port}/cable` }
}
