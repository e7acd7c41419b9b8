/** A listener behind the PROXY protocol, on real sockets: plain, and with TLS after the header. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, Socket, type AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { takeConnections } from '../../src/server/connections.ts'
import { usualTimeouts } from '../../src/server/http-server.ts'
import { OpenConnections } from '../../src/server/limits/connections.ts'
import { Turnstile } from '../../src/server/limits/turnstile.ts'
import type { Listener } from '../../src/server/listener.ts'
import { Peers } from '../../src/server/upgrade/peer.ts'
import type { Reception } from '../../src/server/upgrade/upgrade.ts'
import { makeKeyPair, tlsOf } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { openPeer, protocol, upgradeHeaders } from '../support/peer.ts'
import { binaryHeader, field, ipv4, tlsField } from '../support/proxy-header.ts'
import { openPort, portHost as host } from '../support/stations-port.ts'
import { holdTurns } from '../support/turns.ts'

const keyPair = await makeKeyPair()
const certificate = new X509Certificate(keyPair.cert)

type Seen = readonly [address: string, encrypted: boolean, commonName: string | null]

describe('takeConnections', { concurrency: true }, () => {
  const keep = keepUntil(after)
  const refused: string[] = []
  const tlsFailures: string[] = []
  const opened = new Map<string, Listener>()

  before(async () => {
    const peers = new Peers({ trustedProxies: [host], proxyClientCert: 'client-cert' })
    const strict = new Peers({ trustedProxies: ['10.0.0.0/8'], proxyClientCert: null })
    const kinds = [
      ['http', peers, null, 5_000],
      ['https', peers, tlsOf(keyPair), 5_000],
      ['strict', strict, null, 5_000],
      ['hasty', peers, null, 50],
      ['quiet', peers, null, 5_000],
      ['forwarded', peers, null, 5_000],
    ] as const
    for (const [name, known, tls, head] of kinds) {
      const settings = {
        tls,
        peers: known,
        proxyProtocol: name !== 'forwarded',
        connections: new OpenConnections({ connPerAddress: 1, upgradeRate: 0 }, () => 0),
        timeouts: { ...usualTimeouts, head },
      }
      opened.set(name, await openPort(keep, receptionOf(name, known), settings))
    }
  })

  function receptionOf(name: string, peers: Peers): Partial<Reception> {
    return {
      onRefused: ({ remoteAddress }, { problem }) => refused.push(`${name} ${remoteAddress} ${problem}`),
      onTlsFailure: address => tlsFailures.push(address),
      onFault: (_, error) => assert.fail(String(error)),
      answer: (request, response) => {
        const { remoteAddress, encrypted, certificate: given } = peers.upgradeRequest(request)
        response.setHeader('Connection', 'close')
        response.end(JSON.stringify([remoteAddress, encrypted, given?.commonName ?? given?.problem ?? null]))
        return true
      },
    }
  }

  async function dial(name: string): Promise<Socket> {
    const socket = connect(opened.get(name)?.port ?? 0, host)
    keep({ close: () => void socket.destroy() })
    socket.setNoDelay(true)
    await once(socket, 'connect')
    return socket
  }

  async function answerOn(socket: Socket): Promise<Seen> {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await once(socket, 'close')
    return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Seen
  }

  const ask = (...lines: readonly string[]): string =>
    ['GET /who HTTP/1.1', 'Host: csms.example', ...lines, '', ''].join('\r\n')
  const line = Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 40000 8080\r\n')
  const local = binaryHeader(0x20, 0)
  const tlsHeader = binaryHeader(0x21, 0x11, ipv4, tlsField(7, 0, field(0x22, 'CP1')))
  const forged = ['X-Forwarded-For: 198.51.100.1', `Client-Cert: :${certificate.raw.toString('base64')}:`]
  const trusted = Buffer.from('PROXY TCP4 127.0.0.1 192.0.2.1 1 2\r\n')

  const rows: readonly (readonly [name: string, header: Buffer, request: string, seen: Seen])[] = [
    ['version 1', line, ask(), ['203.0.113.7', false, null]],
    ['version 2', binaryHeader(0x21, 0x11, ipv4), ask(), ['203.0.113.7', false, null]],
    ['TLS and a certificate at the proxy', tlsHeader, ask(), ['203.0.113.7', true, 'CP1']],
    ['LOCAL: the proxy itself', local, ask(), [host, false, null]],
    ['headers of a station behind the proxy', line, ask(...forged), ['203.0.113.7', false, null]],
    [
      'headers after UNKNOWN, which are the station’s',
      Buffer.from('PROXY UNKNOWN\r\n'),
      ask(...forged),
      [host, false, null],
    ],
    ['headers of a trusted proxy behind the proxy', trusted, ask(...forged), ['198.51.100.1', false, 'localhost']],
  ]
  for (const [name, header, request, seen] of rows) {
    test(`takeConnections tells the peer when it gets ${name} in one packet`, async () => {
      const socket = await dial('http')
      socket.write(Buffer.concat([header, Buffer.from(request)]))
      assert.deepEqual(await answerOn(socket), seen)
    })
  }

  test('takeConnections reads a header and a request that come byte by byte', async () => {
    const socket = await dial('http')
    const answer = answerOn(socket)
    for (const byte of Buffer.concat([tlsHeader, Buffer.from(ask())])) {
      socket.write(Buffer.from([byte]))
      await new Promise(setImmediate)
    }
    assert.deepEqual(await answer, ['203.0.113.7', true, 'CP1'])
  })

  test('takeConnections starts TLS after the header, also when its first bytes come with it', async () => {
    for (const isSplit of [false, true]) {
      const raw = await dial('https')
      raw.cork()
      raw.write(line)
      if (isSplit) raw.uncork()
      const socket = connectTls({ socket: raw, rejectUnauthorized: false })
      if (!isSplit) setImmediate(() => raw.uncork())
      await once(socket, 'secureConnect')
      socket.write(ask(...forged))
      assert.deepEqual(await answerOn(socket), ['203.0.113.7', true, null])
    }
  })

  test('takeConnections names the station when its TLS fails after the header', async () => {
    const socket = await dial('https')
    socket.write(
      Buffer.concat([Buffer.from('PROXY TCP4 203.0.113.99 192.0.2.1 1 2\r\n'), Buffer.from('GET / HTTP/1.1\r\n')]),
    )
    socket.resume()
    await once(socket, 'close')
    assert.deepEqual(
      tlsFailures.filter(address => address === '203.0.113.99'),
      ['203.0.113.99'],
    )
  })

  const refusals = [
    ['from an address that is not trusted', 'strict', line, 'The PROXY protocol is accepted from trusted_proxies only'],
    ['without a header', 'http', Buffer.from(ask()), 'The PROXY protocol header is malformed: there is none'],
    ['whose header never ends', 'hasty', Buffer.from('PROXY TCP4 '), 'The PROXY protocol header took too long'],
  ] as const
  for (const [name, listener, bytes, problem] of refusals) {
    test(`takeConnections closes a connection ${name}`, async () => {
      const socket = await dial(listener)
      let heard = 0
      socket.on('data', (chunk: Buffer) => (heard += chunk.length))
      // A busy bridge closes before it has read the bytes, which resets the connection.
      const closed = new Promise(resolve => socket.on('error', () => undefined).once('close', resolve))
      socket.write(bytes)
      await closed
      assert.equal(heard, 0)
      assert.ok(refused.includes(`${listener} ${host} ${problem}`), refused.join('\n'))
    })
  }

  test('takeConnections says nothing of a health check that closes without a header', async () => {
    const socket = await dial('quiet')
    socket.end()
    socket.resume()
    await once(socket, 'close')
    assert.deepEqual(
      refused.filter(each => each.startsWith('quiet')),
      [],
    )
  })

  test('takeConnections says nothing of a connection that was reset before it was taken', () => {
    const server = createServer()
    const socket = new Socket()
    takeConnections(server, {
      proxyProtocol: true,
      peers: new Peers({ trustedProxies: [host], proxyClientCert: null }),
      connections: { admit: () => true },
      turnstile: new Turnstile(() => 0),
      headerMs: 5_000,
      onConnection: () => assert.fail(),
      onCrowded: () => assert.fail(),
      onRefused: (address, problem) => assert.fail(`${address} ${problem}`),
    })
    server.emit('connection', socket)
    assert.equal(socket.destroyed, true)
  })

  test('takeConnections passes a connection on in its turn, unless it has ended by then', async () => {
    const { turnstile, waiting } = holdTurns()
    const taken: Socket[] = []
    const passed: Socket[] = []
    const server = createServer().on('connection', (socket: Socket) => passed.push(socket))
    keep({ close: () => void server.close() })
    takeConnections(server, {
      proxyProtocol: false,
      peers: new Peers({ trustedProxies: [], proxyClientCert: null }),
      connections: { admit: () => true },
      turnstile,
      headerMs: 5_000,
      onConnection: socket => taken.push(socket),
      onCrowded: () => assert.fail(),
      onRefused: (address, problem) => assert.fail(`${address} ${problem}`),
    })
    server.listen(0, host)
    await once(server, 'listening')
    const dialNext = async (): Promise<readonly [client: Socket, socket: Socket | undefined]> => {
      const client = connect((server.address() as AddressInfo).port, host)
      keep({ close: () => void client.destroy() })
      await Promise.all([once(server, 'connection'), once(client, 'connect')])
      return [client, taken.at(-1)]
    }
    for (const leave of ['resetAndDestroy', 'end'] as const) {
      const [leaving, left] = await dialNext()
      assert.ok(left !== undefined)
      const closed = new Promise(resolve => left.once('close', resolve))
      leaving[leave]()
      await closed
    }
    const [, stays] = await dialNext()
    assert.deepEqual(passed, [])
    for (const work of waiting) work()
    assert.deepEqual(passed, [stays])
  })

  test('takeConnections names the station of a request that cannot be parsed', async () => {
    const socket = await dial('http')
    socket.write(Buffer.concat([line, Buffer.from('GET /a b HTTP/1.1\r\n\r\n')]))
    socket.resume()
    await once(socket, 'close')
    assert.ok(
      refused.some(each => each.startsWith('http 203.0.113.7 Malformed HTTP request')),
      refused.join('\n'),
    )
  })

  test('the limit of one address counts the stations behind a trusted HTTP proxy, each by its own address', async () => {
    const { port = 0 } = opened.get('forwarded') ?? {}
    const upgrade = async (address: string): Promise<Socket> => {
      const { socket } = await openPeer(port, '/ocpp/CP1', [protocol('ocpp1.6'), `X-Forwarded-For: ${address}`])
      keep({ close: () => void socket.destroy() })
      return socket
    }
    const first = await upgrade('198.51.100.1')
    await assert.rejects(upgrade('198.51.100.1'), /^Error: HTTP\/1.1 429 /)
    await upgrade('198.51.100.2')
    first.destroy()
    while (
      !(await upgrade('198.51.100.1').then(
        () => true,
        () => false,
      ))
    ) {
      // The server has not seen the end yet.
    }
  })

  test('the limit of one address counts the stations of the PROXY protocol', async () => {
    const ask429 = async (): Promise<string> => {
      const socket = await dial('quiet')
      const lines = ['GET /ocpp/CP1 HTTP/1.1', 'Host: csms.example', ...upgradeHeaders, protocol('ocpp1.6'), '', '']
      socket.write(`PROXY TCP4 198.51.100.9 192.0.2.1 1 2\r\n${lines.join('\r\n')}`)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      return answer.toString('latin1', 9, 12)
    }
    assert.deepEqual([await ask429(), await ask429()], ['101', '429'])
  })
})
