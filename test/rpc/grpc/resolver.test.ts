/** A name with several addresses: our gRPC client calls all of them, and follows the name when its addresses change. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { rpcError } from '../../contract/rpc.ts'
import { freePort } from '../../support/ports.ts'
import { openMute } from '../../support/tcp.ts'
import { never, perform } from '../calls.ts'
import { RawApp, yes } from './raw-app.ts'

const within = { timeout: 20_000 }

/** A name with the addresses that a test gives it; `null` where it cannot be looked up. */
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

test('calls go round robin over the addresses of a name, with the name as authority', within, async t => {
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

test('calls go to the other address while one is down, then to both', within, async t => {
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

test(
  'an address gets no new calls when the name no longer has it, and its calls in flight run to their end',
  within,
  async t => {
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
    assert.equal(second.streams.all.length, after, 'it gets no more calls')
    assert.equal(session.closed, false, 'its call is in flight')
    const stream = second.streams.all[before - 1]
    assert.ok(stream, 'it has the call')
    const closed = new Promise(resolve => session.once('close', resolve))
    yes(stream)
    assert.deepEqual((await Promise.all(lost)).map(reply => reply?.status ?? 'lost').toSorted(), ['lost', 'success'])
    await closed
  },
)

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

test('a name that moves is found when its old address is silent, where an attempt takes 5 s', within, async t => {
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

test('calls fail with the reason while the name cannot be looked up', within, async t => {
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

test('calls go on while look-ups fail, of which there is one a second at most', within, async t => {
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

/** Nobody has ever listened at one address of the name: as at ::1 of localhost. */
async function openHalf(t: TestContext) {
  const first = await RawApp.start(t)
  const name = new Name('127.0.0.2', '127.0.0.1')
  const rpc = open(t, first.port, name)
  assert.equal(await rpc.problem(10_000), null)
  return { first, name, rpc }
}

test('the name is not looked up again when nobody has ever listened at one of its addresses', within, async t => {
  const { name, rpc } = await openHalf(t)
  await new Promise(resolve => setTimeout(resolve, 2_500))
  assert.equal(name.lookups, 1)
  assert.equal((await rpc.command(perform, never)).status, 'success')
})

test('an app is found within a second at an address in a long backoff when no other one works', within, async t => {
  const { first, rpc } = await openHalf(t)
  // Attempts at 0, 0.2, 0.6, 1.4 and 3 s at most: the next one would come at least 2.5 s later.
  await new Promise(resolve => setTimeout(resolve, 3_200))
  await RawApp.start(t, { port: first.port, address: '127.0.0.2' })
  first.stop()
  const since = performance.now()
  assert.equal(await rpc.problem(10_000), null)
  assert.ok(performance.now() - since < 1_300, `found after ${performance.now() - since} ms`)
  assert.equal((await rpc.command(perform, never)).status, 'success')
})

test(
  'an address that moves is found when another one works, though the resolver learns of it late',
  within,
  async t => {
    const { first, second, name, rpc } = await openTwo(t)
    while (!counts([first, second]).every(count => count > 0)) await rpc.command(perform, never)
    second.stop()
    while (name.lookups < 2) await new Promise(setImmediate)
    const moved = await RawApp.start(t, { port: first.port, address: '127.0.0.3' })
    name.addresses = ['127.0.0.1', '127.0.0.3']
    while (moved.streams.all.length === 0) await rpc.command(perform, never).catch(() => null)
  },
)

/** [form, because] */
const forms: readonly (readonly [(port: number) => string, string])[] = [
  [port => `127.0.0.1:${port}`, 'an address'],
  [port => `dns:///127.0.0.1:${port}`, 'an address for a name'],
  [port => `localhost:${port}`, 'a name'],
  [port => `dns:///localhost:${port}`, 'a name, by its scheme'],
  [port => `grpc-list://localhost:${port},127.0.0.1:${port}`, 'a list'],
]
for (const [hostOf, because] of forms) {
  test(`openGrpc takes ${hostOf(50051)}: ${because}`, within, async t => {
    const app = await RawApp.start(t)
    const rpc = openGrpc(hostOf(app.port))
    t.after(() => rpc.close())
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })
}

test('openGrpc takes [::1]:50051: an IPv6 address', within, async t => {
  const app = await RawApp.start(t, { port: await freePort(), address: '::1' })
  const rpc = openGrpc(`[::1]:${app.port}`)
  t.after(() => rpc.close())
  assert.equal((await rpc.command(perform, never)).status, 'success')
  assert.equal((await app.headers.next())[':authority'], `[::1]:${app.port}`)
})
