/**
 * What follows a request of a stranger costs nothing: it is not parsed. On real sockets: on the stations' port with and
 * without TLS, and on the admin, metrics and broadcast ports.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { listenHttp } from '../../../src/ops/http/server.ts'
import type { Listener } from '../../../src/server/listener.ts'
import { makeKeyPair, tlsOf } from '../../support/certificate.ts'
import { keepUntil } from '../../support/keep.ts'
import { protocol, upgradeHeaders } from '../../support/peer.ts'
import { openPort, portHost as host } from '../../support/stations-port.ts'

const request = (line: string, ...headers: readonly string[]): string =>
  `${[`${line} HTTP/1.1`, 'Host: csms.example', ...headers].join('\r\n')}\r\n\r\n`
const plain = request('GET /health')
const chunked = request('POST /ocpp/CP1', 'Transfer-Encoding: chunked')
const post = request('POST /app', 'Content-Length: 2').concat('{}')
const station = request('GET /ocpp/CP1', ...upgradeHeaders, protocol('ocpp1.6'))
const h2c = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
]

/** [what is sent, the statuses of all answers, how many requests are parsed at most, because] */
const rows: readonly (readonly [string, readonly string[], number, string])[] = [
  [plain, ['200'], 1, 'one request'],
  [plain.repeat(2_000), ['200'], 1, 'many together'],
  [plain + station, ['200'], 1, 'a station behind it'],
  [
    `${station.replace('CP1', '').replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n')}${'1\r\na\r\n'.repeat(10_000)}`,
    ['400'],
    1,
    'a refused upgrade with a body of many chunks',
  ],
  [`${chunked}${'1\r\na\r\n'.repeat(10_000)}`, ['426'], 1, 'a body of many chunks without an end'],
  [`${plain}no HTTP\r\n\r\n`, ['200'], 1, 'a fault behind it'],
  [request('POST /nothing', 'Content-Length: 5'), ['404'], 1, 'a body that does not come'],
  [request('GET /health', ...h2c).repeat(1_000), ['200'], 1, 'another upgrade, again and again'],
  [post.repeat(3), ['201', '201', '201'], 3, 'posts of the app'],
  [post + plain + post, ['201', '200', '201'], 3, 'a request without the key, between posts of the app'],
]

for (const scheme of ['http', 'https'] as const) {
  describe(`over ${scheme}`, { timeout: 60_000 }, () => {
    let listener: Listener
    const parsed = new Set<IncomingMessage>()
    let bodies = 0
    const keep = keepUntil(after)

    before(async () => {
      const isOfApp = (asked: IncomingMessage): boolean => {
        parsed.add(asked)
        return asked.url === '/app'
      }
      const answer = (asked: IncomingMessage, response: ServerResponse): boolean => {
        if (asked.url !== '/app') return false
        asked.on('data', () => bodies++).on('end', () => response.writeHead(201).end())
        return true
      }
      const tls = scheme === 'https' ? tlsOf(await makeKeyPair()) : null
      listener = await openPort(keep, { isOfApp, answer }, { tls })
    })

    async function open(): Promise<Socket> {
      const { port } = listener
      const socket = scheme === 'http' ? connect(port, host) : connectTls({ port, host, rejectUnauthorized: false })
      await once(socket, scheme === 'http' ? 'connect' : 'secureConnect')
      keep({ close: () => void socket.destroy() })
      return socket.on('error', () => undefined)
    }

    for (const [sent, statuses, most, because] of rows) {
      test(`${statuses.join(', ')} for one connection, and then its end: ${because}`, async () => {
        const socket = await open()
        parsed.clear()
        bodies = 0
        let heard = ''
        socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
        socket.write(sent)
        if (sent.includes('/app'))
          socket.on('data', () => heard.split('HTTP/1.1').length > statuses.length && socket.destroy())
        await once(socket, 'close')
        assert.deepEqual(
          [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
          statuses,
        )
        assert.ok(parsed.size <= most, `${parsed.size} parsed`)
        assert.equal(bodies, statuses.filter(status => status === '201').length, 'those of the posts')
      })
    }

    for (const [behind, what, may] of [
      // Node before 22.21 and 24.9 stops at each upgrade.
      [request('GET /health', ...h2c), 'another upgrade', ['', '201 200']],
      [station, "a station's upgrade", ['']],
    ] as const)
      test(`${what} behind a post that has no answer yet gets none ahead of it, and harms no other`, async () => {
        const [socket, other] = [await open(), await open()]
        let heard = ''
        const statuses = (): string => Array.from(heard.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status).join(' ')
        socket.on('data', (chunk: Buffer) => {
          heard += chunk.toString('latin1')
          if (statuses() === may.at(-1)) socket.destroy()
        })
        socket.write(post + behind)
        await once(socket, 'close')
        assert.ok(
          may.some(each => each === statuses()),
          statuses(),
        )
        other.write(plain)
        assert.match(String(await once(other, 'data')), /^HTTP\/1\.1 200/)
      })

    test('the answer says that the connection closes, but not to the app', async () => {
      for (const [sent, isClosed] of [
        [plain, true],
        [request('POST /app', 'Content-Length: 0'), false],
      ] as const) {
        const socket = await open()
        socket.write(sent)
        const [chunk] = (await once(socket, 'data')) as [Buffer]
        assert.equal(/^connection: close/im.test(chunk.toString('latin1')), isClosed)
      }
    })
  })
}

test('200 clients that say their request and end, all at once, get their answers', async t => {
  const keep = keepUntil(end => t.after(end))
  const { port } = await openPort(keep, {})
  const statuses = Array.from({ length: 200 }, async () => {
    const socket = connect({ port, host, allowHalfOpen: true })
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    socket.end(plain)
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    return chunk.toString('latin1', 9, 12)
  })
  assert.deepEqual(new Set(await Promise.all(statuses)), new Set(['200']))
})

test('a stranger who is still sending a body reads the answer', async t => {
  const keep = keepUntil(end => t.after(end))
  const { port } = await openPort(keep, {})
  const socket = connect(port, host)
  t.after(() => socket.destroy())
  socket.write(request('POST /nothing', `Content-Length: ${100 * 2_000}`))
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  for (let part = 0; part < 100; part++) {
    socket.write('x'.repeat(2_000))
    await sleep(2)
  }
  assert.equal(socket.errored, null)
  assert.match(heard, /^HTTP\/1\.1 404 /)
})

test('a request is answered in its turn among strangers, and a post of the app at once', async t => {
  const waiting: (() => void)[] = []
  const enter = (work: () => void): void => void waiting.push(work)
  const keep = keepUntil(end => t.after(end))
  const reception = {
    isOfApp: ({ url }: IncomingMessage) => url === '/app',
    answer: (_: IncomingMessage, response: ServerResponse) => (response.end(), true),
  }
  const { port } = await openPort(keep, reception, { turnstile: { enter, enterAlone: enter } })
  const ask = async (sent: string): Promise<Socket> => {
    const socket = connect(port, host)
    t.after(() => socket.destroy())
    while (waiting.length === 0) await sleep(5)
    waiting.shift()?.() // the connection's turn
    socket.write(sent)
    return socket
  }
  await once(await ask(request('POST /app', 'Content-Length: 0')), 'data')
  const stranger = await ask(plain)
  while (waiting.length === 0) await sleep(5)
  const answered = once(stranger, 'data')
  waiting.shift()?.()
  await answered
})

const key = 'Authorization: Bearer key'
const chunks = '1\r\na\r\n'.repeat(10_000)
const lastChunk = '0\r\n\r\n'
/** [requests on one connection, of whose bodies so many bytes are parsed, the answers, because] */
const bodies: readonly (readonly [string, number, number, string])[] = [
  [request('POST /', 'Transfer-Encoding: chunked') + chunks, 0, 1, 'chunks of a stranger'],
  [request('GET /', 'Transfer-Encoding: chunked') + chunks, 0, 1, 'also of a request that has no body'],
  [request('POST /', 'Content-Length: 4097') + 'x'.repeat(4_097), 0, 1, 'more than 4 KiB of a stranger'],
  [request('POST /', 'Content-Length: 4096') + 'x'.repeat(4_096), 4_096, 1, '4 KiB of a stranger'],
  [
    request('POST /', key, 'Content-Length: 0') + request('POST /', 'Transfer-Encoding: chunked') + chunks + lastChunk,
    10_000,
    2,
    'chunks behind a request with the key',
  ],
  [request('POST /', key, 'Transfer-Encoding: chunked') + chunks + lastChunk, 10_000, 1, 'chunks with the key'],
]
for (const [sent, most, answers, because] of bodies) {
  test(`on a private port, ${most} bytes of a body are parsed: ${because}`, async t => {
    let parsed = 0
    const answer = (asked: IncomingMessage, response: ServerResponse): void => {
      asked.on('data', (chunk: Buffer) => (parsed += chunk.length)).on('end', () => response.end())
      if (most === 0) setImmediate(() => response.end())
    }
    const isTrusted = ({ headers }: IncomingMessage): boolean => headers.authorization === 'Bearer key'
    const server = await listenHttp({ host, port: 0 }, answer, { isTrusted })
    t.after(() => server.close())
    const socket = connect(server.port, host).on('error', () => undefined)
    t.after(() => socket.destroy())
    let heard = ''
    socket.write(sent)
    while (heard.split('HTTP/1.1 200').length <= answers) heard += String(await once(socket, 'data'))
    assert.equal(parsed, most)
  })
}
