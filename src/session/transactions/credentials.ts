/**
 * What the app can judge a station by, besides its id.
 */
import type { StationHandshake } from '../../translate/handshake.ts'

/** The Authorization header alone where there is neither a cookie nor a query; empty for a station without credentials. */
export function credentialsOf({ env: { url, headers } }: StationHandshake): string {
  const { authorization = '', cookie = '' } = headers
  const [, query = ''] = /\?(.*)/s.exec(url) ?? []
  return cookie === '' && query === '' ? authorization : JSON.stringify([authorization, cookie, query])
}
