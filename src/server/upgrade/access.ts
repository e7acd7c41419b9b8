/**
 * What a station must prove to a listener before the upgrade: its security profile, and that its certificate is its own.
 *
 * Spec: OCPP 1.6 security white paper edition 2, 2.0.1 Part 2 A00.FR.002 and A00.FR.401 to 408.
 */
import { certificateProblem, type CertificateRules, type Profile } from '../../translate/certificate.ts'
import {
  profileRefused,
  refused,
  type Refusal,
  type StationHandshake,
  type UpgradeRequest,
} from '../../translate/handshake.ts'

export type Access = CertificateRules & {
  /** The lowest profile that a station may use. */
  readonly profile: Profile
}

/**
 * The handshake, with the serial number that the certificate names, or why it is refused. A certificate that does not fit
 * is refused even where none is needed: Basic credentials do not make up for it.
 */
export function accessOf(
  { certificate }: UpgradeRequest,
  handshake: StationHandshake,
  access: Access,
): StationHandshake | Refusal {
  const { stationId, profile } = handshake
  const problem = certificate === null ? null : certificateProblem(certificate, stationId, access)
  if (problem !== null) return refused(403, 'certificate', problem)
  if (profile < access.profile) return lowProfile(profile, access.profile)
  const serialNumber = access.certificateNames === 'serial' ? (certificate?.commonName ?? null) : null
  return serialNumber === null ? handshake : { ...handshake, serialNumber }
}

function lowProfile(profile: Profile, least: Profile): Refusal {
  if (least === 3) return refused(403, 'certificate', 'A client certificate is required here')
  const needed = profile === 0 ? 'Basic credentials are' : `Security profile ${least} is`
  return profileRefused(profile, `${needed} required here`)
}
