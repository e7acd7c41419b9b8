import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { forwardedCertificate, proxiedCertificate } from '../../../src/server/proxy/certificate.ts'
import { makeKeyPair } from '../../support/certificate.ts'

const { cert } = await makeKeyPair()
const x509 = new X509Certificate(cert)
const der = x509.raw.toString('base64')
const now = Date.now()

const encodings = [
  ['RFC 9440', `:${der}:`],
  ['Base64', der],
  ['URL-encoded PEM', encodeURIComponent(cert)],
  ['URL-encoded PEM of a chain', encodeURIComponent(cert + cert)],
] as const
for (const [name, value] of encodings) {
  test(`forwardedCertificate reads ${name}`, () => {
    const certificate = forwardedCertificate(value, now)
    assert.deepEqual(
      [certificate?.problem, certificate?.commonName, certificate?.subject],
      [null, 'localhost', 'CN=localhost'],
    )
    assert.deepEqual([certificate?.serial, certificate?.fingerprint], [x509.serialNumber, x509.fingerprint256])
  })
}

const caddy = '{http.request.tls.client.certificate_der_base64}'
for (const value of ['', ' ', '::', caddy, `:${caddy}:`]) {
  test(`forwardedCertificate finds none in ${JSON.stringify(value)}`, () => {
    assert.equal(forwardedCertificate(value, now), null)
  })
}

const unreadable = [
  ['a word', 'garbage'],
  ['another placeholder', '{http.request.header.x}'],
  ['text behind a placeholder', `:${caddy}:x`],
  ['one colon', `:${der}`],
  ['two certificates', `:${der}:,:${der}:`],
  ['half a percent sign', '-----BEGIN%'],
  ['PEM that is cut', encodeURIComponent(cert.slice(0, 200))],
  ['DER that is cut', der.slice(0, 100)],
] as const
for (const [name, value] of unreadable) {
  test(`forwardedCertificate takes ${name} for a certificate that is not valid`, () => {
    const certificate = forwardedCertificate(value, now)
    assert.match(certificate?.problem ?? '', /^the proxy did not send it as/)
    assert.equal(certificate?.commonName, null)
  })
}

test('forwardedCertificate reports a certificate that has expired since the proxy saw it', () => {
  assert.equal(forwardedCertificate(der, Date.parse(x509.validTo) + 1)?.problem, 'CERT_HAS_EXPIRED')
})

test('proxiedCertificate knows the CN that the proxy has verified, and nothing else', () => {
  assert.equal(proxiedCertificate({ certificate: null }), null)
  const verified = proxiedCertificate({ certificate: { isVerified: true, commonName: 'CP1' } })
  assert.deepEqual([verified?.problem, verified?.commonName, verified?.subject], [null, 'CP1', 'CN=CP1'])
  const not = proxiedCertificate({ certificate: { isVerified: false, commonName: 'CP1' } })
  assert.equal(not?.problem, 'the proxy did not verify it')
  const nameless = proxiedCertificate({ certificate: { isVerified: true, commonName: null } })
  assert.deepEqual([nameless?.commonName, nameless?.subject], [null, ''])
})
