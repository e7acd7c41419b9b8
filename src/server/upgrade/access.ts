/**
 * What a station must prove to a listener before the upgrade: its security profile, and that its certificate is its
 * own.
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
  /**
   * Whether Basic credentials are known to be checked: by the bridge, or by the app of an operator who asks for them.
   */
  readonly checksKeys: boolean
}

/**
 * The handshake, with what it proves and the serial number that the certificate names, or why it is refused. A
 * certificate that does not fit is refused even where none is needed: Basic credentials do not make up for it.
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
  const proven = profile === 3 || access.checksKeys ? profile : 0
  return { ...handshake, proven, ...(serialNumber !== null && { serialNumber }) }
}

function lowProfile(profile: Profile, least: Profile): Refusal {
  if (least === 3) return refused(403, 'certificate', 'A client certificate is required here')
  const needed = profile === 0 ? 'Basic credentials are' : `Security profile ${least} is`
  return profileRefused(profile, `${needed} required here`)
}
