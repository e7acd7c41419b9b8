import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import { readClientCertificate } from '../../../src/server/tls/client-certificate.ts'
import { makeKeyPair, openCa, type Ca, type Issue } from '../../support/certificate.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-client-'))
let server: Server
let ca: Ca

before(async () => {
  ca = await openCa(folder, 'Stations')
  const clients = { ca: readFileSync(ca.cert), requestCert: true, rejectUnauthorized: false }
  server = createServer({ ...(await makeKeyPair()), ...clients })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

after(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const rows: readonly (readonly [issue: Issue, expected: object, because: string])[] = [
  [
    { subject: '/O=Operator/CN=CP1', san: 'DNS:cp1.example,URI:urn:station:7,IP:192.0.2.1,email:a@b.example' },
    {
      problem: null,
      subject: 'O=Operator,CN=CP1',
      issuer: 'CN=Stations',
      commonName: 'CP1',
      organization: 'Operator',
      sans: ['cp1.example', 'urn:station:7'],
    },
    'all fields',
  ],
  [
    { subject: '/CN=CP 1, O=x' },
    { subject: String.raw`CN=CP 1\, O=x`, commonName: 'CP 1, O=x', organization: null },
    'a comma does not make an attribute',
  ],
  [{ subject: '/CN=CP1/CN=CP2' }, { commonName: null, subject: 'CN=CP2,CN=CP1' }, 'two names name nothing'],
  [{ subject: '/O=Operator' }, { commonName: null, sans: [] }, 'no CN and no SAN'],
  [
    { subject: '/CN=CP1', san: 'otherName:1.2.3.4;UTF8:x,DNS:CP1' },
    { sans: ['CP1'] },
    'other kinds of names do not count',
  ],
  [{ subject: '/CN=CP1', usage: 'serverAuth' }, { problem: 'INVALID_PURPOSE' }, 'a certificate of a server'],
]
for (const [at, [issue, expected, because]] of rows.entries()) {
  test(`readClientCertificate reads ${because}`, async () => {
    const { cert, key } = await ca.issue(`client${at}`, issue)
    const found = await read({ cert: readFileSync(cert), key: readFileSync(key) })
    const { serial = '', fingerprint = '', ...fields } = found ?? {}
    assert.match(serial, /^[\dA-F]+$/)
    assert.match(fingerprint, /^([\dA-F]{2}:){31}[\dA-F]{2}$/)
    assert.deepEqual({ ...fields, ...expected }, fields)
  })
}

test('readClientCertificate is null for a client without one', async () => {
  assert.equal(await read({}), null)
})

async function read(client: object) {
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const { port } = server.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...client })
  const [peer] = await accepted
  const found = readClientCertificate(peer)
  socket.destroy()
  return found
}
