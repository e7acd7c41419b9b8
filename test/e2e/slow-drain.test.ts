/**
 * How the program drains: after a delay, station by station, with a Disconnect for each, and with the lost ones
 * counted.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openRawStation, type Closing, type RawStation } from '../support/station.ts'

/** A missing event fails the test. */
const within = { timeout: 120_000 }

async function open(t: TestContext, ...flags: string[]): Promise<{ app: ScriptedApp; bridge: Bridge }> {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  app.always(cableApp(() => ({})))
  const bridge = await openBridge([`--rpc_host=${app.host}`, ...flags])
  t.after(() => bridge.close())
  return { app, bridge }
}

/** Connects stations one after another; the app has accepted each. */
async function connect(bridge: Bridge, ...ids: string[]): Promise<RawStation[]> {
  const stations: RawStation[] = []
  for (const id of ids) {
    const station = await openRawStation(bridge.url, id)
    await report(station)
    stations.push(station)
  }
  return stations
}

let reports = 0

/** Asserts that the app answers a station's StatusNotification. */
async function report(station: RawStation): Promise<void> {
  const id = String(++reports)
  const payload = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'
  assert.equal(await station.call(id, 'StatusNotification', payload), `[3,"${id}",{}]`)
}

const disconnects = (app: ScriptedApp): string[] =>
  app.received.all
    .filter(({ method }) => method === 'Disconnect')
    .map(({ message }) => (JSON.parse(String(message['identifiers'])) as { stationId: string }).stationId)

const losses = (bridge: Bridge): unknown[] =>
  bridge
    .log()
    .filter(({ msg }) => msg === 'lost the Disconnect of stations at shutdown: the app may show them as online')
    .map(line => line['num'])

test('shutdown_slowdrain closes stations one by one and serves the others meanwhile', within, async t => {
  const { app, bridge } = await open(t, '--shutdown_slowdrain', '--shutdown_timeout=9s')
  const ids = Array.from({ length: 12 }, (_, at) => `CP${at}`)
  const stations = await connect(bridge, ...ids)
  const closed: string[] = []
  const closings = stations.map((station, at) =>
    station.closed.then((closing): Closing => (closed.push(ids[at] ?? ''), closing)),
  )
  bridge.process.signal('SIGTERM')
  await closings[0]
  const last = stations.at(-1)
  assert.ok(last !== undefined, 'there is a last one')
  await report(last)
  assert.ok(closed.length < 6, `half of the time is left, and ${closed.length} of 12 are closed`)
  await assert.rejects(openRawStation(bridge.url, 'new'), /503/)
  const ends = await Promise.all(closings)
  assert.deepEqual([...new Set(ends.map(({ code }) => code))], [1001])
  assert.deepEqual(closed, ids, 'the first that came is the first to go')
  assert.deepEqual(await bridge.process.exited, { code: 0, signal: null })
  assert.deepEqual(disconnects(app), ids, 'the app sees each end once, as it comes')
  assert.deepEqual(losses(bridge), [])
})

test(
  'shutdown_delay makes the bridge not ready at once, and stations are served and admitted until it is over',
  within,
  async t => {
    const { app, bridge } = await open(t, '--shutdown_delay=5s', '--shutdown_timeout=30s')
    const [station] = await connect(bridge, 'CP1')
    assert.ok(station !== undefined, 'a station is there')
    assert.equal((await bridge.get('/ready')).status, 200)
    bridge.process.signal('SIGTERM')
    await bridge.logged(/Shutting down/)
    const { status, body } = await bridge.get('/ready')
    assert.equal(status, 503)
    assert.match(body, /"accepting":false/)
    assert.equal((await bridge.get('/health')).status, 200)
    await report(station)
    const [late] = await connect(bridge, 'CP2')
    assert.ok(late !== undefined, 'a station that a load balancer still sends is let in')
    assert.equal(
      bridge.log().some(({ msg }) => msg === 'closing active connections'),
      false,
    )
    assert.deepEqual([(await station.closed).code, (await late.closed).code], [1001, 1001])
    assert.deepEqual(await bridge.process.exited, { code: 0, signal: null })
    assert.deepEqual(disconnects(app).toSorted(), ['CP1', 'CP2'])
  },
)

for (const flags of [['--shutdown_delay=50s'], ['--shutdown_slowdrain']]) {
  test(`a second signal ends the bridge at once with ${flags.join(' ')}`, within, async t => {
    const { bridge } = await open(t, '--shutdown_timeout=60s', ...flags)
    const stations = await connect(bridge, ...Array.from({ length: 100 }, (_, at) => `CP${at}`))
    bridge.process.signal('SIGTERM')
    await bridge.logged(/Shutting down/)
    bridge.process.signal('SIGINT')
    assert.deepEqual(await bridge.process.exited, { code: 1, signal: null })
    assert.equal(bridge.log().at(-1)?.msg, 'Immediate termination requested. Stopped')
    await Promise.all(stations.map(({ closed }) => closed))
  })
}

test('Disconnects that the app does not take in time are lost, and their number is logged once', within, async t => {
  const { app, bridge } = await open(t, '--shutdown_timeout=4s', '--rpc_command_timeout=60s')
  const stations = await connect(bridge, ...Array.from({ length: 20 }, (_, at) => `CP${at}`))
  app.once(cableApp(() => ({})))
  app.always(() => new Promise(() => undefined))
  assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
  assert.deepEqual(
    [...new Set((await Promise.all(stations.map(({ closed }) => closed))).map(({ code }) => code))],
    [1001],
  )
  assert.deepEqual(losses(bridge), [19], 'of 20, one was taken')
  assert.equal(new Set(disconnects(app)).size, 17, '16 at a time, and the one that was answered')
  assert.equal(bridge.log().at(-1)?.msg, 'Stopped')
})

test(
  'lost Disconnects are one line with their number and one with the reason when the app is away at the end',
  within,
  async t => {
    const { app, bridge } = await open(t)
    await connect(bridge, 'CP1', 'CP2', 'CP3')
    app.stop()
    assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
    assert.deepEqual(losses(bridge), [3])
    assert.equal(
      bridge.log().filter(({ msg }) => msg === 'lost the Disconnect of a station: the app may show it as online')
        .length,
      1,
    )
  },
)

for (const mode of ['auto', 'always', 'never'] as const) {
  test(
    `disconnect_mode=${mode} ${mode === 'never' ? 'sends no Disconnect' : 'sends a Disconnect'} when a station has left`,
    within,
    async t => {
      const { app, bridge } = await open(t, `--disconnect_mode=${mode}`)
      const [gone] = await connect(bridge, 'gone', 'stays')
      await gone?.close()
      await openRawStation(bridge.url, 'stranger') // the app does not know it
      await connect(bridge, 'gone') // its subscribe waits for the Disconnect of its last connection, if there is one
      assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
      const expected = mode === 'never' ? [] : ['gone', 'gone', 'stays']
      assert.deepEqual(disconnects(app).toSorted(), expected)
      assert.deepEqual(losses(bridge), [])
    },
  )
}
