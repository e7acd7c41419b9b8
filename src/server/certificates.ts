/**
 * The server's TLS certificates, read and checked before anything is opened.
 */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/** One certificate chain with its key, both PEM. A server may have several pairs, such as RSA and ECDSA. */
export type KeyPair = { readonly cert: string; readonly key: string }

/** Throws if a file cannot be read or is not PEM, or if they do not match. The message names the option and the file. */
export function readKeyPair(certFile: string, keyFile: string): KeyPair {
  const pair = { cert: read('ssl_cert', certFile), key: read('ssl_key', keyFile) }
  tryContext({ cert: pair.cert }, `ssl_cert: ${certFile} is not a PEM certificate`)
  tryContext({ key: pair.key }, `ssl_key: ${keyFile} is not a PEM private key`)
  tryContext(pair, `ssl_cert, ssl_key: ${certFile} and ${keyFile} do not match`)
  return pair
}

function tryContext(options: Partial<KeyPair>, problem: string): void {
  try {
    createSecureContext(options)
  } catch (error) {
    throw new Error(problem, { cause: error })
  }
}

function read(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${option}: ${file} cannot be read`, { cause: error })
  }
}
