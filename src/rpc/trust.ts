/**
 * By which certificates the app is told from others, and what a connection that fails for one means.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

export type Trust = {
  /** PEM; `null`: the authorities that the system trusts. */
  readonly ca: string | null
  /** `false`: whoever answers is the app. */
  readonly verify: boolean
}

/**
 * @param rootCa  a file, or the PEM text itself
 * @throws        with the option in the message, where there is no certificate in it
 */
export function readTrust(rootCa: string | null, verify: boolean): Trust {
  if (rootCa === null) return { ca: null, verify }
  const isText = rootCa.includes('-----BEGIN')
  const where = isText ? 'its text' : rootCa
  const ca = isText ? rootCa : read(rootCa)
  try {
    new X509Certificate(ca)
  } catch (cause) {
    throw new Error(`rpc_tls_root_ca: ${where} is no PEM certificate`, { cause })
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

/** Of a connection without TLS that is taken, and on which nothing of use is heard. */
export const mayExpectTls = 'what answers there may expect TLS: see rpc_enable_tls'

/** What Node.js and OpenSSL say of a failed handshake, and what is to be done about it. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/ALTNAME_INVALID|altnames/, "the app's certificate is for another name: call it by that name in rpc_host"],
  [/certificate has expired|CERT_HAS_EXPIRED/, "the app's certificate has expired"],
  [
    /self-signed certificate|unable to (verify|get)|UNABLE_TO|certificate signature failure/,
    "nobody trusted has signed the app's certificate: set rpc_tls_root_ca to the CA that did",
  ],
  [/wrong version number|packet length too long/, 'the app does not speak TLS there'],
  // As grpc-js, and Node's HTTP, say it.
  [/Failed to connect|Parse Error/, mayExpectTls],
]

/** The failure, and after it what is to be done where that is known. */
export function withRemedy(failure: string): string {
  const remedy = remedies.find(([pattern]) => pattern.test(failure))?.[1]
  return remedy === undefined ? failure : `${failure}; ${remedy}`
}
