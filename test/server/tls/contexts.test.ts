import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { KeyPair } from '../../../src/server/tls/certificates.ts'
import { Tls } from '../../../src/server/tls/tls.ts'
import { servedBy } from '../../support/tls.ts'
import { openCa, type Issue } from '../../support/certificate.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-contexts-'))
const pairs: Record<string, KeyPair> = {}

before(async () => {
  const ca = await openCa(folder, 'Servers')
  const issues: Readonly<Record<string, Issue>> = {
    'a rsa': { subject: '/CN=a', san: 'DNS:a.example,DNS:*.a.example', rsa: true },
    'a ec': { subject: '/CN=a', san: 'DNS:a.example' },
    'b ec': { subject: '/CN=b', san: 'DNS:b.example' },
    'd ec': { subject: '/CN=d', san: 'DNS:d.example' },
    'd rsa': { subject: '/CN=d', san: 'DNS:d.example', rsa: true },
    'c rsa': { subject: '/CN=c.example', rsa: true },
  }
  for (const [name, issue] of Object.entries(issues)) {
    const { cert, key } = await ca.issue(name.replace(' ', '-'), { ...issue, usage: 'serverAuth' })
    pairs[name] = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  }
})

after(() => rmSync(folder, { recursive: true }))

const tlsOf = (names: readonly string[], isLegacy = false): Tls =>
  new Tls(() => ({ keyPairs: names.map(name => pairs[name] ?? assert.fail(name)), clients: null, isLegacy }))

const [rsa, ec, both] = ['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ALL']
const rows: readonly (readonly [host: string | null, suite: string, served: string | null, because: string])[] = [
  [null, rsa, 'a rsa', 'the first certificate serves who names no host'],
  [null, ec, 'a ec', 'so does one of another key type that shares a name with it'],
  ['a.example', rsa, 'a rsa', 'its SAN has the name'],
  ['a.example', ec, 'a ec', 'its SAN has the name'],
  ['A.EXAMPLE', ec, 'a ec', 'names have no case'],
  ['x.a.example', rsa, 'a rsa', 'its SAN has a pattern'],
  ['x.a.example', both, 'a rsa', 'the first ECDSA certificate has another name'],
  ['b.example', ec, 'b ec', 'its SAN has the name'],
  ['b.example', both, 'b ec', 'its SAN has the name'],
  ['b.example', rsa, null, 'it has no RSA certificate'],
  ['d.example', rsa, 'd rsa', 'a further name has its certificates of both key types'],
  ['d.example', ec, 'd ec', 'a further name has its certificates of both key types'],
  ['d.example', both, 'd ec', 'the server prefers ECDSA'],
  ['c.example', rsa, 'c rsa', 'its CN is the name, and it has no SAN'],
  ['c.example', both, 'c rsa', 'the ECDSA certificate of the first name is not its own'],
  ['unknown.example', rsa, 'a rsa', 'the first one serves unknown names'],
]
for (const [host, suite, served, because] of rows) {
  test(`a client that asks for ${host ?? 'no host'} with ${suite} gets ${served ?? 'nothing'}: ${because}`, async t => {
    const found = await servedBy(t, tlsOf(Object.keys(pairs)), { servername: host, ciphers: suite })
    const expected = served === null ? null : new X509Certificate(pairs[served]?.cert ?? '').fingerprint256
    assert.equal(found, expected)
  })
}

for (const [sigalgs, served] of [
  ['rsa_pss_rsae_sha256', 'd rsa'],
  ['ecdsa_secp256r1_sha256', 'd ec'],
  ['rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256', 'd ec'],
] as const) {
  test(`a TLS 1.3 client of a further name that verifies ${sigalgs} gets ${served}`, async t => {
    const version = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', sigalgs } as const
    const found = await servedBy(t, tlsOf(Object.keys(pairs)), { servername: 'd.example', ...version })
    assert.equal(found, new X509Certificate(pairs[served]?.cert ?? '').fingerprint256)
  })
}

for (const [isLegacy, suite, version, isServed] of [
  [false, 'AES128-SHA', 'TLSv1.2', false],
  [true, 'AES128-SHA', 'TLSv1.2', true],
  [false, 'AES128-SHA', 'TLSv1.1', false],
  [true, 'AES128-SHA', 'TLSv1.1', true],
  [true, 'AES128-SHA', 'TLSv1', false],
  [true, 'AES128-GCM-SHA256', 'TLSv1.2', true],
] as const) {
  test(`${suite} over ${version} is ${isServed ? '' : 'not '}served when ssl_legacy is ${isLegacy}`, async t => {
    const limits = { minVersion: version, maxVersion: version } as const
    const found = await servedBy(t, tlsOf(['a rsa'], isLegacy), {
      servername: null,
      ciphers: `${suite}:@SECLEVEL=0`,
      ...limits,
    })
    assert.equal(found !== null, isServed)
  })
}
