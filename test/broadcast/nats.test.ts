import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from 'nats'
import { maxPublicationLength } from '../../src/cable/broadcast.ts'
import { freePort } from '../support/ports.ts'
import { NatsServer } from './nats-server.ts'
import { CHANNEL, generous, open, publish, setUp, SUBSCRIBED, temporaryFolder, RETRYING } from './nats-site.ts'

test('every node receives every publication in order and unchanged', async t => {
  const server = await setUp(t)
  const one = await open(t, { servers: [server.url] })
  const two = await open(t, { servers: [server.url] })
  const texts = Array.from({ length: 500 }, (_, number) => `{"stream":"s","data":"${number} ü"}`)
  await publish(server.url, texts)
  assert.deepEqual(await one.delivered.waitFor(500), texts)
  assert.deepEqual(await two.delivered.waitFor(500), texts)
  assert.equal(one.subscription.connected(), true)
})

test('a publication of more bytes than the longest text can have is not decoded', async t => {
  const server = await setUp(t, ...generous(t))
  const { delivered } = await open(t, { servers: [server.url] })
  const decode = t.mock.method(TextDecoder.prototype, 'decode')
  const longest = '€'.repeat(maxPublicationLength)
  await publish(server.url, [longest, `${longest}€€`, 'x'.repeat(8_000_000)])
  const texts = await delivered.waitFor(3)
  assert.equal(texts[0], longest)
  for (const text of texts.slice(1)) assert.ok(text.length > maxPublicationLength)
  const decoded = decode.mock.calls.map(({ arguments: [bytes] }) => (bytes as Uint8Array).length)
  assert.ok(Math.max(...decoded) <= 3 * maxPublicationLength, `${Math.max(...decoded)} bytes are decoded`)
})

test('a restarted server is subscribed to again, with one log line for the loss and one for the return', async t => {
  const server = await setUp(t)
  const { subscription, log, delivered } = await open(t, { servers: [server.url] })
  for (const round of [1, 2]) {
    await server.kill()
    await log.waitFor('warn', 'disconnected', round)
    assert.equal(subscription.connected(), false)
    await server.start()
    const back = await log.waitFor('info', SUBSCRIBED, round + 1)
    assert.equal(back.fields['server'], `127.0.0.1:${server.port}`)
    assert.equal(subscription.connected(), true)
    await publish(server.url, [`round ${round}`])
    await delivered.waitFor(round)
  }
  assert.deepEqual(delivered.texts, ['round 1', 'round 2'])
  assert.equal(log.found('warn', RETRYING).length, 2)
  assert.equal(log.found('info', SUBSCRIBED).length, 3)
})

test('a server that is down at startup logs a warning and is subscribed to when it comes up', async t => {
  const server = new NatsServer(await freePort())
  t.after(() => server.kill())
  const { subscription, log, delivered } = await open(t, { servers: [server.url] })
  assert.equal(subscription.connected(), false)
  assert.equal(log.found('warn', 'CONNECTION_REFUSED').length, 1)
  await server.start()
  await log.waitFor('info', SUBSCRIBED)
  await publish(server.url, ['late'])
  assert.deepEqual(await delivered.waitFor(1), ['late'])
})

test('with two servers, the subscription moves to the one that is up', async t => {
  const first = await setUp(t)
  const second = await setUp(t)
  const { log, delivered } = await open(t, { servers: [first.url, second.url], dontRandomizeServers: true })
  assert.equal(log.found('info', SUBSCRIBED)[0]?.fields['server'], `127.0.0.1:${first.port}`)
  await first.kill()
  const back = await log.waitFor('info', SUBSCRIBED, 2)
  assert.equal(back.fields['server'], `127.0.0.1:${second.port}`)
  await publish(second.url, ['moved'])
  await delivered.waitFor(1)
})

test('with two servers, the first may be down at startup without a warning', async t => {
  const lives = await setUp(t)
  const servers = [`127.0.0.1:${await freePort()}`, lives.url]
  const { subscription, log, delivered } = await open(t, { servers, dontRandomizeServers: true })
  assert.equal(subscription.connected(), true)
  await publish(lives.url, ['from the second'])
  await delivered.waitFor(1)
  assert.deepEqual(log.found('warn', ''), [])
})

test('servers are tried in random order, or in the given order if configured', async t => {
  const both = [await setUp(t), await setUp(t)]
  const firstOf = async (dontRandomizeServers: boolean) => {
    const { subscription, log } = await open(t, { servers: both.map(({ url }) => url), dontRandomizeServers })
    await subscription.close()
    return log.found('info', SUBSCRIBED)[0]?.fields['server']
  }
  const inOrder = new Set<unknown>()
  for (let times = 0; times < 10; times++) inOrder.add(await firstOf(true))
  assert.deepEqual([...inOrder], [`127.0.0.1:${both[0]?.port}`])
  const inAnyOrder = new Set<unknown>()
  for (let times = 0; times < 50 && inAnyOrder.size < 2; times++) inAnyOrder.add(await firstOf(false))
  assert.equal(inAnyOrder.size, 2, 'one of them was never the first')
})

test('only the configured subject is subscribed to', { timeout: 60_000 }, async t => {
  const server = await setUp(t)
  const { delivered } = await open(t, { servers: [server.url], channel: 'production.cable' })
  for (const channel of ['production', 'production.cable.x', CHANNEL]) await publish(server.url, ['x'], { channel })
  await publish(server.url, ['ours'], { channel: 'production.cable' })
  assert.deepEqual(await delivered.waitFor(1), ['ours'])
})

test(
  "a server that is down for longer than AnyCable's five attempts is subscribed to again",
  { timeout: 60_000 },
  async t => {
    const server = await setUp(t)
    const { log, delivered } = await open(t, { servers: [server.url] })
    await server.kill()
    const closing = await refuseOn(t, server.port)
    await closing.attempts(6)
    await closing.end()
    await server.start()
    await log.waitFor('info', SUBSCRIBED, 2)
    await publish(server.url, ['back'])
    assert.deepEqual(await delivered.waitFor(1), ['back'])
  },
)

test('the nodes of a cluster reconnect spread out by jitter', { timeout: 60_000 }, async t => {
  const server = await setUp(t)
  const nodes = await Promise.all(Array.from({ length: 20 }, () => open(t, { servers: [server.url] })))
  await server.kill()
  const closing = await refuseOn(t, server.port)
  await closing.attempts(2 * nodes.length)
  const [first = 0, last = 0] = [closing.times.at(nodes.length), closing.times.at(-1)]
  assert.ok(last - first > 200, `the second attempts of 20 nodes came within ${last - first} ms`)
})

/** Accepts connections and closes them at once, like a proxy whose server is down. */
async function refuseOn(t: TestContext, port: number) {
  const times: number[] = []
  const refusing = createServer(socket => {
    times.push(performance.now())
    socket.on('error', () => null)
    socket.destroy()
  }).listen(port, '127.0.0.1')
  t.after(() => refusing.close())
  await once(refusing, 'listening')
  return {
    times,
    attempts: async (count: number) => {
      while (times.length < count) await once(refusing, 'connection')
    },
    end: async () => {
      refusing.close()
      await once(refusing, 'close')
    },
  }
}

test('close delivers everything that the server sent before', async t => {
  const server = await setUp(t)
  const { subscription, delivered } = await open(t, { servers: [server.url] })
  const publisher = await connect({ servers: server.url })
  for (let number = 0; number < 50_000; number++) publisher.publish(CHANNEL, `${number} ${'x'.repeat(200)}`)
  await publisher.flush()
  assert.ok(delivered.texts.length < 50_000, 'some of it is still on the way')
  await subscription.close()
  assert.equal(delivered.texts.length, 50_000)
  publisher.publish(CHANNEL, 'after the end')
  await publisher.close()
  assert.equal(subscription.connected(), false)
  assert.equal(delivered.texts.length, 50_000)
})

test('close returns at once if NATS was never connected, also when called twice', async t => {
  const { subscription } = await open(t, { servers: [`127.0.0.1:${await freePort()}`] })
  const started = performance.now()
  await Promise.all([subscription.close(), subscription.close()])
  assert.ok(performance.now() - started < 1000)
})

test('close returns at once while NATS is down, and stops the retries', async t => {
  const server = await setUp(t)
  const { subscription, log } = await open(t, { servers: [server.url] })
  await server.kill()
  await log.waitFor('warn', 'disconnected')
  const started = performance.now()
  await subscription.close()
  assert.ok(performance.now() - started < 1000)
})

test('close returns at once while a connection attempt to a silent server is pending', async t => {
  const sockets: Socket[] = []
  const mute = createServer(socket => sockets.push(socket)).listen(0, '127.0.0.1')
  t.after(() => {
    sockets.forEach(socket => socket.destroy())
    mute.close()
  })
  await once(mute, 'listening')
  const address = mute.address() as AddressInfo
  const { subscription } = await open(t, { servers: [`127.0.0.1:${address.port}`] })
  const again = once(mute, 'connection')
  await again
  const started = performance.now()
  await subscription.close()
  assert.ok(performance.now() - started < 1000)
})

test('credentials in the URL are used, including escaped characters and leading digits', async t => {
  const server = await setUp(t, '--user', 'app', '--pass', '4222:p@ss/word')
  const servers = [`nats://app:${encodeURIComponent('4222:p@ss/word')}@127.0.0.1:${server.port}`]
  const { log, delivered } = await open(t, { servers })
  await publish(server.url, ['secret'], { user: 'app', pass: '4222:p@ss/word' })
  assert.deepEqual(await delivered.waitFor(1), ['secret'])
  assert.doesNotMatch(JSON.stringify(log.lines), /p@ss|p%40ss/, 'the log never shows them')
})

test('wrong credentials log one warning and are retried until the server accepts them', async t => {
  const server = await setUp(t, '--auth', 'other')
  const { log } = await open(t, { servers: [`nats://token@127.0.0.1:${server.port}`] })
  assert.equal(log.found('warn', "'Authorization Violation'").length, 1)
  await server.kill()
  await server.start('--auth', 'token')
  await log.waitFor('info', SUBSCRIBED)
})

test('a restarted server that rejects the credentials twice is retried', async t => {
  const server = await setUp(t, '--auth', 'token')
  const { log } = await open(t, { servers: [`nats://token@127.0.0.1:${server.port}`] })
  await server.kill()
  await log.waitFor('warn', 'disconnected')
  let refusals = 0
  const refusing = createServer(socket => {
    refusals++
    socket.on('error', () => null)
    socket.write('INFO {"server_id":"x","version":"2.9.0","proto":1,"max_payload":1048576,"auth_required":true}\r\n')
    socket.once('data', () => socket.end("-ERR 'Authorization Violation'\r\n"))
  }).listen(server.port, '127.0.0.1')
  while (refusals < 3) await once(refusing, 'connection')
  refusing.close()
  await once(refusing, 'close')
  assert.equal(log.found('warn', 'AUTHORIZATION_VIOLATION').length, 1)
  await server.start('--auth', 'token')
  await log.waitFor('info', SUBSCRIBED, 2)
})

test('a refused subscription logs one warning and counts as disconnected until it is allowed', async t => {
  const folder = temporaryFolder(t)
  const allowing = (subject: string) => {
    const file = join(folder, `${subject}.conf`)
    writeFileSync(file, `authorization { users = [{user: u, password: p, permissions: {subscribe: "${subject}"}}] }`)
    return file
  }
  const server = await setUp(t, '-c', allowing('other'))
  const { subscription, log } = await open(t, { servers: [`nats://u:p@127.0.0.1:${server.port}`] })
  assert.equal(subscription.connected(), false)
  const [warning, ...more] = log.found('warn', RETRYING)
  assert.match(String(warning?.fields['error']), /Permissions Violation for Subscription to "__anycable__"/)
  assert.deepEqual(more, [])
  await server.kill()
  await server.start('-c', allowing(CHANNEL))
  await log.waitFor('info', SUBSCRIBED)
  assert.equal(subscription.connected(), true)
})

test('tls:// encrypts, and an untrusted certificate is rejected', async t => {
  const folder = temporaryFolder(t)
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  })
  const server = await setUp(t, '--tls', '--tlscert', cert, '--tlskey', key)
  const servers = [`tls://localhost:${server.port}`]
  const stranger = await open(t, { servers })
  assert.equal(stranger.subscription.connected(), false)
  assert.equal(stranger.log.found('warn', 'self-signed certificate').length, 1)
  const friend = await open(t, { servers, tls: { caFile: cert } })
  assert.equal(friend.subscription.connected(), true)
})

const faults = [
  [{ servers: ['http://127.0.0.1:4222'] }, /not a NATS address: http:/, 'a URL with another scheme'],
  [{ servers: ['nats://a b'] }, /Invalid URL/, 'an invalid URL'],
  [{ servers: ['nats://h'], credentialsFile: '/nowhere' }, /ENOENT/, 'a missing credentials file'],
  [{ servers: ['nats://h'], tls: { caFile: '/nowhere' } }, /ENOENT/, 'a missing certificate'],
] as const
for (const [options, expected, because] of faults) {
  test(`${because} prevents the start`, async t => {
    await assert.rejects(open(t, options), expected)
  })
}

test('an error thrown by deliver ends the process', { timeout: 20_000 }, async t => {
  const server = await setUp(t)
  const script = `
    import { openNats } from '${new URL('../../src/broadcast/nats.ts', import.meta.url).href}'
    const log = { info() {}, warn() {}, child: () => log }
    const options = { servers: ['${server.url}'], channel: '${CHANNEL}', dontRandomizeServers: false }
    await openNats(options, () => { throw new Error('a bug') }, log)
    console.log('ready')`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(child.stdout, 'data')
  const exited = once(child, 'close')
  await publish(server.url, ['anything'])
  assert.deepEqual(await exited, [1, null], said)
  assert.match(said, /a broadcast could not be delivered[^]*a bug/)
})
