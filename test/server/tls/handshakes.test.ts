import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, get } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { newServer, usualTimeouts } from '../../../src/server/http-server.ts'
import { Turnstile, type Turns } from '../../../src/server/limits/turnstile.ts'
import { Tls } from '../../../src/server/tls/tls.ts'
import { makeKeyPair, tlsOf } from '../../support/certificate.ts'
import { certificateOf } from '../../support/tls.ts'
import { holdTurns } from '../../support/turns.ts'

const host = '127.0.0.1'
const [first, further, renewed] = [
  await makeKeyPair('DNS:first.example'),
  await makeKeyPair('DNS:further.example'),
  await makeKeyPair('DNS:further.example'),
]
const fingerprintOf = ({ cert }: { cert: string }): string => new X509Certificate(cert).fingerprint256

async function serve(
  t: TestContext,
  tls = tlsOf(first, further),
  tlsHandshake = usualTimeouts.tlsHandshake,
  turnstile: Turns = new Turnstile(() => performance.now()),
) {
  const settings = { tls, turnstile, timeouts: { ...usualTimeouts, tlsHandshake } }
  const server = newServer(
    settings,
    () => true,
    ({ socket }, response) => response.end(socket instanceof TLSSocket ? String(socket.servername) : ''),
  )
  const failures: string[] = []
  server.on('clientError', (error: Error & { code?: string }) => failures.push(error.code ?? error.message))
  t.after(() => server.close())
  server.listen(0, host)
  await once(server, 'listening')
  return { server, failures, port: (server.address() as AddressInfo).port }
}

/** A connection to the server that passes a client's bytes on one at a time. */
function byteByByte(to: Socket): Duplex {
  const stream = new Duplex({
    read: () => void to.resume(),
    write: (chunk: Buffer, _, done) => {
      void (async () => {
        for (const byte of chunk) {
          to.write(Buffer.from([byte]))
          await new Promise(setImmediate)
        }
        done()
      })()
    },
  })
  to.setNoDelay(true)
  to.on('data', chunk => stream.push(chunk))
  return stream
}

test('a client whose first message comes byte by byte gets the certificate of its host', async t => {
  const { port } = await serve(t)
  const raw = connect(port, host)
  await once(raw, 'connect')
  const socket = connectTls({ socket: byteByByte(raw), servername: 'further.example', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  assert.equal(socket.getPeerCertificate().fingerprint256, fingerprintOf(further))
  raw.destroy()
})

test('requests on one connection to a further host are answered one after another', async t => {
  const { port } = await serve(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const sockets = new Set<Socket>()
  for (let count = 0; count < 3; count += 1) {
    const request = get({ port, host, agent, servername: 'further.example', rejectUnauthorized: false })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    sockets.add(response.socket)
    let body = ''
    for await (const chunk of response) body += String(chunk)
    assert.equal(body, 'further.example')
  }
  assert.equal(sockets.size, 1)
})

test('a reload serves a further host its new certificate', async t => {
  let pair = further
  const tls = new Tls(() => ({ keyPairs: [first, pair], clients: null, isLegacy: false }))
  const { server } = await serve(t, tls)
  assert.equal(await certificateOf(server, { servername: 'further.example' }), fingerprintOf(further))
  pair = renewed
  tls.reload()
  assert.equal(await certificateOf(server, { servername: 'further.example' }), fingerprintOf(renewed))
})

test('a handshake with a further host that fails is reported as one of the server', async t => {
  const { server, failures } = await serve(t)
  const client = { servername: 'further.example', ciphers: 'AES128-GCM-SHA256' }
  const failed = once(server, 'tlsClientError')
  assert.equal(await certificateOf(server, client), null)
  await failed
  assert.deepEqual(failures, ['ERR_SSL_NO_SHARED_CIPHER'])
})

for (const [keyPairs, names] of [
  [[first], 'one name is'],
  [[first, further], 'two names are'],
] as const) {
  test(`a handshake waits for its turn, which it has to itself, where ${names} served`, async t => {
    const { turnstile, waiting } = holdTurns()
    const { port } = await serve(t, tlsOf(...keyPairs), undefined, { ...turnstile, enter: () => assert.fail() })
    const sockets = ['first.example', 'further.example'].map(servername =>
      connectTls({ port, host, servername, rejectUnauthorized: false }),
    )
    t.after(() => sockets.forEach(socket => socket.destroy()))
    let handshakes = 0
    const secured = sockets.map(socket => once(socket, 'secureConnect').then(() => handshakes++))
    while (waiting.length < 2) await sleep(5)
    assert.equal(handshakes, 0)
    waiting[0]?.()
    await Promise.race(secured)
    assert.equal(handshakes, 1)
    waiting[1]?.()
    await Promise.all(secured)
  })
}

test('a client that leaves while its handshake waits for its turn is closed', { timeout: 10_000 }, async t => {
  const { turnstile, waiting } = holdTurns()
  const { server, port } = await serve(t, tlsOf(first), undefined, turnstile)
  server.on('secureConnection', () => assert.fail())
  const socket = connect(port, host)
  connectTls({ socket, rejectUnauthorized: false }).on('error', () => undefined)
  while (waiting.length === 0) await sleep(5)
  const closed = once(socket, 'close')
  socket.end()
  await closed
  waiting[0]?.()
})

const start = Buffer.from('16030100c8010000c40303', 'hex')
const record = Buffer.from('160301000100', 'hex')
/** The start of a message of 8 KiB, and the rest of it in records of one byte each. */
const crumbs = Buffer.concat([Buffer.from('160301000401002000', 'hex'), ...Array<Buffer>(64).fill(record)])
const ends: readonly (readonly [name: string, end: (socket: Socket) => void, failure: RegExp])[] = [
  ['ends', socket => void socket.end(start), /^ECONNRESET$/],
  ['resets the connection', socket => void socket.write(start, () => socket.resetAndDestroy()), /^ECONNRESET$/],
  ['sends no more', socket => void socket.write(start), /^TLS handshake timeout$/],
  [
    'sends more than 64 records',
    socket => void socket.write(crumbs),
    /too long, has an empty record, or is in too many records/,
  ],
  ['sends HTTP', socket => void socket.write('GET / HTTP/1.1\r\n\r\n'), /^ERR_SSL_HTTP_REQUEST$/],
]
for (const [name, end, failure] of ends) {
  test(`a client that ${name} before its first message is complete is closed and reported`, async t => {
    const { server, failures, port } = await serve(t, tlsOf(first, further), name === 'sends no more' ? 50 : 10_000)
    const failed = once(server, 'tlsClientError')
    const socket = connect(port, host)
    const closed = new Promise(resolve => socket.on('error', () => undefined).once('close', resolve))
    await once(socket, 'connect')
    end(socket)
    socket.resume()
    await Promise.all([failed, closed])
    assert.equal(failures.length, 1)
    assert.match(failures[0] ?? '', failure)
  })
}
