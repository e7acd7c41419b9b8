/**
 * The servers that a run compares, each with its address and protocol.
 */
import { openAnyCable } from './anycable.ts'
import { openProgram, openServer, type Server } from './children.ts'
import type { Compression, Dialect } from './dialects.ts'

/** A build of the bridge: the path of its program, and its flags. */
export type Bridge = { readonly name: string; readonly bin: string; readonly flags?: readonly string[] }

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
  readonly compression: Compression
  /** Where it takes broadcasts over HTTP; `null` if it takes none. */
  readonly broadcastUrl: string | null
}

/** A server that is not started yet. */
export type Contestant = { readonly name: string; open(): Promise<Subject> }

export const echoName = 'bare `ws` echo'
export const goName = 'anycable-go'
/** Of both AnyCable's server and the bridge. */
export const broadcastKey = 'benchmark'

/** AnyCable's server and the bridges, in this order: they call the app. */
export function appServersOf(
  { bridges, thrust }: Subjects,
  app: Server,
  nodeFlags: readonly string[] = [],
): readonly Contestant[] {
  const go: Contestant[] = thrust === null ? [] : [{ name: goName, open: () => openGo(thrust, app) }]
  return [...go, ...bridges.map(bridge => ({ name: bridge.name, open: () => openBridge(bridge, app, nodeFlags) }))]
}

/**
 * The echo server and `ocpp-rpc`'s, which answer by themselves, without validation and with it.
 *
 * @param nodeFlags as for the bridges: for all but AnyCable's server, which does not run on Node
 */
export function peersOf(nodeFlags: readonly string[] = []): readonly Contestant[] {
  const peer = (name: string, file: string, ...args: readonly string[]): Contestant => ({
    name,
    open: async () => ocpp('alone', name, await openServer(file, args, nodeFlags)),
  })
  return [
    peer(echoName, './echo-server.ts'),
    peer('`ocpp-rpc`, no validation', './ocpp-rpc-server.ts'),
    peer('`ocpp-rpc`, strict', './ocpp-rpc-server.ts', 'strict'),
  ]
}

export async function openBridge(
  { name, bin, flags = [] }: Bridge,
  app: { readonly port: number },
  nodeFlags: readonly string[] = [],
): Promise<Subject> {
  const ends = [
    '--port=0',
    `--rpc_host=127.0.0.1:${app.port}`,
    '--broadcast_adapter=http',
    `--broadcast_key=${broadcastKey}`,
  ]
  const ready = /WebSocket connections at http:\/\/localhost:(\d+)/
  const server = await openProgram(process.execPath, [...nodeFlags, bin, ...ends, ...flags], ready)
  return { ...ocpp('bridge', name, server), broadcastUrl: `http://127.0.0.1:${server.port}/_broadcast` }
}

async function openGo(thrust: string, app: Server): Promise<Subject> {
  const { server, broadcastPort } = await openAnyCable(thrust, app.port, broadcastKey)
  return {
    ...ocpp('cable', goName, server),
    dialect: 'cable',
    url: `ws://127.0.0.1:${server.port}/cable`,
    broadcastUrl: `http://127.0.0.1:${broadcastPort}/_broadcast`,
  }
}

function ocpp(kind: Subject['kind'], name: string, server: Server): Subject {
  const url = `ws://127.0.0.1:${server.port}/ocpp`
  return { kind, name, server, dialect: 'ocpp', url, compression: 'none', broadcastUrl: null }
}
