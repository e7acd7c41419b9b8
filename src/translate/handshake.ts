/**
 * A station's HTTP upgrade request: the station's identity, the OCPP version, and what the app is told about the
 * request.
 *
 * Pure: no I/O, no clock.
 * Spec: OCPP-J 1.6 §3.1 and §3.2; OCPP 2.0.1 and 2.1 Part 4 §3.1 to §3.3; AnyCable `server/request_info.go`.
 */
import { noState, type SessionEnv } from '../cable/rpc.ts'
import { versionOf, versions, type Version } from '../ocpp/version.ts'
import {
  certificateHeaders,
  isCertificateHeader,
  profileOf,
  type ClientCertificate,
  type Profile,
} from './certificate.ts'
import { decodeSegment, isDotSegment, parseAuthority, parseTarget, segmentsOf, urlFor, type Target } from './url.ts'

/** A Charging Station's identity, decoded. Compared exactly: the app looks it up in the spelling that it gets. */
export type StationId = string & { readonly __brand: 'StationId' }

export type UpgradeRequest = {
  /** The request target as received, percent-encoding and query included. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The peer's address, without a port. */
  readonly remoteAddress: string
  /** The address and port that accepted the connection, such as `192.0.2.1:9000`; empty if unknown. Few need it. */
  readonly localAuthority: () => string
  /** Whether the bridge terminated TLS. */
  readonly encrypted: boolean
  /** Of the client; `null` if it sent none, or was not asked for one. */
  readonly certificate: ClientCertificate | null
  /** Set if what a trusted proxy says of the request cannot be read. */
  readonly proxyProblem?: string
}

export type HandshakeSettings = {
  /** The path before the station's identity. */
  readonly path: string
  readonly versions: readonly Version[]
  /** Assumed for a station that offers no subprotocol; `null` refuses such a station. */
  readonly defaultVersion: Version | null
  /** The request headers forwarded to the app, in lower case. */
  readonly headers: readonly string[]
}

export type StationHandshake = {
  readonly kind: 'station'
  readonly stationId: StationId
  readonly version: Version
  /** The subprotocol in the station's own spelling, to be echoed; `null` if it offered none. */
  readonly subprotocol: string | null
  readonly env: SessionEnv
  /** As the station connects. */
  readonly profile: Profile
  /** As far as it is known to be checked: what anyone can send proves nothing. */
  readonly proven: Profile
  /** The serial number that its certificate tells, where that is what certificates tell. */
  readonly serialNumber?: string
  /** Set if the station sent an Authorization header that `headers` does not forward to the app. */
  readonly withheld?: true
  /** The Host header, set if it is invalid: `env.url` then has the bridge's own address. */
  readonly invalidHost?: string
}

export type Handshake = StationHandshake | Refusal

/** Why a connection did not become a station. */
export type RefusalReason =
  | 'draining'
  | 'full'
  | 'owing'
  | 'taken'
  | 'replaced'
  | 'unauthorized'
  | 'unknown'
  | 'guessing'
  | 'unavailable'
  | 'path'
  | 'identity'
  | 'version'
  | 'request'
  | 'address'
  | 'tls'
  | 'profile'
  | 'certificate'
  | 'proxy'

/** A request that is answered with an HTTP error and opens no session. */
export type Refusal = {
  readonly kind: 'refused'
  readonly status: 400 | 401 | 403 | 404 | 408 | 409 | 429 | 431 | 503
  readonly reason: RefusalReason
  /** For the client and the log. */
  readonly problem: string
  /** Of the answer. */
  readonly headers: Readonly<Record<string, string | number>>
}

export function readHandshake(request: UpgradeRequest, settings: HandshakeSettings): Handshake {
  if (request.proxyProblem !== undefined) return refused(400, 'proxy', request.proxyProblem)
  const target = parseTarget(request.target)
  const stationId = readIdentity(request.target, target, settings.path)
  if (typeof stationId !== 'string') return stationId
  const host = readHost(request, target)
  if (host === null) return refused(400, 'request', 'The request target has an invalid host')
  const agreed = agreeOnVersion(header(request, 'sec-websocket-protocol'), settings)
  if (!('version' in agreed)) return agreed
  if (!versions[agreed.version].isIdentity(stationId))
    return refused(400, 'identity', 'The Charging Station identity is too long')
  const url = urlFor({
    scheme: request.encrypted ? 'https' : 'http',
    authority: host.authority,
    prefix: segmentsOf(settings.path),
    identity: stationId,
    query: target.query,
  })
  // Added one by one: the objects of all stations then share their hidden class, which those of a spread do not.
  const headers = Object.assign(forwardedHeaders(request, settings), certificateHeaders(request.certificate))
  headers[versionHeader] = versions[agreed.version].number
  const env = { url, headers, cstate: noState, istate: noState }
  const authorization = header(request, 'authorization')
  const isWithheld = authorization !== '' && !settings.headers.includes('authorization')
  return {
    kind: 'station',
    stationId,
    ...agreed,
    env,
    profile: profileOf({ encrypted: request.encrypted, authorization, certificate: request.certificate }),
    proven: 0,
    ...(isWithheld && { withheld: true }),
    ...(host.invalid !== null && { invalidHost: host.invalid }),
  }
}

/** Tells the app which OCPP version was agreed on: a station may offer several. */
export const versionHeader = 'x-ocpp-version'

/** Whether the path of a request target starts with the stations' prefix, with or without an identity after it. */
export function isStationPath(target: string, prefix: string): boolean {
  return isUnder(parseTarget(target), segmentsOf(prefix))
}

function isUnder({ segments }: Target, prefix: readonly string[]): boolean {
  return prefix.every((segment, at) => segments[at] === segment)
}

/** Whether a listener accepts an identity, in some version. */
export function isIdentity(text: string): boolean {
  const target = `/${encodeURIComponent(text)}`
  const isReadable = typeof readIdentity(target, parseTarget(target), '/') === 'string'
  return isReadable && Object.values(versions).some(row => row.isIdentity(text))
}

/** The one segment after the prefix. What the app could read as another identity is refused, never corrected. */
function readIdentity(text: string, target: Target, path: string): StationId | Refusal {
  const prefix = segmentsOf(path)
  if (!isUnder(target, prefix)) return refused(404, 'path', 'Not found')
  if (target.hasFragment) return refused(400, 'request', 'The request target has a fragment')
  // eslint-disable-next-line no-control-regex -- they are what is refused
  if (/[\u0000-\u001f\u007f]/.test(text))
    return refused(400, 'request', 'The request target contains control characters')
  const [encoded, ...more] = target.segments.slice(prefix.length)
  if (encoded === undefined) return refused(400, 'identity', 'The path contains no Charging Station identity')
  if ([encoded, ...more].some(isDotSegment)) return refused(400, 'identity', 'The path contains a dot segment')
  if (more.length > 0) return refused(400, 'identity', 'The path has more than one segment after the prefix')
  const identity = decodeSegment(encoded)
  if (identity === null) return refused(400, 'identity', 'The Charging Station identity is not percent-encoded UTF-8')
  if (/\p{Cc}/u.test(identity))
    return refused(400, 'identity', 'The Charging Station identity contains control characters')
  return identity as StationId
}

/**
 * The authority of the app's URL. A target in absolute form overrides the Host header (RFC 9112 §3.2.2); `null` if its
 * authority is invalid. A missing or invalid Host header is replaced by the bridge's own address: stations with a
 * malformed Host header exist, and the app needs a valid URL to serve them.
 */
function readHost(
  request: UpgradeRequest,
  { authority: given }: Target,
): { readonly authority: string; readonly invalid: string | null } | null {
  if (given !== null) {
    const authority = parseAuthority(given)
    return authority === null ? null : { authority, invalid: null }
  }
  const host = header(request, 'host')
  const authority = parseAuthority(host)
  if (authority !== null) return { authority, invalid: null }
  return { authority: parseAuthority(request.localAuthority()) ?? 'localhost', invalid: host === '' ? null : host }
}

/**
 * The first subprotocol in the station's list that is enabled (2.1 Part 4 §3.1.2: in order of preference).
 *
 * Without a common subprotocol the upgrade is refused, as certification test TC_B_58 requires. The older text
 * (1.6 §3.2) has the server complete the upgrade and close the connection at once.
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
  const problem =
    offered.length === 0 ? 'No Sec-WebSocket-Protocol offered' : 'None of the offered subprotocols is supported'
  return refused(400, 'version', `${problem}; supported: ${enabled.join(', ')}`)
}

function forwardedHeaders(request: UpgradeRequest, settings: HandshakeSettings): Record<string, string> {
  const headers: Record<string, string> = { REMOTE_ADDR: request.remoteAddress }
  for (const name of settings.headers) {
    const value = header(request, name)
    // Rack reads an underscore and a hyphen as the same character: a station must not set this header either way.
    const isOwn = name.replaceAll('_', '-') === versionHeader || isCertificateHeader(name)
    if (value !== '' && !isOwn) headers[name] = value
  }
  return headers
}

/** The peer's address, without a port; empty if unknown. */
export function addressOf({ env }: Pick<StationHandshake, 'env'>): string {
  return env.headers['REMOTE_ADDR'] ?? ''
}

/** The first value, as AnyCable forwards it. Node joins or lists repeated headers. */
function header({ headers }: UpgradeRequest, name: string): string {
  const value = headers[name]
  return (typeof value === 'string' ? value : value?.[0]) ?? ''
}

export function refused(
  status: Refusal['status'],
  reason: RefusalReason,
  problem: string,
  headers: Refusal['headers'] = {},
): Refusal {
  return { kind: 'refused', status, reason, problem, headers }
}

/** The header of a 401. Some stations send their credentials only after it (RFC 9110 §11.6.1). */
export const challenge = { 'WWW-Authenticate': 'Basic realm="ocpp"' }

/** Of stations that are refused for a while, in seconds. */
export const retryLater = { 'Retry-After': 30 }

/** Refuses a security profile that is too low: 401 where credentials would raise it. */
export function profileRefused(profile: Profile, problem: string): Refusal {
  return profile === 0 ? refused(401, 'profile', problem, challenge) : refused(403, 'profile', problem)
}
