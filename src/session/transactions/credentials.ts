/**
 * What the app can judge a station by, besides its id.
 */
import { createHash } from 'node:crypto'
import type { StationHandshake } from '../../translate/handshake.ts'

/**
 * The Authorization header alone where there is neither a cookie nor a query; empty for a station without credentials.
 */
export function credentialsOf({ env: { url, headers } }: Pick<StationHandshake, 'env'>): string {
  const { authorization = '', cookie = '' } = headers
  const [, query = ''] = /\?(.*)/s.exec(url) ?? []
  return cookie === '' && query === '' ? authorization : JSON.stringify([authorization, cookie, query])
}

/** Tells the credentials of two peers under one station id apart; empty for a station without credentials. */
export function credentialsDigest(handshake: Pick<StationHandshake, 'env'>): string {
  const credentials = credentialsOf(handshake)
  return credentials === '' ? '' : createHash('sha256').update(credentials).digest('base64')
}
