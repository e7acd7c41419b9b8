/** What is known of a request's peer, on real connections from 127.0.0.1. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as send, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Peers, unreadRequest, type ProxySettings } from '../../../src/server/upgrade/peer.ts'
import type { UpgradeRequest } from '../../../src/translate/handshake.ts'
import { makeKeyPair } from '../../support/certificate.ts'
import { noProxies } from '../../support/peers.ts'

const { cert } = await makeKeyPair()
const x509 = new X509Certificate(cert)
const der = x509.raw.toString('base64')
const loopback = { trustedProxies: ['127.0.0.0/8'], proxyClientCert: null }
const withCertificates = { ...loopback, proxyClientCert: 'client-cert' }

const requests = new Map<string, (request: IncomingMessage) => void>()
const server = createServer((request, response) => {
  requests.get(request.url ?? '')?.(request)
  // A connection that is closed has no address.
  setImmediate(() => response.end())
})
before(async () => once(server.listen(0, '127.0.0.1'), 'listening'))
after(() => server.close())

let count = 0

type Headers = Readonly<Record<string, string>>

async function requestWith(headers: Headers): Promise<IncomingMessage> {
  const path = `/${(count += 1)}`
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    requests.set(path, resolve)
    send({ host: '127.0.0.1', port, path, headers }, response => response.resume())
      .on('error', reject)
      .end()
  })
}

async function read(settings: ProxySettings, headers: Headers): Promise<UpgradeRequest> {
  return new Peers(settings).upgradeRequest(await requestWith(headers))
}

test('what is known of a request does not keep its socket until a major collection of garbage', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void
  const usedAfterMinor = (): number => {
    for (let round = 0; round < 4; round++) collect({ type: 'minor' })
    return process.memoryUsage().heapUsed
  }
  const peers = new Peers(noProxies)
  const before = usedAfterMinor()
  for (let at = 0; at < 500; at++) {
    // Of small parts: a large array would be old at once.
    const weight = Array.from({ length: 100 }, () => new Array<number>(100).fill(at))
    const socket = { remoteAddress: '127.0.0.1', weight }
    peers.upgradeRequest({ url: '/', headers: {}, socket } as unknown as IncomingMessage)
  }
  assert.ok(usedAfterMinor() - before < 10_000_000, 'of 45 MB')
})

test('upgradeRequest believes no header when no proxy is trusted, and removes those of proxies', async () => {
  const given = {
    'x-forwarded-for': '203.0.113.7',
    X_Forwarded_For: '203.0.113.7',
    'x-forwarded-proto': 'https',
    forwarded: 'for=203.0.113.7;proto=https',
    'client-cert': `:${der}:`,
    cookie: 'a=b',
  }
  const settings = { ...noProxies, trustedProxies: ['10.0.0.0/8'], proxyClientCert: 'client-cert' }
  const { headers, remoteAddress, encrypted, certificate, localAuthority } = await read(settings, given)
  const { port } = server.address() as AddressInfo
  assert.deepEqual(headers, { cookie: 'a=b', host: `127.0.0.1:${port}`, connection: 'keep-alive' })
  assert.deepEqual([remoteAddress, encrypted, certificate], ['127.0.0.1', false, null])
  assert.equal(localAuthority(), `127.0.0.1:${port}`)
})

test('upgradeRequest takes the address and the scheme of a trusted proxy, and keeps its headers', async () => {
  const given = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7', 'x-forwarded-proto': 'https' }
  const read1 = await read(loopback, { ...given, x_forwarded_for: '198.51.100.1' })
  assert.deepEqual([read1.remoteAddress, read1.encrypted, read1.certificate], ['203.0.113.7', true, null])
  assert.equal(read1.headers['x-forwarded-for'], given['x-forwarded-for'])
  assert.equal(read1.headers['x_forwarded_for'], undefined)
  const silent = await read(loopback, {})
  assert.deepEqual([silent.remoteAddress, silent.encrypted], ['127.0.0.1', false])
})

test('upgradeRequest reports headers of a trusted proxy that contradict each other', async () => {
  const given = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=198.51.100.1' }
  const { proxyProblem, remoteAddress } = await read(loopback, given)
  assert.equal(proxyProblem, 'The Forwarded and X-Forwarded headers differ')
  assert.equal(remoteAddress, '127.0.0.1')
})

test('upgradeRequest reads the certificate that a trusted proxy passes on', async () => {
  const { certificate } = await read(withCertificates, { 'client-cert': `:${der}:` })
  assert.deepEqual([certificate?.problem, certificate?.commonName], [null, 'localhost'])
})

test("upgradeRequest reads a certificate in Envoy's form from Envoy's header, and from no other", async () => {
  const value = `Hash=6d;Cert="${encodeURIComponent(cert)}"`
  const envoy = { trustedProxies: ['127.0.0.1'], proxyClientCert: 'x-forwarded-client-cert' }
  const { certificate } = await read(envoy, { 'x-forwarded-client-cert': value })
  assert.deepEqual([certificate?.problem, certificate?.commonName], [null, 'localhost'])
  assert.equal((await read(envoy, {})).certificate, null)
  const strange = await read(envoy, { 'x-forwarded-client-cert': `:${der}:` })
  assert.match(strange.certificate?.problem ?? '', /^the proxy did not send it/)
  const other = await read(withCertificates, { 'client-cert': value })
  assert.match(other.certificate?.problem ?? '', /^the proxy did not send it/)
})

test('upgradeRequest reads no certificate where the option is not set, or the proxy sends an empty one', async () => {
  assert.equal((await read(loopback, { 'client-cert': `:${der}:` })).certificate, null)
  for (const value of ['', '::'])
    assert.equal((await read(withCertificates, { 'client-cert': value })).certificate, null)
})

test('stationOf is the address of upgradeRequest, and that of the proxy where its headers contradict each other', async () => {
  const stationFor = async (headers: Headers) => new Peers(loopback).stationOf(await requestWith(headers))
  assert.equal(await stationFor({ 'x-forwarded-for': '203.0.113.7' }), '203.0.113.7')
  assert.equal(await stationFor({}), '127.0.0.1')
  assert.equal(await stationFor({ 'x-forwarded-for': '203.0.113.7', forwarded: 'for=198.51.100.1' }), '127.0.0.1')
})

test('the forwarded headers of a request are read once', async () => {
  const request = await requestWith({ 'x-forwarded-for': '203.0.113.7' })
  const peers = new Peers(loopback)
  assert.equal(peers.stationOf(request), '203.0.113.7')
  request.headers['x-forwarded-for'] = '198.51.100.1'
  assert.deepEqual(
    [peers.stationOf(request), peers.upgradeRequest(request).remoteAddress],
    Array(2).fill('203.0.113.7'),
  )
})

test('unreadRequest stands for a request of an address', () => {
  assert.equal(unreadRequest('192.0.2.7').remoteAddress, '192.0.2.7')
})
