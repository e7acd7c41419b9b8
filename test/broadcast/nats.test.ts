import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from 'nats'
import { type NatsOptions, type NatsSubscription, openNats } from '../../src/broadcast/nats.ts'
import { freePort, NatsServer } from './nats-server.ts'
import { RecordedLog } from './recorded-log.ts'

const CHANNEL = '__anycable__'
const SUBSCRIBED = 'subscribed to broadcasts'
const TRYING = 'trying again'

/** What was delivered, and those who wait for it. */
class Delivered {
  readonly texts: string[] = []
  readonly #came = new EventEmitter()

  readonly deliver = (text: string): void => {
    this.texts.push(text)
    this.#came.emit('text')
  }

  async waitFor(count: number): Promise<string[]> {
    while (this.texts.length < count) await once(this.#came, 'text')
    return this.texts
  }
}

async function setUp(t: TestContext, ...args: readonly string[]): Promise<NatsServer> {
  const server = new NatsServer(await freePort())
  t.after(() => server.kill())
  await server.start(...args)
  return server
}

async function open(t: TestContext, options: Partial<NatsOptions>, delivered = new Delivered()) {
  const log = new RecordedLog()
  const subscription: NatsSubscription = await openNats(
    { servers: [], channel: CHANNEL, dontRandomizeServers: false, ...options },
    delivered.deliver,
    log,
  )
  t.after(() => subscription.close())
  return { subscription, log, delivered }
}

async function publish(
  url: string,
  texts: readonly string[],
  auth: { user?: string; pass?: string } = {},
): Promise<void> {
  const connection = await connect({ servers: url, ...auth })
  for (const text of texts) connection.publish(CHANNEL, text)
  await connection.flush()
  await connection.close()
}

test('every node gets every publication, in the order it was made, as the text it was', async t => {
  const server = await setUp(t)
  const one = await open(t, { servers: [server.url] })
  const two = await open(t, { servers: [server.url] })
  const texts = Array.from({ length: 500 }, (_, number) => `{"stream":"s","data":"${number} ü"}`)
  await publish(server.url, texts)
  assert.deepEqual(await one.delivered.waitFor(500), texts)
  assert.deepEqual(await two.delivered.waitFor(500), texts)
  assert.equal(one.subscription.connected(), true)
})

test('a server that is killed and comes back is subscribed to again: one line when lost, one when back', async t => {
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
  assert.equal(log.found('warn', TRYING).length, 2)
  assert.equal(log.found('info', SUBSCRIBED).length, 3)
})

test('a server that is down at the start is a warning, and is subscribed to when it comes up', async t => {
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

test('of two servers the one that lives is found, and the other when that one dies', async t => {
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

test('close delivers what the server had sent before', async t => {
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

test('close ends at once where NATS was never reached, also twice', async t => {
  const { subscription } = await open(t, { servers: [`127.0.0.1:${await freePort()}`] })
  const started = performance.now()
  await Promise.all([subscription.close(), subscription.close()])
  assert.ok(performance.now() - started < 1000)
})

test('close ends at once where NATS is lost, and leaves nothing trying', async t => {
  const server = await setUp(t)
  const { subscription, log } = await open(t, { servers: [server.url] })
  await server.kill()
  await log.waitFor('warn', 'disconnected')
  const started = performance.now()
  await subscription.close()
  assert.ok(performance.now() - started < 1000)
})

test('close ends at once while a server that says nothing is waited for', async t => {
  const sockets: Socket[] = []
  const mute = createServer(socket => sockets.push(socket)).listen(0, '127.0.0.1')
  t.after(() => {
    sockets.forEach(socket => socket.destroy())
    mute.close()
  })
  await once(mute, 'listening')
  const address = mute.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { subscription } = await open(t, { servers: [`127.0.0.1:${address.port}`] })
  const again = once(mute, 'connection')
  await again
  const started = performance.now()
  await subscription.close()
  assert.ok(performance.now() - started < 1000)
})

test('credentials in the address are used, escaped characters and digits first included', async t => {
  const server = await setUp(t, '--user', 'app', '--pass', '4222:p@ss/word')
  const servers = [`nats://app:${encodeURIComponent('4222:p@ss/word')}@127.0.0.1:${server.port}`]
  const { log, delivered } = await open(t, { servers })
  await publish(server.url, ['secret'], { user: 'app', pass: '4222:p@ss/word' })
  assert.deepEqual(await delivered.waitFor(1), ['secret'])
  assert.doesNotMatch(JSON.stringify(log.lines), /p@ss|p%40ss/, 'the log never shows them')
})

test('wrong credentials are one warning, and are tried until the server takes them', async t => {
  const server = await setUp(t, '--auth', 'other')
  const { log } = await open(t, { servers: [`nats://token@127.0.0.1:${server.port}`] })
  assert.equal(log.found('warn', "'Authorization Violation'").length, 1)
  await server.kill()
  await server.start('--auth', 'token')
  await log.waitFor('info', SUBSCRIBED)
})

test('a restarted server that refuses the credentials twice is not given up', async t => {
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

test('a subscription that the server refuses is one warning and not connected, until it is allowed', async t => {
  const folder = temporaryFolder(t)
  const allowing = (subject: string) => {
    const file = join(folder, `${subject}.conf`)
    writeFileSync(file, `authorization { users = [{user: u, password: p, permissions: {subscribe: "${subject}"}}] }`)
    return file
  }
  const server = await setUp(t, '-c', allowing('other'))
  const { subscription, log } = await open(t, { servers: [`nats://u:p@127.0.0.1:${server.port}`] })
  assert.equal(subscription.connected(), false)
  const [warning, ...more] = log.found('warn', TRYING)
  assert.match(String(warning?.fields['error']), /Permissions Violation for Subscription to "__anycable__"/)
  assert.deepEqual(more, [])
  await server.kill()
  await server.start('-c', allowing(CHANNEL))
  await log.waitFor('info', SUBSCRIBED)
  assert.equal(subscription.connected(), true)
})

test('tls:// encrypts, and a certificate that nobody vouches for is refused', async t => {
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
  [{ servers: ['http://127.0.0.1:4222'] }, /no NATS address: http:/, 'a scheme of something else'],
  [{ servers: ['nats://a b'] }, /Invalid URL/, 'no address at all'],
  [{ servers: ['nats://h'], credentialsFile: '/nowhere' }, /ENOENT/, 'a missing credentials file'],
  [{ servers: ['nats://h'], tls: { caFile: '/nowhere' } }, /ENOENT/, 'a missing certificate'],
] as const
for (const [options, expected, because] of faults) {
  test(`${because} stops the start`, async t => {
    await assert.rejects(open(t, options), expected)
  })
}

test('a throw in deliver ends the process', { timeout: 20_000 }, async t => {
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

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'nats-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}
