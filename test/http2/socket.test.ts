/** Connections over real sockets, to servers of Node.js. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { before, test, type TestContext } from 'node:test'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import type { Connection } from '../../src/http2/connection.ts'
import type { End } from '../../src/http2/exchange.ts'
import { noAlpn, openConnection, type SocketOwner, type Target } from '../../src/http2/socket.ts'
import { makeKeyPair } from '../support/certificate.ts'
import { Mailbox } from '../support/fakes.ts'
import { freePort } from '../support/ports.ts'
import { openTcp } from '../support/tcp.ts'
import { framesOf, Request, settings, types } from './server.ts'

const within = { timeout: 20_000 }
let pair: { readonly cert: string; readonly key: string }
before(async () => (pair = await makeKeyPair()))

class Owner implements SocketOwner {
  readonly events = new Mailbox<string>()

  onConnect(): void {
    this.events.put('connected')
  }

  onReady(): void {
    this.events.put('ready')
  }

  onPong(): void {
    this.events.put('pong')
  }

  onGoaway(): void {
    this.events.put('goaway')
  }

  onEnd(reason: string): void {
    this.events.put(reason)
  }

  onClose(): void {
    this.events.put('close')
  }
}

function open(t: TestContext, port: number, tls: Target['tls'] = null): { connection: Connection; owner: Owner } {
  const owner = new Owner()
  const fields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'app'],
  ] as const
  const connection = openConnection({ address: '127.0.0.1', port, tls }, fields, owner)
  t.after(() => connection.destroy('the test is over'))
  return { connection, owner }
}

async function listen(t: TestContext, server: Http2Server | Http2SecureServer | TlsServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Sends each body back, and then trailers. */
function echo(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ result: 'fine' }))
  stream.on('error', () => undefined).pipe(stream)
}

async function next(owner: Owner, ...expected: readonly string[]): Promise<void> {
  for (const event of expected) assert.equal(await owner.events.next(), event)
}

test('a large request and its response pass over TCP', within, async t => {
  const { connection, owner } = open(t, await listen(t, createServer().on('stream', echo)))
  await next(owner, 'connected', 'ready')
  const body = Buffer.alloc(3 * 2 ** 20, 'abcdefghij')
  const requests = [new Request(body), new Request(body), new Request('small')]
  for (const request of requests) connection.open(request)
  while (requests.some(({ ends }) => ends.length === 0)) await new Promise(setImmediate)
  for (const { end, received, body } of requests) assert.deepEqual([end, received === body.toString()], ['fine', true])
  connection.close('over')
  await next(owner, 'over', 'close')
})

test(
  'a request passes over TLS when the server selects h2 by ALPN, and the certificate is trusted',
  within,
  async t => {
    const port = await listen(t, createSecureServer(pair).on('stream', echo))
    const { connection, owner } = open(t, port, { host: '127.0.0.1', ca: pair.cert, verify: true })
    await next(owner, 'connected', 'ready')
    const request = new Request('body')
    connection.open(request)
    while (request.ends.length === 0) await new Promise(setImmediate)
    assert.deepEqual([request.end, request.received], ['fine', 'body'])
  },
)

test('a connection ends when the server does TLS without ALPN, whatever it sends (RFC 9113 §3.3)', within, async t => {
  const port = await listen(
    t,
    createTlsServer(pair, socket => socket.on('error', () => undefined)),
  )
  const { owner } = open(t, port, { host: '127.0.0.1', ca: pair.cert, verify: true })
  await next(owner, 'connected', noAlpn, 'close')
})

test('a connection ends with the reason when the certificate is not trusted, or nobody listens', within, async t => {
  const port = await listen(t, createSecureServer(pair))
  const strange = open(t, port, { host: '127.0.0.1', ca: null, verify: true })
  assert.match(await strange.owner.events.next(), /self-signed certificate/)
  const nowhere = open(t, await freePort())
  assert.match(await nowhere.owner.events.next(), /ECONNREFUSED/)
  await next(nowhere.owner, 'close')
})

test('a connection ends when the server hangs up, and hangs up itself when it breaks HTTP/2', within, async t => {
  const silent = await openTcp(t, socket => socket.end())
  const { owner } = open(t, Number(silent.host.split(':')[1]))
  await next(owner, 'connected', 'the app closed the connection', 'close')
  const wrong = await openTcp(t, socket => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), {
    allowHalfOpen: true,
  })
  const other = open(t, Number(wrong.host.split(':')[1]))
  await next(other.owner, 'connected', 'the app broke HTTP/2: a frame of 4740180 bytes', 'close')
  const [socket] = wrong.sockets
  assert.ok(socket, 'it was accepted')
  if (!socket.readableEnded) await once(socket.resume(), 'end')
})

test('a request that comes after the server has hung up is refused, as it is not sent', within, async t => {
  const received = new Mailbox<Buffer>()
  const tcp = await openTcp(
    t,
    socket => {
      socket.on('data', bytes => received.put(bytes))
      socket.write(settings())
    },
    { allowHalfOpen: true },
  )
  const { connection, owner } = open(t, Number(tcp.host.split(':')[1]))
  await next(owner, 'connected', 'ready')
  const requests: Request[] = []
  const [socket] = tcp.sockets
  assert.ok(socket, 'it was accepted')
  await received.next()
  socket.end()
  while (connection.isOpen) {
    const request = new Request()
    requests.push(request)
    connection.open(request)
    await new Promise(setImmediate)
  }
  if (!socket.readableEnded) await once(socket, 'end')
  while (requests.some(({ ends }) => ends.length === 0)) await new Promise(setImmediate)
  const sent = framesOf(Buffer.concat(received.all).subarray(24)).filter(({ type }) => type === types.headers)
  const lost = requests.filter(({ end }) => (end as End).kind === 'lost')
  assert.equal(lost.length, sent.length)
})
