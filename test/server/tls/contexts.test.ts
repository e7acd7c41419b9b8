import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { KeyPair } from '../../../src/server/tls/certificates.ts'
import { Contexts } from '../../../src/server/tls/contexts.ts'
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

/** Whether this Node keeps several certificates that are set for one connection. */
const keepsAll = Number(process.versions.node.split('.')[0]) < 24
const [rsa, ec] = ['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256']
const rows: readonly (readonly [host: string | null, suite: string, served: string | null, because: string])[] = [
  [null, rsa, 'a rsa', 'the first certificate serves who names no host'],
  [null, ec, 'a ec', 'so does one of another key type that shares a name with it'],
  ['a.example', rsa, 'a rsa', 'its SAN has the name'],
  ['a.example', ec, 'a ec', 'its SAN has the name'],
  ['x.a.example', rsa, 'a rsa', 'its SAN has a pattern'],
  ['b.example', ec, 'b ec', 'its SAN has the name'],
  ['d.example', rsa, keepsAll ? 'd rsa' : null, 'Node 24 and later serve one certificate of such a host'],
  ['d.example', ec, 'd ec', 'the first of its certificates'],
  ['c.example', rsa, 'c rsa', 'its CN is the name, and it has no SAN'],
  ['unknown.example', rsa, 'a rsa', 'the first one serves unknown names'],
]
for (const [host, suite, served, because] of rows) {
  test(`a client that asks for ${host ?? 'no host'} with ${suite} gets ${served ?? 'nothing'}: ${because}`, async t => {
    const contexts = new Contexts({ keyPairs: Object.values(pairs), clients: null, isLegacy: false })
    const found = await servedBy(t, contexts, { servername: host, ciphers: suite })
    const expected = served === null ? null : new X509Certificate(pairs[served]?.cert ?? '').fingerprint256
    assert.equal(found, expected)
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
    const contexts = new Contexts({ keyPairs: [pairs['a rsa'] ?? assert.fail()], clients: null, isLegacy })
    const limits = { minVersion: version, maxVersion: version } as const
    const found = await servedBy(t, contexts, { servername: null, ciphers: `${suite}:@SECLEVEL=0`, ...limits })
    assert.equal(found !== null, isServed)
  })
}
