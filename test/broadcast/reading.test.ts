import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from 'nats'
import { readInTurns } from '../../src/broadcast/reading.ts'
import { open, publish, setUp, SUBSCRIBED, temporaryFolder } from './nats-site.ts'

/** Of a server that takes publications of 8 MB. */
const generous = (t: TestContext): string[] => {
  const file = join(temporaryFolder(t), 'nats.conf')
  writeFileSync(file, 'max_payload: 8388608\n')
  return ['--config', file]
}
const long = 'x'.repeat(8_000_000)

/** What a connection reads of a long publication in one turn of the event loop at most, in bytes. */
async function mostInTurn(url: string): Promise<number> {
  const connection = await connect({ servers: url })
  const { socket } = (connection as typeof connection & { protocol: { transport: { socket: Socket } } }).protocol
    .transport
  readInTurns(connection)
  const got = new Promise<number>(resolve => {
    connection.subscribe('s', { callback: (_, { data }) => resolve(data.length) })
  })
  await connection.flush()
  let inTurn = 0
  let most = 0
  socket.on('data', (chunk: Buffer) => {
    if (inTurn === 0) setImmediate(() => (inTurn = 0))
    inTurn += chunk.length
    most = Math.max(most, inTurn)
  })
  // While this process is busy, all of it arrives at the socket.
  const sender = await connect({ servers: url })
  sender.publish('s', long)
  await sender.flush()
  assert.equal(await got, long.length)
  await Promise.all([connection.close(), sender.close()])
  return most
}

test('of a long publication, no more than two reads of 64 KiB are taken in a turn', async t => {
  const { url } = await setUp(t, ...generous(t))
  const most = await mostInTurn(url)
  assert.ok(most <= 2 * 65_536, `${most} bytes`)
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
