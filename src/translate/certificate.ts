/**
 * Security profiles, and what a station's certificate must say.
 *
 * Pure.
 * Spec: OCPP 1.6 security white paper edition 2 A00.FR.4xx and A05; OCPP 2.0.1 Part 2 A00.FR.401 to 429 and A05.
 */
import type { Version } from '../ocpp/version.ts'

/**
 * What secures a connection: 0, nothing; 1, Basic credentials; 2, Basic credentials over TLS; 3, a client certificate.
 */
export type Profile = 0 | 1 | 2 | 3

export type ClientCertificate = {
  /** Why it is not valid, such as `CERT_HAS_EXPIRED`; `null` if its chain, its dates and its purpose were verified. */
  readonly problem: string | null
  /** The distinguished names as in RFC 4514: `CN=CP1,O=Operator`. */
  readonly subject: string
  readonly issuer: string
  readonly commonName: string | null
  readonly organization: string | null
  /** DNS names and URIs. */
  readonly sans: readonly string[]
  /** In hexadecimal. */
  readonly serial: string
  /** SHA-256, in hexadecimal, with colons. */
  readonly fingerprint: string
}

/** The proof with which the app has accepted a station. */
export type Proof = {
  readonly profile: Profile
  /** That of its certificate; `null` where it told none. */
  readonly serialNumber: string | null
  /** That of the connection; `null` for a proof that an older release has kept. */
  readonly version: Version | null
}

export type CertificateRules = {
  /** How a certificate names its station. With `serial`, its CN is the serial number, whatever the identity. */
  readonly certificateNames: 'cn' | 'san' | 'serial'
  /** What the O of a certificate must be; `null` for anything. */
  readonly operator: string | null
}

export type Secured = {
  readonly encrypted: boolean
  /** The Authorization header; empty for none. */
  readonly authorization: string
  readonly certificate: ClientCertificate | null
}

/** The profile of a connection. TLS without credentials is 0: the station has proved nothing. */
export function profileOf({ encrypted, authorization, certificate }: Secured): Profile {
  if (certificate !== null && certificate.problem === null) return 3
  if (!/^basic /i.test(authorization)) return 0
  return encrypted ? 2 : 1
}

/**
 * Whether a station that has proved itself may use a profile. 1.6 forbids every lower one (A05.FR.09); 2.0.1 (errata
 * 2025) and 2.1 allow 2 after 3. The station chooses the version, so both versions have to be known and to allow it.
 */
export function mayUse(profile: Profile, before: Proof, version: Version | null): boolean {
  if (profile >= before.profile) return true
  const isAllowed = (each: Version | null): boolean => each !== null && each !== 'ocpp1.6'
  return before.profile === 3 && profile === 2 && isAllowed(version) && isAllowed(before.version)
}

/** Why a certificate does not prove that its holder is this station; `null` if it does. */
export function certificateProblem(
  certificate: ClientCertificate,
  stationId: string,
  { certificateNames, operator }: CertificateRules,
): string | null {
  const { problem, commonName, organization, sans } = certificate
  if (problem !== null) return `The client certificate is not valid: ${problem}`
  if (commonName === null && certificateNames !== 'san') return 'The client certificate has no CN'
  const names = certificateNames === 'san' ? sans : [commonName]
  if (certificateNames !== 'serial' && !names.includes(stationId))
    return 'The client certificate is that of another station'
  return operator !== null && organization !== operator ? 'The client certificate is that of another operator' : null
}

const prefix = 'x-ssl-client-'

/** Whether only the bridge may set this header. Rack reads an underscore and a hyphen as the same character. */
export function isCertificateHeader(name: string): boolean {
  return name.toLowerCase().replaceAll('_', '-').startsWith(prefix)
}

const fingerprintHeader = `${prefix}fingerprint`

/** The fingerprint of the verified certificate that these headers, made by the bridge, describe; `null` for none. */
export function fingerprintIn(headers: Readonly<Record<string, string>>): string | null {
  return headers[fingerprintHeader] ?? null
}

/** The headers that describe a verified certificate to the app. */
export function certificateHeaders(certificate: ClientCertificate | null): Readonly<Record<string, string>> {
  if (certificate === null || certificate.problem !== null) return {}
  const { subject, serial, issuer, fingerprint } = certificate
  return {
    [`${prefix}subject`]: subject,
    [`${prefix}serial`]: serial,
    [`${prefix}issuer`]: issuer,
    [fingerprintHeader]: fingerprint,
  }
}
