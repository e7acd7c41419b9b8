import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from 'nats'
import { readInTurns } from '../../src/broadcast/reading.ts'
import { makeKeyPair } from '../support/certificate.ts'
import { generous, open, publish, setUp, SUBSCRIBED, temporaryFolder } from './nats-site.ts'

async function withTls(t: TestContext): Promise<{ readonly args: string[]; readonly ca: string }> {
  const folder = temporaryFolder(t)
  const { cert, key } = await makeKeyPair('DNS:localhost')
  writeFileSync(join(folder, 'crt'), cert)
  writeFileSync(join(folder, 'key'), key)
  return { args: ['--tls', '--tlscert', join(folder, 'crt'), '--tlskey', join(folder, 'key')], ca: cert }
}
const long = 'x'.repeat(8_000_000)

/** What a connection reads of a long publication in one turn of the event loop at most, in bytes. */
async function mostInTurn(options: Parameters<typeof connect>[0]): Promise<number> {
  const connection = await connect(options)
  const { socket } = (connection as typeof connection & { protocol: { transport: { socket: Socket } } }).protocol
    .transport
  readInTurns(connection)
  const got = new Promise<number>(resolve => {
    connection.subscribe('s', { callback: (_, { data }) => resolve(data.length) })
  })
  await connection.flush()
  let inTurn = 0
  let most = 0
  let turns = 0
  socket.on('data', (chunk: Buffer) => {
    if (inTurn === 0) setImmediate(() => (inTurn = 0))
    // By then, there is more to read than one turn takes.
    if (inTurn === 0 && ++turns === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    inTurn += chunk.length
    most = Math.max(most, inTurn)
  })
  const sender = await connect(options)
  sender.publish('s', long)
  await sender.flush()
  assert.equal(await got, long.length)
  await Promise.all([connection.close(), sender.close()])
  return most
}

/** The read that is behind the limit, and what was read ahead while the socket was paused. */
const limit = 4 * 65_536

test('of a long publication, a few reads of 64 KiB are taken in a turn', async t => {
  const { url } = await setUp(t, ...generous(t))
  const most = await mostInTurn({ servers: url })
  assert.ok(most < limit, `${most} bytes`)
})

test('so it is over TLS, whose chunks are smaller', async t => {
  const { args, ca } = await withTls(t)
  const { port } = await setUp(t, ...generous(t), ...args)
  const most = await mostInTurn({ servers: `localhost:${port}`, tls: { ca } })
  assert.ok(most < limit, `${most} bytes`)
})

test('the connection after a reconnect is read in turns, too', async t => {
  const args = generous(t)
  const server = await setUp(t, ...args)
  const { delivered, log } = await open(t, { servers: [server.url] })
  await server.kill()
  await server.start(...args)
  await log.waitFor('info', SUBSCRIBED, 2)
  const pause = t.mock.method(Socket.prototype, 'pause')
  await publish(server.url, [long])
  await delivered.waitFor(1)
  assert.ok(pause.mock.callCount() > 20, `${pause.mock.callCount()} pauses`)
})
