import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  certificateHeaders,
  certificateProblem,
  isCertificateHeader,
  mayUse,
  profileOf,
  type CertificateRules,
  type ClientCertificate,
  type Profile,
} from '../../src/translate/certificate.ts'
import type { Version } from '../../src/ocpp/version.ts'

const valid: ClientCertificate = {
  problem: null,
  subject: 'CN=CP1,O=Operator',
  issuer: 'CN=CA',
  commonName: 'CP1',
  organization: 'Operator',
  sans: ['cp1.example', 'urn:station:7'],
  serial: '0A',
  fingerprint: '00:FF',
}
const expired = { ...valid, problem: 'CERT_HAS_EXPIRED' }

const profiles = [
  [{}, 0, 'nothing'],
  [{ encrypted: true }, 0, 'TLS alone proves nothing about the station'],
  [{ authorization: 'Bearer x' }, 0, 'a scheme that OCPP does not know'],
  [{ authorization: 'Basic x' }, 1, 'Basic credentials'],
  [{ authorization: 'basic x' }, 1, 'a scheme is case-insensitive'],
  [{ authorization: 'Basic x', encrypted: true }, 2, 'Basic credentials over TLS'],
  [{ encrypted: true, certificate: valid }, 3, 'a client certificate'],
  [{ encrypted: true, certificate: expired }, 0, 'a certificate that is not valid'],
] as const
for (const [secured, profile, because] of profiles) {
  test(`profileOf is ${profile} for ${because}`, () => {
    assert.equal(profileOf({ encrypted: false, authorization: '', certificate: null, ...secured }), profile)
  })
}

const other = 'The client certificate is that of another station'
const rows: readonly (readonly [
  change: Partial<ClientCertificate>,
  stationId: string,
  rules: Partial<CertificateRules>,
  problem: string | null,
  because: string,
])[] = [
  [{}, 'CP1', {}, null, 'its CN is the identity'],
  [{}, 'cp1', {}, other, 'identities are compared exactly'],
  [{}, 'CP2', {}, other, 'its CN is another identity'],
  [{ commonName: 'CP1.example' }, 'CP1', {}, other, 'its CN begins with the identity'],
  [{ commonName: null }, 'CP1', {}, 'The client certificate has no CN', 'it has no CN'],
  [{}, 'cp1.example', {}, other, 'its SAN does not count'],
  [{}, 'cp1.example', { certificateNames: 'san' }, null, 'a DNS name of its SAN is the identity'],
  [{}, 'urn:station:7', { certificateNames: 'san' }, null, 'a URI of its SAN is the identity'],
  [{}, 'CP1', { certificateNames: 'san' }, other, 'its CN does not count'],
  [{ commonName: null }, 'cp1.example', { certificateNames: 'san' }, null, 'it needs no CN'],
  [{}, 'CP2', { certificateNames: 'serial' }, null, 'its CN is a serial number'],
  [{ commonName: null }, 'CP2', { certificateNames: 'serial' }, 'The client certificate has no CN', 'it has no CN'],
  [{}, 'CP1', { operator: 'Operator' }, null, 'its O is the operator'],
  [{}, 'CP1', { operator: 'Other' }, 'The client certificate is that of another operator', 'its O is another one'],
  [
    { organization: null },
    'CP1',
    { operator: 'Operator' },
    'The client certificate is that of another operator',
    'it has no O',
  ],
  [
    { problem: 'CERT_REVOKED' },
    'CP1',
    { certificateNames: 'serial' },
    'The client certificate is not valid: CERT_REVOKED',
    'it is not valid',
  ],
]
for (const [change, stationId, rules, problem, because] of rows) {
  test(`a certificate ${problem === null ? 'lets' : 'does not let'} ${stationId} in: ${because}`, () => {
    const all = { certificateNames: 'cn', operator: null, ...rules } as const
    assert.equal(certificateProblem({ ...valid, ...change }, stationId, all), problem)
  })
}

test('certificateHeaders tells the app of a verified certificate only', () => {
  assert.deepEqual(certificateHeaders(valid), {
    'x-ssl-client-subject': 'CN=CP1,O=Operator',
    'x-ssl-client-serial': '0A',
    'x-ssl-client-issuer': 'CN=CA',
    'x-ssl-client-fingerprint': '00:FF',
  })
  assert.deepEqual([certificateHeaders(expired), certificateHeaders(null)], [{}, {}])
})

for (const [name, expected] of [
  ['x-ssl-client-subject', true],
  ['x_ssl_client_subject', true],
  ['X-SSL_client-verify', true],
  ['x-ssl-cipher', false],
  ['cookie', false],
] as const) {
  test(`isCertificateHeader is ${expected} for ${name}`, () => {
    assert.equal(isCertificateHeader(name), expected)
  })
}

/** [the profile, what was proved before, the version, whether it may use it] */
const uses: readonly (readonly [Profile, Profile, Version | null, Version | null, boolean])[] = [
  [3, 3, null, null, true],
  [2, 3, 'ocpp2.0.1', 'ocpp2.1', true],
  [2, 3, 'ocpp2.0.1', 'ocpp1.6', false],
  [2, 3, 'ocpp1.6', 'ocpp2.0.1', false],
  [2, 3, null, 'ocpp2.0.1', false],
  [2, 3, 'ocpp2.0.1', null, false],
  [1, 3, 'ocpp2.1', 'ocpp2.1', false],
  [1, 2, 'ocpp2.1', 'ocpp2.1', false],
]
for (const [now, before, version, versionBefore, expected] of uses) {
  test(`with ${version}, profile ${now} is ${expected ? '' : 'not '}allowed after ${before} with ${versionBefore}`, () => {
    assert.equal(mayUse(now, { profile: before, serialNumber: null, version: versionBefore }, version), expected)
  })
}
