import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { forwardedCertificate } from '../../../src/server/proxy/certificate.ts'
import { lastCertificate } from '../../../src/server/proxy/envoy.ts'
import { makeKeyPair } from '../../support/certificate.ts'

const [{ cert }, { cert: other }] = [await makeKeyPair(), await makeKeyPair()]
const pem = encodeURIComponent(cert)
const hash = 'Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688'

const rows: readonly (readonly [value: string, certificate: string | null, because: string])[] = [
  ['', '', 'a proxy of stations without a certificate may send an empty header'],
  [' ', '', 'the header is blank'],
  [`Cert="${pem}"`, pem, 'it is the only pair'],
  [`${hash};Cert="${pem}";Subject="CN=CP1,O=Operator";URI=urn:cp1`, pem, 'a comma in quotes separates nothing'],
  [`By=urn:csms;${hash};Cert="${pem}";Chain="${pem}${pem}"`, pem, 'the chain is another pair'],
  [`cert=${pem}`, pem, 'keys have no case, and a value needs no quotes'],
  [` Cert="${pem}" ; ${hash} `, pem, 'blanks are around the pairs'],
  [`Cert="a",Cert="${pem}"`, pem, 'the last element is that of the nearest proxy'],
  [`Cert="a";${hash}, ${hash};Cert="${pem}"`, pem, 'a blank follows the comma'],
  [String.raw`Subject="CN=\"x\";Cert=\"a\",Cert=a";Cert="${pem}"`, pem, 'quotes behind a backslash end nothing'],
  [String.raw`Subject="CN=a\\";Cert="${pem}"`, pem, 'a backslash behind a backslash hides no quote'],
  [`Subject="";Cert="${pem}"`, pem, 'a value may be empty'],
  [`Cert="${pem}",${hash}`, null, 'the nearest proxy has sent no certificate'],
  [hash, null, 'no proxy has sent a certificate'],
  ['Cert=""', null, 'the certificate is empty'],
  [`Cert="${pem}";Cert="${pem}"`, null, 'one element has two certificates'],
  [`Subject="CN=x";Cert=a";Cert="${pem}"`, null, 'a quote stands within a bare value'],
  [`Cert="${pem}`, null, 'the quotes do not end'],
  [String.raw`Cert="${pem}\"`, null, 'the last quote is behind a backslash'],
  [`Cert="${pem}"x`, null, 'text follows the quotes'],
  [`Cert="${pem}";`, null, 'nothing follows the semicolon'],
  [`Cert="${pem}",`, null, 'nothing follows the comma'],
  [`;Cert="${pem}"`, null, 'nothing is ahead of the semicolon'],
  [`Subject=CN x;Cert="${pem}"`, null, 'a bare value has a blank'],
  [pem, null, 'it is no pair'],
  [`:${new X509Certificate(cert).raw.toString('base64')}:`, null, 'it is the form of another header'],
]
for (const [value, certificate, because] of rows) {
  test(`lastCertificate finds ${certificate === null ? 'nothing to trust' : certificate === '' ? 'none' : 'the certificate'} when ${because}`, () => {
    assert.equal(lastCertificate(value), certificate)
  })
}

test('the certificate of a last element is read as that of any other header', () => {
  const value = `Cert="${encodeURIComponent(other)}",${hash};Cert="${pem}"`
  const found = forwardedCertificate(lastCertificate(value) ?? '', Date.now())
  assert.equal(found?.fingerprint, new X509Certificate(cert).fingerprint256)
})

test('lastCertificate reads a header of 16 KiB that is all quotes, backslashes or separators', () => {
  for (const text of ['"', '\\', 'a=";', 'a=;', 'a="\\"', ' ', 'a=",'])
    assert.ok([null, ''].includes(lastCertificate(text.repeat(Math.floor(16_384 / text.length)))))
})
