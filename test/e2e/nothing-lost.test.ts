/**
 * A real outage of the app, of 25 s, under stations that behave as real ones do: what they made and what the
 * app booked.
 */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { Books } from '../support/books.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { QueueingStation, viaOcppRpc16, viaOcppTs } from '../support/queueing-station.ts'
import { openRawStation } from '../support/station.ts'

const outageMs = 25_000
const warmUpMs = 2_000
const within = { timeout: 180_000 }

function stationsAt(bridge: Bridge): readonly QueueingStation[] {
  const urlOf = (): string => bridge.url
  return ['1', '2', '3', '4'].flatMap(n => [
    new QueueingStation(`RPC-${n}`, urlOf, viaOcppRpc16),
    new QueueingStation(`TS-${n}`, urlOf, viaOcppTs),
    new QueueingStation(`COUNTING-${n}`, urlOf, viaOcppRpc16, { maxAttempts: 3 }),
    new QueueingStation(`CUT-${n}`, urlOf, viaOcppTs, { maxAttempts: 3 }),
  ])
}

async function open(t: TestContext, ...flags: readonly string[]) {
  const app = await ScriptedApp.start()
  const books = new Books()
  app.always(books.script)
  const bridge = await openBridge([`--rpc_host=${app.host}`, '--ocpp_close=CUT-*:abort', ...flags])
  t.after(async () => {
    await bridge.close()
    app.stop()
  })
  const stations = stationsAt(bridge)
  await sleep(warmUpMs)
  return { app, books, bridge, stations }
}

async function resultOf(books: Books, stations: readonly QueueingStation[]) {
  await Promise.all(stations.map(station => station.finish()))
  const ledgers = stations.map(({ ledger }) => ledger)
  const made = ledgers.flatMap(ledger => ledger.made)
  assert.ok(made.length > stations.length * 6, `only ${made.length} messages were made`)
  const { lost, doubled, charged, booked } = books.audit(ledgers)
  // A start that the station has given up may have been booked: then the app has a charge that the station does not.
  if (lost.length === 0) assert.deepEqual(booked.toSorted(), charged.toSorted(), 'the energy of each charge')
  return { lost, doubled, dropped: ledgers.flatMap(ledger => ledger.dropped) }
}

describe('stations with a queue', { concurrency: true }, () => {
  test('an outage of the app loses nothing at stations that drop a message on a CALLERROR', within, async t => {
    const { app, books, bridge, stations } = await open(t)
    app.stop()
    await sleep(outageMs)
    const closes = await bridge.metric('ocpp_unanswered_total')
    assert.ok(closes >= stations.length, `each owes a message: ${closes} closes`)
    assert.ok(closes <= 2 * stations.length, `those that owe one wait outside: ${closes} closes`)
    await app.start()
    assert.deepEqual(await resultOf(books, stations), { lost: [], doubled: [], dropped: [] })
    for (const msg of [/^closed the connection of a station over/, /^a station was refused/])
      assert.equal(bridge.log().filter(line => msg.test(line.msg)).length, 1, String(msg))
  })

  test('the same outage loses messages when ocpp_unanswered=error, so the test above can fail', within, async t => {
    const { app, books, stations } = await open(t, '--ocpp_unanswered=error')
    app.stop()
    await sleep(outageMs)
    await app.start()
    const { lost, doubled } = await resultOf(books, stations)
    assert.ok(lost.length >= stations.length, `each has lost a message: ${lost.length}`)
    assert.deepEqual(doubled, [])
  })

  test(
    'a SIGTERM during an outage of the app loses nothing, and a new process serves the stations',
    within,
    async t => {
      const { app, books, bridge, stations } = await open(t)
      app.stop()
      await sleep(1_000)
      assert.equal((await bridge.kill('SIGTERM')).code, 0)
      await bridge.restart()
      await app.start()
      assert.deepEqual(await resultOf(books, stations), { lost: [], doubled: [], dropped: [] })
    },
  )

  test(
    'a station sends its message once while Connect raises, and again when the app has accepted another station',
    within,
    async t => {
      const app = await ScriptedApp.start()
      const accepts = cableApp(() => ({}))
      app.always(call => (call.method === 'Connect' ? { status: 'ERROR', error_msg: 'a bug' } : accepts(call)))
      const bridge = await openBridge([`--rpc_host=${app.host}`])
      t.after(async () => {
        await bridge.close()
        app.stop()
      })
      const stop = JSON.stringify({ transactionId: 1, meterStop: 9, timestamp: '2026-01-02T03:04:05Z' })
      const station = await openRawStation(bridge.url, 'CP1')
      const answered = station.call('s', 'StopTransaction', stop).then(() => 'answered', () => 'closed') // prettier-ignore
      assert.equal((await station.closed).code, 1012)
      assert.equal(await answered, 'closed')
      await assert.rejects(openRawStation(bridge.url, 'CP1'), /503/)
      app.always(accepts)
      await assert.rejects(openRawStation(bridge.url, 'CP1'), /503/, 'the app has accepted nobody yet')
      const other = await openRawStation(bridge.url, 'CP2')
      await other.call('h', 'Heartbeat')
      const again = await openRawStation(bridge.url, 'CP1')
      assert.equal(await again.call('s', 'StopTransaction', stop), '[3,"s",{}]')
      for (const each of [other, again]) await each.close()
    },
  )
})
