/**
 * Every way in which a connection can fail before it is a station ends with a closed descriptor, although the client
 * keeps its own end open: none can lock the stations out. On real sockets, the descriptors as the kernel has them.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { usualTimeouts } from '../../src/server/http-server.ts'
import type { Listener } from '../../src/server/listener.ts'
import type { Tls } from '../../src/server/tls/tls.ts'
import type { Reception } from '../../src/server/upgrade/upgrade.ts'
import { refused } from '../../src/translate/handshake.ts'
import { makeKeyPair, tlsOf } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { protocol, upgradeHeaders } from '../support/peer.ts'
import { openPort, portHost as host } from '../support/stations-port.ts'

const timeouts = { tlsHandshake: 3_000, head: 3_000, request: 4_000, keepAlive: 300, idle: 5_000, check: 100 }
/** Of a test: above the longest timeout and the two seconds that a refused client has. */
const withinMs = 15_000

type Row = {
  readonly kind: string
  /** In one packet. */
  readonly sends?: string
  /** What the client does then; it keeps its end open. */
  readonly then?: (socket: Socket) => void | Promise<void>
  /** What it is told, if it reads. */
  readonly hears?: RegExp
  readonly reads?: boolean
}

const request = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const upgrade = (path: string, ...headers: readonly string[]): string =>
  request(`GET ${path} HTTP/1.1`, 'Host: csms.example', ...upgradeHeaders, ...headers)
const station = (id: string): string => upgrade(`/ocpp/${id}`, protocol('ocpp1.6'))
const plain = (path: string): string => request(`GET ${path} HTTP/1.1`, 'Host: csms.example')
const h2c = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
]

async function sendOn(socket: Socket): Promise<void> {
  while (!socket.destroyed && socket.writable) {
    socket.write('x'.repeat(1_000))
    await sleep(50)
  }
}

/** Of a connection over which HTTP is spoken, with and without TLS. */
const rows: readonly Row[] = [
  { kind: 'nothing at all', hears: /^HTTP\/1\.1 408 / },
  { kind: 'half a request line', sends: 'GET /oc', hears: /^HTTP\/1\.1 408 / },
  { kind: 'half a head', sends: 'GET /ocpp/CP1 HTTP/1.1\r\nHost: csms', hears: /^HTTP\/1\.1 408 / },
  { kind: 'half a head that is never read', sends: 'GET /ocpp/CP1 HTTP/1.1\r\nHost: csms', reads: false },
  { kind: 'half a head and the end', sends: 'GET /oc', then: socket => void socket.end(), hears: /^HTTP\/1\.1 400 / },
  { kind: 'bytes that are no HTTP', sends: '\u0000\u0001\u0002', hears: /^HTTP\/1\.1 400 / },
  { kind: 'bytes that are no HTTP without end', sends: '\u0000\u0001', then: sendOn, hears: /^HTTP\/1\.1 400 / },
  {
    kind: 'a head that is too large',
    sends: upgrade('/ocpp/CP1', `X: ${'x'.repeat(20_000)}`),
    hears: /^HTTP\/1\.1 431 /,
  },
  { kind: 'an upgrade without an identity', sends: upgrade('/ocpp/', protocol('ocpp1.6')), hears: /^HTTP\/1\.1 400 / },
  { kind: 'an upgrade of an unknown path', sends: upgrade('/nowhere'), hears: /^HTTP\/1\.1 404 / },
  { kind: 'an upgrade of a station that is connected', sends: station('taken'), hears: /^HTTP\/1\.1 409 / },
  { kind: 'an upgrade without room', sends: station('late'), hears: /^HTTP\/1\.1 503 / },
  { kind: 'an upgrade without a key', sends: station('CP1').replace(/Key: .*/, 'Key: x'), hears: /^HTTP\/1\.1 400 / },
  { kind: 'a refused upgrade that is never read', sends: upgrade('/nowhere'), reads: false },
  { kind: 'a refused upgrade with more behind it', sends: `${upgrade('/nowhere')}more`, hears: /^HTTP\/1\.1 404 / },
  { kind: 'a refused upgrade that sends on', sends: upgrade('/nowhere'), then: sendOn, hears: /^HTTP\/1\.1 404 / },
  {
    kind: 'a refused upgrade that ends',
    sends: upgrade('/nowhere'),
    then: socket => void socket.end(),
  },
  { kind: 'a refused upgrade that is gone', sends: upgrade('/nowhere'), then: socket => void socket.destroy() },
  { kind: 'an upgrade that a bug breaks', sends: station('bug') },
  { kind: 'a plain request for a station', sends: plain('/ocpp/CP1'), hears: /^HTTP\/1\.1 426 / },
  { kind: 'a plain request of an unknown path', sends: plain('/nowhere'), hears: /^HTTP\/1\.1 404 / },
  { kind: 'a health check that says nothing more', sends: plain('/health'), hears: /^HTTP\/1\.1 200 / },
  { kind: 'a health check that is never read', sends: plain('/health'), reads: false },
  { kind: 'health checks that are never read', sends: plain('/health').repeat(50_000), reads: false },
  {
    kind: 'a body that never ends',
    sends: request('POST /body HTTP/1.1', 'Host: csms.example', 'Content-Length: 5').concat('he'),
    hears: /^HTTP\/1\.1 408 /,
  },
  {
    kind: 'a body that nobody reads and that never ends',
    sends: request('POST /nowhere HTTP/1.1', 'Host: csms.example', 'Content-Length: 5').concat('he'),
    hears: /^HTTP\/1\.1 404 /,
  },
  {
    kind: 'a chunked body that never ends',
    sends: request('POST /body HTTP/1.1', 'Host: csms.example', 'Transfer-Encoding: chunked').concat('5\r\nhe'),
    hears: /^HTTP\/1\.1 408 /,
  },
  {
    kind: 'a chunked body that is broken',
    sends: request('POST /body HTTP/1.1', 'Host: csms.example', 'Transfer-Encoding: chunked').concat('x\r\nhe'),
    hears: /^HTTP\/1\.1 400 /,
  },
  {
    kind: 'an upgrade to HTTP/2 whose body never ends',
    sends: request('POST /body HTTP/1.1', 'Host: csms.example', ...h2c, 'Content-Length: 5').concat('he'),
    hears: /^HTTP\/1\.1 408 /,
  },
  { kind: 'a request for a tunnel', sends: request('CONNECT csms.example:443 HTTP/1.1', 'Host: csms.example') },
  {
    kind: 'an expectation of the unknown',
    sends: request('POST /body HTTP/1.1', 'Host: csms.example', 'Expect: more', 'Content-Length: 5'),
    hears: /^HTTP\/1\.1 417 /,
  },
]

const clientHello = Buffer.from('16030100c8010000c40303', 'hex').toString('latin1')
/** Of a connection to the TLS port over which no TLS comes about. */
const rawRows: readonly Row[] = [
  { kind: 'nothing at all' },
  { kind: 'nothing but the end', then: socket => void socket.end() },
  { kind: 'half a ClientHello', sends: clientHello },
  { kind: 'half a ClientHello and the end', sends: clientHello, then: socket => void socket.end() },
  { kind: 'half a ClientHello and a reset', sends: clientHello, then: socket => void socket.resetAndDestroy() },
  { kind: 'a plain request', sends: plain('/health') },
  { kind: 'bytes that are no TLS', sends: 'rubbish' },
  { kind: 'bytes that are no TLS, never read', sends: 'rubbish', reads: false },
  { kind: 'bytes that are no TLS without end', sends: 'rubbish', then: sendOn },
]

const reception: Partial<Reception> = {
  refusal: ({ stationId }) => {
    if (stationId === 'taken') return refused(409, 'taken', 'taken')
    return stationId === 'late' ? refused(503, 'draining', 'late', { 'Retry-After': 30 }) : null
  },
  admit: () => {
    throw new Error('a bug')
  },
  isOfApp: ({ url }) => url === '/body',
  answer: (asked, response) => {
    if (asked.url !== '/body') return false
    asked.resume()
    asked.on('end', () => response.end())
    return true
  },
}

const further = 'csms.example'

async function tlsFor(scheme: string): Promise<Tls | null> {
  if (scheme === 'http') return null
  const pairs = [await makeKeyPair(), ...(scheme === 'https' ? [] : [await makeKeyPair(`DNS:${further}`)])]
  return tlsOf(...pairs)
}

/** The kernel's table of connections, read ten times a second at most: it has those of the whole machine. */
const connections = { readAt: -Infinity, text: '' }

/** Whether this process has a descriptor of a connection: one that is closed has the inode 0. */
function isHeld(port: number, peerPort: number): boolean {
  if (performance.now() - connections.readAt > 100) {
    connections.text = readFileSync('/proc/self/net/tcp', 'utf8')
    connections.readAt = performance.now()
  }
  const hex = (number: number): string => number.toString(16).toUpperCase().padStart(4, '0')
  const at = connections.text.indexOf(`:${hex(port)} 0100007F:${hex(peerPort)} `)
  return at !== -1 && Number(/^(?:\S+ +){8}(\d+)/.exec(connections.text.slice(at, at + 200))?.[1]) > 0
}

/** All files, sockets and pipes of this process. */
const openFiles = (): number => readdirSync('/proc/self/fd').length

for (const scheme of ['http', 'https', 'https with a further host'] as const) {
  describe(`a connection over ${scheme} that does not become a station's`, { concurrency: true }, () => {
    let listener: Listener
    const clients: Socket[] = []
    const keep = keepUntil(after)

    before(async () => {
      listener = await openPort(keep, reception, { tls: await tlsFor(scheme), timeouts })
      const before = openFiles()
      keep({
        close: () => {
          const mine = clients.filter(client => !client.destroyed).length
          for (const client of clients) client.destroy()
          assert.ok(openFiles() <= before + mine, `${openFiles()} open files, ${before} before, ${mine} of clients`)
        },
      })
    })

    async function hasEnded(socket: Socket, { sends = '', then, hears, reads = true }: Row): Promise<void> {
      clients.push(socket)
      socket.on('error', () => undefined)
      let heard = ''
      if (reads) socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
      else socket.pause()
      const { localPort } = socket
      assert.ok(localPort !== undefined)
      if (sends !== '') socket.write(sends, 'latin1')
      await sleep(50)
      void then?.(socket)
      const deadline = performance.now() + withinMs
      while (isHeld(listener.port, localPort)) {
        assert.ok(performance.now() < deadline, `its descriptor is open after ${withinMs} ms; heard: ${heard}`)
        await sleep(100)
      }
      while (hears !== undefined && heard === '' && performance.now() < deadline) await sleep(20)
      if (hears !== undefined) assert.match(heard, hears)
    }

    async function open(isRaw: boolean): Promise<Socket> {
      const options = { port: listener.port, host, allowHalfOpen: true }
      const raw = connect(options)
      await once(raw, 'connect')
      while (!isHeld(listener.port, raw.localPort ?? 0)) await sleep(100)
      if (isRaw) return raw
      const named = scheme === 'https' ? {} : { servername: further }
      const socket = connectTls({ socket: raw, rejectUnauthorized: false, ...named })
      await once(socket, 'secureConnect')
      return socket
    }

    for (const row of rows)
      test(`frees its descriptor after ${row.kind}`, async () => hasEnded(await open(scheme === 'http'), row))
    if (scheme === 'http') return
    for (const row of rawRows)
      test(`frees its descriptor before the handshake after ${row.kind}`, async () => hasEnded(await open(true), row))
  })
}

/** [its request, what] Node loses the end of a write now and then, above all from 22 on. */
const resets: readonly (readonly [string, string])[] = [
  [plain('/health'), 'a plain request'],
  [request('POST /body HTTP/1.1', 'Host: csms.example', 'Content-Length: 2').concat('{}'), 'a post of the app'],
  [station('taken'), 'an upgrade that is refused'],
  [station('CP1'), 'an upgrade'],
]
for (const [sends, what] of resets)
  test(`frees the descriptors of TLS connections that are reset behind ${what}`, { timeout: 60_000 }, async t => {
    const keep = keepUntil(end => t.after(end))
    // Answers a turn later than the request comes, as with others in line.
    const enter = (work: () => void): void => void setImmediate(work)
    const answer: Reception['answer'] = (asked, response) =>
      asked.url === '/body' && (enter(() => response.end()), true)
    const admit: Reception['admit'] = (_handshake, socket) => {
      enter(() => socket.send('hello'))
      return { receive: () => undefined, gone: () => undefined }
    }
    const settings = { tls: tlsOf(await makeKeyPair()), turnstile: { enter, enterAlone: enter } }
    const { port } = await openPort(keep, { ...reception, answer, admit }, settings)
    const visit = async (): Promise<void> => {
      const raw = connect(port, host)
      const socket = connectTls({ socket: raw, rejectUnauthorized: false }).on('error', () => undefined)
      await once(socket, 'secureConnect')
      socket.write(sends)
      setImmediate(() => raw.resetAndDestroy())
      await once(raw, 'close')
    }
    await visit()
    const before = openFiles()
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 20 }, visit))
    const deadline = performance.now() + 5_000
    while (openFiles() > before) {
      assert.ok(performance.now() < deadline, `${openFiles() - before} more open files than before`)
      await sleep(50)
    }
  })

test('a slow client has the times of docs/security.md', () => {
  const { tlsHandshake, head, request: whole, idle } = usualTimeouts
  assert.deepEqual([tlsHandshake, head, whole, idle], [10_000, 10_000, 30_000, 30_000])
})

for (const scheme of ['http', 'https'] as const)
  test(`a head of 16 KiB gets its answer over ${scheme}, and a larger one 431`, async t => {
    const keep = keepUntil(end => t.after(end))
    const { port } = await openPort(keep, {}, { tls: scheme === 'https' ? tlsOf(await makeKeyPair()) : null })
    const statusOf = async (bytes: number): Promise<string> => {
      const socket = scheme === 'http' ? connect(port, host) : connectTls({ port, host, rejectUnauthorized: false })
      t.after(() => socket.destroy())
      socket.write(request('GET /health HTTP/1.1', 'Host: csms.example', `X: ${'x'.repeat(bytes)}`))
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      return chunk.toString('latin1', 9, 12)
    }
    assert.deepEqual([await statusOf(16 * 1024 - 100), await statusOf(16 * 1024)], ['200', '431'])
  })

test('255 headers get their answer, and more 431: Node drops those behind them, as of a proxy', async t => {
  const refused: unknown[] = []
  const { port } = await openPort(
    keepUntil(end => t.after(end)),
    { onRefused: ({ target, remoteAddress }, { status }) => refused.push([target, remoteAddress, status]) },
  )
  const statusOf = async (path: string, headers: number): Promise<string> => {
    const socket = connect(port, host)
    t.after(() => socket.destroy())
    socket.write(request(`GET ${path} HTTP/1.1`, 'Host: csms.example', ...Array<string>(headers - 1).fill('a: b')))
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    return chunk.toString('latin1', 9, 12)
  }
  assert.deepEqual([await statusOf('/health', 255), await statusOf('/health', 256)], ['200', '431'])
  assert.equal(await statusOf('/ocpp/CP1', 3_000), '431')
  assert.deepEqual(refused, [
    ['/health', host, 431],
    ['/ocpp/CP1', host, 431],
  ])
})
