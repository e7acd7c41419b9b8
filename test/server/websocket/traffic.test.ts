/**
 * What is read from inside Node's sockets, on real connections: a release that changes its fields fails here.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { trafficOf } from '../../../src/server/websocket/traffic.ts'
import { makeKeyPair } from '../../support/certificate.ts'

const keyPair = await makeKeyPair()
const written = 16 * 1024 * 1024

type Ends = { readonly side: Socket; readonly peer: Socket; readonly raw: Socket }

async function connected(t: TestContext, server: Server, event: string, isTls: boolean): Promise<Ends> {
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, event) as Promise<[Socket]>
  const raw = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const peer = isTls ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw
  const [side] = await accepted
  for (const socket of [peer, raw, side]) {
    socket.on('error', () => undefined)
    t.after(() => {
      socket.destroy()
    })
  }
  return { side, peer, raw }
}

const kinds = {
  TCP: (t: TestContext) => connected(t, createServer(), 'connection', false),
  TLS: (t: TestContext) => connected(t, createTlsServer(keyPair), 'secureConnection', true),
} as const

/** What the system has taken once it takes no more. */
async function settled(side: Socket): Promise<number> {
  for (let before = -1; ;) {
    const { taken } = trafficOf(side)
    if (taken > 0 && taken === before) return taken
    before = taken
    await sleep(100)
  }
}

for (const [kind, open] of Object.entries(kinds)) {
  test(
    `what is taken over ${kind} stands still when the peer does not read, and grows within one write when it does`,
    { timeout: 30_000 },
    async t => {
      const { side, peer } = await open(t)
      peer.pause()
      side.write(Buffer.alloc(written))
      const taken = await settled(side)
      assert.ok(taken < written)
      peer.resume()
      peer.once('data', () => peer.pause())
      while (trafficOf(side).taken === taken) {
        peer.read(64 * 1024)
        await sleep(1)
      }
      assert.equal(side.bytesWritten - side.writableLength <= 0, true, 'the write has not ended')
      peer.on('data', () => undefined).resume()
      while (side.writableLength > 0) await sleep(5)
      assert.ok(trafficOf(side).taken >= written)
    },
  )

  test(`bytes arrive over ${kind} before they make a whole record`, { timeout: 30_000 }, async t => {
    const { side, raw } = await open(t)
    side.resume()
    const before = trafficOf(side).arrived
    // The head of a record of 4 KiB (RFC 8446 §5.1), and a part of it.
    const part = Buffer.concat([Buffer.from([23, 3, 3, 16, 0]), Buffer.alloc(100)])
    raw.write(part)
    while (trafficOf(side).arrived < before + part.length) await sleep(5)
    assert.equal(side.bytesRead, kind === 'TLS' ? 0 : part.length)
  })
}

test("the figures are Node's own when there is no handle that counts", () => {
  const plain = { bytesRead: 5, bytesWritten: 7, writableLength: 3 }
  for (const inside of [{}, { _handle: null }, { _handle: {} }])
    assert.deepEqual(trafficOf({ ...plain, ...inside }), { arrived: 5, taken: 4 })
})
