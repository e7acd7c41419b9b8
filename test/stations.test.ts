/**
 * The stations' side of the program: its capacity, and its end while upgrades wait for their turn.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { resolve } from '../src/config/resolve.ts'
import { capacityOf, openStations } from '../src/stations.ts'
import { FakeLog, FakeWorld } from './support/fakes.ts'
import { protocol, upgradeHeaders } from './support/peer.ts'

test('max-conn limits the stations, and the open-files limit still limits the connections', () => {
  const log = new FakeLog()
  const { maxConnections } = capacityOf(0, log)
  assert.deepEqual(capacityOf(3, log), { room: 3, maxConnections })
})

test('upgrades that wait for their turn are refused with 503 before the close of the stations resolves', async t => {
  let clock = 0
  // Each upgrade takes longer than a turn may: one of them in each turn.
  const world = Object.assign(new FakeWorld(t), { now: () => (clock += 10) })
  t.mock.timers.reset()
  const resolution = resolve({ argv: ['--host=127.0.0.1', '--port=0'], env: {}, file: null, nodeId: 'n' })
  assert.ok(resolution.ok)
  const capacity = { room: Infinity, maxConnections: Infinity }
  const stations = await openStations(resolution.config, [null], world.hub, () => ({}), capacity, world, null)
  const [port = 0] = stations.ports ?? []

  const sockets = await Promise.all(Array.from({ length: 200 }, () => openConnection(t, port)))
  for (const [at, socket] of sockets.entries()) socket.write(upgradeOf(`CP${at}`))
  await Promise.race(sockets.map(socket => once(socket, 'data')))
  await stations.close()
  const admitted = world.log.said('info').filter(line => line === 'station connected').length
  const refused = world.meter.total('ocpp_refused_total', { reason: 'draining' })
  assert.ok(refused > 0, 'some upgrades waited')
  assert.equal(admitted + refused, sockets.length)
})

/** A connection that the port has accepted, once as many turns have passed as there are connections. */
async function openConnection(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => undefined) // 'close' follows
  await once(socket, 'connect')
  for (let turn = 0; turn < 1_000; turn++) await new Promise(setImmediate)
  return socket
}

function upgradeOf(stationId: string): string {
  const lines = [`GET /ocpp/${stationId} HTTP/1.1`, 'Host: csms.example', ...upgradeHeaders, protocol('ocpp1.6')]
  return `${lines.join('\r\n')}\r\n\r\n`
}
