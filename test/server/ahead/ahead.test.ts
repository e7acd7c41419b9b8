import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { giveBack, readAhead } from '../../../src/server/ahead/ahead.ts'

async function openPair(t: TestContext): Promise<{ client: Socket; socket: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.setNoDelay(true)
  const [socket] = await accepted
  t.after(() => {
    client.destroy()
    socket.destroy()
    server.close()
  })
  return { client, socket }
}

/** Reads up to the first full stop. */
const untilStop = (bytes: Buffer): string | null => (bytes.includes('.') ? bytes.toString() : null)
const never = (): never => assert.fail()

test('readAhead gathers bytes until they are enough, and giveBack returns those that are left', async t => {
  const { client, socket } = await openPair(t)
  const read = new Promise<string>(resolve =>
    readAhead(socket, {
      timeoutMs: 60_000,
      read: untilStop,
      onRead: (reading, bytes) => giveBack(socket, bytes.subarray(3), () => resolve(reading)),
      onOverdue: never,
    }),
  )
  for (const byte of 'one. two') {
    client.write(byte)
    await new Promise(setImmediate)
  }
  assert.match(await read, /^one\./)
  client.end('!')
  let rest = ''
  for await (const chunk of socket) rest += String(chunk)
  assert.equal(rest, '. two!')
})

test('readAhead reports bytes that take too long, and leaves the connection to its caller', async t => {
  const { client, socket } = await openPair(t)
  const overdue = new Promise<void>(resolve =>
    readAhead(socket, { timeoutMs: 20, read: untilStop, onRead: never, onOverdue: resolve }),
  )
  client.write('one')
  await overdue
  assert.equal(socket.destroyed, false)
})

test('readAhead reports a peer that ends too early, and closes the connection', async t => {
  const { client, socket } = await openPair(t)
  const ended = new Promise<void>(resolve =>
    readAhead(socket, { timeoutMs: 60_000, read: untilStop, onRead: never, onOverdue: never, onEnd: resolve }),
  )
  client.end('one')
  await ended
  if (!socket.destroyed) await once(socket, 'close')
})

test('giveBack gives no connection that has closed meanwhile', async t => {
  const { socket } = await openPair(t)
  giveBack(socket, Buffer.from('x'), never)
  socket.destroy()
  await new Promise(setImmediate)
})

test('readAhead copies the bytes that came before in few turns, also when they come one by one', async t => {
  const { client, socket } = await openPair(t)
  const concat = Buffer.concat.bind(Buffer)
  let copied = 0
  t.mock.method(Buffer, 'concat', (list: readonly Buffer[], length?: number) => {
    if (list.some(each => each.includes('x'))) copied += list.reduce((sum, each) => sum + each.length, 0)
    return concat(list, length)
  })
  let chunks = 0
  let seen = (): void => undefined
  const read = new Promise<string>(resolve =>
    readAhead(socket, {
      timeoutMs: 60_000,
      read: bytes => {
        chunks += 1
        seen()
        return bytes.includes('.') ? bytes.toString() : null
      },
      onRead: resolve,
      onOverdue: never,
    }),
  )
  for (const byte of `${'x'.repeat(500)}.`) {
    const next = new Promise<void>(resolve => (seen = resolve))
    client.write(byte)
    await next
  }
  assert.equal(await read, `${'x'.repeat(500)}.`)
  assert.equal(chunks, 501)
  assert.ok(copied < 2 * 501, `${copied} bytes are copied`)
})
