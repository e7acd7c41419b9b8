import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { authorityOf, listen, listenHttp, originOf, pathOf } from '../../../src/ops/http/server.ts'
import { quiet } from '../../support/fakes.ts'

const host = '127.0.0.1'
const answer: RequestListener = (_request, response) => response.end('here')
/** All but those that say they are strangers. */
const isTrusted = ({ headers }: IncomingMessage): boolean => headers['user-agent'] !== 'stranger'

async function open(t: TestContext, listener: RequestListener, name = host) {
  const server = await listenHttp({ host: name, port: 0 }, listener, { isTrusted })
  t.after(() => server.close())
  return server
}

/** A client that has sent one request on a connection that stays open. */
function ask(t: TestContext, port: number): Socket {
  const socket = connect(port, host)
  t.after(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
  return socket
}

for (const name of [host, 'localhost']) {
  test(`a server on ${name} is reached at 127.0.0.1, at the port that it reports`, async t => {
    const { port } = await open(t, answer, name)
    assert.ok(port > 0)
    assert.equal(await (await fetch(`http://${host}:${port}`)).text(), 'here')
  })
}

test('listenHttp rejects when the port is taken', async t => {
  const { port } = await open(t, answer)
  await assert.rejects(listenHttp({ host, port }, answer), { code: 'EADDRINUSE' })
})

test('a connection without a request ends by itself', async t => {
  const server = await listenHttp({ host, port: 0 }, answer, { requestMs: 100 })
  t.after(() => server.close())
  const silent = connect(server.port, host)
  t.after(() => silent.destroy())
  silent.resume()
  await once(silent, 'close')
})

test('a connection beyond the limit is closed at once, and a later one is served when there is room again', async t => {
  const server = await listenHttp({ host, port: 0 }, answer, { connections: 1, isTrusted })
  t.after(() => server.close())
  const first = ask(t, server.port)
  await once(first, 'data')
  const second = connect(server.port, host)
  t.after(() => second.destroy())
  second.resume().on('error', () => undefined)
  await once(second, 'close')
  first.destroy()
  await once(first, 'close')
  await served(t, server.port)
})

test('of 2,000 requests in one packet, one is served', async t => {
  let requests = 0
  const { port } = await open(t, (_request, response) => {
    requests++
    response.end('here')
  })
  const socket = connect(port, host).on('error', () => undefined)
  t.after(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: stranger\r\n\r\n'.repeat(2_000))
  await closed(socket)
  assert.equal(requests, 1)
})

for (const [sent, status, because] of [
  ['GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n', 417, 'an expectation that Node does not know'],
  ['GET / HTTP/1.1\r\n\r\n', 400, 'no Host'],
  ['POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na', 200, 'a short body'],
] as const) {
  test(`of 2,000 requests in one packet that are ${status} by themselves, one is parsed: ${because}`, async t => {
    let parsed = 0
    const countParsed = (): boolean => (parsed++, false)
    const server = await listenHttp({ host, port: 0 }, answer, { isTrusted: countParsed })
    t.after(() => server.close())
    const ask = async (count: number): Promise<string> => {
      const socket = connect(server.port, host).on('error', () => undefined)
      t.after(() => socket.destroy())
      let heard = ''
      socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
      socket.write(sent.repeat(count))
      await closed(socket)
      return heard
    }
    assert.match(await ask(1), new RegExp(`^HTTP/1\\.1 ${status} `))
    parsed = 0
    await ask(2_000)
    // The second one stops the parser.
    assert.equal(parsed, 2)
  })
}

test('a client that sends blank lines without a request loses its connection, before it is late', async t => {
  const { port } = await open(t, answer)
  const socket = connect(port, host).on('error', () => undefined)
  t.after(() => socket.destroy())
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  socket.write('\r\n'.repeat(100_000))
  await closed(socket)
  assert.equal(heard, '', 'a 408 would be the limit of time')
})

test('the connection of a client with the key is served again and again, that of another once', async t => {
  const { port } = await open(t, answer)
  const known = connect(port, host)
  t.after(() => known.destroy())
  for (let request = 0; request < 30; request++) {
    known.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    await once(known, 'data')
  }
  const other = connect(port, host)
  t.after(() => other.destroy())
  other.write('GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: stranger\r\n\r\n')
  assert.match(String(await once(other, 'data')), /^connection: close/im)
  await closed(other)
})

/** Not `once`, which rejects when the connection is reset. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.resume().once('close', () => resolve())
  })
}

/** Asks until the server has seen the end of an earlier connection. */
async function served(t: TestContext, port: number): Promise<void> {
  for (;;) {
    const socket = ask(t, port).on('error', () => undefined)
    const [data] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown]
    if (data instanceof Buffer) return
  }
}

test('a server survives an error when it listens already', async t => {
  const server = createServer(answer)
  t.after(() => server.close())
  const port = await listen(server, { host, port: 0 })
  server.emit('error', new Error('accept EMFILE'))
  const response = await fetch(`http://${host}:${port}`, { headers: { connection: 'close' } })
  assert.equal(await response.text(), 'here')
})

test('close ends idle connections at once, may be called twice, and frees the port', async t => {
  const server = await open(t, answer)
  const idle = ask(t, server.port)
  await once(idle, 'data')
  await Promise.all([server.close(), server.close()])
  await assert.rejects(fetch(`http://${host}:${server.port}`))
})

test('close lets a request in flight end', async t => {
  const events = new EventEmitter()
  const server = await open(t, (_request, response) => void events.emit('request', response))
  const requested = once(events, 'request') as Promise<[ServerResponse]>
  const socket = ask(t, server.port)
  const [response] = await requested
  const closed = server.close()
  response.end('late')
  const [data] = (await once(socket, 'data')) as [Buffer]
  assert.match(data.toString(), /late/)
  socket.end()
  await closed
})

test('close cuts a request off that is in flight for more than a second', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const events = new EventEmitter()
  const server = await open(t, () => void events.emit('request'))
  const requested = once(events, 'request')
  ask(t, server.port)
  await requested
  const closed = server.close()
  let isClosed = false
  void closed.then(() => (isClosed = true))
  t.mock.timers.tick(999)
  await quiet()
  assert.equal(isClosed, false)
  t.mock.timers.tick(1)
  await closed
})

const authorities: readonly (readonly [string, number, string, string])[] = [
  ['app.example', 443, 'app.example:443', 'a name'],
  ['10.0.0.7', 80, '10.0.0.7:80', 'an IPv4 address'],
  ['::1', 80, '[::1]:80', 'an IPv6 address has brackets'],
]
for (const [name, port, expected, because] of authorities) {
  test(`the authority of ${name} and ${port} is ${expected}: ${because}`, () => {
    assert.equal(authorityOf({ host: name, port }), expected)
    assert.equal(originOf('https', { host: name, port }), `https://${expected}`)
  })
}

const targets: readonly (readonly [target: string | undefined, path: string, because: string])[] = [
  ['/metrics', '/metrics', 'a path'],
  ['/metrics?x=/y', '/metrics', 'a query is cut'],
  ['/metrics#x', '/metrics', 'a fragment is cut'],
  ['/', '/', 'the root'],
  ['', '/', 'an empty target is the root'],
  [undefined, '/', 'so is none'],
  ['?x', '/', 'and one that has only a query'],
  ['http://app:80/_broadcast?x', '/_broadcast', 'the absolute form'],
  ['HTTPS://app/_broadcast', '/_broadcast', 'schemes are case-insensitive'],
  ['http://app', '/', 'the absolute form without a path'],
  ['http://app?x', '/', 'the absolute form with only a query'],
  ['//app/x', '//app/x', 'without a scheme, all of it is the path'],
  ['/x?\n/y', '/x', 'a query with a line break is cut whole'],
]
for (const [target, path, because] of targets) {
  test(`the path of ${target === undefined ? 'no target' : JSON.stringify(target)} is ${path}: ${because}`, () => {
    assert.equal(pathOf(target), path)
  })
}
