import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls'
import { expiryOf } from '../../../src/server/tls/certificates.ts'
import { readClientCertificate } from '../../../src/server/tls/client-certificate.ts'
import { validityOf } from '../../../src/server/tls/revocation-list.ts'
import { openTls, type TlsFiles } from '../../../src/server/tls/tls.ts'
import { openCa, type Ca, type Files } from '../../support/certificate.ts'
import { withoutNextUpdate } from '../../support/revocation-list.ts'
import { certificateOf } from '../../support/tls.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-tls-'))
const at = (file: string): string => join(folder, file)
let ca: Ca
const pairs: Record<'old' | 'new' | 'client', Files> = { old: none(), new: none(), client: none() }

before(async () => {
  ca = await openCa(at('ca'), 'Stations')
  for (const name of ['old', 'new'] as const)
    pairs[name] = await ca.issue(name, { subject: '/CN=csms', san: 'DNS:csms.example', usage: 'serverAuth' })
  pairs.client = await ca.issue('client', { subject: '/CN=CP1' })
})

after(() => rmSync(folder, { recursive: true }))

function none(): Files {
  return { cert: '', key: '' }
}

const fingerprintOf = ({ cert }: Files): string => new X509Certificate(readFileSync(cert)).fingerprint256

/** A listener's files, with the old pair. */
function files(more: Partial<TlsFiles> = {}): TlsFiles {
  copyFileSync(pairs.old.cert, at('crt'))
  copyFileSync(pairs.old.key, at('key'))
  const clients = { sslClientCa: null, sslClientCrl: null, sslClientVerify: 'off' } as const
  return { sslCert: [at('crt')], sslKey: [at('key')], ...clients, sslLegacy: false, ...more }
}

async function serve(t: TestContext, given: TlsFiles) {
  const tls = openTls(given)
  assert.ok(tls !== null)
  const server = createServer(tls.options)
  tls.attach(server)
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { tls, server, port: (server.address() as AddressInfo).port }
}

test('a listener without a certificate has no TLS', () => {
  assert.equal(openTls({ ...files(), sslCert: [], sslKey: [] }), null)
})

test('reload serves the new pair, with and without a host name, and leaves open connections alone', async t => {
  const { tls, server, port } = await serve(t, files())
  const held = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const open = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(open, 'secureConnect')
  const served = async () => [
    await certificateOf(server, { servername: null }),
    await certificateOf(server, { servername: 'csms.example' }),
  ]
  assert.deepEqual(new Set(await served()), new Set([fingerprintOf(pairs.old)]))
  copyFileSync(pairs.new.cert, at('crt'))
  assert.throws(() => tls.reload(), /crt and .*key do not match/)
  assert.deepEqual(new Set(await served()), new Set([fingerprintOf(pairs.old)]))
  copyFileSync(pairs.new.key, at('key'))
  tls.reload()
  assert.deepEqual(new Set(await served()), new Set([fingerprintOf(pairs.new)]))
  const [socket] = await held
  socket.write('still here')
  assert.equal(String((await once(open, 'data'))[0]), 'still here')
  open.destroy()
})

test('a revoked certificate is refused from the reload of the revocation list on', async t => {
  const crl = at('stations.crl')
  copyFileSync(await ca.crl(), crl)
  const given = files({ sslClientCa: ca.cert, sslClientCrl: crl, sslClientVerify: 'required' })
  const { tls, server, port } = await serve(t, given)
  const problem = async (): Promise<string | null | undefined> => {
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
    const [cert, key] = [readFileSync(pairs.client.cert), readFileSync(pairs.client.key)]
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, cert, key })
    const [peer] = await accepted
    socket.destroy()
    return readClientCertificate(peer)?.problem
  }
  assert.equal(await problem(), null)
  await ca.revoke(pairs.client)
  copyFileSync(await ca.crl(), crl)
  tls.reload()
  assert.equal(await problem(), 'CERT_REVOKED')
  writeFileSync(crl, 'nonsense')
  assert.throws(() => tls.reload(), /ssl_client_crl: .*stations.crl is not a PEM revocation list/)
  assert.equal(await problem(), 'CERT_REVOKED')
})

test('files are all that reload reads, and expiries names the certificates among them', () => {
  const tls = openTls(files({ sslClientCa: ca.cert, sslClientVerify: 'optional' }))
  assert.ok(tls !== null)
  assert.deepEqual(tls.files, [at('crt'), ca.cert, at('key')])
  const [certificate, authority] = [pairs.old.cert, ca.cert].map(file => expiryOf(readFileSync(file, 'utf8')))
  assert.deepEqual(
    tls.expiries.map(({ file, kind, until }) => [file, kind, until]),
    [
      [at('crt'), 'certificate', certificate],
      [ca.cert, 'certificate', authority],
    ],
  )
})

test('expiries has the revocation list, and a reload its new end', async () => {
  const crl = at('expiring.crl')
  copyFileSync(await ca.crl(7), crl)
  const tls = openTls(files({ sslClientCa: ca.cert, sslClientCrl: crl, sslClientVerify: 'required' }))
  assert.ok(tls !== null)
  const ofList = () => tls.expiries.filter(({ kind }) => kind === 'revocation_list')
  const { from, until } = validityOf(readFileSync(crl, 'utf8'))
  assert.deepEqual(ofList(), [
    { file: crl, kind: 'revocation_list', until, noticeS: ((until ?? assert.fail()) - from) / 4 },
  ])
  copyFileSync(await ca.crl(8), crl)
  tls.reload()
  assert.equal(ofList()[0]?.until, validityOf(readFileSync(crl, 'utf8')).until)
})

test('a revocation list that never expires is refused, at a reload as well', async () => {
  const crl = at('endless.crl')
  copyFileSync(await ca.crl(), crl)
  const given = files({ sslClientCa: ca.cert, sslClientCrl: crl, sslClientVerify: 'required' })
  const tls = openTls(given)
  writeFileSync(crl, withoutNextUpdate(readFileSync(crl, 'utf8')))
  const problem = /ssl_client_crl: .*endless.crl has a list that never expires/
  assert.throws(() => openTls(given), problem)
  assert.throws(() => tls?.reload(), problem)
})

test('a client that says no TLS is no reason to fail', async t => {
  const { server, port } = await serve(t, files())
  const failed = once(server, 'tlsClientError')
  connect(port, '127.0.0.1').end('GET / HTTP/1.1\r\n\r\n')
  await failed
  assert.equal(await certificateOf(server, { servername: null }), fingerprintOf(pairs.old))
})
