/**
 * Rules of the options that decide who may command stations, by the admin API and by broadcasts over HTTP, and who
 * checks the keys of stations.
 *
 * Pure.
 */
import { isLoopback } from '../../translate/url.ts'
import type { Settings } from '../options.ts'

/** Why the bridge must not start with these options; `null` if it may. */
export function adminProblem({
  admin,
  server,
  metrics,
}: Pick<Settings, 'admin' | 'server' | 'metrics'>): string | null {
  const { port, host, token, readToken } = admin
  if (port === 0) return null
  if (port === server.port) return `admin_port is ${port}, the stations' port: set another port`
  if (port === metrics.port) return `admin_port is ${port}, which is metrics_port too: set another port`
  if (token === null && !isLoopback(host))
    return `admin_host is ${host}, which other machines reach: set admin_token, or remove admin_host`
  return token !== null && token === readToken ? 'admin_read_token is the same as admin_token: set another one' : null
}

/** What is doubtful about them; `null` if nothing is. */
export function adminCaution({ admin: { port, token, readToken } }: Pick<Settings, 'admin'>): string | null {
  const isSet = token !== null || readToken !== null
  return isSet && port === 0 ? 'an admin token is set, but admin_port is not: there is no admin API' : null
}

type Broadcasts = {
  readonly server: Pick<Settings['server'], 'host' | 'port'>
  readonly broadcast: Pick<Settings['broadcast'], 'adapters' | 'httpPort'> & {
    readonly access: { readonly kind: 'open' | 'key' | 'keyOf' }
  }
}

/** Whether HTTP broadcasts arrive on the stations' port, and need no listener of their own. */
export function broadcastsOnStationsPort({ broadcast, server }: Broadcasts): boolean {
  return broadcast.adapters.includes('http') && broadcast.httpPort === server.port
}

/** Why the bridge must not start with these options; `null` if it may. Whoever may broadcast commands every station. */
export function broadcastProblem(config: Broadcasts): string | null {
  const { server, broadcast } = config
  if (!broadcast.adapters.includes('http') || broadcast.access.kind !== 'open') return null
  if (broadcastsOnStationsPort(config))
    return `http_broadcast_port is ${server.port}, the stations' port, and broadcasts need no key: set broadcast_key or secret, or another port`
  if (isLoopback(server.host)) return null
  return `host is ${server.host}, which other machines reach, and broadcasts on port ${broadcast.httpPort} need no key: set broadcast_key or secret, or broadcast_adapter=nats`
}

/** What is doubtful about a profile that needs keys; `null` if nothing is. */
export function keysCaution({
  ocpp,
  rpc,
  server: { listeners },
}: {
  readonly ocpp: Pick<Settings['ocpp'], 'authFile'>
  readonly rpc: Pick<Settings['rpc'], 'headers'>
  readonly server: { readonly listeners: readonly { readonly profile: number }[] }
}): string | null {
  const withKeys = listeners.find(({ profile }) => profile === 1 || profile === 2)
  if (withKeys === undefined || ocpp.authFile !== null || rpc.headers.includes('authorization')) return null
  return `ocpp_profile is ${withKeys.profile}, but the keys of stations are not checked: add authorization to headers, or set ocpp_auth_file`
}
