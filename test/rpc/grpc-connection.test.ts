/** The connections of our gRPC client: how they end, how they are held, and that nothing is left of them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import { createServer, type Socket } from 'node:net'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import type { CommandCall, Identifier } from '../../src/cable/rpc.ts'
import { openGrpc } from '../../src/rpc/grpc.ts'
import { Link } from '../../src/rpc/grpc/link.ts'
import { rpcError } from '../contract/rpc.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'
import { openProxy } from '../support/proxy.ts'
import { RawApp, yes } from './raw-app.ts'

const within = { timeout: 20_000 }
const never = new AbortController().signal
const perform: CommandCall = {
  sid: 's1',
  env: { url: 'http://csms.example/ocpp/CP01', headers: {}, cstate: {}, istate: {} },
  command: 'message',
  identifier: '{"channel":"OCPPChannel","sn":"SN1"}' as Identifier,
  connectionIdentifiers: '{}',
  data: '{"action":"heartbeat"}',
}

function open(t: TestContext, host: string, settings: Parameters<typeof openGrpc>[1] = {}) {
  const rpc = openGrpc(host, settings)
  t.after(() => rpc.close())
  return rpc
}

/** Does nothing with a stream until the test says what. */
function held(app: RawApp): Promise<ServerHttp2Stream> {
  return new Promise(resolve => app.once(resolve))
}

// RFC 9113 §6.8: streams above the last one named were not looked at.
for (const [code, first, because] of [
  [0, 'success', 'the call that the app has looked at ends on the old connection'],
  [2, rpcError('unavailable', 'unknown', /connection was lost/), 'with an error, Node.js ends that one'],
] as const) {
  test(`GOAWAY ${code}: a call not looked at is made on a new connection; ${because}`, within, async t => {
    const app = await RawApp.start(t)
    const rpc = open(t, app.host)
    assert.equal(await rpc.problem(10_000), null)
    const streams = [held(app), held(app)] as const
    const calls = [rpc.command(perform, never), rpc.command(perform, never)] as const
    const outcome = calls[0].catch((error: unknown) => error)
    const [looked] = await Promise.all(streams)
    looked.session?.goaway(code, 1)
    assert.equal((await calls[1]).status, 'success')
    assert.equal(app.sessions.all.length, 2)
    if (first === 'success') yes(looked)
    const found = await outcome
    if (first === 'success') assert.equal((found as { status: string }).status, first)
    else assert.ok(first(found), 'it may have run')
  })
}

test('an old connection is closed with its last call, should the app not do it', within, async t => {
  const app = await RawApp.start(t)
  const proxy = await openProxy(app.port)
  t.after(() => proxy.close())
  const rpc = open(t, proxy.host)
  const stream = held(app)
  const call = rpc.command(perform, never)
  const looked = await stream
  looked.session?.goaway(0, 1)
  const openNow = (): number => proxy.open
  while (proxy.accepted < 2) await new Promise(setImmediate)
  assert.equal(openNow(), 2)
  yes(looked)
  await call
  while (openNow() > 1) await new Promise(setImmediate)
  assert.equal((await rpc.command(perform, never)).status, 'success')
  assert.equal(proxy.accepted, 2)
})

test('who finds our pings too frequent is sent half as many', within, async t => {
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
  assert.ok((pings[0] ?? 0) < 300, `the first came after ${pings[0]} ms`)
  assert.ok((pings[1] ?? 0) >= 290, `the second came after ${pings[1]} ms`)
})

test('a connection that no answer to a ping comes on is given up, and its calls with it', within, async t => {
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

test('a connection that has had all its streams makes way for another', within, async t => {
  const app = await RawApp.start(t)
  const ends: string[] = []
  const settings = { trust: null, keepaliveMs: 30_000, pongMs: 20_000 }
  const [ready, onReady] = deferred()
  const link = new Link(
    app.address,
    { ...settings, name: { host: app.address, port: app.port } },
    { ready: onReady, ended: reason => ends.push(reason), tooManyPings: () => undefined },
  )
  t.after(() => link.close())
  await ready
  // Node.js has it, and its types do not.
  const session = link.session as unknown as { setNextStreamID(id: number): void }
  session.setNextStreamID(2 ** 31 - 1)
  const ask = {
    path: '/anycable.RPC/Command',
    sid: 's1',
    message: Buffer.alloc(5),
    deadline: Infinity,
    maxReceived: 100,
  }
  await link.call(ask)
  await assert.rejects(link.call(ask), rpcError('unavailable', 'notRun', /./))
  assert.deepEqual([ends, link.isOpen], [['the connection has no more streams'], false])
})

function deferred(): [Promise<void>, () => void] {
  let resolve: () => void = () => undefined
  return [new Promise(settle => (resolve = settle)), () => resolve()]
}

test(
  'the end comes to connections and attempts at once, and to a call on the wire when it is over',
  within,
  async t => {
    const app = await RawApp.start(t)
    const sockets: Promise<unknown>[] = []
    const mute = createServer((socket: Socket) => {
      sockets.push(once(socket.on('error', () => undefined).resume(), 'close'))
    }).listen(0, '127.0.0.1')
    t.after(() => mute.close())
    await once(mute, 'listening')
    const connected = once(mute, 'connection')
    const rpc = open(t, `grpc-list://${app.host},127.0.0.1:${(mute.address() as { port: number }).port}`)
    const stream = held(app)
    const call = rpc.command(perform, never)
    const { session } = await stream
    assert.ok(session, 'there is a session')
    const closed = once(session, 'close')
    await connected
    await rpc.close()
    await Promise.all(sockets)
    assert.equal(sockets.length, 1)
    assert.equal(session.closed, false)
    yes(await app.streams.next())
    assert.equal((await call).status, 'success')
    await closed
  },
)

test('a call that waits for a connection fails at the end', within, async t => {
  const mute = createServer(socket => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  t.after(() => mute.close())
  await once(mute, 'listening')
  const rpc = open(t, `127.0.0.1:${(mute.address() as { port: number }).port}`)
  const call = rpc.command(perform, never)
  await rpc.close()
  await assert.rejects(call, rpcError('unavailable', 'notRun', /closed/))
})

test('a call whose session ends while it waits for a connection is not sent', within, async t => {
  const port = await freePort()
  const [found, onFound] = deferred()
  const rpc = open(t, `127.0.0.1:${port}`, {
    lookup: async () => {
      await found
      return [{ address: '127.0.0.1' }]
    },
  })
  const app = await RawApp.start(t, { port })
  const session = new AbortController()
  const call = rpc.command(perform, session.signal)
  session.abort()
  onFound()
  await assert.rejects(call, rpcError('aborted', 'notRun', /./))
  assert.equal(app.streams.all.length, 0)
})

test('an http_proxy in the environment is not for the app', within, async t => {
  const app = await RawApp.start(t)
  const before = process.env['http_proxy']
  process.env['http_proxy'] = `http://127.0.0.1:${await freePort()}`
  t.after(() => {
    if (before === undefined) delete process.env['http_proxy']
    else process.env['http_proxy'] = before
  })
  assert.equal((await open(t, app.host).command(perform, never)).status, 'success')
})

const settingsFrame = Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0)
const goawayAfterFirst = Buffer.of(0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)

/** Takes one call, says that it takes no more, never replies, and never hangs up. */
async function openLingering(t: TestContext): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket.on('error', () => undefined))
    socket.write(settingsFrame)
    socket.on('data', (bytes: Buffer) => {
      if (bytes.includes('heartbeat')) socket.write(goawayAfterFirst)
    })
  }).listen(0, '127.0.0.1')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

/** [the app's host, because] */
const hosts: readonly (readonly [(t: TestContext) => Promise<string>, string])[] = [
  [async t => (await RawApp.start(t)).host, 'an app that answers'],
  [async () => `127.0.0.1:${await freePort()}`, 'nobody'],
  [() => Promise.resolve('app.invalid:50051'), 'a name without an address'],
  [openLingering, 'an app that never hangs up'],
]
for (const [hostOf, because] of hosts) {
  test(`after the end the process can end: ${because}`, within, async t => {
    const host = await hostOf(t)
    const root = path.join(import.meta.dirname, '../..')
    const code = `import { openGrpc } from './src/rpc/grpc.ts'
      const rpc = openGrpc(${JSON.stringify(host)})
      const call = ${JSON.stringify(perform)}
      await rpc.command(call, new AbortController().signal, Date.now() + 500).catch(() => null)
      await rpc.close()
      console.log('closed')`
    const ended = await run('node', ['--import', 'tsx', '--input-type=module', '-e', code], { cwd: root })
    assert.deepEqual([ended.code, ended.stdout.trim(), ended.stderr], [0, 'closed', ''])
  })
}
