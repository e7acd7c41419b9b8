/**
 * The TLS of one listener: its files, what they hold, and the servers that use it.
 */
import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import { expiryOf, readClientTrust, readKeyPair } from './certificates.ts'
import { Contexts, type TlsCredentials } from './contexts.ts'

export type TlsFiles = {
  readonly sslCert: readonly string[]
  /** One for each certificate, in the same order. */
  readonly sslKey: readonly string[]
  readonly sslClientCa: string | null
  readonly sslClientCrl: string | null
  readonly sslClientVerify: 'off' | 'optional' | 'required'
  readonly sslLegacy: boolean
}

/** Reads the files of a listener; `null` for one without TLS. Throws as `readKeyPair` does. */
export function openTls(files: TlsFiles): Tls | null {
  return files.sslCert.length === 0 ? null : new Tls(() => readCredentials(files), filesOf(files))
}

export class Tls {
  /** All that it reads. */
  readonly files: readonly string[]
  readonly #read: () => TlsCredentials
  readonly #servers = new Set<Server>()
  #credentials: TlsCredentials
  #contexts: Contexts

  /** @param read throws if the credentials cannot be used */
  constructor(read: () => TlsCredentials, files: readonly string[] = []) {
    this.files = files
    this.#read = read
    this.#credentials = read()
    this.#contexts = new Contexts(this.#credentials)
  }

  /**
   * What a server is made with. A certificate that is not valid ends no handshake: the upgrade is refused, so that the
   * reason and the station are known.
   */
  get options(): TlsOptions {
    // Node calls it as a method of the connection.
    const choose = (socket: TLSSocket, host: string): void => this.#contexts.use(socket, host)
    return {
      ...this.#contexts.usual,
      requestCert: this.#credentials.clients !== null,
      rejectUnauthorized: false,
      SNICallback(this: unknown, host, done) {
        choose(this as TLSSocket, host)
        done(null)
      },
    }
  }

  /** From now on, `reload` changes the certificates of this server, too. */
  attach(server: Server): void {
    this.#servers.add(server)
  }

  /** Reads the files again. Throws if they cannot be used, and then changes nothing. Open connections stay as they are. */
  reload(): void {
    const credentials = this.#read()
    const contexts = new Contexts(credentials)
    for (const server of this.#servers) server.setSecureContext(contexts.usual)
    this.#credentials = credentials
    this.#contexts = contexts
  }

  /** When the first certificate of each file expires, in seconds since the epoch. */
  get expiries(): readonly (readonly [file: string, expiry: number])[] {
    const { keyPairs, clients } = this.#credentials
    const chains = [...keyPairs.map(({ cert }) => cert), ...(clients === null ? [] : [clients.ca])]
    return chains.map((chain, at) => [this.files[at] ?? '', expiryOf(chain)])
  }
}

/** In the order of `expiries`, first. */
function filesOf({ sslCert, sslKey, sslClientCa, sslClientCrl, sslClientVerify }: TlsFiles): readonly string[] {
  const ofClients = sslClientVerify === 'off' ? [] : [sslClientCa, sslClientCrl]
  return [...sslCert, ...ofClients.filter(file => file !== null), ...sslKey]
}

function readCredentials(files: TlsFiles): TlsCredentials {
  const { sslCert, sslKey, sslClientCa, sslClientCrl, sslClientVerify } = files
  return {
    keyPairs: sslCert.map((cert, at) => readKeyPair(cert, sslKey[at] ?? '')),
    clients: sslClientVerify === 'off' || sslClientCa === null ? null : readClientTrust(sslClientCa, sslClientCrl),
    isLegacy: files.sslLegacy,
  }
}
