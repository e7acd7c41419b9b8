/**
 * What a station's certificate says, read from its connection.
 */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { ClientCertificate } from '../../translate/certificate.ts'
import { weaknessOf } from './strength.ts'

/** Node tells the certificates behind a client's own only once. */
const known = new WeakMap<TLSSocket, ClientCertificate | null>()

/** `null` if the client sent no certificate, or was not asked for one. */
export function readClientCertificate(socket: TLSSocket): ClientCertificate | null {
  const before = known.get(socket)
  if (before !== undefined) return before
  const x509 = socket.getPeerX509Certificate()
  const found = x509 === undefined ? null : certificateOf(x509, problemOf(socket, x509))
  known.set(socket, found)
  return found
}

function problemOf(socket: TLSSocket, x509: X509Certificate): string | null {
  return socket.authorized ? weaknessOf(x509) : String(socket.authorizationError)
}

/** @param problem why it is not valid */
export function certificateOf(x509: X509Certificate, problem: string | null): ClientCertificate {
  const { subject } = x509.toLegacyObject()
  return {
    problem,
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

/**
 * Names with a comma or a quote are written as JSON by Node; none is a DNS name or an identity, so they are left out.
 */
function sansOf(text: string): readonly string[] {
  return text.split(', ').flatMap(name => /^(?:DNS|URI):([^"]+)$/.exec(name)?.[1] ?? [])
}
