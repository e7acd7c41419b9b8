import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessOf, type Access } from '../../../src/server/upgrade/access.ts'
import type { ClientCertificate, Profile } from '../../../src/translate/certificate.ts'
import { anyAccess } from '../../support/certificate.ts'
import { handshakeFor } from '../../support/fakes.ts'

const valid: ClientCertificate = {
  problem: null,
  subject: 'CN=SN1',
  issuer: 'CN=CA',
  commonName: 'SN1',
  organization: null,
  sans: [],
  serial: '0A',
  fingerprint: '00:FF',
}
const request = {
  target: '/ocpp/CP1',
  headers: {},
  remoteAddress: '192.0.2.7',
  localAuthority: () => 'localhost',
  encrypted: true,
}

function access(profile: Profile, rules: Partial<Access>, certificate: ClientCertificate | null = null) {
  return accessOf({ ...request, certificate }, { ...handshakeFor('CP1'), profile }, { ...anyAccess, ...rules })
}

const challenge = { 'WWW-Authenticate': 'Basic realm="ocpp"' }
const rows: readonly (readonly [profile: Profile, least: Profile, status: 401 | 403 | null, headers: object])[] = [
  [0, 0, null, {}],
  [0, 1, 401, challenge],
  [0, 2, 401, challenge],
  [1, 1, null, {}],
  [1, 2, 403, {}],
  [2, 2, null, {}],
  [2, 1, null, {}],
  [0, 3, 403, {}],
  [2, 3, 403, {}],
  [3, 3, null, {}],
]
for (const [profile, least, status, headers] of rows) {
  test(`profile ${profile} ${status === null ? 'passes' : `gets ${status}`} when ${least} is needed`, () => {
    const found = access(profile, { profile: least })
    assert.deepEqual(found.kind === 'refused' ? [found.status, found.headers] : [null, {}], [status, headers])
  })
}

const proofs: readonly (readonly [profile: Profile, checksKeys: boolean, proven: Profile, because: string])[] = [
  [1, false, 0, 'anyone can send Basic credentials'],
  [2, false, 0, 'also over TLS'],
  [1, true, 1, 'they are checked'],
  [2, true, 2, 'they are checked'],
  [3, false, 3, 'the handshake has checked the certificate'],
]
for (const [profile, checksKeys, proven, because] of proofs) {
  test(`profile ${profile} proves ${proven} ${checksKeys ? 'with' : 'without'} a check of keys: ${because}`, () => {
    const found = access(profile, { checksKeys })
    assert.equal(found.kind === 'station' && found.proven, proven)
  })
}

test('a certificate of another station is refused where none is needed, too', () => {
  const found = access(3, {}, valid)
  assert.deepEqual(found.kind === 'refused' && [found.status, found.reason], [403, 'certificate'])
})

test('the handshake has the serial number of a certificate only when certificates name it', () => {
  const told = access(3, { certificateNames: 'serial' }, valid)
  assert.equal(told.kind === 'station' && told.serialNumber, 'SN1')
  const named = access(3, {}, { ...valid, commonName: 'CP1' })
  assert.equal(named.kind === 'station' && named.serialNumber, undefined)
})
