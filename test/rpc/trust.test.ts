import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTrust, withRemedy } from '../../src/rpc/trust.ts'

test('readTrust has no CA when none is given: the system decides', () => {
  assert.deepEqual(readTrust(null, true), { ca: null, verify: true })
  assert.deepEqual(readTrust(null, false), { ca: null, verify: false })
})

test('readTrust throws with the option and the file when the file is missing', () => {
  assert.throws(() => readTrust('/missing/ca.pem', true), /^Error: rpc_tls_root_ca: \/missing\/ca\.pem cannot be read$/)
})

/** [failure, remedy, because] */
const rows = [
  [
    "Hostname/IP does not match certificate's altnames: IP: 127.0.0.1",
    /; the app's certificate is for another name/,
    '',
  ],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /; the app's certificate is for another name/, 'by its code'],
  ['certificate has expired', /; the app's certificate has expired$/, ''],
  ['self-signed certificate in certificate chain', /set rpc_tls_root_ca to the CA that signed it$/, ''],
  ['unable to verify the first certificate', /set rpc_tls_root_ca/, ''],
  ['unable to get local issuer certificate', /set rpc_tls_root_ca/, ''],
  ['write EPROTO: wrong version number', /; the app does not speak TLS there$/, ''],
  ['Failed to connect before the deadline', /; the server may expect TLS: see rpc_enable_tls$/, 'grpc-js'],
  ['Parse Error: Expected HTTP/', /; the server may expect TLS/, "Node's HTTP client"],
  ['connect ECONNREFUSED 127.0.0.1:1', /^connect ECONNREFUSED 127\.0\.0\.1:1$/, 'no remedy is known'],
] as const
for (const [failure, expected, because] of rows) {
  test(`withRemedy of "${failure}" is ${expected.source} ${because}`, () => {
    const text = withRemedy(failure)
    assert.match(text, expected)
    assert.ok(text.startsWith(failure), 'the failure comes first')
  })
}
