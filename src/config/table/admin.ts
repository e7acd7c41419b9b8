/**
 * The admin API's part of the option table.
 *
 * Pure.
 */
import { hostName, optional, port, token } from '../kinds.ts'
import { group, option } from '../option.ts'

export const admin = group('Admin API', {
  port: option(
    port,
    0,
    "Port to listen on for the admin API; must differ from the stations' port. 0 means not set: there is no admin API.",
  ),
  host: option(
    hostName,
    '127.0.0.1',
    'Address to listen on for the admin API; any other than a loopback address needs admin_token.',
  ),
  token: option(
    optional(token),
    null,
    'Bearer token for everything in the admin API. When empty, every process of this machine may use it; none means the same as empty.',
  ),
  readToken: option(
    optional(token),
    null,
    'Bearer token for what changes nothing in the admin API. When only this one is set, nothing can be changed; none means the same as empty.',
  ),
})
