/**
 * Between the configuration and the parts: reads its file, and gives the parts that go to the network their settings.
 */
import { existsSync, readFileSync } from 'node:fs'
import { broadcastKey, type BroadcastEndpoint } from './broadcast/http.ts'
import type { NatsOptions } from './broadcast/nats.ts'
import { statsdPort } from './config/addresses.ts'
import type { Asked, ConfigFile } from './config/resolve.ts'
import type { Config } from './config/rules.ts'
import type { StatsdSettings } from './ops/reporting/statsd.ts'
import { rpcKey } from './rpc/http/client.ts'
import type { TransportSettings } from './rpc/open.ts'

/**
 * Reads the file; `null` when it is optional and missing.
 *
 * @param readText throws if it cannot be read; without it, also a pipe is read, to its end
 */
export function readConfigFile(
  asked: Asked['file'],
  readText = (file: string): string => readFileSync(file, 'utf8'),
): ConfigFile | null {
  if (asked === null || (!asked.required && !existsSync(asked.path))) return null
  try {
    return { path: asked.path, text: readText(asked.path) }
  } catch (error) {
    return { path: asked.path, unreadable: error instanceof Error ? error.message : 'cannot be read' }
  }
}

export function transportSettings({ rpc }: Config): TransportSettings {
  return { ...rpc, httpKey: keyOf(rpc.httpAccess, rpcKey) }
}

export function natsOptions({ broadcast }: Config): NatsOptions {
  const { natsCredentials, natsNkey, natsToken, natsTlsCa: ca, natsTlsCert: cert, natsTlsKey: key } = broadcast
  const hasTls = ca !== null || cert !== null
  return {
    servers: broadcast.natsServers,
    channel: broadcast.natsChannel,
    dontRandomizeServers: broadcast.natsDontRandomizeServers,
    ...(natsCredentials !== null && { credentialsFile: natsCredentials }),
    ...(natsNkey !== null && { nkeySeedFile: natsNkey }),
    ...(natsToken !== null && { token: natsToken }),
    ...(hasTls && {
      tls: {
        ...(ca !== null && { caFile: ca }),
        ...(cert !== null && key !== null && { certFile: cert, keyFile: key }),
      },
    }),
  }
}

export function broadcastEndpoint({ broadcast }: Config): BroadcastEndpoint {
  return { path: broadcast.httpPath, key: keyOf(broadcast.access, broadcastKey) }
}

/** `null` where nothing is sent to StatsD. */
export function statsdSettings({
  statsd,
  metrics: { tags },
}: Pick<Config, 'statsd' | 'metrics'>): StatsdSettings | null {
  if (statsd.host === null) return null
  const { hostname, port } = new URL(`udp://${statsd.host}`)
  return { ...statsd, tags, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || statsdPort) }
}

/** @param derived derives the key from the secret, as the app does */
function keyOf(access: Config['rpc']['httpAccess'], derived: (secret: string) => string): string | null {
  switch (access.kind) {
    case 'open':
      return null
    case 'key':
      return access.key
    case 'keyOf':
      return derived(access.secret)
  }
}
