/**
 * The server's TLS certificates, read and checked before anything is opened.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { readRegularFileSync } from '../../ops/files/regular.ts'
import { validityOf, type Validity } from './revocation-list.ts'

/** One certificate chain with its key, both PEM. A server may have several pairs, such as RSA and ECDSA. */
export type KeyPair = { readonly cert: string; readonly key: string }

/** A revocation list as PEM, and when it is valid. */
type RevocationList = Validity & { readonly pem: string }

/** Who issues stations' certificates: PEM, and each revocation list by itself. */
export type ClientTrust = { readonly ca: string; readonly crls: readonly RevocationList[] }

/**
 * Throws if a file cannot be read or is not PEM, or if they do not match. The message names the option and the file.
 */
export function readKeyPair(certFile: string, keyFile: string): KeyPair {
  const pair = { cert: read('ssl_cert', certFile), key: read('ssl_key', keyFile) }
  attempt(() => createSecureContext({ cert: assertWhole(pair.cert) }), `ssl_cert: ${certFile} is not a PEM certificate`)
  attempt(() => createSecureContext({ key: pair.key }), `ssl_key: ${keyFile} is not a PEM private key`)
  attempt(() => match(pair), `ssl_cert, ssl_key: ${certFile} and ${keyFile} do not match`)
  return pair
}

/** Throws as `readKeyPair` does. `crlFile` may hold the lists of several CAs. */
export function readClientTrust(caFile: string, crlFile: string | null): ClientTrust {
  const ca = read('ssl_client_ca', caFile)
  attempt(() => certificatesIn(ca), `ssl_client_ca: ${caFile} is not a PEM certificate`)
  if (crlFile === null) return { ca, crls: [] }
  const lists = read('ssl_client_crl', crlFile)
  const blocks = attempt(() => listsIn(lists), `ssl_client_crl: ${crlFile} is not a PEM revocation list`)
  const crls = attempt(
    () => blocks.map(expiringList),
    `ssl_client_crl: ${crlFile} has a list that never expires (RFC 5280 §5.1.2.5)`,
  )
  return { ca, crls }
}

/** Lazy: a greedy group would exceed the stack for a list of some MB. */
const wholeBlocks = /-----BEGIN ([^-]+)-----(?:(?!-----)[^])*?-----END \1-----/g
const certificateBlocks = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const crlBlocks = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g

/** The earliest expiry of the certificates in a PEM chain, in seconds since the epoch. */
export function expiryOf(chain: string): number {
  return Math.min(...certificatesIn(chain).map(({ validTo }) => Date.parse(validTo))) / 1000
}

/** Without an end, a list that has not been renewed for years would look valid. */
function expiringList(pem: string): RevocationList {
  const validity = validityOf(pem)
  if (validity.until === null) throw new Error('it has no nextUpdate')
  return { ...validity, pem }
}

/** Throws for a text that has none, or one that is cut off. */
function certificatesIn(pem: string): readonly X509Certificate[] {
  return blocksIn(pem, certificateBlocks).map(block => new X509Certificate(block))
}

/** Throws as `certificatesIn` does. */
function listsIn(pem: string): readonly string[] {
  const blocks = blocksIn(pem, crlBlocks)
  createSecureContext({ crl: blocks })
  return blocks
}

function blocksIn(pem: string, kind: RegExp): string[] {
  const blocks = assertWhole(pem).match(kind)
  if (blocks === null) throw new Error('it has no PEM block')
  return blocks
}

/** Of a file that is cut within a block, OpenSSL may read the blocks before it, without an error. */
function assertWhole(pem: string): string {
  // The cut may be within the dashes of a BEGIN line.
  if (/(?:^|\n)-----B|\n-+$/.test(pem.replace(wholeBlocks, ''))) throw new Error('it has a PEM block that is cut off')
  return pem
}

/** A secure context takes a key of another type than its certificate's, and then every handshake fails. */
function match({ cert, key }: KeyPair): void {
  createSecureContext({ cert, key })
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('the key types differ')
}

function attempt<Result>(check: () => Result, problem: string): Result {
  try {
    return check()
  } catch (error) {
    throw new Error(problem, { cause: error })
  }
}

function read(option: string, file: string): string {
  const text = attempt(() => readRegularFileSync(file), `${option}: ${file} cannot be read`)
  // OpenSSL takes an empty text for none, without an error.
  if (text === '') throw new Error(`${option}: ${file} is empty`)
  return text
}
