/**
 * NATS and HTTP at the same time, against the built program: publications over either reach the right stations.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { after, before, describe, test, type TestContext } from 'node:test'
import { connect, type NatsConnection } from 'nats'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openNats, type Nats } from '../support/nats.ts'
import { openStation, type Station } from '../support/station.ts'

let app: ScriptedApp
let nats: Nats
let bridge: Bridge
let publisher: NatsConnection
/** The ids of the commands whose answers the app has received. */
const answers: string[] = []
const came = new EventEmitter()
const sids = new Map<string, string>()
/** The commands that stations received, in order. */
const asked = new Map<string, string[]>()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  app.always(async call => {
    const { url } = call.message['env'] as { readonly url: string }
    const id = url.split('/').at(-1) ?? ''
    sids.set(id, call.metadata['sid'] ?? '')
    const reply = await yes(call)
    const site = `site:${siteOf(id)}`
    if (call.method === 'Connect') return { ...reply, identifiers: site }
    return call.message['command'] === 'subscribe' ? { ...reply, streams: [`ocpp:ev/${id}`, site] } : reply
  })
  nats = keep(await openNats())
  publisher = keep(await connect({ servers: nats.url }))
  const flags = ['--broadcast_adapter=nats,http', `--nats_servers=${nats.url}`, '--secret=qwerty']
  bridge = keep(await openBridge([`--rpc_host=${app.host}`, ...flags]))
})

const yes = cableApp(({ id, command }) => {
  if (command === 'BootNotification') return { status: 'Accepted', currentTime: new Date().toISOString(), interval: 60 }
  if (command === 'Ack') answers.push(id)
  came.emit('answer')
  return null
})

/** `A-1` is a station of the site `A`, whose stations share a stream and connection identifiers. */
function siteOf(id: string): string {
  return id.split('-')[0] ?? ''
}

/** Opens and boots stations of one site. */
async function openStations(t: TestContext, ...ids: readonly string[]): Promise<Station[]> {
  const stations = []
  for (const id of ids) {
    const station = await openStation(bridge.url, id)
    t.after(() => station.close())
    asked.set(id, [])
    station.answers('ChangeAvailability', ({ connectorId }) => {
      asked.get(id)?.push(String(connectorId))
      return { status: 'Accepted' }
    })
    await station.call('BootNotification', { chargePointVendor: 'Vendor', chargePointModel: 'Model' })
    stations.push(station)
  }
  return stations
}

/** A command, identified by its connector. */
function commandTo(stream: string, connectorId: number, meta?: object): object {
  const payload = { connectorId, type: 'Operative' }
  return {
    stream,
    data: JSON.stringify({ command: 'ChangeAvailability', id: `${stream} ${connectorId}`, payload }),
    meta,
  }
}

/** Resolves when this many stations have answered, and so have received everything published before. */
async function answered(stream: string, connectorId: number, times = 1): Promise<void> {
  const id = `${stream} ${connectorId}`
  while (answers.filter(each => each === id).length < times) await once(came, 'answer')
}

/** The key, derived from the secret as in AnyCable. */
const key = createHmac('sha256', 'qwerty').update('broadcast-cable').digest('hex')

const ways: Readonly<Record<string, (publication: object) => Promise<void>>> = {
  NATS: async publication => {
    publisher.publish('__anycable__', JSON.stringify(publication))
    await publisher.flush()
  },
  HTTP: async publication => {
    const headers = { authorization: `Bearer ${key}` }
    const body = JSON.stringify(publication)
    const { status } = await fetch(bridge.httpBroadcastUrl, { method: 'POST', headers, body })
    assert.equal(status, 201)
  },
}
for (const [name, publish] of Object.entries(ways)) {
  describe(`over ${name}`, { timeout: 60_000 }, () => {
    test('a broadcast to a shared stream reaches each of its stations and no other', async t => {
      const [one, two, other] = [`${name}share-1`, `${name}share-2`, `${name}elsewhere-1`] as const
      await openStations(t, one, two, other)
      await publish(commandTo(`site:${siteOf(one)}`, 1))
      await answered(`site:${siteOf(one)}`, 1, 2)
      await publish(commandTo(`ocpp:ev/${other}`, 2))
      await answered(`ocpp:ev/${other}`, 2)
      assert.deepEqual([asked.get(one), asked.get(two), asked.get(other)], [['1'], ['1'], ['2']])
    })

    test('a batch is delivered in order across streams', async t => {
      const [one, two] = [`${name}batch-1`, `${name}batch-2`] as const
      await openStations(t, one, two)
      const streams = [`ocpp:ev/${one}`, `ocpp:ev/${two}`] as const
      const connectors = [1, 2, 3, 4, 5]
      await publish(connectors.flatMap(connector => streams.map(stream => commandTo(stream, connector))))
      await Promise.all(streams.map(stream => answered(stream, 5)))
      assert.deepEqual([asked.get(one), asked.get(two)], [connectors.map(String), connectors.map(String)])
    })

    test('meta.exclude_socket excludes only that session', async t => {
      const [one, two] = [`${name}exclude-1`, `${name}exclude-2`] as const
      await openStations(t, one, two)
      const site = `site:${siteOf(one)}`
      await publish(commandTo(site, 1, { exclude_socket: sids.get(one) }))
      await answered(site, 1)
      await publish(commandTo(site, 2))
      await answered(site, 2, 2)
      assert.deepEqual([asked.get(one), asked.get(two)], [['2'], ['1', '2']])
    })

    test('a remote disconnect closes only the sessions with its identifiers', async t => {
      const [one, two, other] = [`${name}out-1`, `${name}out-2`, `${name}stays-1`] as const
      const [first, second] = await openStations(t, one, two, other)
      await publish({ command: 'disconnect', payload: { identifier: `site:${siteOf(one)}`, reconnect: true } })
      const closings = await Promise.all([first?.closed, second?.closed])
      assert.deepEqual(
        closings.map(closing => closing?.code),
        [1000, 1000],
      )
      await publish(commandTo(`ocpp:ev/${other}`, 1))
      await answered(`ocpp:ev/${other}`, 1)
    })
  })
}

test(
  'while NATS is down, the bridge is alive but not ready, HTTP broadcasts arrive, and NATS broadcasts resume later',
  { timeout: 60_000 },
  async t => {
    const id = 'away-1'
    await openStations(t, id)
    const stream = `ocpp:ev/${id}`
    await nats.kill()
    await bridge.logged(/no broadcasts from NATS/)
    const { status, body } = await bridge.get('/ready')
    assert.equal(status, 503, body)
    assert.equal((await bridge.get('/health')).status, 200)
    await ways['HTTP']?.(commandTo(stream, 1))
    await answered(stream, 1)

    const { length } = bridge.process.lines
    await nats.restart()
    await bridge.process.line(/subscribed to broadcasts/, length)
    assert.equal((await bridge.get('/ready')).status, 200)
    const again = await connect({ servers: nats.url })
    again.publish('__anycable__', JSON.stringify(commandTo(stream, 2)))
    await answered(stream, 2)
    await again.close()
  },
)
