/**
 * What a station's certificate says, read from its connection.
 */
import type { TLSSocket } from 'node:tls'
import type { ClientCertificate } from '../../translate/certificate.ts'

/** `null` if the client sent no certificate, or was not asked for one. */
export function readClientCertificate(socket: TLSSocket): ClientCertificate | null {
  const x509 = socket.getPeerX509Certificate()
  if (x509 === undefined) return null
  const { subject } = socket.getPeerCertificate()
  return {
    problem: socket.authorized ? null : String(socket.authorizationError),
    subject: nameOf(x509.subject),
    issuer: nameOf(x509.issuer),
    commonName: oneOf(subject.CN),
    organization: oneOf(subject.O),
    sans: sansOf(x509.subjectAltName ?? ''),
    serial: x509.serialNumber,
    fingerprint: x509.fingerprint256,
  }
}

/** Node writes one attribute a line, the most general first; RFC 4514 has them in reverse. */
function nameOf(lines: string): string {
  return lines.split('\n').reverse().join(',')
}

/** An attribute that is given twice names nothing: which of the two the holder's CA has verified is not known. */
function oneOf(value: string | readonly string[] | undefined): string | null {
  return typeof value === 'string' ? value : null
}

/** Names with a comma or a quote are written as JSON by Node; none is a DNS name or an identity, so they are left out. */
function sansOf(text: string): readonly string[] {
  return text.split(', ').flatMap(name => /^(?:DNS|URI):([^"]+)$/.exec(name)?.[1] ?? [])
}
