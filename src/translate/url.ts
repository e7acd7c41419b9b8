/**
 * Request targets and Host headers: parsing them, and building the URL that the app gets from the parsed parts.
 *
 * Pure: no I/O, no clock. Node delivers a request head with one character per byte.
 * Spec: RFC 9112 §3.2 (request target); RFC 9110 §7.2 (Host); RFC 3986 §3.2.2 (host), §3.3 (path), §3.4 (query).
 */

/** A request target, split but not validated. */
export type Target = {
  /** The authority of a target in absolute form, `null` in origin form. */
  readonly authority: string | null
  /** The path's segments as received, without empty ones: a station may send `//` and a trailing `/`. */
  readonly segments: readonly string[]
  /** As received, without the `?`. */
  readonly query: string
  readonly hasFragment: boolean
}

/** Does not use `new URL`, which takes the first segment of `//ocpp/CP1` for a host and resolves dot segments. */
export function parseTarget(target: string): Target {
  const [, authority, path = '', query = '', fragment] =
    /^(?:(?:https?|wss?):\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(#.*)?$/is.exec(target) ?? []
  return { authority: authority ?? null, segments: segmentsOf(path), query, hasFragment: fragment !== undefined }
}

/** The segments of a path, without empty ones. */
export function segmentsOf(path: string): string[] {
  return path.split('/').filter(segment => segment !== '')
}

/** Whether URL parsers remove the segment or its predecessor (RFC 3986 §5.2.4, WHATWG URL §4.4). */
export function isDotSegment(segment: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(segment)
}

/**
 * The authority in a Host header or an absolute target, `null` if it is invalid. An empty port is dropped.
 *
 * Narrower than RFC 3986: user information has no place in HTTP (RFC 9110 §4.2.4), and URL parsers disagree on
 * percent-encoded hosts.
 */
export function parseAuthority(text: string): string | null {
  const [, host, port = ''] = /^(\[[\da-f:.]+\]|[\w\-.~!$&'()*+,;=]+)(?::(\d*))?$/i.exec(text) ?? []
  if (host === undefined) return null
  const authority = port === '' ? host : `${host}:${port}`
  // The pattern alone accepts port 99999 and the addresses 1.2.3.999 and [:::].
  return URL.canParse(`http://${authority}`) ? authority : null
}

/** A raw path segment, decoded once; `null` unless it is percent-encoded UTF-8. `%2F` becomes part of the text. */
export function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(escapeBytes(segment))
  } catch {
    return null
  }
}

export type UrlParts = {
  readonly scheme: 'http' | 'https'
  /** As `parseAuthority` returns it. */
  readonly authority: string
  /** Raw path segments before the last one. */
  readonly prefix: readonly string[]
  /** The last path segment, decoded. */
  readonly identity: string
  /** As received. */
  readonly query: string
}

/** A URL that every parser splits into the same parts; Ruby's `URI.parse` raises for characters that need escaping. */
export function urlFor({ scheme, authority, prefix, identity, query }: UrlParts): string {
  const path = [...prefix.map(encodeRaw), encodeSegment(identity)].join('/')
  return `${scheme}://${authority}/${path}${query === '' ? '' : `?${encodeRaw(query)}`}`
}

/** Keeps the escapes of a text that is percent-encoded already, and encodes a `%` that starts none. */
function encodeRaw(text: string): string {
  return escapeBytes(text.replace(/%(?![\da-f]{2})/gi, '%25'))
}

/** Escapes `;` too: some frameworks cut a path parameter off there. */
function encodeSegment(text: string): string {
  return encodeURI(text).replace(/[/?#;]/g, encodeURIComponent)
}

/** Percent-encodes the bytes that a path or query may not contain, and `'`, which only some parsers escape. */
function escapeBytes(text: string): string {
  return text.replace(
    /[^\w\-.~:/?@!$&()*+,;=%]/g,
    byte => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/** A URL without its query, which may hold credentials. */
export function withoutQuery(url: string): string {
  return url.replace(/\?.*/s, '')
}

/** Whether only this machine reaches a host, by its spelling. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
}
