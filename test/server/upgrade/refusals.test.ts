/**
 * What the log says of connections that do not become a station's: which station, why, and never a header's value. On
 * real sockets, because the errors are Node's and OpenSSL's.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { Notices } from '../../../src/ops/notices.ts'
import { refused } from '../../../src/translate/handshake.ts'
import { newReports } from '../../../src/server/reports.ts'
import type { Reception } from '../../../src/server/upgrade/upgrade.ts'
import { makeKeyPair, tlsOf } from '../../support/certificate.ts'
import { FakeLog, FakeMeter } from '../../support/fakes.ts'
import { keepUntil, type Keep } from '../../support/keep.ts'
import { protocol, upgradeHeaders } from '../../support/peer.ts'
import { run } from '../../support/process.ts'
import { openPort, portHost as host } from '../../support/stations-port.ts'

const timeouts = { tlsHandshake: 500, head: 500, request: 600, keepAlive: 300, idle: 900, check: 100 }
const secret = 'QUwxMDAwOjEyMzQ1'

type Fields = Readonly<Record<string, unknown>>

async function open(isTls: boolean, keep: Keep) {
  const log = new FakeLog()
  const meter = new FakeMeter()
  const notices = new Notices(log)
  const tls = isTls ? tlsOf(await makeKeyPair()) : null
  const reception: Partial<Reception> = {
    ...newReports('/ocpp', { log, once: notices.once.bind(notices), meter }),
    refusal: ({ stationId }) => {
      const problem = `${stationId.slice(0, 4)} cannot connect`
      if (stationId.startsWith('late')) return refused(503, 'draining', problem)
      return stationId.startsWith('here') ? refused(409, 'taken', problem) : null
    },
    isOfApp: ({ url }) => url === '/silence',
    // Nobody answers this one.
    answer: ({ url }) => url === '/silence',
  }
  return { log, meter, listener: await openPort(keep, reception, { tls, timeouts }) }
}

/** The fields of the lines that are logged meanwhile. */
async function linesOf(log: FakeLog, work: () => Promise<unknown>): Promise<Fields[]> {
  const from = log.lines.length
  await work()
  return log.lines.slice(from).map(({ fields }) => fields as Fields)
}

/** Sends bytes, and settles when the other side has closed. */
async function send(port: number, text: string): Promise<void> {
  const socket = connect(port, host)
  const closed = once(socket, 'close')
  socket.on('error', () => undefined).resume()
  socket.write(text, 'latin1')
  await closed
}

const request = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const upgrade = (path: string, ...headers: readonly string[]): string =>
  request(`GET ${path} HTTP/1.1`, 'Host: csms.example', ...upgradeHeaders, ...headers)

const malformed = (code: string): string => `Malformed HTTP request (${code})`
/** [bytes, problem, path, header, because] */
const unreadable: readonly (readonly [string, string, string, string | undefined, string])[] = [
  [
    upgrade('/ocpp/CP1', `Authorization: Basic ${secret}\n${secret}`, 'X: y'),
    malformed('HPE_CR_EXPECTED'),
    '/ocpp/CP1',
    'Authorization',
    'a line feed in the value, as encoders of Base64 write one',
  ],
  [
    upgrade('/ocpp/CP1', `Authorization: Basic ${secret}\n${secret}:${secret}`),
    malformed('HPE_CR_EXPECTED'),
    '/ocpp/CP1',
    'Authorization',
    'what follows the line feed is not a header, although it looks like one',
  ],
  [
    upgrade('/ocpp/CP1', `Authorization: Basic ${secret}`, `${secret}==`),
    malformed('HPE_INVALID_HEADER_TOKEN'),
    '/ocpp/CP1',
    'Authorization',
    'a whole line break in the value',
  ],
  [
    upgrade('/ocpp/CP1', `Authorization: Basic`, `my${secret}forCP1:\u0000`),
    malformed('HPE_INVALID_HEADER_TOKEN'),
    '/ocpp/CP1',
    undefined,
    'a whole line break in the value, behind which a part of the key looks like a name',
  ],
  [
    upgrade('/ocpp/CP1', `Cookie: ${secret}\u0000`),
    malformed('HPE_INVALID_HEADER_TOKEN'),
    '/ocpp/CP1',
    'Cookie',
    'a control character in the value',
  ],
  [
    upgrade('/ocpp/CP1', `Cookie: ${secret}\r${secret}`),
    malformed('HPE_LF_EXPECTED'),
    '/ocpp/CP1',
    'Cookie',
    'a carriage return in the value',
  ],
  [
    upgrade('/ocpp/CP1', `My ${secret}: y`),
    malformed('HPE_INVALID_HEADER_TOKEN'),
    '/ocpp/CP1',
    undefined,
    'a name with a space is no name',
  ],
  [
    upgrade(`/ocpp/CP1?token=${secret}`, 'Content-Length: x'),
    malformed('HPE_INVALID_CONTENT_LENGTH'),
    '/ocpp/CP1',
    'Content-Length',
    'a length that is no number; the query is not logged',
  ],
  [
    `GET /ocpp/CP1 HTTP/1.1\nAuthorization: Basic ${secret}\n\n`,
    malformed('HPE_INVALID_VERSION'),
    '',
    undefined,
    'line feeds alone everywhere',
  ],
  [`GET /ocpp/CP 1 HTTP/1.1\r\n\r\n`, malformed('HPE_INVALID_CONSTANT'), '', undefined, 'a space in the path'],
  [
    upgrade('/ocpp/CP1', `Cookie: ${secret.repeat(2_000)}`),
    malformed('HPE_HEADER_OVERFLOW'),
    '/ocpp/CP1',
    undefined,
    'headers that are too large together',
  ],
  ['\u0016\u0003\u0001\u0000\u00c8\u0001', 'TLS on a port without TLS', '', undefined, 'a ClientHello'],
  ['\u0016\u0001', malformed('HPE_INVALID_METHOD'), '', undefined, 'what only begins like one'],
]

describe('the plain port', { timeout: 60_000 }, () => {
  for (const [bytes, problem, path, header, because] of unreadable) {
    test(`logs ${problem}${header === undefined ? '' : ` and the header ${header}`} when it receives ${because}`, async t => {
      const site = await open(
        false,
        keepUntil(end => t.after(end)),
      )
      const lines = await linesOf(site.log, () => send(site.listener.port, bytes))
      const status = problem.includes('OVERFLOW') ? 431 : 400
      const about = { ...(path !== '' && { station: 'CP1' }), ...(header !== undefined && { header }) }
      assert.deepEqual(lines, [{ path, remoteAddress: host, status, problem, ...about }])
      assert.doesNotMatch(JSON.stringify(lines), new RegExp(secret.slice(0, 8)))
    })
  }

  for (const [bytes, because] of [
    ['', 'no head comes'],
    ['GET /ocpp/CP1 HTTP/1.1\r\nHost: csms', 'the head ends in the middle'],
    [request('POST /silence HTTP/1.1', 'Host: a', 'Content-Length: 5').concat('he'), 'its body ends in the middle'],
    [request('GET /silence HTTP/1.1', 'Host: a'), 'nothing moves on it'],
  ] as const)
    test(`counts a connection as timed out, and logs nothing, when ${because}`, async t => {
      const site = await open(
        false,
        keepUntil(end => t.after(end)),
      )
      assert.deepEqual(await linesOf(site.log, () => send(site.listener.port, bytes)), [])
      assert.equal(site.meter.total('ocpp_refused_total', { reason: 'timeout' }), 1)
      assert.equal(site.meter.total('ocpp_refused_total'), 1)
    })

  test('does not count a connection that closes after its answer', async t => {
    const site = await open(
      false,
      keepUntil(end => t.after(end)),
    )
    await send(site.listener.port, request('GET /health HTTP/1.1', 'Host: a'))
    assert.equal(site.meter.total('ocpp_refused_total'), 0)
  })

  test('names each refused station when all have the address of one proxy, at most ten for one reason', async t => {
    const site = await open(
      false,
      keepUntil(end => t.after(end)),
    )
    const paths = Array.from({ length: 12 }, (_, at) => `/ocpp/CP${at}`)
    const lines = await linesOf(site.log, async () => {
      for (const path of [...paths, ...paths]) await send(site.listener.port, upgrade(path, protocol('soap')))
    })
    assert.deepEqual(
      lines.map(({ path }) => path),
      paths.slice(0, 10),
    )
  })

  test('logs each station whose place is taken, and one line for all for which there is no room', async t => {
    const site = await open(
      false,
      keepUntil(end => t.after(end)),
    )
    const lines = await linesOf(site.log, async () => {
      for (const id of ['here1', 'here2', 'late1', 'late2'])
        await send(site.listener.port, upgrade(`/ocpp/${id}`, protocol('ocpp1.6')))
    })
    assert.deepEqual(
      lines.map(({ path, status }) => [path, status]),
      [
        ['/ocpp/here1', 409],
        ['/ocpp/here2', 409],
        ['/ocpp/late1', 503],
      ],
    )
  })
})

describe('the TLS port', { timeout: 60_000 }, () => {
  let site: Awaited<ReturnType<typeof open>>
  const keep = keepUntil(after)
  before(async () => (site = await open(true, keep)))

  const oldTls = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const failing = async (options: object): Promise<void> => {
    const socket = connectTls({ port: site.listener.port, host, ...options })
    await once(socket, 'error')
    await sleep(200)
  }
  const rows: readonly (readonly [string, string, () => Promise<unknown>])[] = [
    ['http request', 'a plain request', () => send(site.listener.port, request('GET /ocpp/CP1 HTTP/1.1'))],
    ['wrong version number', 'bytes that are no TLS', () => send(site.listener.port, 'rubbish')],
    ['unsupported protocol', 'TLS 1.1', () => failing(oldTls)],
    ['no shared cipher', 'other ciphers', () => failing({ maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-SHA' })],
    [
      'tlsv1 alert unknown ca',
      'the alert of a client that does not trust the certificate',
      () => run('openssl', ['s_client', '-verify_return_error', '-connect', `${host}:${site.listener.port}`]),
    ],
    ['the peer closed the connection', 'a client that does not trust it, and says nothing', () => failing({})],
    ['TLS handshake timeout', 'half a ClientHello', () => send(site.listener.port, '\u0016\u0003\u0001\u0000\u00c8')],
  ]
  for (const [reason, what, work] of rows) {
    test(`logs "${reason}" once for an address when it receives ${what}`, async () => {
      assert.deepEqual(await linesOf(site.log, work), [{ remoteAddress: host, reason }])
      assert.deepEqual(await linesOf(site.log, work), [])
    })
  }

  test('logs nothing when a client connects and closes, as a TCP health check does', async () => {
    const lines = await linesOf(site.log, async () => {
      const socket = connect(site.listener.port, host)
      await once(socket, 'connect')
      socket.end()
      await once(socket.resume(), 'close')
      await sleep(100)
    })
    assert.deepEqual(lines, [])
  })
})
