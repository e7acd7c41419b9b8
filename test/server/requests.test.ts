/**
 * Plain requests on the stations' port that offer an upgrade to something else than a WebSocket, on real sockets.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Listener } from '../../src/server/listener.ts'
import type { Reception } from '../../src/server/upgrade/upgrade.ts'
import { makeKeyPair, tlsOf } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { protocol, upgradeHeaders } from '../support/peer.ts'
import { openPort, portHost as host } from '../support/stations-port.ts'

/** As Java's HttpClient sends them with the first request of a connection. */
const h2c = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
]
const large = 'x'.repeat(500_000)

type Row = {
  readonly head: readonly string[]
  /** Sent in one packet with the head. */
  readonly body?: string
  /** Sent after it, on its own. */
  readonly more?: string
  readonly status: number
  readonly says: RegExp
  readonly because: string
}

const rows: readonly Row[] = [
  { head: ['GET /health HTTP/1.1', ...h2c], status: 200, says: /stayin' alive/, because: 'the health check' },
  { head: ['GET /ready HTTP/1.1', ...h2c], status: 200, says: /"ready":true/, because: 'the readiness check' },
  { head: ['GET /ocpp/CP01 HTTP/1.1', ...h2c], status: 426, says: /WebSocket endpoint/, because: "a station's path" },
  { head: ['GET /nothing HTTP/1.1', ...h2c], status: 404, says: /^Not found$/, because: 'an unknown path' },
  {
    head: ['GET /ocpp/CP01 HTTP/1.1', ...upgradeHeaders.slice(1), 'Upgrade: websockets', protocol('ocpp1.6')],
    status: 426,
    says: /WebSocket endpoint/,
    because: 'a protocol that is not quite it',
  },
  {
    head: ['GET /ocpp/CP01 HTTP/1.1', 'Connection: keep-alive', 'Upgrade: websocket', protocol('ocpp1.6')],
    status: 426,
    says: /WebSocket endpoint/,
    because: 'a Connection header without upgrade',
  },
  {
    head: ['POST /echo HTTP/1.1', ...h2c, 'Content-Length: 5'],
    body: 'hello',
    status: 200,
    says: /^POST 5 hello$/,
    because: 'a body in the same packet',
  },
  {
    head: ['POST /echo HTTP/1.1', ...h2c, 'Content-Length: 10'],
    body: 'hello',
    more: 'world',
    status: 200,
    says: /^POST 10 helloworld$/,
    because: 'a body in two packets',
  },
  {
    head: ['POST /echo HTTP/1.1', ...h2c, `Content-Length: ${large.length}`],
    more: large,
    status: 200,
    says: /^POST 500000 x/,
    because: 'a large body',
  },
  {
    head: ['POST /echo HTTP/1.1', ...h2c, 'Transfer-Encoding: chunked'],
    body: '5\r\nhel',
    more: 'lo\r\n0\r\n\r\n',
    status: 200,
    says: /^POST 5 hello$/,
    because: 'a chunked body',
  },
  {
    head: ['POST /echo HTTP/1.1', ...h2c, 'X-Word: K\u00f6ln', 'Content-Length: 0'],
    status: 200,
    says: /^POST 0 K\u00f6ln$/,
    because: 'headers arrive as sent, byte by byte',
  },
  {
    head: ['POST /echo HTTP/1.1', ...h2c, 'Content-Length: x'],
    status: 400,
    says: /Malformed HTTP request/,
    because: 'a length that is none',
  },
]

const lists = ['Upgrade: websocket, h2c', 'Upgrade: h2c , WebSocket', 'Upgrade: h2c\r\nUpgrade: websocket'] as const

const reception = (refused: string[]): Partial<Reception> => ({
  onRefused: (_request, { status, problem }) => refused.push(`${status} ${problem}`),
  onFault: (_request, error) => refused.push(String(error)),
  isOfApp: ({ url }) => url === '/echo',
  answer: (request, response) => {
    if (request.url !== '/echo') return false
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const word = request.headers['x-word'] ?? body
      response.setHeader('Content-Type', 'text/plain').end(`${request.method} ${body.length} ${String(word)}`, 'latin1')
    })
    return true
  },
})

for (const scheme of ['http', 'https'] as const) {
  describe(`over ${scheme}`, { timeout: 60_000 }, () => {
    const refused: string[] = []
    let listener: Listener
    const keep = keepUntil(after)

    before(async () => {
      const tls = scheme === 'https' ? tlsOf(await makeKeyPair()) : null
      listener = await openPort(keep, reception(refused), { tls })
    })

    async function open(): Promise<Socket> {
      const { port } = listener
      const socket = scheme === 'http' ? connect(port, host) : connectTls({ port, host, rejectUnauthorized: false })
      await once(socket, scheme === 'http' ? 'connect' : 'secureConnect')
      return socket.on('error', () => undefined)
    }

    /** What is answered until the connection ends, or until nothing has come for a while. */
    async function answerTo({ head, body = '', more }: Pick<Row, 'head' | 'body' | 'more'>): Promise<string> {
      const socket = await open()
      let answer = ''
      socket.on('timeout', () => socket.destroy())
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1')
        if (answer.includes('\r\n\r\n')) socket.setTimeout(100)
      })
      const closed = once(socket, 'close')
      socket.write(`${[...head, 'Host: csms.example'].join('\r\n')}\r\n\r\n${body}`, 'latin1')
      if (more !== undefined) {
        await sleep(20)
        socket.write(more)
      }
      await closed
      return answer
    }

    for (const row of rows) {
      const [line = ''] = row.head
      test(`${line} with an upgrade to another protocol gets ${row.status}: ${row.because}`, async () => {
        refused.length = 0
        const answer = await answerTo(row)
        const [head = '', body = ''] = answer.split('\r\n\r\n')
        assert.match(head, new RegExp(`^HTTP/1\\.1 ${row.status} `))
        assert.match(body.trim(), row.says)
        if (row.status !== 400) assert.deepEqual(refused, [], 'no station is refused')
      })
    }

    for (const list of lists) {
      test(`${JSON.stringify(list)} is an upgrade to a WebSocket`, async () => {
        const head = ['GET /ocpp/CP01 HTTP/1.1', ...upgradeHeaders.slice(1), list, protocol('ocpp1.6')]
        assert.match(await answerTo({ head }), /^HTTP\/1\.1 101 /)
      })
    }

    test('a body that never comes does not keep the server from serving others', async t => {
      const stalled = await open()
      t.after(() => stalled.destroy())
      stalled.write(['POST /echo HTTP/1.1', 'Host: a', ...h2c, 'Content-Length: 5', '', 'he'].join('\r\n'))
      assert.match(await answerTo({ head: ['GET /health HTTP/1.1', ...h2c] }), /^HTTP\/1\.1 200 /)
      stalled.destroy()
      assert.match(await answerTo({ head: ['GET /health HTTP/1.1', ...h2c] }), /^HTTP\/1\.1 200 /)
    })
  })
}
