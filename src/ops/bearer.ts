/**
 * Bearer tokens of HTTP requests, compared in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

/** Whether an Authorization header carries a token. */
export function bearer(token: string): (authorization: string | undefined) => boolean {
  const expected = digest(`Bearer ${token}`)
  return (authorization = '') => timingSafeEqual(expected, digest(authorization))
}

/** Makes lengths equal, for a comparison in constant time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
