/**
 * The app is killed, not yet started, or raises: stations stay connected and get valid answers, and no transaction is
 * lost or booked twice. Transaction messages get a CALLERROR here (`ocpp_unanswered=error`); for the rest, see
 * `nothing-lost.test.ts`.
 */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { freePort } from '../support/ports.ts'
import { openProxy, type Proxy } from '../support/proxy.ts'
import { standStill } from '../support/process.ts'
import { openRails, type Rails } from '../support/rails.ts'
import { codeOf, openRawStation, openStation, type Payload, type Station } from '../support/station.ts'

const boot = { chargePointVendor: 'Vendor', chargePointModel: 'Model' } as const
const timestamp = '2026-01-02T03:04:05Z'
const status = { connectorId: 1, errorCode: 'NoError', status: 'Available' } as const
const start = { connectorId: 1, idTag: 'TAG1', meterStart: 0, timestamp } as const

async function openApp(t: TestContext, rpcPort?: number, env: Readonly<Record<string, string>> = {}): Promise<Rails> {
  const rails = await openRails({ env: { ID_TAGS: 'TAG1', ...env }, ...(rpcPort !== undefined && { rpcPort }) })
  t.after(() => rails.close())
  return rails
}

async function openBridgeTo(t: TestContext, rpcPort: number, ...flags: string[]): Promise<Bridge> {
  const bridge = await openBridge([`--rpc_host=127.0.0.1:${rpcPort}`, '--ocpp_unanswered=error', ...flags])
  t.after(() => bridge.close())
  return bridge
}

/** A bridge that reaches the app through a proxy: how long Rails takes to start must not matter to a station. */
async function openBehindProxy(t: TestContext, { rpcPort }: Rails): Promise<{ proxy: Proxy; bridge: Bridge }> {
  const proxy = await openProxy(rpcPort)
  t.after(() => proxy.close())
  return { proxy, bridge: await openBridgeTo(t, proxy.port) }
}

async function connect(t: TestContext, bridge: Bridge, id: string): Promise<Station> {
  const station = await openStation(bridge.url, id)
  t.after(() => station.close())
  return station
}

function meterValues(transactionId: unknown, value: string): Payload {
  return { connectorId: 1, transactionId, meterValue: [{ timestamp, sampledValue: [{ value }] }] }
}

const isClock = (payload: Payload) => Math.abs(Date.parse(String(payload['currentTime'])) - Date.now()) < 60_000

async function assertHeartbeat(station: Station): Promise<void> {
  assert.ok(isClock(await station.call('Heartbeat')))
}

/** The boot is answered with Pending, the time, and when to boot again. */
async function assertPending(station: Station): Promise<void> {
  const answer = await station.call('BootNotification', boot)
  assert.equal(answer['status'], 'Pending')
  assert.ok(isClock(answer))
  assert.ok(Number(answer['interval']) >= 10, `${String(answer['interval'])} s are no time to wait`)
}

async function assertAccepted(station: Station): Promise<void> {
  const answer = await station.call('BootNotification', boot)
  assert.deepEqual([answer['status'], answer['interval']], ['Accepted', 300])
}

/** `false` once the connection has ended. */
function isOpen(station: Station): Promise<boolean> {
  return Promise.race([station.closed.then(() => false), Promise.resolve(true)])
}

describe('an app that is not there', { concurrency: 3, timeout: 180_000 }, () => {
  test('sessions go on when the app is killed and started again', async t => {
    const rails = await openApp(t)
    const { proxy, bridge } = await openBehindProxy(t, rails)
    const [one, other, young] = [
      await connect(t, bridge, 'CP1'),
      await connect(t, bridge, 'CP2'),
      await connect(t, bridge, 'CP3'),
    ] as const
    const transactions: unknown[] = []
    for (const station of [one, other]) {
      await assertAccepted(station)
      transactions.push((await station.call('StartTransaction', start))['transactionId'])
    }
    await proxy.refuse()
    assert.deepEqual(await rails.kill('SIGKILL'), { code: null, signal: 'SIGKILL' })

    await Promise.all([
      (async () => {
        await assertHeartbeat(one)
        assert.equal(await codeOf(one.call('StatusNotification', status)), 'InternalError')
        assert.equal(await codeOf(one.call('Authorize', { idTag: 'TAG1' })), 'InternalError')
        await assertHeartbeat(one)
      })(),
      assertHeartbeat(other),
      assertPending(young),
    ])
    assert.equal(await codeOf(young.call('StatusNotification', status)), 'SecurityError') // as OCPP requires while Pending
    await rails.restart()
    const held = [one, other].map((station, at) => station.call('MeterValues', meterValues(transactions[at], '1')))
    await bridge.metricReaches('client_msg_total', 13)
    await proxy.accept()
    assert.deepEqual(await Promise.all(held), [{}, {}])

    for (const [at, station] of [one, other].entries()) {
      assert.deepEqual(await station.call('StatusNotification', status), {})
      assert.deepEqual(await station.call('MeterValues', meterValues(transactions[at], '2')), {})
      const stop = { transactionId: transactions[at], meterStop: 2, timestamp }
      assert.deepEqual(await station.call('StopTransaction', stop), {})
    }
    await assertAccepted(young)
    assert.deepEqual(await Promise.all([one, other, young].map(isOpen)), [true, true, true])
    for (const [at, id] of ['CP1', 'CP2'].entries()) {
      const bookings = rails.ledger().filter(({ station, number }) => station === id && number !== undefined)
      assert.deepEqual(
        bookings.map(({ event, duplicate, payload }) => [event, duplicate, payload]),
        [
          ['start_transaction', undefined, start],
          ['meter_values', undefined, meterValues(transactions[at], '1')],
          ['meter_values', undefined, meterValues(transactions[at], '2')],
          ['stop_transaction', undefined, { transactionId: transactions[at], meterStop: 2, timestamp }],
        ],
      )
    }
    const connected = rails.ledger().filter(({ event }) => event === 'connected')
    assert.deepEqual(
      connected.map(({ station }) => station),
      ['CP1', 'CP2', 'CP3'],
    )
    for (const msg of [/^the app does not answer at/, /^the app answers at/]) {
      assert.equal(bridge.log().filter(line => msg.test(line.msg)).length, 1, String(msg))
    }
  })

  test('messages are performed again, marked, and booked once when the app is killed with them unanswered', async t => {
    const rails = await openApp(t)
    const successor = await openApp(t, undefined, { LEDGER: rails.ledgerPath })
    const { proxy, bridge } = await openBehindProxy(t, rails)
    const stations = [await connect(t, bridge, 'CP1'), await connect(t, bridge, 'CP2')]
    for (const station of stations) await assertAccepted(station)
    const timeouts = await bridge.metric('rpc_timeout_total')
    await standStill(rails.process) // it reads nothing more, and the connection stays
    const held = stations.map(station => station.call('StartTransaction', start))
    await bridge.metricReaches('rpc_timeout_total', timeouts + 2) // the bridge cannot know whether it has run them
    proxy.retarget(successor.rpcPort)
    await rails.kill('SIGKILL')
    const answers = await Promise.all(held)
    const bookings = rails.ledger().filter(({ number }) => number !== undefined)
    assert.deepEqual(
      bookings.map(({ station, attempt, duplicate }) => `${station} ${attempt} ${duplicate}`).toSorted(),
      ['CP1 2 undefined', 'CP2 2 undefined'],
    )
    for (const [at, { id }] of stations.entries()) {
      const booking = bookings.find(({ station }) => station === id)
      assert.deepEqual(answers[at], { transactionId: booking?.number, idTagInfo: { status: 'Accepted' } })
    }
  })

  test('the bridge starts, warns once, and answers boots with Pending when the app is not running', async t => {
    const rpcPort = await freePort()
    const bridge = await openBridgeTo(t, rpcPort)
    assert.match(bridge.process.output, /Handle OCPP/)
    assert.equal((await bridge.get('/health')).status, 200)
    const line = await bridge.logged(/the app does not answer/)
    assert.equal(line.level, 'WARN')
    assert.match(line.msg, new RegExp(`127\\.0\\.0\\.1:${rpcPort}.*--rpc_host`))
    const stations = [await connect(t, bridge, 'CP1'), await connect(t, bridge, 'CP2')]
    await Promise.all(stations.map(assertPending))
    assert.equal((await bridge.get('/health')).status, 200)
    assert.equal((await bridge.get('/ready')).status, 503)
    assert.equal(bridge.log().filter(({ msg }) => msg === line.msg).length, 1)

    const rails = await openApp(t, rpcPort)
    for (const station of stations) {
      await assertAccepted(station)
      await assertHeartbeat(station)
      assert.deepEqual(await station.call('StatusNotification', status), {})
    }
    assert.equal((await bridge.get('/ready')).status, 200)
    assert.deepEqual(
      rails.ledger().map(({ event, station }) => `${station} ${event}`),
      stations.flatMap(({ id }) =>
        ['connected', 'subscribed', 'boot_notification', 'status_notification'].map(event => `${id} ${event}`),
      ),
    )
  })

  test('away for longer than a station can wait: its transaction message gets a CALLERROR, and is its own again', async t => {
    const rails = await openApp(t)
    const bridge = await openBridgeTo(t, rails.rpcPort)
    const station = await connect(t, bridge, 'CP1')
    await assertAccepted(station)
    await rails.kill('SIGKILL')
    await assertHeld(station)
    await assertHeartbeat(station)
  })

  test('away when a station comes back with a transaction message: it is held as long', async t => {
    const bridge = await openBridgeTo(t, await freePort())
    await assertHeld(await connect(t, bridge, 'CP1'))
  })
})

/** Some 20 s are what a station can be expected to wait; with 30 s it gives up by itself. */
async function assertHeld(station: Station): Promise<void> {
  const sentAt = Date.now()
  assert.equal(await codeOf(station.call('StartTransaction', start)), 'InternalError')
  const waited = Date.now() - sentAt
  assert.ok(waited > 15_000 && waited < 29_000, `answered after ${waited} ms`)
}

describe('an app that raises', { timeout: 120_000 }, () => {
  // OCPP allows half of a surrogate pair in an id tag; Ruby's JSON cannot write it to the ledger.
  const broken = String.raw`"\ud800"`

  test("a call gets a CALLERROR without the app's words when its action raises, and later calls are served", async t => {
    const rails = await openApp(t)
    const bridge = await openBridgeTo(t, rails.rpcPort)
    const [station, other] = [await openRawStation(bridge.url, 'CP1'), await openRawStation(bridge.url, 'CP2')]
    t.after(() => Promise.all([station.close(), other.close()]))
    for (const [id, action, payload] of [
      ['1', 'Authorize', `{"idTag":${broken}}`],
      ['2', 'StartTransaction', `{"connectorId":1,"idTag":${broken},"meterStart":0,"timestamp":"${timestamp}"}`],
      ['3', 'StatusNotification', `{"connectorId":1,"errorCode":"NoError","status":"Available","info":${broken}}`],
    ] as const) {
      const text = '"The CSMS could not process the message"'
      assert.equal(await station.call(id, action, payload), `[4,"${id}","InternalError",${text},{}]`)
    }
    const bootText = `{"chargePointVendor":${broken},"chargePointModel":"Model"}`
    assert.match(
      await station.call('4', 'BootNotification', bootText),
      /^\[3,"4",\{"status":"Pending",.*"interval":\d\d/,
    )
    assert.match(await station.call('5', 'BootNotification', JSON.stringify(boot)), /"status":"Accepted"/)
    for (const each of [station, other]) {
      assert.equal(await each.call('6', 'StatusNotification', JSON.stringify(status)), '[3,"6",{}]')
    }
    const raised = bridge.log().filter(({ msg }) => msg === 'the app raised an error')
    assert.deepEqual(
      raised.map(({ action }) => action),
      ['Authorize', 'StartTransaction', 'StatusNotification', 'BootNotification'],
    )
  })

  test('boots get Pending, other calls a CALLERROR, and the socket stays open when subscribe raises', async t => {
    const rails = await openApp(t)
    const bridge = await openBridgeTo(t, rails.rpcPort, '--ocpp_channel=NoSuchChannel')
    const station = await connect(t, bridge, 'CP1')
    assert.equal(await codeOf(station.call('StatusNotification', status)), 'InternalError')
    await assertHeartbeat(station)
    await assertPending(station)
    await assertPending(station)
    assert.equal(await isOpen(station), true)
    const lines = bridge.log().filter(({ msg }) => msg.startsWith('the app has no channel class NoSuchChannel'))
    assert.equal(lines.length, 1)
  })
})
