import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, IncomingMessage } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { broadcastKey, broadcastRoute, openHttpBroadcast } from '../../src/broadcast/http.ts'
import { FakeMeter } from '../support/fakes.ts'
import { RecordedLog } from './recorded-log.ts'

const KEY = '42923a28b760e667fc92f7c6123bb07a282822b329dd2ef48e7aee7830d98485'
const MiB = 1024 * 1024

async function open(t: TestContext, { key = null, host = '127.0.0.1' }: { key?: string | null; host?: string } = {}) {
  const delivered: string[] = []
  const log = new RecordedLog()
  const meter = new FakeMeter()
  const options = { host, port: 0, path: '/_broadcast', key }
  const server = await openHttpBroadcast(options, text => delivered.push(text), { log, meter })
  t.after(() => server.close())
  return { server, log, meter, delivered, url: `http://127.0.0.1:${server.port}/_broadcast` }
}

async function statusOf(url: string, request: RequestInit = {}): Promise<number> {
  const response = await fetch(url, { method: 'POST', ...request })
  await response.arrayBuffer()
  return response.status
}

async function dial(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** The status line of the next answer. */
async function answerOn(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString().split('\r\n')[0] ?? ''
}

test('broadcastKey derives the key from the secret as AnyCable does', () => {
  assert.equal(broadcastKey('qwerty'), KEY)
})

test('a POST is delivered unchanged and answered 201, even if it is unreadable', async t => {
  const { url, delivered } = await open(t)
  const bodies = ['{"stream":"s","data":"ü €"}', 'not json', '']
  for (const body of bodies) assert.equal(await statusOf(url, { body }), 201)
  assert.deepEqual(delivered, bodies)
})

test('a broadcast leaves to its station before its publisher is answered', async t => {
  const order: string[] = []
  const deliver = (): void => void setImmediate(() => order.push('sent'))
  const route = broadcastRoute({ path: '/_broadcast', key: null }, deliver, new FakeMeter())
  const server = createServer((request, response) => {
    response.once('finish', () => order.push('answered'))
    route.answer(request, response)
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  assert.equal(await statusOf(`http://127.0.0.1:${port}/_broadcast`, { body: 'x' }), 201)
  assert.deepEqual(order, ['sent', 'answered'])
})

const refusals = [
  ['', { method: 'GET' }, 422, 'not a POST'],
  ['', { method: 'HEAD' }, 422, 'not a POST'],
  ['', { method: 'OPTIONS' }, 422, 'not a POST, even for a CORS preflight'],
  ['', { method: 'DELETE' }, 422, 'not a POST'],
  ['', { method: 'PUT', body: 'x' }, 422, 'not a POST, even with a body'],
  ['/more', { body: 'x' }, 404, 'a path below the endpoint'],
  ['/../other', { body: 'x' }, 404, 'another path'],
] as const
for (const [suffix, request, expected, because] of refusals) {
  test(`the endpoint answers ${expected} to a request: ${because}`, async t => {
    const { url, delivered } = await open(t)
    assert.equal(await statusOf(url + suffix, request), expected)
    assert.deepEqual(delivered, [])
  })
}

test('a query string does not change the path', async t => {
  const { url, delivered } = await open(t)
  assert.equal(await statusOf(`${url}?from=app`, { body: 'x' }), 201)
  assert.deepEqual(delivered, ['x'])
})

const authorizations = [
  [`Bearer ${KEY}`, 201, 'the key'],
  [undefined, 401, 'no header'],
  ['', 401, 'an empty header'],
  [`Bearer ${KEY.slice(1)}`, 401, 'a part of the key'],
  [`Bearer ${KEY}${KEY}`, 401, 'the key twice'],
  [KEY, 401, 'the key without its scheme'],
  [`bearer ${KEY}`, 401, 'the scheme is case-sensitive, as in AnyCable'],
] as const
for (const [authorization, expected, because] of authorizations) {
  test(`the endpoint with a key answers ${expected}: ${because}`, async t => {
    const { url, delivered } = await open(t, { key: KEY })
    const headers = authorization === undefined ? undefined : { authorization }
    assert.equal(await statusOf(url, { body: 'x', ...(headers && { headers }) }), expected)
    assert.deepEqual(delivered, expected === 201 ? ['x'] : [])
  })
}

for (const type of ['application/json', 'text/plain;charset=UTF-8', 'application/x-www-form-urlencoded', '']) {
  test(`the content type ${JSON.stringify(type)} is ignored, as in AnyCable`, async t => {
    const { url, delivered } = await open(t)
    assert.equal(await statusOf(url, { body: Buffer.from('{}'), headers: { 'content-type': type } }), 201)
    assert.deepEqual(delivered, ['{}'])
  })
}

const targets = [
  ['http://127.0.0.1/_broadcast', 201, 'as the gem sends it'],
  ['https://bridge.example:8090/_broadcast?x=/other', 201, 'any scheme, host, port and query'],
  ['http://127.0.0.1/other', 404, 'another path'],
  ['http://127.0.0.1/other?/_broadcast', 404, 'the path of the endpoint in the query'],
  ['http://_broadcast', 404, 'the name of the endpoint as the host'],
  ['http://user@127.0.0.1/_broadcast', 201, 'a user in the URL is ignored'],
] as const
for (const [target, expected, because] of targets) {
  test(`an absolute request line, ${target}, is answered ${expected}: ${because}`, async t => {
    const { server, delivered } = await open(t, { key: KEY })
    const socket = await dial(t, server.port)
    const head = `POST ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${KEY}\r\n`
    socket.write(`${head}Content-Length: 2\r\n\r\n{}`)
    assert.ok((await answerOn(socket)).startsWith(`HTTP/1.1 ${expected} `), 'another status')
    assert.deepEqual(delivered, expected === 201 ? ['{}'] : [])
  })
}

test('an absolute request line needs the key too', async t => {
  const { server, delivered } = await open(t, { key: KEY })
  const socket = await dial(t, server.port)
  const target = `http://127.0.0.1:${server.port}/_broadcast`
  socket.write(`POST ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}`)
  assert.equal(await answerOn(socket), 'HTTP/1.1 401 Unauthorized')
  assert.deepEqual(delivered, [])
})

test('two publications on one connection are delivered in order', async t => {
  const { server, delivered } = await open(t)
  const socket = await dial(t, server.port)
  const post = (body: string) => `POST /_broadcast HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  socket.write(post('first') + post('second'))
  let answers = ''
  while (answers.split('201 Created').length < 3) answers += String((await once(socket, 'data'))[0])
  assert.deepEqual(delivered, ['first', 'second'])
})

test('a body of 1 MiB is accepted, one byte more gets 413, is counted and keeps the connection', async t => {
  const { url, meter, delivered } = await open(t)
  assert.equal(await statusOf(url, { body: 'x'.repeat(MiB) }), 201)
  assert.equal(await statusOf(url, { body: 'x'.repeat(MiB + 1) }), 413)
  assert.equal(await statusOf(url, { body: 'after' }), 201)
  assert.deepEqual(
    delivered.map(text => text.length),
    [MiB, 5],
  )
  assert.equal(meter.total('failed_broadcast_msg_total'), 1)
})

test('a body gets 503 and is counted when 8 MiB of others are being received', async t => {
  const { server, url, meter } = await open(t)
  const head = 'POST /_broadcast HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n'
  for (let at = 0; at < 8; at++) {
    const socket = await dial(t, server.port)
    socket.write(head)
    await answerOn(socket)
    const text = `100000\r\n${'x'.repeat(MiB)}\r\n`
    await new Promise(resolve => socket.write(text, resolve))
  }
  // What a client has written, the server may still have to read.
  let status = 201
  while (status === 201) status = await statusOf(url, { body: 'x' })
  assert.equal(status, 503)
  assert.equal(meter.total('failed_broadcast_msg_total'), 1)
})

test('a body with too large a content length is refused before it is sent', async t => {
  const { server } = await open(t)
  const socket = await dial(t, server.port)
  socket.write(`POST /_broadcast HTTP/1.1\r\nHost: h\r\nContent-Length: ${9 * MiB}\r\n\r\n`)
  assert.equal(await answerOn(socket), 'HTTP/1.1 413 Payload Too Large')
})

test('a body of unknown length is refused when it exceeds the limit', async t => {
  const { server, delivered } = await open(t)
  const socket = await dial(t, server.port)
  socket.write('POST /_broadcast HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')
  const chunk = `100000\r\n${'x'.repeat(MiB)}\r\n`
  for (let sent = 0; sent < 2; sent++) socket.write(chunk)
  assert.equal(await answerOn(socket), 'HTTP/1.1 413 Payload Too Large')
  socket.write('0\r\n\r\nPOST /_broadcast HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nafter')
  assert.equal(await answerOn(socket), 'HTTP/1.1 201 Created')
  assert.deepEqual(delivered, ['after'])
})

test('a client that disconnects in the middle of its body does not affect others', async t => {
  const { server, url, delivered } = await open(t)
  const socket = await dial(t, server.port)
  socket.write('POST /_broadcast HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf')
  socket.destroy()
  await once(socket, 'close')
  assert.equal(await statusOf(url, { body: 'whole' }), 201)
  assert.deepEqual(delivered, ['whole'])
})

const requests = [
  [{ url: '/_broadcast?x', method: 'POST', authorization: 'Bearer k' }, true, 'a post with the key'],
  [{ url: '/_broadcast', method: 'POST', authorization: 'Bearer x' }, false, 'another key'],
  [{ url: '/_broadcast', method: 'POST' }, false, 'no key'],
  [{ url: '/_broadcast', method: 'GET', authorization: 'Bearer k' }, false, 'not a post'],
  [{ url: '/other', method: 'POST', authorization: 'Bearer k' }, false, 'another path'],
] as const
for (const [{ url, method, ...headers }, expected, because] of requests) {
  test(`a request is ${expected ? '' : 'not '}one of the app: ${because}`, () => {
    const { isOfApp } = broadcastRoute({ path: '/_broadcast', key: 'k' }, () => undefined, new FakeMeter())
    assert.equal(isOfApp(Object.assign(new IncomingMessage(new Socket()), { url, method, headers })), expected)
  })
}

test('broadcastRoute on another server answers only its own path', async t => {
  const delivered: string[] = []
  const route = broadcastRoute({ path: '/_broadcast', key: 'k' }, text => delivered.push(text), new FakeMeter())
  const server = createServer((request, response) => {
    if (!route.answer(request, response)) response.writeHead(200).end('stations')
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  assert.equal(await statusOf(`${url}/health`, { method: 'GET' }), 200)
  assert.equal(await statusOf(`${url}/_broadcast`, { body: 'x' }), 401)
  assert.equal(await statusOf(`${url}/_broadcast`, { body: 'y', headers: { authorization: 'Bearer k' } }), 201)
  assert.deepEqual(delivered, ['y'])
})

test('close returns at once with a keep-alive connection, and may be called twice', async t => {
  const { server, url } = await open(t)
  const socket = await dial(t, server.port)
  socket.write('POST /_broadcast HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx')
  await answerOn(socket)
  const ended = once(socket, 'close')
  const started = performance.now()
  await Promise.all([server.close(), server.close()])
  assert.ok(performance.now() - started < 500)
  await ended
  await assert.rejects(fetch(url, { method: 'POST' }))
})

test('close does not wait for a request that never ends', { timeout: 10_000 }, async t => {
  const { server } = await open(t)
  const socket = await dial(t, server.port)
  socket.write('POST /_broadcast HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n')
  assert.equal(await answerOn(socket), 'HTTP/1.1 100 Continue')
  const ended = once(socket, 'close')
  await server.close()
  await ended
})

test('openHttpBroadcast rejects when its port is in use', async t => {
  const { server, log, meter } = await open(t)
  const options = { host: '127.0.0.1', port: server.port, path: '/_broadcast', key: null }
  await assert.rejects(
    openHttpBroadcast(options, () => null, { log, meter }),
    /EADDRINUSE/,
  )
})

const announcements = [
  [{ host: 'localhost', key: null }, 'no authorization', 'the default, for an app on the same machine'],
  [{ host: '127.0.0.1', key: 'k' }, 'authorization required', 'a key on a loopback address'],
  [{ host: '0.0.0.0', key: 'k' }, 'authorization required', 'reachable by others, with a key'],
] as const
for (const [options, condition, because] of announcements) {
  test(`the start at ${options.host} logs "${condition}": ${because}`, async t => {
    const { server, log, url } = await open(t, options)
    const line = `Accept broadcast requests at http://${options.host}:${server.port}/_broadcast (${condition})`
    assert.deepEqual(
      log.lines.map(({ message }) => message),
      [line],
    )
    assert.equal(await statusOf(url, { method: 'GET' }), 422, 'reached over IPv4')
  })
}
