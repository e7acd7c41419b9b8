/**
 * The outbox with real processes: an app that is away for longer than the limits, a bridge that is killed meanwhile, a
 * disk that is full. What the stations made is held against what the app booked.
 */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ScriptedApp } from '../support/app.ts'
import { Books } from '../support/books.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { QueueingStation, viaOcppRpc16, viaOcppTs } from '../support/queueing-station.ts'
import { openRawStation } from '../support/station.ts'
import { mountOf, temporaryDirectory } from '../support/store.ts'
import { until } from './failures/scene.ts'

const within = { timeout: 180_000 }
/** Of twelve stations, those whose next message is no start; rarely fewer than four. */
const leastStored = 3
const furtherOutageMs = 5_000

/** An app that books by `key`, and its bridge. */
async function open(t: TestContext, dir: string, ...flags: readonly string[]) {
  const app = await ScriptedApp.start()
  const keep = keepUntil(end => t.after(end))
  keep({ close: () => app.stop() })
  const books = new Books()
  app.always(books.script)
  const bridge = keep(await openBridge([`--rpc_host=${app.host}`, `--state_dir=${dir}`, ...flags]))
  return { app, books, bridge }
}

/** The app's last connection may serve a call for a moment after it has stopped. */
async function isAway(bridge: Bridge): Promise<void> {
  while ((await bridge.get('/ready')).status === 200) await sleep(20)
}

async function isEmpty(bridge: Bridge): Promise<void> {
  while ((await bridge.metric('ocpp_outbox_messages_num')) > 0) await sleep(100)
}

describe('with state_dir', { concurrency: true }, () => {
  test(
    'every message reaches the app once, in order, when the app is away and the bridge is killed after it has confirmed',
    within,
    async t => {
      const { app, books, bridge } = await open(t, temporaryDirectory(t))
      const urlOf = (): string => bridge.url
      const stations = ['1', '2', '3', '4'].flatMap(n => [
        new QueueingStation(`RPC-${n}`, urlOf, viaOcppRpc16),
        new QueueingStation(`TS-${n}`, urlOf, viaOcppTs),
        new QueueingStation(`COUNTING-${n}`, urlOf, viaOcppRpc16, { maxAttempts: 3 }),
      ])
      const hasBooked = ({ id }: QueueingStation): boolean => books.rows.some(({ stationId }) => stationId === id)
      await until(() => stations.every(hasBooked), 'each station has been served')
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
      const ledgers = stations.map(({ ledger }) => ledger)
      const { charged, booked, ...faults } = books.audit(ledgers)
      assert.deepEqual(ledgers.flatMap(({ dropped }) => dropped), []) // prettier-ignore
      assert.deepEqual(booked.toSorted(), charged.toSorted())
      // A start is not stored: what the killed process knew of its attempts is gone, and `key` has to do.
      const unmarked = faults.unmarked.filter(fact => !/ StartTransaction /.test(fact))
      const none = { lost: [], doubled: [], unmarked: [], marked: [], disordered: [] }
      assert.deepEqual({ ...faults, unmarked, marked: [] }, none)
      const late = books.rows.filter(({ isStored }) => isStored)
      assert.ok(late.length >= stored, `${late.length} came from the outbox`)
    },
  )

  test(
    'a charge that begins while the app is away reaches it in order, under the id that the station has, with ocpp_outbox_decide=accept',
    within,
    async t => {
      const { app, books, bridge } = await open(t, temporaryDirectory(t), '--ocpp_outbox_decide=accept')
      const { performs } = books
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
      const { app, books, bridge } = await open(t, dir)
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
      const stopsOf = () => books.rows.filter(({ action }) => action === 'StopTransaction')
      await until(() => stopsOf().length > 0, 'the app has the stop')
      // Once: by a delivery, or by an attempt that still waited for the app when the message was stored.
      assert.equal(stopsOf().length, 1)
      for (const each of [other, again]) await each.close()
    },
  )
})
