/**
 * Creates what a NATS operator issues: nkeys, credentials files, certificates.
 *
 * Source: NATS JWT (ADR-14): a JWT signed by an nkey, from the operator over the account to the user.
 */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nkeys as untyped } from 'nats'

type KeyPair = {
  getPublicKey(): string
  getSeed(): Uint8Array
  sign(data: Uint8Array): Uint8Array
}

/** An untyped export of the library. */
export const nkeys = untyped as Readonly<Record<'createUser' | 'createAccount' | 'createOperator', () => KeyPair>>

export function seedOf(keys: KeyPair): string {
  return Buffer.from(keys.getSeed()).toString()
}

/** An operator, its account, and the configuration of a server that trusts it. */
export function makeAccount() {
  const [operator, account] = [nkeys.createOperator(), nkeys.createAccount()]
  const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 }
  const operatorJwt = jwt(operator, operator, { type: 'operator' })
  const accountJwt = jwt(operator, account, { type: 'account', limits: unlimited })
  return {
    serverConfig: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${accountJwt} }\n`,
    /** The text of a credentials file. */
    makeUser: () => {
      const user = nkeys.createUser()
      const userJwt = jwt(account, user, { type: 'user', pub: {}, sub: {}, subs: -1, data: -1, payload: -1 })
      return `${framed('NATS USER JWT', userJwt)}\n${framed('USER NKEY SEED', seedOf(user))}`
    },
  }
}

function jwt(issuer: KeyPair, subject: KeyPair, claims: object): string {
  const body = {
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: 'test',
    nats: { version: 2, ...claims },
  }
  const encoded = [{ typ: 'JWT', alg: 'ed25519-nkey' }, body].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const text = encoded.join('.')
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`
}

function framed(name: string, text: string): string {
  return `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`
}

export type Certificate = { readonly cert: string; readonly key: string }

/** A certificate for this machine, signed by a CA or self-signed. */
export function makeCertificate(folder: string, name: string, ca?: Certificate): Certificate {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  const subject = ['-subj', `/CN=${name}`]
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost'
  if (ca === undefined) openssl('req', '-x509', ...newKey, ...subject, '-addext', names, '-out', cert)
  else {
    const [request, extensions] = [join(folder, `${name}.csr`), join(folder, `${name}.ext`)]
    writeFileSync(extensions, `${names}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    openssl('req', '-new', ...newKey, ...subject, '-out', request)
    const issuer = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial']
    openssl('x509', '-req', '-in', request, ...issuer, '-extfile', extensions, '-out', cert)
  }
  return { cert, key }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' })
}
