/**
 * The settings of the parts that go to the network, from the configuration.
 */
import { broadcastKey } from './broadcast/http.ts'
import type { NatsOptions } from './broadcast/nats.ts'
import type { Config } from './config/rules.ts'
import { rpcKey } from './rpc/http/client.ts'
import type { TransportSettings } from './rpc/open.ts'

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

/** The key of HTTP broadcasts; `null` for none. */
export function broadcastKeyOf({ broadcast }: Config): string | null {
  return keyOf(broadcast.access, broadcastKey)
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
