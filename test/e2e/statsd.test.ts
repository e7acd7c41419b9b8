/** The metrics of the built program as StatsD and the log get them. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openStation } from '../support/station.ts'
import { openStatsdServer } from '../support/statsd.ts'

const keep = keepUntil(after)

test('the calls of a station arrive at StatsD and in the log, each counted once', { timeout: 60_000 }, async () => {
  const statsd = keep(await openStatsdServer())
  const app = keep(await ScriptedApp.start())
  app.always(cableApp(() => ({ status: 'Accepted' })))
  const bridge = keep(
    await openBridge([
      `--rpc_host=${app.host}`,
      `--statsd_host=127.0.0.1:${statsd.port}`,
      '--statsd_prefix=ev.',
      '--statsd_max_packet_size=512',
      '--metrics_tags=env:test',
      '--metrics_log',
      '--metrics_rotate_interval=1',
    ]),
  )
  const station = keep(await openStation(bridge.url, 'CP1'))
  await station.call('DataTransfer', { vendorId: 'v' })
  const counted = /^ev\.ocpp_call_total:1\|c\|#env:test,version:1\.6,action:DataTransfer,answer:app$/
  await statsd.line(counted)
  await bridge.logged(/"ocpp_call_total":1/)
  await statsd.line(/^ev\.clients_num:1\|g\|#env:test$/)
  await station.call('DataTransfer', { vendorId: 'v' })
  await station.close()
  // What the last interval counted is reported before the program ends.
  assert.equal((await bridge.kill('SIGTERM')).code, 0)
  await statsd.line(/^ev\.ocpp_connection_total/)
  const total = statsd.lines.filter(line => counted.test(line)).length
  assert.equal(total, 2, statsd.lines.filter(line => line.includes('ocpp_call_total')).join('\n'))
  assert.ok(statsd.packets.every(packet => Buffer.byteLength(packet) <= 512))
  const logged = bridge.log().filter(({ msg }) => msg === 'metrics')
  assert.equal(
    logged.reduce((sum, line) => sum + Number(line['ocpp_call_total']), 0),
    2,
  )
  assert.deepEqual(
    logged.filter(({ level, context }) => level !== 'INFO' || context !== 'metrics'),
    [],
  )
})

test('a bridge whose StatsD is away serves its stations, and warns once', { timeout: 60_000 }, async () => {
  const gone = await openStatsdServer()
  await gone.close()
  const app = keep(await ScriptedApp.start())
  app.always(cableApp(() => ({ status: 'Accepted' })))
  const bridge = keep(
    await openBridge([`--rpc_host=${app.host}`, `--statsd_host=127.0.0.1:${gone.port}`, '--metrics_rotate_interval=1']),
  )
  const { level } = await bridge.logged(/StatsD does not get the metrics/)
  assert.equal(level, 'WARN')
  const station = keep(await openStation(bridge.url, 'CP1'))
  assert.deepEqual(await station.call('DataTransfer', { vendorId: 'v' }), { status: 'Accepted' })
  assert.equal((await bridge.kill('SIGTERM')).code, 0)
  assert.equal(bridge.log().filter(({ msg }) => msg.startsWith('StatsD')).length, 1)
})
