/**
 * docs/how-to/station-keys.md: its Ruby, as it stands there, in the example app and beside it, against the real bridge
 * and stations of both versions.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'
import { openRails } from '../support/rails.ts'
import { openStation, type StationOptions } from '../support/station.ts'

const keep = keepUntil(after)
const within = { timeout: 120_000 }
const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-keys-'))
keep({ close: () => rmSync(folder, { recursive: true }) })
/** What the app knows of its stations: a line with the identity and the digest for each. */
const digests = join(folder, 'digests')
let bridge: Bridge
let adminPort = 0

/** The Ruby of a page whose first line names this file. */
function rubyOf(page: string, file: string): string {
  const text = readFileSync(new URL(`../../docs/how-to/${page}`, import.meta.url), 'utf8')
  const [, ruby] = new RegExp(`\`\`\`ruby\\n(# ${file}.*?)\`\`\``, 's').exec(text) ?? []
  assert.ok(ruby !== undefined, file)
  return ruby
}

before(async () => {
  writeFileSync(digests, '')
  writeFileSync(join(folder, 'station_key.rb'), rubyOf('station-keys.md', 'app/models/station_key.rb'))
  writeFileSync(join(folder, 'charging_station_call.rb'), rubyOf('call-from-rails.md', 'app/models/charging'))
  writeFileSync(
    join(folder, 'connection.rb'),
    rubyOf('station-keys.md', 'app/channels/application_cable/connection.rb'),
  )
  // The page's connection, in place of the example's own.
  const prelude = `
    Station = Struct.new(:identity, :key_digest) do
      def self.find_by(identity:) = File.readlines(${JSON.stringify(digests)}, chomp: true).map { new(*_1.split) }.find { _1.identity == identity }
    end
    require ${JSON.stringify(join(folder, 'station_key.rb'))}
    hook = TracePoint.new(:end) do |point|
      next unless point.self.inspect == "ApplicationCable::Connection"
      hook.disable
      load ${JSON.stringify(join(folder, 'connection.rb'))}
    end
    hook.enable`
  writeFileSync(join(folder, 'prelude.rb'), prelude)
  const rails = keep(await openRails({ env: { RUBYOPT: `-r${join(folder, 'prelude.rb')}` } }))
  adminPort = await freePort()
  const flags = [`--rpc_host=127.0.0.1:${rails.rpcPort}`, `--admin_port=${adminPort}`, '--ocpp_connect_on=upgrade']
  bridge = keep(await openBridge(flags))
}, within)

async function ruby(code: string): Promise<string> {
  const models = ['charging_station_call', 'station_key'].flatMap(name => ['-r', join(folder, `${name}.rb`)])
  const env = { OCPP_ADMIN_URL: `http://127.0.0.1:${adminPort}` }
  const { stdout, stderr } = await run('ruby', [...models, '-e', `puts(begin; ${code}; rescue => e; e.message; end)`], {
    env,
  })
  assert.equal(stderr, '')
  return stdout.trim()
}

async function know(id: string, key: string): Promise<void> {
  const others = readFileSync(digests, 'utf8').replace(new RegExp(`^${id} .*\n`, 'm'), '')
  writeFileSync(digests, `${others}${id} ${await ruby(`StationKey.digest("${key}")`)}\n`)
}

async function statusOf(id: string, options: StationOptions): Promise<number> {
  try {
    await (await openStation(bridge.url, id, options)).close()
    return 101
  } catch (error) {
    return Number((error as { readonly code?: number }).code)
  }
}

const variable = { component: { name: 'SecurityCtrlr' }, variable: { name: 'BasicAuthPassword' } }
const stations = [
  ['ocpp1.6', '1.6', 'ChangeConfiguration', (status: string) => ({ status })],
  [
    'ocpp2.0.1',
    '2.0.1',
    'SetVariables',
    (attributeStatus: string) => ({ setVariableResult: [{ ...variable, attributeStatus }] }),
  ],
] as const
for (const [version, number, action, answerOf] of stations) {
  test(`the app knows a ${version} station by its key, and rotates it`, within, async () => {
    const id = `CP-${number}`
    const key = await ruby(`StationKey.generate("${number}")`)
    assert.match(key, version === 'ocpp1.6' ? /^[\da-f]{40}$/ : /^[A-Za-z\d]{32}$/)
    const wire = (text: string) => (version === 'ocpp1.6' ? Buffer.from(text, 'hex') : text)
    assert.equal(await statusOf(id, { version, password: 'another key' }), 404, 'not known yet')
    await know(id, key)
    const { url } = bridge
    const station = await openStation(url, id, { version, password: key })
    await station.call('Heartbeat')
    station.answers(action, () => answerOf('Rejected'))
    assert.equal(await ruby(`StationKey.rotate("${id}", "${number}")`), `${id} keeps its key: Rejected`)
    station.answers(action, () => answerOf('Accepted'))
    const next = await ruby(`StationKey.rotate("${id}", "${number}")`)
    await know(id, next)
    await station.close()
    assert.deepEqual(
      [await statusOf(id, { version, password: wire(key) }), await statusOf(id, { version, password: wire(next) })],
      [401, 101],
    )
  })
}
