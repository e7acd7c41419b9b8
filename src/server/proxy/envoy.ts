/**
 * Envoy's header X-Forwarded-Client-Cert: elements with commas between them, one for each proxy on the way, the nearest
 * one's last. An element is pairs with semicolons between them, such as `Hash=6d;Cert="-----BEGIN%20…"`.
 *
 * Pure.
 * Spec: Envoy's documentation, "HTTP header manipulation", x-forwarded-client-cert.
 */

/** In lower case. */
export const envoyHeader = 'x-forwarded-client-cert'

/**
 * The certificate of the last element, as URL-encoded PEM; empty for an empty header, `null` where it cannot be read.
 */
export function lastCertificate(value: string): string | null {
  if (value.trim() === '') return ''
  let certificates: string[] = []
  for (let at = 0; ;) {
    const pair = pairAt(value, at)
    if (pair === null) return null
    if (pair.key === 'cert') certificates.push(pair.value)
    at = pair.end
    if (pair.separator === '') break
    if (pair.separator === ',') certificates = []
  }
  const [certificate = '', ...more] = certificates
  return certificate === '' || more.length > 0 ? null : certificate
}

type Pair = { readonly key: string; readonly value: string; readonly separator: string; readonly end: number }

/**
 * A value in quotes may have separators in it, and quotes behind a backslash. No other has blanks: they would be
 * matched twice.
 */
function pairAt(text: string, at: number): Pair | null {
  const pair = /\s*([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*))\s*([,;]|$)/iy
  pair.lastIndex = at
  const [, key = '', quoted, bare = '', separator = ''] = pair.exec(text) ?? []
  if (key === '') return null
  return { key: key.toLowerCase(), value: quoted?.replace(/\\(.)/g, '$1') ?? bare, separator, end: pair.lastIndex }
}
