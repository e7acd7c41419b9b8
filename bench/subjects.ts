/**
 * The servers that a run compares, each with what it needs to be reached.
 */
import { openAnyCable } from './anycable.ts'
import { openProgram, openServer, type Server } from './children.ts'
import type { Dialect } from './load.ts'

export type Bridge = { readonly name: string; readonly bin: string }

export type Subjects = {
  readonly bridges: readonly Bridge[]
  /** AnyCable's program, `null` to go without it. */
  readonly thrust: string | null
}

/** A server that stations connect to. */
export type Subject = {
  readonly name: string
  readonly server: Server
  readonly dialect: Dialect
  readonly url: string
  /** Whether it answers by itself, asks the app as the bridge does, or asks the app and needs its answer. */
  readonly kind: 'alone' | 'bridge' | 'cable'
}

export const echoName = 'bare `ws` echo'

/**
 * The floor, the peers, the bridges, in that order.
 *
 * @param nodeFlags  for all of them but AnyCable's, which is no Node program
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
  for (const { name, bin } of bridges) subjects.push(ocpp('bridge', name, await openBridge(bin, app.port, nodeFlags)))
  return subjects
}

function openBridge(bin: string, rpcPort: number, nodeFlags: readonly string[]): Promise<Server> {
  const options = [
    '--port=0',
    `--rpc_host=127.0.0.1:${rpcPort}`,
    '--broadcast_adapter=http',
    '--broadcast_key=benchmark',
  ]
  return openProgram(
    process.execPath,
    [...nodeFlags, bin, ...options],
    /WebSocket connections at http:\/\/localhost:(\d+)/,
  )
}

function ocpp(kind: Subject['kind'], name: string, server: Server): Subject {
  return { kind, name, server, dialect: 'ocpp', url: `ws://127.0.0.1:${server.port}/ocpp` }
}

function cable(name: string, server: Server): Subject {
  return { kind: 'cable', name, server, dialect: 'cable', url: `ws://127.0.0.1:${server.port}/cable` }
}
