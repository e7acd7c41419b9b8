/**
 * The end of the program: in order at the first signal, at once at the second.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { after, before, describe, test, type TestContext } from 'node:test'
import { openBridge, program, programEnv, type Bridge } from '../support/bridge.ts'
import { openProcess, standStill } from '../support/process.ts'
import { openRails, type Rails } from '../support/rails.ts'
import { openRawStation, openStation, type Payload, type RawStation, type Station } from '../support/station.ts'

/** A missing event fails the test. */
const within = { timeout: 120_000 }

let rails: Rails

before(async () => {
  rails = await openRails()
})

after(() => rails.close())

async function open(t: TestContext, ...flags: string[]): Promise<Bridge> {
  const bridge = await openBridge([`--rpc_host=127.0.0.1:${rails.rpcPort}`, ...flags])
  t.after(() => bridge.close())
  return bridge
}

async function connect(t: TestContext, bridge: Bridge, id: string): Promise<Station> {
  const station = await openStation(bridge.url, id)
  t.after(() => station.close())
  const boot = await station.call('BootNotification', { chargePointVendor: 'Vendor', chargePointModel: 'Model' })
  assert.equal(boot['status'], 'Accepted')
  return station
}

function connectMany(t: TestContext, bridge: Bridge, prefix: string, count: number): Promise<Station[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => connect(t, bridge, `${prefix}-${index}`)))
}

function start(station: Station, connectorId = 1): Promise<Payload> {
  const timestamp = '2026-01-02T03:04:05Z'
  return station.call('StartTransaction', { connectorId, idTag: 'TAG1', meterStart: 0, timestamp })
}

/** Stops the app while `work` runs. */
async function whileAppStandsStill(work: () => Promise<void>): Promise<void> {
  await standStill(rails.process)
  try {
    await work()
  } finally {
    rails.process.signal('SIGCONT')
  }
}

const entriesOf = (prefix: string, event: string) =>
  rails.ledger().filter(entry => entry.event === event && entry.station.startsWith(`${prefix}-`))

test(
  'SIGTERM answers 30 calls in flight, closes all stations, sends all Disconnects and refuses new stations',
  within,
  async t => {
    const bridge = await open(t)
    const stations = await connectMany(t, bridge, 'load', 30)
    const messages = await bridge.metric('client_msg_total')
    let answers: Promise<Payload>[] = []
    await whileAppStandsStill(async () => {
      answers = stations.map(station => start(station))
      await bridge.metricReaches('client_msg_total', messages + stations.length)
      bridge.process.signal('SIGTERM')
      await bridge.logged(/closing active connections/)
      assert.equal((await refusalOf(bridge, 'load-new')).code, 503)
      assert.equal((await refusalOf(bridge, 'load-0')).code, 503)
    })

    const transactions = (await Promise.all(answers)).map(({ transactionId }) => transactionId)
    assert.equal(new Set(transactions).size, stations.length)
    const closings = await Promise.all(stations.map(({ closed }) => closed))
    assert.deepEqual([...new Set(closings.map(({ code }) => code))], [1001])
    assert.deepEqual(await bridge.process.exited, { code: 0, signal: null })
    for (const event of ['connected', 'start_transaction', 'unsubscribed', 'disconnected']) {
      const ids = entriesOf('load', event).map(({ station }) => station)
      assert.deepEqual(ids.toSorted(), stations.map(({ id }) => id).toSorted(), event)
    }
    const booked = entriesOf('load', 'start_transaction').map(({ number }) => number)
    assert.deepEqual(booked.toSorted(), transactions.toSorted())
  },
)

async function refusalOf(bridge: Bridge, id: string): Promise<{ code?: unknown }> {
  return openStation(bridge.url, id).then(
    () => assert.fail('the station was let in'),
    (error: unknown) => error as { code?: unknown },
  )
}

test('messages that a station has sent ahead are answered in order at SIGTERM', within, async t => {
  const bridge = await open(t)
  const stations: RawStation[] = []
  for (const id of ['ahead-0', 'ahead-1']) {
    const station = await openRawStation(bridge.url, id)
    t.after(() => station.close())
    await station.call('0', 'Heartbeat')
    stations.push(station)
  }
  const payload = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'
  await whileAppStandsStill(async () => {
    for (const station of stations) {
      for (const id of ['1', '2', '3']) station.send(`[2,"${id}","StatusNotification",${payload}]`)
    }
    await bridge.metricReaches('client_msg_total', 8)
    bridge.process.signal('SIGTERM')
    await bridge.logged(/closing active connections/)
  })
  for (const { closed, received } of stations) {
    assert.equal((await closed).code, 1001)
    assert.deepEqual(received.slice(1), ['[3,"1",{}]', '[3,"2",{}]', '[3,"3",{}]'])
  }
  assert.equal((await bridge.process.exited).code, 0)
})

test('the bridge ends at once when it has no stations', within, async t => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const bridge = await open(t)
    assert.equal((await bridge.get('/health')).status, 200)
    assert.deepEqual(await bridge.kill(signal), { code: 0, signal: null })
    assert.equal(bridge.log().at(-1)?.msg, 'Stopped')
  }
})

test('the bridge shuts down in order when the signal comes during its start', within, async t => {
  const silent = createServer() // accepts connections and never sends NATS's INFO
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const accepted = once(silent, 'connection')
  const flags = ['--ignore-config-path', '--port=0', `--nats_servers=nats://127.0.0.1:${port}`]
  const starting = openProcess(process.execPath, [program, ...flags], { env: programEnv() })
  t.after(() => starting.close())
  await accepted
  starting.signal('SIGTERM')
  assert.deepEqual(await starting.exited, { code: 0, signal: null })
})

describe('an app that does not answer', () => {
  test('a second signal ends the bridge at once', within, async t => {
    const bridge = await open(t)
    const [station, quiet] = [await connect(t, bridge, 'second-0'), await connect(t, bridge, 'second-1')]
    const before = await bridge.metric('client_msg_total')
    await whileAppStandsStill(async () => {
      const isLost = assert.rejects(start(station), /disconnected/)
      await bridge.metricReaches('client_msg_total', before + 1)
      bridge.process.signal('SIGTERM')
      await bridge.logged(/Shutting down/)
      bridge.process.signal('SIGTERM')
      assert.deepEqual(await bridge.process.exited, { code: 1, signal: null })
      await isLost
      await Promise.all([station.closed, quiet.closed])
    })
    assert.equal(bridge.log().at(-1)?.msg, 'Immediate termination requested. Stopped')
  })

  for (const flags of [['--shutdown_timeout=3s'], ['--shutdown_timeout=6s', '--shutdown_slowdrain']]) {
    test(`the bridge answers its calls and gives up its Disconnects within ${flags.join(' ')}`, within, async t => {
      const bridge = await open(t, '--rpc_command_timeout=20s', '--ocpp_unanswered=error', ...flags)
      const prefix = `timeout${flags.length}`
      const stations = await connectMany(t, bridge, prefix, 10)
      const before = await bridge.metric('client_msg_total')
      await whileAppStandsStill(async () => {
        const answered = stations.map(station => assert.rejects(start(station), { rpcErrorCode: 'InternalError' }))
        await bridge.metricReaches('client_msg_total', before + stations.length)
        assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
        await Promise.all(answered)
        const closings = await Promise.all(stations.map(({ closed }) => closed))
        assert.deepEqual([...new Set(closings.map(({ code }) => code))], [1001])
      })
      const { num } = await bridge.logged(
        /lost the Disconnect of stations at shutdown: the app may show them as online/,
      )
      assert.equal(num, stations.length)
      assert.equal(bridge.log().at(-1)?.msg, 'Stopped')
    })
  }

  test(
    'a transaction message in flight gets no answer before the station is closed, so that it is kept',
    within,
    async t => {
      const bridge = await open(t, '--rpc_command_timeout=1s')
      const station = await connect(t, bridge, 'kept-0')
      const before = await bridge.metric('client_msg_total')
      await whileAppStandsStill(async () => {
        const isKept = assert.rejects(start(station), /disconnected/)
        await bridge.metricReaches('client_msg_total', before + 1)
        bridge.process.signal('SIGTERM')
        await isKept
        assert.equal((await bridge.process.exited).code, 0)
      })
    },
  )

  test('a call in flight gets a CALLERROR before the station is closed', within, async t => {
    const bridge = await open(t, '--rpc_command_timeout=1s', '--ocpp_unanswered=error')
    const station = await connect(t, bridge, 'silent-0')
    const before = await bridge.metric('client_msg_total')
    await whileAppStandsStill(async () => {
      const isAnswered = assert.rejects(start(station), { rpcErrorCode: 'InternalError' })
      await bridge.metricReaches('client_msg_total', before + 1)
      bridge.process.signal('SIGTERM')
      await isAnswered
      assert.equal((await station.closed).code, 1001)
      assert.equal((await bridge.process.exited).code, 0)
    })
  })
})
