/** With certificates that openssl has made, sent over TLS as `ssl_legacy` has it. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import { readClientCertificate } from '../../../src/server/tls/client-certificate.ts'
import { Contexts } from '../../../src/server/tls/contexts.ts'
import { weaknessOf } from '../../../src/server/tls/strength.ts'
import { makeKeyPair } from '../../support/certificate.ts'
import { run } from '../../support/process.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-strength-'))
let server: Server

before(async () => {
  await openssl('req -x509 -md5 -nodes -newkey rsa:2048 -subj /CN=Root -keyout root.key -out root.crt')
  const clients = { ca: pem('root.crt'), crls: [] }
  const { usual } = new Contexts({ keyPairs: [await makeKeyPair()], clients, isLegacy: true })
  server = createServer({ ...usual, requestCert: true, rejectUnauthorized: false })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

after(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const strong = 'rsa:2048'
const ec = (curve: string): string => `ec -pkeyopt ec_paramgen_curve:${curve}`

const leaves: readonly (readonly [key: string, signedWith: string, expected: string | null])[] = [
  ['rsa:768', '-sha256', 'EE_KEY_TOO_SMALL'],
  ['rsa:2047', '-sha256', 'EE_KEY_TOO_SMALL'],
  [strong, '-sha256', null],
  [ec('secp192k1'), '-sha256', 'EE_KEY_TOO_SMALL'],
  [ec('secp224r1'), '-sha256', null],
  [ec('prime256v1'), '-sha256', null],
  ['ed25519', '-sha256', null],
  [strong, '-sha1', null],
  [strong, '-md5', 'CA_MD_TOO_WEAK'],
  ['rsa:1024', '-md5', 'EE_KEY_TOO_SMALL'],
]
for (const [at, [key, signedWith, expected]] of leaves.entries()) {
  test(`a client certificate of ${key} signed with ${signedWith} has the problem ${expected}`, async () => {
    await issue(`leaf${at}`, key, 'root', signedWith)
    assert.equal(weaknessOf(new X509Certificate(pem(`leaf${at}.crt`))), expected)
  })
}

const issuers: readonly (readonly [key: string, signedWith: string, expected: string | null])[] = [
  [strong, '-sha256', null],
  [strong, '-sha1', null],
  ['rsa:1024', '-sha256', 'CA_KEY_TOO_SMALL'],
  [ec('secp192k1'), '-sha256', 'CA_KEY_TOO_SMALL'],
  [strong, '-md5', 'CA_MD_TOO_WEAK'],
]
for (const [at, [key, signedWith, expected]] of issuers.entries()) {
  test(`an intermediate certificate of ${key} signed with ${signedWith} has the problem ${expected}`, async () => {
    await issue(`ca${at}`, key, 'root', signedWith, 'basicConstraints=CA:true')
    await issue(`client${at}`, strong, `ca${at}`, '-sha256')
    assert.equal(await problemOf(`client${at}`, `ca${at}`), expected)
  })
}

test('all certificates that a client sends count, but not the signature of a root', async () => {
  await issue('odd', 'rsa:1024', 'root', '-sha256')
  await issue('good', strong, 'root', '-sha256')
  assert.equal(await problemOf('good', 'root'), null)
  assert.equal(await problemOf('good', 'root', 'odd'), 'CA_KEY_TOO_SMALL')
})

test('a listener for old stations accepts no weak certificate', async () => {
  for (const [name, key, signedWith, expected] of [
    ['sha1', strong, '-sha1', null],
    ['md5', strong, '-md5', 'CA_MD_TOO_WEAK'],
    ['short', 'rsa:768', '-sha256', 'EE_KEY_TOO_SMALL'],
  ] as const) {
    await issue(name, key, 'root', signedWith)
    assert.equal(await problemOf(name), expected, name)
  }
})

test('a certificate that is not valid keeps that problem', async () => {
  await openssl('req -x509 -nodes -newkey rsa:768 -subj /CN=CP1 -keyout self.key -out self.crt')
  assert.equal(await problemOf('self'), 'DEPTH_ZERO_SELF_SIGNED_CERT')
})

/** @param more certificates that the client sends behind its own */
async function problemOf(name: string, ...more: readonly string[]): Promise<string | null | undefined> {
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const { port } = server.address() as AddressInfo
  const cert = [name, ...more].map(file => pem(`${file}.crt`)).join('')
  const ciphers = 'DEFAULT:@SECLEVEL=0'
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ciphers, cert, key: pem(`${name}.key`) })
  const [peer] = await accepted
  const [first, again] = [readClientCertificate(peer), readClientCertificate(peer)]
  socket.destroy()
  assert.equal(again?.problem, first?.problem, 'each request of a connection finds the same')
  return first?.problem
}

async function issue(
  name: string,
  key: string,
  issuer: string,
  signedWith: string,
  extension = 'extendedKeyUsage=clientAuth',
): Promise<void> {
  await openssl(`req -new -nodes -newkey ${key} -subj /CN=${name} -addext ${extension} -keyout ${name}.key -out csr`)
  const files = `-in csr -CA ${issuer}.crt -CAkey ${issuer}.key -CAcreateserial -out ${name}.crt`
  await openssl(`x509 -req -copy_extensions copyall ${signedWith} ${files}`)
}

async function openssl(args: string): Promise<void> {
  const { code, stderr } = await run('openssl', args.split(' '), { cwd: folder })
  assert.equal(code, 0, stderr)
}

function pem(file: string): string {
  return readFileSync(join(folder, file), 'utf8')
}

test('a key that OpenSSL does not know counts as none', async () => {
  await issue('unknown', ec('prime256v1'), 'root', '-sha256')
  const { raw } = new X509Certificate(pem('unknown.crt'))
  const publicKey = Buffer.from('06072a8648ce3d0201', 'hex')
  raw[raw.indexOf(publicKey) + publicKey.length - 1] = 0x55
  assert.equal(weaknessOf(new X509Certificate(raw)), 'EE_KEY_TOO_SMALL')
})
