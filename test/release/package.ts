/**
 * The npm package, installed for all users below a prefix: its program runs with the Node that comes first in the PATH.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cableApp, ScriptedApp, type PerformData } from '../support/app.ts'
import { programEnv } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { openProcess, run } from '../support/process.ts'
import { openStation } from '../support/station.ts'

const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
const { version: expected } = JSON.parse(manifest) as { readonly version: string }

/** Of a file, or of a folder with all that is in it, in kB. */
export async function sizeOf(path: string): Promise<number> {
  return Number.parseInt((await run('du', ['-sk', path])).stdout, 10)
}

const pathWith = (nodeFolder: string): string => `${nodeFolder}:${process.env['PATH']}`

/** Without install scripts, as the README and the image do it. */
export async function installPackage(tarball: string, prefix: string, nodeFolder: string): Promise<void> {
  await mkdir(prefix)
  const flags = ['--global', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', prefix]
  const env = { PATH: pathWith(nodeFolder) }
  const { code, stdout, stderr } = await run('npm', ['install', ...flags, tarball], { cwd: prefix, env })
  if (code !== 0) throw new Error(stdout + stderr)
}

/** Runs `--version`, `check` and a charging session; returns the version. */
export async function checkInstalled(prefix: string, nodeFolder: string): Promise<string> {
  const parts: (() => Promise<void>)[] = []
  const keep = keepUntil(close => parts.push(close))
  try {
    const program = join(prefix, 'bin', 'ocpp-cable')
    const options = { cwd: prefix, env: programEnv({ PATH: pathWith(nodeFolder) }) }
    const version = await run(program, ['--version'], options)
    assert.deepEqual([version.code, version.stdout], [0, `${expected}\n`], version.stderr)

    const app = keep(await ScriptedApp.start())
    app.always(cableApp(ackOf))
    const flags = [
      `--rpc_host=${app.host}`,
      '--host=127.0.0.1',
      `--port=${await freePort()}`,
      `--http_broadcast_port=${await freePort()}`,
      `--state_dir=${join(prefix, 'state')}`,
    ]
    const checked = await run(program, ['check', ...flags], options)
    assert.equal(checked.code, 0, checked.stdout + checked.stderr)

    const bridge = keep(openProcess(program, flags, options))
    const [, url = ''] = /at (http:\/\/\S+)\/\{station_id\}/.exec(await bridge.line(/Handle OCPP/)) ?? []
    await charge(url.replace('http', 'ws'))
    bridge.signal('SIGTERM')
    assert.deepEqual(await bridge.exited, { code: 0, signal: null }, bridge.output)
    return version.stdout.trim()
  } finally {
    for (const close of parts) await close()
  }
}

const transactionId = 7

function ackOf({ command }: PerformData): object {
  const accepted = { status: 'Accepted' }
  if (command === 'BootNotification') return { ...accepted, currentTime: new Date().toISOString(), interval: 300 }
  if (command === 'Authorize') return { idTagInfo: accepted }
  return command === 'StartTransaction' ? { transactionId, idTagInfo: accepted } : {}
}

/** A 1.6 station from boot to the end of a transaction, each answer by the app. */
async function charge(url: string): Promise<void> {
  const station = await openStation(url, 'CP1')
  const timestamp = new Date().toISOString()
  const boot = await station.call('BootNotification', { chargePointVendor: 'Vendor', chargePointModel: 'Model' })
  assert.equal(boot['interval'], 300)
  const idTagInfo = { status: 'Accepted' }
  assert.deepEqual(await station.call('Authorize', { idTag: 'TAG1' }), { idTagInfo })
  const start = { connectorId: 1, idTag: 'TAG1', meterStart: 0, timestamp }
  assert.deepEqual(await station.call('StartTransaction', start), { transactionId, idTagInfo })
  const meterValue = [{ timestamp, sampledValue: [{ value: '10' }] }]
  assert.deepEqual(await station.call('MeterValues', { connectorId: 1, transactionId, meterValue }), {})
  assert.deepEqual(await station.call('StopTransaction', { transactionId, meterStop: 20, timestamp }), {})
  await station.close()
}
