/**
 * The certificate that a station has shown to a proxy, as the proxy passes it on.
 *
 * Spec: RFC 9440 (the header Client-Cert); what nginx and Caddy write instead.
 */
import { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../../translate/certificate.ts'
import { certificateOf } from '../tls/client-certificate.ts'
import type { ProxyTls } from './header.ts'

/**
 * A header's value; empty for none, `null` for one that is known to be unreadable. The proxy sends it only for a
 * certificate that it has verified, so only the dates are looked at again: a connection may outlive them.
 *
 * @param now in ms since the epoch
 */
export function forwardedCertificate(value: string | null, now: number): ClientCertificate | null {
  if (value === null) return unreadable
  const text = value.trim()
  if (text === '' || text === '::' || unfilled.test(text)) return null
  const x509 = parse(text)
  if (x509 === null) return unreadable
  return certificateOf(x509, now > Date.parse(x509.validTo) ? 'CERT_HAS_EXPIRED' : null)
}

/** What Caddy sends of a station without a certificate: its placeholder as the configuration has it. */
const unfilled = /^:?\{http\.request\.tls\.client\.\w+\}:?$/

const unknown = {
  issuer: '',
  organization: null,
  sans: [],
  serial: '',
  fingerprint: '',
}

/** Refused: without it, the station could connect with a lower profile. */
const unreadable: ClientCertificate = {
  ...unknown,
  problem: 'the proxy did not send it as one of PEM (URL-encoded) or DER (Base64)',
  subject: '',
  commonName: null,
}

/** What the PROXY protocol tells of a certificate. */
export function proxiedCertificate({ certificate }: ProxyTls): ClientCertificate | null {
  if (certificate === null) return null
  const { isVerified, commonName } = certificate
  const subject = commonName === null ? '' : `CN=${commonName}`
  return { ...unknown, problem: isVerified ? null : 'the proxy did not verify it', subject, commonName }
}

/** Base64 of DER, with the colons of RFC 9440 or without; or PEM, with its line breaks percent-encoded. */
function parse(text: string): X509Certificate | null {
  try {
    if (text.startsWith('-----BEGIN')) return new X509Certificate(decodeURIComponent(text))
    const [, base64] = /^(:?)([\w+/=-]+)\1$/.exec(text)?.slice(1) ?? []
    return base64 === undefined ? null : new X509Certificate(Buffer.from(base64, 'base64'))
  } catch {
    return null
  }
}
