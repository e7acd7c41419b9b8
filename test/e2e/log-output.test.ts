/**
 * The log of a bridge whose stdout nobody reads: the pipe is full, and stations are served.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openRawStation, openStation, type RawStation } from '../support/station.ts'

/** A message that is not JSON, and nearly as long as one that is logged whole: known words. */
function lostEnergy(n: number): string {
  return `[2,"e${n}","StopTransaction",{"meterStop":${n},"timestamp"${',timestamp'.repeat(1_600)}}]`
}

/** The log holds 8 MiB of lines. */
const messages = 650

async function fillLog(station: RawStation, from: number): Promise<void> {
  for (let n = from; n < from + messages; n++) {
    station.send(lostEnergy(n))
    // More of them in a row would slow the station down.
    if (n % 10 === 9) await station.call(`h${n}`, 'Heartbeat', '{}')
  }
}

test('a bridge whose log nobody reads serves its stations, counts the lines it drops, and ends', async t => {
  const keep = keepUntil(close => t.after(close))
  const app = keep(await ScriptedApp.start())
  app.always(cableApp(() => ({ status: 'Accepted' })))
  const bridge = keep(await openBridge([`--rpc_host=${app.host}`, '--ocpp_sn=station_id']))
  const station = keep(await openStation(bridge.url, 'CP1'))
  const broken = keep(await openRawStation(bridge.url, 'CP2'))
  await broken.call('1', 'DataTransfer', '{"vendorId":"v"}')

  bridge.process.stopReading()
  await fillLog(broken, 1_000)
  assert.deepEqual(await station.call('DataTransfer', { vendorId: 'v' }), { status: 'Accepted' })
  const dropped = await bridge.metric('log_dropped_total')
  assert.ok(dropped > 0, 'the pipe is full, and so is the log')

  const from = bridge.process.lines.length
  bridge.process.readOn()
  const line = await bridge.process.line(/stdout was not read/, from)
  const { level, num } = JSON.parse(line) as { level: string; num: number }
  assert.deepEqual([level, num], ['WARN', dropped])
  assert.ok(bridge.log().length > 8, 'each line is whole, or it would be no JSON')

  bridge.process.stopReading()
  await fillLog(broken, 2_000)
  bridge.process.signal('SIGTERM')
  await broken.closed
  // The end of the process is seen only behind its output.
  while (isRunning(bridge.process.pid)) await new Promise(resolve => setTimeout(resolve, 20))
  bridge.process.readOn()
  assert.deepEqual(await bridge.process.exited, { code: 0, signal: null })
})

/** A process that has ended and is not yet collected is a zombie; Node.js collects it at once. */
function isRunning(pid = 0): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
