/** The connections of our gRPC client: keepalive, GOAWAY, the end, and that they leave nothing behind. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { openGrpcJs } from '../../../src/rpc/grpc-js/channel.ts'
import { rpcError } from '../../contract/rpc.ts'
import { makeKeyPair } from '../../support/certificate.ts'
import { freePort } from '../../support/ports.ts'
import { run } from '../../support/process.ts'
import { openProxy } from '../../support/proxy.ts'
import { openMute, openTcp } from '../../support/tcp.ts'
import { frame, goaway, headers, settings } from '../../http2/server.ts'
import { never, perform } from '../calls.ts'
import { RawApp, success, yes } from './raw-app.ts'

const within = { timeout: 20_000 }

function open(t: TestContext, host: string, settings: Parameters<typeof openGrpc>[1] = {}) {
  const rpc = openGrpc(host, settings)
  t.after(() => rpc.close())
  return rpc
}

/** The next stream, which gets no reply unless the test gives it one. */
function held(app: RawApp): Promise<ServerHttp2Stream> {
  return new Promise(resolve => app.once(resolve))
}

// RFC 9113 §6.8: streams above the last one named were not looked at; the others may still end well.
for (const code of [0, 2]) {
  test(
    `a call that was not looked at is sent on a new connection when the app sends GOAWAY ${code}`,
    within,
    async t => {
      const app = await RawApp.start(t)
      const rpc = open(t, app.host)
      assert.equal(await rpc.problem(10_000), null)
      const streams = [held(app), held(app)] as const
      const calls = [rpc.command(perform, never), rpc.command(perform, never)] as const
      const [looked] = await Promise.all(streams)
      looked.session?.goaway(code, 1)
      assert.equal((await calls[1]).status, 'success')
      assert.equal(app.sessions.all.length, 2)
      yes(looked)
      assert.equal((await calls[0]).status, 'success')
      assert.equal(app.streams.all.length, 3, 'no call ran twice')
    },
  )
}

test('a connection is closed with its last call when the app does not close it after GOAWAY', within, async t => {
  const answer = [goaway(1), headers(1), frame(0, 0, 1, success), headers(1, [['grpc-status', '0']], 5)]
  const speak = (socket: Socket): void => {
    socket.write(settings())
    socket.on('data', (bytes: Buffer) => bytes.includes('heartbeat') && socket.write(Buffer.concat(answer)))
  }
  const app = await openTcp(t, speak, { allowHalfOpen: true })
  const rpc = open(t, app.host)
  assert.equal((await rpc.command(perform, never)).status, 'success')
  const [first] = app.sockets
  assert.ok(first, 'it was accepted')
  if (!first.readableEnded) await once(first, 'end')
  assert.equal((await rpc.command(perform, never)).status, 'success')
  assert.equal(app.sockets.length, 2)
})

test('pings become half as frequent when the app finds them too frequent', within, async t => {
  const app = await RawApp.start(t)
  open(t, app.host, { keepaliveMs: 150 })
  const pings: number[] = []
  for (let connections = 0; connections < 2; connections++) {
    while (app.sessions.all.length === connections) await new Promise(setImmediate)
    const session = app.sessions.all[connections]
    assert.ok(session, 'it is there')
    const since = performance.now()
    await once(session, 'ping')
    pings.push(performance.now() - since)
    session.goaway(11)
  }
  assert.ok((pings[1] ?? 0) >= 290, `the second came after ${pings[1]} ms`)
})

test('pings stay within the range of a timer when the app finds them too frequent', within, async t => {
  const app = await RawApp.start(t)
  // Twice as much is more than a timer of Node.js takes, which then makes it 1 ms.
  const rpc = open(t, app.host, { keepaliveMs: 2 ** 30 })
  await rpc.command(perform, never)
  app.sessions.all[0]?.goaway(11)
  while (app.sessions.all.length < 2) await new Promise(setImmediate)
  let pings = 0
  app.sessions.all[1]?.on('ping', () => pings++)
  for (let calls = 0; calls < 100; calls++) await rpc.command(perform, never)
  assert.equal(pings, 0)
})

test('a connection is dropped with its calls when a ping gets no answer', within, async t => {
  const app = await RawApp.start(t)
  const proxy = await openProxy(app.port)
  t.after(() => proxy.close())
  const rpc = open(t, proxy.host, { keepaliveMs: 50, pongMs: 100 })
  const stream = held(app)
  const call = rpc.command(perform, never)
  await stream
  proxy.hold('down')
  await assert.rejects(call, rpcError('unavailable', 'unknown', /no answer to a ping/))
  assert.equal(rpc.isConnected(), false)
  proxy.release()
  assert.equal((await rpc.command(perform, never)).status, 'success')
})

/** Speaks HTTP/2 as Node.js does, and gRPC. */
function speakGrpc(socket: Socket): void {
  const session = performServerHandshake(socket)
  session.on('error', () => undefined)
  session.on('stream', (stream: ServerHttp2Stream) => void stream.resume().once('end', () => yes(stream)))
}

type Speak = (socket: Socket, ourFailure: Promise<unknown>) => unknown
const late: Speak = (socket, ourFailure) => ourFailure.then(() => speakGrpc(socket))
const after =
  (bytes: Buffer): Speak =>
  socket =>
    socket.write(Buffer.concat([bytes, settings()]))
const ping = frame(6, 0, 0, Buffer.alloc(8))

/**
 * [what the app does with each connection, its protocols of ALPN or `null` for no TLS, whether grpc-js connects,
 * because]
 */
const peers: readonly (readonly [Speak, readonly string[] | null, boolean, string])[] = [
  [speakGrpc, [], true, 'TLS without ALPN'],
  [late, null, true, 'a late preface'],
  [late, ['h2'], true, 'a late preface over TLS'],
  [after(goaway(0)), ['h2'], false, 'GOAWAY before SETTINGS, over TLS'],
  [after(ping), ['h2'], false, 'PING before SETTINGS, over TLS'],
  [after(ping), null, false, 'PING before SETTINGS'],
  [after(frame(8, 0, 0, [0, 0, 4, 0])), null, false, 'WINDOW_UPDATE before SETTINGS'],
  [after(frame(4, 1, 0)), null, false, 'an acknowledgement before SETTINGS'],
  [after(settings([5, 2 ** 14 - 1])), null, false, 'SETTINGS with frames below the minimum'],
  [after(settings([2, 1])), null, false, 'SETTINGS with push'],
]
describe('the failure of a connection names grpc-js if that connects, and only then', { concurrency: true }, () => {
  for (const [speak, protocols, connects, because] of peers) {
    test(because, within, async t => {
      const pair = protocols === null ? null : await makeKeyPair('IP:127.0.0.1,DNS:localhost')
      const events = new EventEmitter()
      const ourFailure = once(events, 'failure')
      const onSocket = (socket: Socket): unknown =>
        speak(
          socket.on('error', () => undefined),
          ourFailure,
        )
      const alpn = protocols?.length ? { ALPNProtocols: [...protocols] } : {}
      const server = pair === null ? createServer(onSocket) : createTlsServer({ ...pair, ...alpn }, onSocket)
      server.listen(0, '127.0.0.1')
      t.after(() => server.close())
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const trust = pair === null ? null : { ca: pair.cert, verify: true }
      const clients = [open(t, `127.0.0.1:${port}`, { trust }), openGrpcJs(`localhost:${port}`, { trust })] as const
      t.after(() => clients[1].close())
      const outcomes = clients.map(client =>
        client.command(perform, never).then(
          ({ status }) => status,
          (error: unknown) => String(error),
        ),
      )
      const failure = (await outcomes[0]) ?? ''
      events.emit('failure')
      assert.match(failure, /No connection: /)
      assert.equal(/; if the app does speak gRPC there, rpc_impl=grpc-js may connect$/.test(failure), connects, failure)
      assert.match((await outcomes[1]) ?? '', connects ? /^success$/ : /No connection: /)
    })
  }
})

test('close ends connections and attempts at once, but for a connection whose call is on the wire', within, async t => {
  const app = await RawApp.start(t)
  const mute = await openMute(t)
  const connected = mute.onConnection()
  const rpc = open(t, `grpc-list://${app.host},${mute.host}`)
  const stream = held(app)
  const call = rpc.command(perform, never)
  const { session } = await stream
  assert.ok(session, 'there is a session')
  const closed = once(session, 'close')
  const attempt = (await connected).resume()
  await Promise.all([once(attempt, 'close'), rpc.close()])
  assert.equal(mute.sockets.length, 1)
  assert.equal(session.closed, false)
  yes(await app.streams.next())
  assert.equal((await call).status, 'success')
  await closed
})

test('close fails a call that waits for a connection', within, async t => {
  const mute = await openMute(t)
  const rpc = open(t, mute.host)
  const call = rpc.command(perform, never)
  await rpc.close()
  await assert.rejects(call, rpcError('unavailable', 'notRun', /closed/))
})

/** Accepts one call, sends GOAWAY, never replies, and never hangs up. */
async function openLingering(t: TestContext): Promise<string> {
  const speak = (socket: Socket): void => {
    socket.write(settings())
    socket.on('data', (bytes: Buffer) => {
      if (bytes.includes('heartbeat')) socket.write(goaway(1))
    })
  }
  return (await openTcp(t, speak, { allowHalfOpen: true })).host
}

/** [the app's host, because] */
const hosts: readonly (readonly [(t: TestContext) => Promise<string>, string])[] = [
  [async t => (await RawApp.start(t)).host, 'an app that answers'],
  [async () => `127.0.0.1:${await freePort()}`, 'nobody'],
  [() => Promise.resolve('app.invalid:50051'), 'a name without an address'],
  [openLingering, 'an app that never hangs up'],
]
for (const [hostOf, because] of hosts) {
  test(`the process ends after close: ${because}`, within, async t => {
    const host = await hostOf(t)
    const root = path.join(import.meta.dirname, '../../..')
    const code = `import { openGrpc } from './src/rpc/grpc/channel.ts'
      const rpc = openGrpc(${JSON.stringify(host)})
      const call = ${JSON.stringify(perform)}
      await rpc.command(call, new AbortController().signal, performance.now() + 500).catch(() => null)
      await rpc.close()
      console.log('closed')`
    const ended = await run('node', ['--import', 'tsx', '--input-type=module', '-e', code], { cwd: root })
    assert.deepEqual([ended.code, ended.stdout.trim(), ended.stderr], [0, 'closed', ''])
  })
}
