/**
 * The admin side cannot slow the stations: 2,000 of them call while 20 clients of `GET /v1/messages` do not read, and
 * one lists all stations in a loop.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { AdminClient } from '../support/admin.ts'
import { bootOf, openAdminBridge } from '../support/admin-bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

const stations = 2_000
const tails = 20
const rounds = 6
/** Long enough that what all tails are sent does not fit into the buffers of the kernel. */
const payload = JSON.stringify({ vendorId: 'V', data: 'x'.repeat(900) })
/** Less than the tails would hold without a limit: 20 times 2,000 stations, 6 rounds and 1.4 kB. */
const mostGrowth = 200 * 1024 * 1024

test('no station is lost, memory stays bounded and lost frames are counted when tails do not read', async t => {
  const keep = keepUntil(close => t.after(close))
  // The app of this test is slow, for it shares the process with the stations.
  const flags = ['--rpc_command_timeout=30s']
  const { bridge, admin, adminUrl } = await openAdminBridge(keep, flags, () => ({ status: 'Accepted' }))
  const fleet: RawStation[] = []
  while (fleet.length < stations) {
    const ids = Array.from({ length: 100 }, (_, at) => fleet.length + at)
    fleet.push(...(await Promise.all(ids.map(id => boot(bridge.url, id)))))
  }
  keep({ close: () => Promise.all(fleet.map(station => station.close())) })
  const before = await memoryOf(admin)

  const mute = await Promise.all(Array.from({ length: tails }, () => openMute(adminUrl)))
  for (const socket of mute) keep({ close: () => socket.destroy() })
  const listing = new AbortController()
  const lists = listInLoop(admin, listing.signal)
  let answered = 0
  for (let round = 0; round < rounds; round++) {
    const answers = fleet.map(station => station.call(`${round}`, 'DataTransfer', payload))
    for (const answer of await Promise.all(answers)) if (answer.startsWith('[3,')) answered++
  }
  listing.abort()

  assert.equal(answered, stations * rounds)
  assert.ok((await memoryOf(admin)) - before < mostGrowth)
  assert.ok((await lists) > 0)
  const { body } = await admin.get('/v1/stations?state=connected&limit=1')
  assert.equal(body['matched'], stations)
  const { lost, received } = await readAll(mute[0])
  assert.ok(lost > 0)
  assert.equal(lost + received, 2 * stations * rounds)
})

async function boot(url: string, id: number): Promise<RawStation> {
  const station = await openRawStation(url, `CP${id}`)
  await station.call('boot', 'BootNotification', bootOf(`CP${id}`))
  return station
}

async function memoryOf(admin: AdminClient): Promise<number> {
  const { body } = await admin.get('/v1/stats')
  return (body['memory'] as { readonly bytes: number }).bytes
}

/** A client that stops reading once its stream is open. */
async function openMute(adminUrl: string): Promise<Socket> {
  const { hostname: host, port } = new URL(adminUrl)
  const socket = createConnection({ host, port: Number(port) })
  socket.write('GET /v1/messages?action=DataTransfer HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'data')
  socket.pause()
  return socket
}

/** @returns how many pages it got */
async function listInLoop(admin: AdminClient, signal: AbortSignal): Promise<number> {
  let pages = 0
  while (!signal.aborted) {
    const { status, body } = await admin.get('/v1/stations?limit=500&sort=-lastMessageAt')
    assert.deepEqual([status, (body['stations'] as readonly unknown[]).length], [200, 500])
    pages++
    await setImmediate()
  }
  return pages
}

/** Reads on until the number of lost events comes. */
async function readAll(socket: Socket | undefined): Promise<{ readonly lost: number; readonly received: number }> {
  assert.ok(socket !== undefined)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  socket.resume()
  while (!/event: lost\ndata: \{"count":\d+\}\n/.test(text)) await once(socket, 'data')
  const lost = Number(/event: lost\ndata: \{"count":(\d+)\}/.exec(text)?.[1])
  return { lost, received: text.split('event: message').length - 1 }
}
