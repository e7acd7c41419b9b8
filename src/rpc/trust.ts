/**
 * Which certificates prove that a server is the app, and the remedies for a failed TLS handshake.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

export type Trust = {
  /** PEM; `null` for the CAs that the system trusts. */
  readonly ca: string | null
  /** `false`: any certificate is accepted. */
  readonly verify: boolean
}

/**
 * @param rootCa  a file, or the PEM text itself
 * @throws        where it holds no certificate; the message names the option
 */
export function readTrust(rootCa: string | null, verify: boolean): Trust {
  if (rootCa === null) return { ca: null, verify }
  const isText = rootCa.includes('-----BEGIN')
  const where = isText ? 'its value' : rootCa
  const ca = isText ? rootCa : read(rootCa)
  try {
    new X509Certificate(ca)
  } catch (cause) {
    throw new Error(`rpc_tls_root_ca: ${where} is not a PEM certificate`, { cause })
  }
  return { ca, verify }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Error(`rpc_tls_root_ca: ${file} cannot be read`, { cause })
  }
}

/** For a connection without TLS that is accepted, and then does not speak the protocol. */
export const mayExpectTls = 'the server may expect TLS: see rpc_enable_tls'

/** What Node.js and OpenSSL say about a failed handshake, and the remedy. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/ALTNAME_INVALID|altnames/, "the app's certificate is for another name: use that name in rpc_host"],
  [/certificate has expired|CERT_HAS_EXPIRED/, "the app's certificate has expired"],
  [
    /self-signed certificate|unable to (verify|get)|UNABLE_TO|certificate signature failure/,
    "the app's certificate is not signed by a trusted CA: set rpc_tls_root_ca to the CA that signed it",
  ],
  [/wrong version number|packet length too long/, 'the app does not speak TLS there'],
  // The words of grpc-js and of Node's HTTP client.
  [/Failed to connect|Parse Error/, mayExpectTls],
]

/** The failure, followed by the remedy where one is known. */
export function withRemedy(failure: string): string {
  const remedy = remedies.find(([pattern]) => pattern.test(failure))?.[1]
  return remedy === undefined ? failure : `${failure}; ${remedy}`
}
