/**
 * Whether the certificates that a client sends are strong enough for OCPP, on every listener: `ssl_legacy` has OpenSSL
 * check none of it.
 *
 * Pure.
 * Spec: OCPP 1.6 security white paper edition 2 and OCPP 2.0.1 Part 2, A00.FR.5xx.
 */
import type { X509Certificate } from 'node:crypto'

/** In bits. */
const shortest = { rsa: 2048, ec: 224 } as const

/** How DER writes MD5 with RSA, the same as OIW has it, and MD5 as the digest of RSASSA-PSS. */
const md5 = ['06092a864886f70d010104', '06052b0e030203', '06082a864886f70d0205'].map(hex => Buffer.from(hex, 'hex'))

/**
 * OpenSSL's name for what is wrong; `null` if all is well. All that the client sends is checked, whether it belongs to
 * the chain or not: which of two certificates of one CA OpenSSL has verified cannot be told.
 */
export function weaknessOf(x509: X509Certificate): string | null {
  if (hasShortKey(x509)) return 'EE_KEY_TOO_SMALL'
  let next: X509Certificate | undefined = x509
  for (; next !== undefined; next = next.issuerCertificate) {
    if (hasShortKey(next)) return 'CA_KEY_TOO_SMALL'
    if (isSignedWithMd5(next)) return 'CA_MD_TOO_WEAK'
  }
  return null
}

/** A key that OpenSSL does not know counts as none; it throws for one. */
function hasShortKey(x509: X509Certificate): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = x509.publicKey
    if (asymmetricKeyType === 'ec') return (x509.toLegacyObject().bits ?? 0) < shortest.ec
    return (asymmetricKeyDetails?.modulusLength ?? Infinity) < shortest.rsa
  } catch {
    return true
  }
}

/** The identifiers occur nowhere else in a certificate. Nobody relies on the signature of a root. */
function isSignedWithMd5(x509: X509Certificate): boolean {
  return md5.some(identifier => x509.raw.includes(identifier)) && !x509.verify(x509.publicKey)
}
