/**
 * The certificates that stations are shown, read and tried before anything is opened.
 */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/** One certificate chain with its key, both PEM; several stand side by side, such as an RSA and an ECDSA one. */
export type KeyPair = { readonly cert: string; readonly key: string }

/** Throws, with the option and the file in the message, where a file cannot be read, is no PEM, or they do not fit. */
export function readKeyPair(certFile: string, keyFile: string): KeyPair {
  const pair = { cert: read('ssl_cert', certFile), key: read('ssl_key', keyFile) }
  tryContext({ cert: pair.cert }, `ssl_cert: ${certFile} is no certificate`)
  tryContext({ key: pair.key }, `ssl_key: ${keyFile} is no private key`)
  tryContext(pair, `ssl_cert, ssl_key: ${certFile} and ${keyFile} do not go together`)
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
