/**
 * A station's HTTP upgrade request: who it is, which version it speaks, and what the app is told of it.
 *
 * Pure: no I/O, no clock.
 * Spec: OCPP-J 1.6 §3.1 and §3.2; OCPP 2.0.1 and 2.1 Part 4 §3.1 to §3.3; AnyCable `server/request_info.go`.
 */
import type { SessionEnv } from '../cable/rpc.ts'
import { versionOf, versions, type Version } from '../ocpp/version.ts'

/** A Charging Station's identity, decoded; compared exactly, for the app keys on the spelling it sees. */
export type StationId = string & { readonly __brand: 'StationId' }

export type UpgradeRequest = {
  /** The request target as received: percent-encoding, query and all. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The peer's address, without a port. */
  readonly remoteAddress: string
  /** Whether TLS ended here. */
  readonly encrypted: boolean
}

export type HandshakeSettings = {
  /** The prefix before the station's identity. */
  readonly path: string
  readonly versions: readonly Version[]
  /** Assumed for a station that offers no subprotocol; `null` refuses it. */
  readonly defaultVersion: Version | null
  /** The request's headers that the app is given, in lower case. */
  readonly headers: readonly string[]
}

export type StationHandshake = {
  readonly kind: 'station'
  readonly stationId: StationId
  readonly version: Version
  /** The subprotocol in the station's own spelling, to be echoed; `null` where it offered none. */
  readonly subprotocol: string | null
  readonly env: SessionEnv
  /** The station sent credentials that the app is not given, for `headers` leaves them out. */
  readonly withheld?: true
}

export type Handshake = StationHandshake | Refusal

/** A request that gets an HTTP answer and no session. */
export type Refusal = { readonly kind: 'refused'; readonly status: 400 | 404; readonly problem: string }

export function readHandshake(request: UpgradeRequest, settings: HandshakeSettings): Handshake {
  const stationId = readIdentity(pathOf(request.target), settings.path)
  if (typeof stationId !== 'string') return stationId
  const agreed = agreeOnVersion(header(request, 'sec-websocket-protocol'), settings)
  if (!('version' in agreed)) return agreed
  if (!versions[agreed.version].isIdentity(stationId))
    return refused(400, 'The identity of the Charging Station is too long')
  const isWithheld = header(request, 'authorization') !== '' && !settings.headers.includes('authorization')
  const env = envOf(request, settings)
  return { kind: 'station', stationId, ...agreed, env, ...(isWithheld && { withheld: true }) }
}

/** Whether a request's path lies under the stations' prefix, identity or none. */
export function isStationPath(target: string, prefix: string): boolean {
  const expected = segmentsOf(prefix)
  const segments = segmentsOf(pathOf(target))
  return expected.every((segment, at) => segments[at] === segment)
}

/**
 * The last segment of the raw path, decoded once: `%2F` stays part of the identity. Not by `new URL`, which takes the
 * first segment of `//ocpp/CP1` for a host.
 */
function readIdentity(path: string, prefix: string): StationId | Refusal {
  if (!isStationPath(path, prefix)) return refused(404, 'Nothing is served here')
  const [encoded, ...more] = segmentsOf(path).slice(segmentsOf(prefix).length)
  if (encoded === undefined) return refused(400, 'The path names no Charging Station')
  if (more.length > 0) return refused(400, 'The path has more than one segment after the prefix')
  const identity = decode(escapeBytes(encoded))
  if (identity === null) return refused(400, 'The identity of the Charging Station is not percent-encoded UTF-8')
  if (/\p{Cc}/u.test(identity)) return refused(400, 'The identity of the Charging Station has control characters')
  return identity as StationId
}

/**
 * The first of the station's own list that is enabled (2.1 Part 4 §3.1.2: in order of preference), in its own spelling.
 * None in common is refused before the upgrade, as the certification's TC_B_58 has it; the older text (1.6 §3.2)
 * would upgrade and close at once.
 */
function agreeOnVersion(
  offer: string,
  { versions: enabled, defaultVersion }: HandshakeSettings,
): { version: Version; subprotocol: string | null } | Refusal {
  const offered = offer
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
  for (const subprotocol of offered) {
    const version = versionOf(subprotocol)
    if (version !== null && enabled.includes(version)) return { version, subprotocol }
  }
  if (offered.length === 0 && defaultVersion !== null) return { version: defaultVersion, subprotocol: null }
  const what =
    offered.length === 0 ? 'No Sec-WebSocket-Protocol was offered' : 'None of the subprotocols offered is served'
  return refused(400, `${what}; served: ${enabled.join(', ')}`)
}

function envOf(request: UpgradeRequest, settings: HandshakeSettings): SessionEnv {
  const headers: Record<string, string> = { REMOTE_ADDR: request.remoteAddress }
  for (const name of settings.headers) {
    const value = header(request, name)
    if (value !== '') headers[name] = value
  }
  return { url: urlOf(request), headers, cstate: {}, istate: {} }
}

/** Ruby's `URI` refuses what a URI may not hold, and the app then answers ERROR: such characters are encoded. */
function urlOf(request: UpgradeRequest): string {
  const scheme = request.encrypted ? 'https' : 'http'
  const host = header(request, 'host') || 'localhost'
  const url = isAbsolute(request.target) ? request.target : `${scheme}://${host}${request.target}`
  const [origin = ''] = /^[a-z]+:\/\/(?:\[[\da-f:.]+\])?/i.exec(url) ?? []
  return origin + escapeBytes(url.slice(origin.length).replace(/%(?![\da-fA-F]{2})/g, '%25'))
}

/** What a URI may not hold, percent-encoded byte by byte: Node gives a request's head as one character a byte. */
function escapeBytes(text: string): string {
  return text.replace(
    /[^\w\-.~:/?@!$&'()*+,;=%]/g,
    byte => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/** The first value: a repeated header is joined or listed by HTTP's reader. */
function header({ headers }: UpgradeRequest, name: string): string {
  const value = headers[name]
  return (typeof value === 'string' ? value : value?.[0]) ?? ''
}

/** The raw path of a request target, which may be in absolute form (RFC 9112 §3.2.2). */
function pathOf(target: string): string {
  const relative = isAbsolute(target) ? target.replace(/^[a-z]+:\/\/[^/?]*/i, '') : target
  return relative.replace(/[?#].*$/s, '')
}

function isAbsolute(target: string): boolean {
  return /^(?:https?|wss?):\/\//i.test(target)
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter(segment => segment !== '')
}

function decode(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}

function refused(status: Refusal['status'], problem: string): Refusal {
  return { kind: 'refused', status, problem }
}
