/**
 * docs/how-to/call-from-rails.md: its Ruby, as it stands there, against the real bridge and a station.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'
import { callErrorOf, openStation } from '../support/station.ts'

const keep = keepUntil(after)
const page = readFileSync(new URL('../../docs/how-to/call-from-rails.md', import.meta.url), 'utf8')
const [, model = ''] = /```ruby\n(# app\/models.*?)```/s.exec(page) ?? []
let ask: (args: string) => Promise<string> = () => Promise.reject(new Error('not open'))
let stop: () => void = () => undefined

before(async () => {
  const app = await ScriptedApp.start()
  keep({ close: () => app.stop() })
  app.always(
    cableApp(({ command }) =>
      command === 'BootNotification' ? { status: 'Accepted', currentTime: '2026-01-02T03:04:05Z', interval: 300 } : {},
    ),
  )
  const adminPort = await freePort()
  const bridge = keep(await openBridge([`--rpc_host=${app.host}`, `--admin_port=${adminPort}`, '--admin_token=secret']))
  const station = keep(await openStation(bridge.url, 'CP 1'))
  await station.call('BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' })
  station.answers('Reset', () => ({ status: 'Accepted' }))
  station.answers('ClearCache', () => {
    throw callErrorOf('NotSupported', 'no cache')
  })
  station.answers('UnlockConnector', () => new Promise(() => undefined))
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-ruby-'))
  keep({ close: () => rmSync(folder, { recursive: true }) })
  const file = join(folder, 'charging_station_call.rb')
  writeFileSync(file, model)
  let token = 'secret'
  stop = () => (token = 'wrong')
  ask = async args => {
    const code = `begin; puts ChargingStationCall.run(${args}).inspect; rescue ChargingStationCall::Error => e; puts e.class; end`
    const env = { OCPP_ADMIN_URL: `http://127.0.0.1:${adminPort}`, OCPP_ADMIN_TOKEN: token }
    const { stdout, stderr } = await run('ruby', ['-r', file, '-e', code], { env })
    return stdout.trim() || stderr
  }
})

const rows: readonly (readonly [args: string, expected: RegExp, because: string])[] = [
  ['"CP 1", "Reset", {type: "Soft"}', /^\{"status" ?=> ?"Accepted"\}$/, 'the station answers'],
  ['"CP 2", "Reset", {type: "Soft"}', /^ChargingStationCall::NotConnected$/, 'the bridge does not know the station'],
  ['"CP 1", "Reset", {type: "Hot"}', /^ChargingStationCall::Invalid$/, 'the payload violates its schema'],
  ['"CP 1", "Restart"', /^ChargingStationCall::Invalid$/, 'there is no such action'],
  ['"CP 1", "ClearCache"', /^ChargingStationCall::Refused$/, 'the station answers with a CALLERROR'],
  ['"CP 1", "UnlockConnector", {connectorId: 1}, timeout: 1', /^ChargingStationCall::NoAnswer$/, 'it does not answer'],
]
for (const [args, expected, because] of rows) {
  test(`ChargingStationCall.run(${args}) ends with ${expected.source}: ${because}`, { timeout: 60_000 }, async () => {
    assert.match(await ask(args), expected)
  })
}

test('ChargingStationCall.run raises Unavailable when the token is wrong', { timeout: 60_000 }, async () => {
  stop()
  assert.equal(await ask('"CP 1", "Reset", {type: "Soft"}'), 'ChargingStationCall::Unavailable')
})
