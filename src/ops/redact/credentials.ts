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
  for (const secret of secretsOf(authorization)) shown = withoutCut(shown.replaceAll(secret, MASK), secret)
  return shown.replace(SCHEME, (all, scheme: string, value: string) => (WORD.test(value) ? all : `${scheme} ${MASK}`))
}

/** Longer ones first, for one may contain the next. */
function secretsOf(authorization: string): readonly string[] {
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)/.exec(authorization) ?? []
  if (!/^basic$/i.test(scheme)) return [value].filter(isLong)
  const bytes = Buffer.from(value, 'base64')
  const keyBytes = bytes.subarray(bytes.indexOf(':') + 1)
  const key = keyBytes.toString()
  const hex = keyBytes.toString('hex')
  const spelled = [key, JSON.stringify(key).slice(1, -1), key.toLowerCase(), key.toUpperCase(), hex, hex.toUpperCase()]
  const pair = bytes.includes(':') && keyBytes.length > 0 ? bytes.toString() : ''
  return [pair, value, ...new Set(spelled)].filter(secret => isLong(secret) || (secret === pair && pair !== ''))
}

/** A text may have been cut within a secret. */
function withoutCut(text: string, secret: string): string {
  for (let length = secret.length - 1; length >= SHORTEST / 2; length--)
    if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length) + MASK
  return text
}

function isLong(secret: string): boolean {
  return secret.length >= SHORTEST
}
