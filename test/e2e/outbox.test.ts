/**
 * The outbox with real processes: an app that is away for longer than the limits, a bridge that is killed meanwhile, a disk
 * that is full. What the stations made is held against what the app booked.
 */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { Performs } from '../support/performs.ts'
import { factOf, QueueingStation, viaOcppRpc, viaOcppTs } from '../support/queueing-station.ts'
import { openRawStation } from '../support/station.ts'
import { mountOf, temporaryDirectory } from '../support/store.ts'

const within = { timeout: 180_000 }
/** Of twelve stations, those whose next message is no start; rarely fewer than four. */
const leastStored = 3
const furtherOutageMs = 5_000

/** An app that books by `key`, and its bridge. */
async function open(t: TestContext, dir: string, ...flags: readonly string[]) {
  const app = await ScriptedApp.start()
  const keep = keepUntil(end => t.after(end))
  keep({ close: () => app.stop() })
  const performs = new Performs()
  const transactions = new Map<unknown, number>()
  app.always(
    performs.script(({ command, key }) => {
      if (command !== 'StartTransaction') return {}
      const transactionId = transactions.get(key) ?? transactions.size + 1
      transactions.set(key, transactionId)
      return { idTagInfo: { status: 'Accepted' }, transactionId }
    }),
  )
  const bridge = keep(await openBridge([`--rpc_host=${app.host}`, `--state_dir=${dir}`, ...flags]))
  return { app, performs, bridge }
}

/** The app's last connection may serve a call for a moment after it has stopped. */
async function isAway(bridge: Bridge): Promise<void> {
  while ((await bridge.get('/ready')).status === 200) await sleep(20)
}

async function isEmpty(bridge: Bridge): Promise<void> {
  while ((await bridge.metric('ocpp_outbox_messages_num')) > 0) await sleep(100)
}

type Booked = { readonly keys: Set<unknown>; unmarked: number; readonly order: number }

/** What the app knows: the keys of each fact, and how many of its performs are not marked as a retry. */
function bookedOf(performs: Performs): ReadonlyMap<string, Booked> {
  const booked = new Map<string, Booked>()
  performs.all.forEach(({ stationId, data }, order) => {
    const payload = data['payload'] as { timestamp?: string; meterValue?: { timestamp: string }[] }
    const fact = factOf(stationId, data.command, payload.timestamp ?? payload.meterValue?.[0]?.timestamp ?? '')
    const before = booked.get(fact) ?? { keys: new Set(), unmarked: 0, order }
    before.keys.add(data['key'])
    if (data['attempt'] === undefined) before.unmarked++
    booked.set(fact, before)
  })
  return booked
}

describe('with state_dir', { concurrency: true }, () => {
  test(
    'every message reaches the app once, in order, when the app is away and the bridge is killed after it has confirmed',
    within,
    async t => {
      const { app, performs, bridge } = await open(t, temporaryDirectory(t))
      const urlOf = (): string => bridge.url
      const stations = ['1', '2', '3', '4'].flatMap(n => [
        new QueueingStation(`RPC-${n}`, urlOf, viaOcppRpc),
        new QueueingStation(`TS-${n}`, urlOf, viaOcppTs),
        new QueueingStation(`COUNTING-${n}`, urlOf, viaOcppRpc, 3),
      ])
      await performs.reached(stations.map(({ id }) => id))
      app.stop()
      await bridge.metricReaches('ocpp_outbox_total', leastStored)
      const stored = await bridge.metric('ocpp_outbox_total')
      await bridge.restart()
      // They are there after the restart.
      await bridge.metricReaches('ocpp_outbox_messages_num', stored)
      await sleep(furtherOutageMs)
      await app.start()
      await sleep(3_000)
      await isEmpty(bridge)
      await Promise.all(stations.map(station => station.finish()))
      const booked = bookedOf(performs)
      for (const { id, made, dropped } of stations) {
        assert.deepEqual(dropped, [], id)
        assert.deepEqual(made.filter(fact => !booked.has(fact)), [], 'nothing is lost') // prettier-ignore
        const doubled = made.filter(fact => (booked.get(fact)?.keys.size ?? 0) > 1)
        assert.deepEqual(doubled, [], 'nothing is booked twice')
        // A start is not stored: what the killed process knew of its attempts is gone, and `key` has to do.
        const unmarked = made.filter(fact => !/ StartTransaction /.test(fact) && (booked.get(fact)?.unmarked ?? 0) > 1)
        assert.deepEqual(unmarked, [], 'a retry of a stored message carries `attempt`')
        const orders = made.map(fact => booked.get(fact)?.order ?? 0)
        assert.deepEqual(orders, [...orders].sort((a, b) => a - b), `${id}: in the order in which it was made`) // prettier-ignore
      }
      const late = performs.all.filter(({ data }) => data['storedAt'] !== undefined)
      assert.ok(late.length >= stored, `${late.length} came from the outbox`)
    },
  )

  test(
    'a charge that begins while the app is away reaches it in order, under the id that the station has, with ocpp_outbox_decide=accept',
    within,
    async t => {
      const { app, performs, bridge } = await open(t, temporaryDirectory(t), '--ocpp_outbox_decide=accept')
      assert.ok(bridge.process.lines.some(line => line.startsWith('warning: ocpp_outbox_decide is accept')))
      const station = await openRawStation(bridge.url, 'CP1')
      await station.call('h', 'Heartbeat')
      app.stop()
      await isAway(bridge)
      const timestamp = '2026-01-02T03:04:05Z'
      const start = JSON.stringify({ connectorId: 1, idTag: 'TAG', meterStart: 0, timestamp })
      const [, , { transactionId, idTagInfo }] = JSON.parse(await station.call('a', 'StartTransaction', start)) as [
        number,
        string,
        { readonly transactionId: number; readonly idTagInfo: object },
      ]
      assert.deepEqual(idTagInfo, { status: 'Accepted' })
      assert.ok(transactionId >= 2 ** 30)
      const stop = JSON.stringify({ transactionId, meterStop: 9, timestamp })
      assert.equal(await station.call('b', 'StopTransaction', stop), '[3,"b",{}]')
      await bridge.restart()
      await app.start()
      const again = await openRawStation(bridge.url, 'CP1')
      await again.call('h', 'Heartbeat')
      await performs.next('b')
      const said = performs.of('CP1').map(data => [data.command, data['transactionId'], data['code']])
      assert.deepEqual(said, [
        ['StartTransaction', transactionId, undefined],
        // The app acks with an id of its own.
        ['Error', undefined, 'TransactionIdMismatch'],
        ['StopTransaction', undefined, undefined],
      ])
      const { key, ...ids } = performs.of('CP1')[1]?.['payload'] as { readonly key: unknown }
      assert.deepEqual(ids, { transactionId, ackTransactionId: 1 })
      assert.equal(key, performs.of('CP1')[0]?.['key'])
      for (const each of [station, again]) await each.close()
    },
  )

  test(
    'nothing is confirmed while the disk is full, and the connection closes; later the message is stored',
    within,
    async t => {
      const dir = await mountOf(t, 4 * 1024)
      if (dir === null) return
      const { app, performs, bridge } = await open(t, dir)
      const station = await openRawStation(bridge.url, 'CP1')
      await station.call('h', 'Heartbeat')
      await bridge.metricReaches('rpc_call_total', 2)
      app.stop()
      await isAway(bridge)
      const ballast = path.join(dir, 'ballast')
      assert.throws(() => writeFileSync(ballast, 'x'.repeat(8 * 1024 * 1024)), /ENOSPC/)
      const stop = JSON.stringify({
        transactionId: 1,
        meterStop: 9,
        timestamp: '2026-01-02T03:04:05Z',
        x: 'x'.repeat(500_000),
      })
      const answered = station.call('s', 'StopTransaction', stop).then(() => 'answered', () => 'closed') // prettier-ignore
      assert.equal(await Promise.race([answered, station.closed.then(() => 'closed')]), 'closed')
      assert.equal((await station.closed).code, 1012)
      assert.match(String((await bridge.logged(/state_dir failed/))['error']), /no space left/)
      rmSync(ballast)
      await app.start()
      // It owes a message: it is let in when the app has replied to somebody.
      const other = await openRawStation(bridge.url, 'CP2')
      await other.call('h', 'Heartbeat')
      const again = await openRawStation(bridge.url, 'CP1')
      await again.call('h', 'Heartbeat')
      app.stop()
      await isAway(bridge)
      assert.equal(await again.call('s', 'StopTransaction', stop), '[3,"s",{}]')
      await app.start()
      await performs.next('s')
      const stops = performs.of('CP1').filter(({ command }) => command === 'StopTransaction')
      // Once: by a delivery, or by an attempt that still waited for the app when the message was stored.
      assert.equal(stops.length, 1)
      for (const each of [other, again]) await each.close()
    },
  )
})
