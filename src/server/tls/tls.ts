/**
 * The TLS of one listener: its files, what they hold, and the servers that use it.
 */
import type { SecureContextOptions, Server, TlsOptions } from 'node:tls'
import { expiryOf, readClientTrust, readKeyPair } from './certificates.ts'
import { Contexts, type TlsCredentials } from './contexts.ts'
import { expiryOfChain, expiryOfLists, type Expiry } from './expiry.ts'

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
  /** A reload makes new contexts, and so new servers. */
  readonly #named = new WeakMap<SecureContextOptions, Server>()
  #credentials: TlsCredentials
  #contexts: Contexts

  /** @param read throws if the credentials cannot be used */
  constructor(read: () => TlsCredentials, files: readonly string[] = []) {
    this.files = files
    this.#read = read
    this.#credentials = read()
    this.#contexts = new Contexts(this.#credentials)
  }

  /** What a server is made with. */
  get options(): TlsOptions {
    return this.#optionsWith(this.#contexts.usual)
  }

  /** A server with the certificates of a host: `main`, or another one, which never listens. */
  serverFor(host: string | null, main: Server, newServer: (options: TlsOptions) => Server): Server {
    const context = host === null ? this.#contexts.usual : this.#contexts.for(host)
    if (context === this.#contexts.usual) return main
    const server = this.#named.get(context) ?? newServer(this.#optionsWith(context))
    this.#named.set(context, server)
    return server
  }

  /**
   * An invalid certificate does not fail the handshake: the upgrade is refused, with the reason and the station's path.
   */
  #optionsWith(context: SecureContextOptions): TlsOptions {
    return { ...context, requestCert: this.#credentials.clients !== null, rejectUnauthorized: false }
  }

  /** From now on, `reload` changes the certificates of this server, too. */
  attach(server: Server): void {
    this.#servers.add(server)
  }

  /**
   * Reads the files again. Throws if they cannot be used, and then changes nothing. Open connections stay as they are.
   */
  reload(): void {
    const credentials = this.#read()
    const contexts = new Contexts(credentials)
    for (const server of this.#servers) server.setSecureContext(contexts.usual)
    this.#credentials = credentials
    this.#contexts = contexts
  }

  /** When the first certificate, or revocation list, of each file expires. */
  get expiries(): readonly Expiry[] {
    const { keyPairs, clients } = this.#credentials
    const chains = [...keyPairs.map(({ cert }) => cert), ...(clients === null ? [] : [clients.ca])]
    const file = (at: number): string => this.files[at] ?? ''
    const ofChains = chains.map((chain, at) => expiryOfChain(file(at), expiryOf(chain)))
    if (clients === null || clients.crls.length === 0) return ofChains
    return [...ofChains, expiryOfLists(file(chains.length), clients.crls)]
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
