/** A name with several addresses: our gRPC client calls all of them, and follows the name. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { rpcError } from '../../contract/rpc.ts'
import { freePort } from '../../support/ports.ts'
import { openMute } from '../../support/tcp.ts'
import { never, perform } from '../calls.ts'
import { RawApp, yes } from './raw-app.ts'

const within = { timeout: 20_000 }

/** A name that a test gives addresses; `null`: it cannot be looked up. */
class Name {
  addresses: readonly string[] | null
  lookups = 0

  constructor(...addresses: string[]) {
    this.addresses = addresses
  }

  readonly lookup = (name: string): Promise<readonly { address: string }[]> => {
    assert.equal(name, 'app.example')
    this.lookups++
    if (this.addresses === null) return Promise.reject(new Error('getaddrinfo EAI_AGAIN app.example'))
    return Promise.resolve(this.addresses.map(address => ({ address })))
  }
}

function open(t: TestContext, port: number, { lookup }: Name) {
  const rpc = openGrpc(`dns:///app.example:${port}`, { lookup })
  t.after(() => rpc.close())
  return rpc
}

/** One app at each address, on one port. */
async function openTwo(t: TestContext) {
  const first = await RawApp.start(t)
  const second = await RawApp.start(t, { port: first.port, address: '127.0.0.2' })
  const name = new Name('127.0.0.1', '127.0.0.2')
  const rpc = open(t, first.port, name)
  return { first, second, name, rpc }
}

const counts = (apps: readonly RawApp[]) => apps.map(app => app.streams.all.length)

test('calls go round its addresses, under its name', within, async t => {
  const { first, second, rpc } = await openTwo(t)
  while (!counts([first, second]).every(count => count > 0)) await rpc.command(perform, never)
  const before = counts([first, second])
  for (let calls = 0; calls < 20; calls++) await rpc.command(perform, never)
  assert.deepEqual(
    counts([first, second]).map((count, at) => count - (before[at] ?? 0)),
    [10, 10],
  )
  assert.equal((await second.headers.next())[':authority'], `app.example:${first.port}`)
})

test('one is killed: calls go to the other, and to both when it is back', within, async t => {
  const { first, second, rpc } = await openTwo(t)
  while (!counts([first, second]).every(count => count > 0)) await rpc.command(perform, never)
  const [killedHad = 0] = counts([first])
  first.stop()
  let lost = 0
  for (let calls = 0; calls < 20; calls++) await rpc.command(perform, never).catch(() => lost++)
  assert.ok(lost <= 1, `${lost} calls were lost`)
  assert.equal(counts([first])[0], killedHad)
  assert.equal(rpc.isConnected(), true)
  await first.start()
  while (first.streams.all.length === killedHad) await rpc.command(perform, never)
})

test('an address that the name has no more is let go, and its calls run to their end', within, async t => {
  const { first, second, name, rpc } = await openTwo(t)
  while (!counts([first, second]).every(count => count > 0)) await rpc.command(perform, never)
  const streams = [first, second].map(app => new Promise<void>(resolve => app.once(() => resolve())))
  const calls = [rpc.command(perform, never), rpc.command(perform, never)]
  await Promise.all(streams)
  const lost = calls.map(call => call.catch(() => null))
  name.addresses = ['127.0.0.1']
  // What makes it look the name up again.
  first.stop()
  await first.start()
  const session = second.sessions.all[0]
  assert.ok(session, 'it is connected')
  const before = second.streams.all.length
  while (name.lookups < 2) await new Promise(setImmediate)
  while (first.sessions.all.length < 2) await rpc.command(perform, never)
  const after = second.streams.all.length
  for (let more = 0; more < 10; more++) await rpc.command(perform, never)
  assert.equal(second.streams.all.length, after, 'it is asked no more')
  assert.equal(session.closed, false, 'its call is under way')
  const stream = second.streams.all[before - 1]
  assert.ok(stream, 'it has the call')
  const closed = new Promise(resolve => session.once('close', resolve))
  yes(stream)
  assert.deepEqual((await Promise.all(lost)).map(reply => reply?.status ?? 'lost').toSorted(), ['lost', 'success'])
  await closed
})

test('a name that moves to another address is found there', within, async t => {
  const { first, second, name, rpc } = await openTwo(t)
  name.addresses = ['127.0.0.1']
  first.stop()
  second.stop()
  const moved = await RawApp.start(t, { port: first.port, address: '127.0.0.3' })
  name.addresses = ['127.0.0.3']
  assert.equal(await rpc.problem(10_000), null)
  assert.equal((await rpc.command(perform, never)).status, 'success')
  assert.equal(moved.streams.all.length, 1)
})

test('a name that moves is found although its old address is silent: an attempt there takes 5 s', within, async t => {
  const mute = await openMute(t)
  const port = Number(mute.host.split(':')[1])
  const connected = mute.onConnection()
  const name = new Name('127.0.0.1')
  const rpc = open(t, port, name)
  await connected
  const moved = await RawApp.start(t, { port, address: '127.0.0.2' })
  name.addresses = ['127.0.0.2']
  assert.equal((await rpc.command(perform, never, performance.now() + 3_000)).status, 'success')
  assert.equal(moved.streams.all.length, 1)
})

test('a name that cannot be looked up: calls fail and say so, until it can', within, async t => {
  const app = await RawApp.start(t)
  const name = new Name()
  const rpc = open(t, app.port, name)
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /app\.example.*no address/))
  name.addresses = null
  while (name.lookups < 2) await new Promise(setImmediate)
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /failed for .*EAI_AGAIN/))
  name.addresses = ['127.0.0.1']
  assert.equal(await rpc.problem(10_000), null)
  assert.equal((await rpc.command(perform, never)).status, 'success')
})

test('a resolver that fails is no reason to lose the app; it is asked once a second at most', within, async t => {
  const app = await RawApp.start(t)
  const name = new Name('127.0.0.1')
  const rpc = open(t, app.port, name)
  await rpc.command(perform, never)
  const since = performance.now()
  name.addresses = null
  for (let losses = 0; losses < 3; losses++) {
    app.stop()
    await app.start()
    assert.equal(await rpc.problem(10_000), null)
    await rpc.command(perform, never)
  }
  while (name.lookups < 2) await new Promise(setImmediate)
  assert.ok(name.lookups <= 1 + (performance.now() - since) / 1_000 + 1, `${name.lookups} look-ups`)
  assert.equal((await rpc.command(perform, never)).status, 'success')
})

/** [form, because] */
const forms: readonly (readonly [(port: number) => string, string])[] = [
  [port => `127.0.0.1:${port}`, 'an address'],
  [port => `dns:///127.0.0.1:${port}`, 'an address for a name'],
  [port => `localhost:${port}`, 'a name'],
  [port => `dns:///localhost:${port}`, 'a name, by its scheme'],
  [port => `grpc-list://localhost:${port},127.0.0.1:${port}`, 'a list'],
]
for (const [hostOf, because] of forms) {
  test(`${hostOf(50051)} is taken: ${because}`, within, async t => {
    const app = await RawApp.start(t)
    const rpc = openGrpc(hostOf(app.port))
    t.after(() => rpc.close())
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })
}

test('[::1]:50051 is taken: an IPv6 address', within, async t => {
  const app = await RawApp.start(t, { port: await freePort(), address: '::1' })
  const rpc = openGrpc(`[::1]:${app.port}`)
  t.after(() => rpc.close())
  assert.equal((await rpc.command(perform, never)).status, 'success')
  assert.equal((await app.headers.next())[':authority'], `[::1]:${app.port}`)
})
