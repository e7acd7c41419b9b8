/**
 * Rules of the admin API's options.
 *
 * Pure.
 */
import { isLoopback } from '../translate/url.ts'
import type { Settings } from './options.ts'

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
