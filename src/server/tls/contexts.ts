/**
 * Which certificates a connection is served with: by the name that the client asks for, one of each key type.
 */
import { constants, X509Certificate } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import type { ClientTrust, KeyPair } from './certificates.ts'

/** What the files of a listener hold. */
export type TlsCredentials = {
  readonly keyPairs: readonly KeyPair[]
  /** `null`: no certificate is asked for. */
  readonly clients: ClientTrust | null
  /** Whether TLS 1.1 and suites that are no longer safe are allowed. */
  readonly isLegacy: boolean
}

/**
 * The suites that OCPP requires of a CSMS (2.0.1 Part 2 A00.FR.317 and 318), and those of TLS 1.3. Listed explicitly:
 * later Node releases may drop the ones without forward secrecy from their defaults.
 */
const suites = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
]

/** OCPP 1.6 security white paper A00.FR.312 and 324. OpenSSL allows TLS 1.1 and SHA-1 at security level 0 only. */
const legacySuites = [
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'AES128-SHA256',
  'AES256-SHA256',
  'AES128-SHA',
  'AES256-SHA',
  '@SECLEVEL=0',
]

type Certificate = {
  readonly pair: KeyPair
  readonly x509: X509Certificate
  readonly keyType: string
  /** The names in its SAN, or its subject if it has none. */
  readonly names: readonly string[]
}

export class Contexts {
  /** For a client that names no host, or one that no certificate has. */
  readonly usual: SecureContextOptions
  readonly #credentials: TlsCredentials
  readonly #certificates: readonly Certificate[]
  /** By the certificates in it. */
  readonly #options = new Map<string, SecureContextOptions>()

  constructor(credentials: TlsCredentials) {
    this.#credentials = credentials
    this.#certificates = credentials.keyPairs.map(certificateOf)
    const names = this.#certificates[0]?.names ?? []
    this.usual = this.#optionsFor(this.#certificates.filter(other => other.names.some(name => names.includes(name))))
  }

  /** The same object for the same certificates. */
  for(host: string): SecureContextOptions {
    const fitting = this.#certificates.filter(({ x509 }) => x509.checkHost(host) !== undefined)
    return fitting.length === 0 ? this.usual : this.#optionsFor(fitting)
  }

  #optionsFor(fitting: readonly Certificate[]): SecureContextOptions {
    const certificates = oneOfEachType(fitting)
    const key = certificates.map(certificate => this.#certificates.indexOf(certificate)).join()
    const options = this.#options.get(key) ?? this.#newOptions(certificates)
    this.#options.set(key, options)
    return options
  }

  #newOptions(certificates: readonly Certificate[]): SecureContextOptions {
    const { clients, isLegacy } = this.#credentials
    return {
      cert: certificates.map(({ pair }) => pair.cert),
      key: certificates.map(({ pair }) => pair.key),
      ciphers: [...suites, ...(isLegacy ? legacySuites : [])].join(':'),
      minVersion: isLegacy ? 'TLSv1.1' : 'TLSv1.2',
      honorCipherOrder: true,
      // Without tickets no session is resumed: a resumed one would skip the checks of expiry and revocation.
      ...(clients !== null && {
        ca: clients.ca,
        secureOptions: constants.SSL_OP_NO_TICKET,
        ...(clients.crls.length > 0 && { crl: clients.crls.map(({ pem }) => pem) }),
      }),
    }
  }
}

function certificateOf(pair: KeyPair): Certificate {
  const x509 = new X509Certificate(pair.cert)
  const names = x509.subjectAltName?.split(', ') ?? [x509.subject]
  return { pair, x509, keyType: x509.publicKey.asymmetricKeyType ?? '', names }
}

/** The first of each: a client picks by the suites that it has. OpenSSL holds one certificate of each type. */
function oneOfEachType(certificates: readonly Certificate[]): readonly Certificate[] {
  return certificates.filter(({ keyType }, at) => certificates.findIndex(other => other.keyType === keyType) === at)
}
