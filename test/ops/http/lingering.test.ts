/** The last moments of connections, on real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { endWith } from '../../../src/ops/http/lingering.ts'

const host = '127.0.0.1'
const answer = 'the answer'
const megabyte = Buffer.alloc(1024 * 1024)
/** One read, and how often one is made of all connections. */
const read = { bytes: 65_536, everyMs: 5 }

/** A server that has its last word on each connection at once. */
async function open(t: TestContext): Promise<{ port: number; accepted: Socket[] }> {
  const accepted: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, socket => {
    accepted.push(socket)
    endWith(socket, answer)
  })
  server.listen(0, host)
  await once(server, 'listening')
  t.after(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, accepted }
}

function dial(t: TestContext, port: number): Socket {
  const socket = connect({ port, host, allowHalfOpen: true }).on('error', () => undefined)
  t.after(() => socket.destroy())
  return socket
}

test('a client that closes behind its answer is gone at once', async t => {
  const { port, accepted } = await open(t)
  const socket = dial(t, port)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  assert.equal(chunk.toString(), answer)
  socket.end()
  await once(socket, 'close')
  assert.equal(accepted[0]?.destroyed, true)
})

test('a client that keeps its end open does not keep the connection', async t => {
  const { port, accepted } = await open(t)
  await once(dial(t, port), 'data')
  const [connection] = accepted
  assert.ok(connection !== undefined)
  await once(connection, 'close')
})

test('a client that reads only once it has sent 8 MB has its answer', async t => {
  const { port } = await open(t)
  const socket = dial(t, port)
  for (let sent = 0; sent < 8; sent++) await new Promise(resolve => socket.write(megabyte, resolve))
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  assert.equal(chunk.toString(), answer)
  assert.equal(socket.errored, null)
})

test('ten clients that send without end are read once in 5 ms, all together, also when others have left meanwhile', async t => {
  const { port, accepted } = await open(t)
  for (let left = 0; left < 20; left++) {
    const socket = dial(t, port)
    await once(socket, 'data')
    socket.write('a')
    await sleep(1)
    socket.resetAndDestroy()
  }
  accepted.length = 0
  const since = performance.now()
  const sockets = Array.from({ length: 10 }, () => dial(t, port).resume())
  for (const socket of sockets) {
    const send = (): void => {
      if (socket.writable) socket.write(megabyte, send)
    }
    send()
  }
  // Not `once`, which rejects if the connection is reset first.
  await Promise.all(sockets.map(socket => new Promise<void>(resolve => socket.once('close', () => resolve()))))
  const reads = accepted.reduce((sum, { bytesRead }) => sum + bytesRead, 0) / read.bytes
  // One that is paused fills its buffer first: two reads.
  const most = (performance.now() - since) / read.everyMs + 3 * sockets.length
  assert.ok(reads <= most, `${Math.round(reads)} reads, at most ${Math.round(most)} expected`)
})
