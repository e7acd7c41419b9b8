/** Requests that look like upgrades to the server of the private ports, on real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener } from 'node:http'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { listenHttp } from '../../../src/ops/http/server.ts'

const host = '127.0.0.1'
/** Answers `/late` when its body has come, and others at once; says how much of a body came. */
const answer: RequestListener = (request, response) => {
  let length = 0
  request.on('data', (chunk: Buffer) => (length += chunk.length))
  if (request.url === '/late') request.on('end', () => response.end(`late ${length}`))
  else response.end('at once')
}

const request = (line: string, ...headers: readonly string[]): string =>
  `${[`${line} HTTP/1.1`, 'Host: app.example', ...headers].join('\r\n')}\r\n\r\n`
const h2c = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
]
const key = 'Authorization: Bearer key'
const chunked = 'Transfer-Encoding: chunked'

/** All that comes before the connection ends. */
async function answersTo(t: TestContext, sent: string): Promise<string> {
  const isTrusted = ({ headers }: IncomingMessage): boolean => headers.authorization === 'Bearer key'
  const server = await listenHttp({ host, port: 0 }, answer, { isTrusted })
  t.after(() => server.close())
  const socket = connect(server.port, host).on('error', () => undefined)
  t.after(() => socket.destroy())
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  socket.write(sent)
  await once(socket, 'close')
  return heard
}

const closing = 'Connection: close'
const rows: readonly (readonly [sent: string, says: readonly string[], because: string])[] = [
  [request('GET /', ...h2c, closing), ['at once'], 'a scrape by a client that offers HTTP/2'],
  [
    request('POST /late', ...h2c, closing, 'Content-Length: 5').concat('hello'),
    ['late 5'],
    'a short body behind such an offer',
  ],
  [
    request('POST /late', ...h2c, key, chunked).concat('5\r\nhello\r\n0\r\n\r\n'),
    ['late 5'],
    'a body of one with the key',
  ],
  [request('POST /', chunked), ['at once'], 'the body of a stranger is not waited for'],
  [
    request('POST /late', 'Content-Length: 5') + request('POST /', chunked),
    [],
    'behind a request that has no answer yet',
  ],
  [
    request('POST /late', key, 'Content-Length: 5') + request('GET /', ...h2c, key),
    [],
    'an offer of HTTP/2 behind such a request',
  ],
]
for (const [sent, says, because] of rows) {
  test(`${because}: ${says.join(', ') || 'no answer'}, then closed`, async t => {
    const heard = await answersTo(t, sent)
    assert.deepEqual(heard.match(/at once|late \d+/g) ?? [], says)
  })
}
