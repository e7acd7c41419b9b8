/**
 * Masks the credentials of stations in the app's texts of errors: an exception may repeat the Authorization header.
 *
 * Pure.
 */

const MASK = '***'

/** Shorter ones occur in a text by accident. */
const SHORTEST = 8

const SCHEME = /\b(basic|bearer)\s+([\w+/=.~-]+)/gi
/** What follows the name of a scheme in prose. Base64 of so few letters has no more than five characters. */
const WORD = /^(?:auth[a-z]*|credentials?|[a-z]{1,7})$/i

/** @param authorization the header that the app was given with the call; empty for none */
export function maskCredentials(text: string, authorization: string): string {
  let shown = text
  for (const secret of secretsOf(authorization)) shown = shown.replaceAll(secret, MASK)
  return shown.replace(SCHEME, (all, scheme: string, value: string) => (WORD.test(value) ? all : `${scheme} ${MASK}`))
}

/** Longer ones first, for one may contain the next. */
function secretsOf(authorization: string): readonly string[] {
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)/.exec(authorization) ?? []
  if (!/^basic$/i.test(scheme)) return [value].filter(isLong)
  const pair = Buffer.from(value, 'base64').toString()
  const key = pair.slice(pair.indexOf(':') + 1)
  return [value, ...(key === '' ? [] : [pair]), key].filter(secret => secret === pair || isLong(secret))
}

function isLong(secret: string): boolean {
  return secret.length >= SHORTEST
}
