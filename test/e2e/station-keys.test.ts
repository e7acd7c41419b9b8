/**
 * `ocpp_auth_file` with independent clients: the built bridge, keys made by `ocpp-cable auth`, and the how-to page.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openAdminBridge, type AdminBridge } from '../support/admin-bridge.ts'
import { commandBroadcast } from '../support/bridge.ts'
import { cliWith } from '../support/cli.ts'
import { keepUntil } from '../support/keep.ts'
import { dial, protocol, upgradeHeaders } from '../support/peer.ts'
import { openStation, type Station, type StationOptions } from '../support/station.ts'

const keep = keepUntil(after)
const within = { timeout: 120_000 }
const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-auth-'))
keep({ close: () => rmSync(folder, { recursive: true }) })
const file = join(folder, 'keys')
const cli = cliWith({})
/** Every key of this file: none of them may be written anywhere. */
const secrets: string[] = []
let parts: AdminBridge
/** What the bridge has written before its restart. */
let earlier = ''
let key16 = ''
let key201 = ''

async function addKey(stationId: string, ...flags: readonly string[]): Promise<string> {
  const key = await cli.newKey('add', stationId, `--ocpp_auth_file=${file}`, ...flags)
  secrets.push(key)
  return key
}

before(async () => {
  key16 = await addKey('AL:1000')
  key201 = await addKey('CP2', '--ocpp_version=2.0.1')
  parts = await openAdminBridge(keep, [`--ocpp_auth_file=${file}`, '--ocpp_history=50', '--debug'])
}, within)

/** The status of the upgrade; 101 for a station that boots. */
async function statusOf(id: string, options: StationOptions): Promise<number> {
  try {
    const station = await openStation(parts.bridge.url, id, options)
    await boot(station, options)
    await station.close()
    return 101
  } catch (error) {
    return Number((error as { readonly code?: number }).code)
  }
}

async function boot(station: Station, { version = 'ocpp1.6' }: StationOptions = {}): Promise<void> {
  const device = { vendorName: 'V', model: 'M' }
  const payload =
    version === 'ocpp1.6'
      ? { chargePointVendor: 'V', chargePointModel: 'M' }
      : { reason: 'PowerUp', chargingStation: device }
  assert.equal((await station.call('BootNotification', payload))['status'], 'Accepted')
}

test('stations with the right key connect, in each form of it', within, async () => {
  const two = { version: 'ocpp2.0.1' } as const
  const statuses = [
    await statusOf('AL:1000', { password: Buffer.from(key16, 'hex') }),
    await statusOf('AL:1000', { password: key16 }),
    await statusOf('CP2', { ...two, password: key201 }),
    await statusOf('CP2', { ...two, password: Buffer.from(key201).toString('hex') }),
  ]
  assert.deepEqual(statuses, [101, 101, 101, 101])
})

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}`
const bad: readonly (readonly [id: string, headers: () => readonly string[], status: number, because: string])[] = [
  ['CP2', () => [], 401, 'no header'],
  ['CP2', () => [basic('CP2:')], 401, 'an empty key'],
  ['CP2', () => [basic('CP2:wrong key of CP2')], 401, 'a wrong key'],
  ['CP2', () => [basic(`AL:1000:${key16}`)], 401, "another station's credentials"],
  ['CP2', () => [basic(`CP2:${key16}`)], 401, "another station's key"],
  ['CP2', () => [`Authorization: Bearer ${key201}`], 401, 'another scheme'],
  ['CP2', () => ['Authorization: Basic %%%'], 401, 'a header that is not base64'],
  ['CP3', () => [basic(`CP3:${key201}`)], 404, 'an unknown station'],
]
for (const [id, headers, status, because] of bad) {
  for (const version of ['ocpp1.6', 'ocpp2.0.1']) {
    test(`${id} gets ${status} before the upgrade to ${version}: ${because}`, within, async () => {
      const lines = [`GET /ocpp/${id} HTTP/1.1`, 'Host: x', ...upgradeHeaders, protocol(version), ...headers()]
      const { head } = await dial(parts.bridge.port, lines)
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
      assert.equal(/^WWW-Authenticate: Basic realm="ocpp"$/m.test(head), status === 401)
    })
  }
}

test('a station that accepts a new key uses it from then on, without a reload', within, async () => {
  const [new16, new201] = ['5ec2e7'.repeat(6) + '0123', 'five-and-twenty-characters']
  secrets.push(new16, new201)
  const one = await openStation(parts.bridge.url, 'AL:1000', { password: Buffer.from(key16, 'hex') })
  const two = await openStation(parts.bridge.url, 'CP2', { version: 'ocpp2.0.1', password: key201 })
  await boot(one)
  await boot(two, { version: 'ocpp2.0.1' })
  one.answers('ChangeConfiguration', () => ({ status: 'Accepted' }))
  const variable = { component: { name: 'SecurityCtrlr' }, variable: { name: 'BasicAuthPassword' } }
  two.answers('SetVariables', () => ({ setVariableResult: [{ ...variable, attributeStatus: 'Accepted' }] }))
  const { bridge } = parts
  const changed = { key: 'AuthorizationKey', value: new16 }
  await bridge.broadcast(commandBroadcast('AL:1000', { command: 'ChangeConfiguration', id: 'a', payload: changed }))
  const set = { setVariableData: [{ ...variable, attributeValue: new201 }] }
  await bridge.broadcast(commandBroadcast('CP2', { command: 'SetVariables', id: 'b', payload: set }))
  await bridge.logged(/"station":"AL:1000".*has a new key/)
  await bridge.logged(/"station":"CP2".*has a new key/)
  await one.close()
  await two.close()
  assert.deepEqual(
    [
      await statusOf('AL:1000', { password: Buffer.from(key16, 'hex') }),
      await statusOf('AL:1000', { password: Buffer.from(new16, 'hex') }),
      await statusOf('CP2', { version: 'ocpp2.0.1', password: key201 }),
      await statusOf('CP2', { version: 'ocpp2.0.1', password: new201 }),
    ],
    [401, 101, 401, 101],
  )
  earlier = bridge.process.output
  await bridge.restart()
  assert.deepEqual(
    [await statusOf('AL:1000', { password: key16 }), await statusOf('AL:1000', { password: new16 })],
    [401, 101],
    'it is in the file',
  )
  key16 = new16
})

test(
  'a station that has got a new key is not locked out when the bridge is killed before its answer',
  within,
  async () => {
    const newKey = '0a1b2c3d'.repeat(5)
    secrets.push(newKey)
    const { bridge } = parts
    const station = await openStation(bridge.url, 'AL:1000', { password: Buffer.from(key16, 'hex') })
    await boot(station)
    const got = new Promise(resolve => {
      station.answers('ChangeConfiguration', () =>
        bridge
          .kill('SIGKILL')
          .then(resolve, resolve)
          .then(() => ({})),
      )
    })
    const payload = { key: 'AuthorizationKey', value: newKey }
    await bridge.broadcast(commandBroadcast('AL:1000', { command: 'ChangeConfiguration', id: 'k', payload }))
    await got
    earlier += bridge.process.output
    await station.close()
    await bridge.restart()
    assert.deepEqual(
      [
        await statusOf('AL:1000', { password: key16 }),
        await statusOf('AL:1000', { password: newKey }),
        await statusOf('AL:1000', { password: key16 }),
      ],
      [101, 101, 401],
      'both are valid until it uses the new one',
    )
    key16 = newKey
  },
)

test(
  'a change of the file counts at SIGHUP, for open connections too; a broken one changes nothing and is one line',
  within,
  async () => {
    const { bridge } = parts
    const key = await addKey('CP 4')
    bridge.process.signal('SIGHUP')
    await bridge.logged(/reloaded.*ocpp_auth_file|ocpp_auth_file.*reloaded/)
    const station = await openStation(bridge.url, 'CP 4', { password: key })
    await boot(station)
    assert.equal((await cli.run('auth', 'remove', 'CP 4', `--ocpp_auth_file=${file}`)).code, 0)
    bridge.process.signal('SIGHUP')
    assert.equal((await station.closed).code, 1008)
    assert.equal(await statusOf('CP 4', { password: key }), 404)
    writeFileSync(file, `${readFileSync(file, 'utf8')}CP5 hunter2\n`)
    bridge.process.signal('SIGHUP')
    const { error } = await bridge.logged(/could not reload/)
    assert.match(String(error), /keys: line 3: the hash of the key is not one of scrypt/)
    assert.equal(await statusOf('AL:1000', { password: key16 }), 101)
  },
)

test('no log line, metric or answer of the admin API holds a key, with --debug', within, async () => {
  const { bridge, adminUrl } = parts
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.metricsPort}/metrics`)).text()
  const pages = ['/v1/stations', '/v1/stations/CP2', '/v1/stations/CP2/messages', '/v1/bridge']
  const admin = await Promise.all(pages.map(async page => (await fetch(`${adminUrl}${page}`)).text()))
  const written = [earlier, bridge.process.output, metrics, ...admin].join('\n')
  assert.match(written, /BasicAuthPassword/)
  for (const secret of [...secrets, 'hunter2', 'wrong key of CP2'].filter(each => each !== '')) {
    for (const form of [secret, Buffer.from(`CP2:${secret}`).toString('base64')])
      assert.equal(written.includes(form), false)
  }
})
