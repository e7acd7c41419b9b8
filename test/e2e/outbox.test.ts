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
import { Books } from '../support/books.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { QueueingStation, viaOcppRpc16, viaOcppTs } from '../support/queueing-station.ts'
import { openRawStation } from '../support/station.ts'
import { mountOf, temporaryDirectory } from '../support/store.ts'
import { until } from './failures/scene.ts'

const within = { timeout: 180_000 }
const warmUpMs = 2_000

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
      await sleep(warmUpMs)
      app.stop()
      await sleep(10_000)
      const stored = await bridge.metric('ocpp_outbox_total')
      assert.ok(stored >= stations.length / 3, `${stored} messages were stored`)
      await bridge.restart()
      await sleep(10_000)
      assert.ok((await bridge.metric('ocpp_outbox_messages_num')) >= stored, 'they are there after the restart')
      await app.start()
      await sleep(3_000)
      await isEmpty(bridge)
      await Promise.all(stations.map(station => station.finish()))
      const ledgers = stations.map(({ ledger }) => ledger)
      const { charged, booked, ...faults } = books.audit(ledgers)
      assert.deepEqual(ledgers.flatMap(({ dropped }) => dropped), []) // prettier-ignore
      assert.deepEqual(booked.toSorted(), charged.toSorted())
      assert.deepEqual({ ...faults, marked: [] }, { lost: [], doubled: [], unmarked: [], marked: [], disordered: [] })
      const late = books.rows.filter(({ isStored }) => isStored)
      assert.ok(late.length >= stored, `${late.length} came from the outbox`)
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
