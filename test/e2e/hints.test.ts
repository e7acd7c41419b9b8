/**
 * What the log says when the app rejects or cannot serve the stations: one line with the remedy, however many stations
 * are affected. Against the real gem.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { openBridge, type Bridge, type LogLine } from '../support/bridge.ts'
import { freePort } from '../support/ports.ts'
import { openRails, type Rails } from '../support/rails.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

/** A missing event fails the test. */
const within = { timeout: 120_000 }

async function open(t: TestContext, rpcPort: number, ...flags: string[]): Promise<Bridge> {
  const bridge = await openBridge([`--rpc_host=127.0.0.1:${rpcPort}`, ...flags])
  t.after(() => bridge.close())
  return bridge
}

async function connect(bridge: Bridge, id: string, password: string | null): Promise<RawStation> {
  const credentials = Buffer.from(`${id}:${password}`).toString('base64')
  return openRawStation(bridge.url, id, {
    headers: password === null ? {} : { authorization: `Basic ${credentials}` },
  })
}

/** The answers to the boots of three stations, each on its own connection. */
async function boot(bridge: Bridge, password: string | null = null): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const id of ['CP1', 'CP2', 'CP3']) {
    const station = await connect(bridge, id, password)
    const payload = '{"chargePointVendor":"V","chargePointModel":"M"}'
    const [, , answer] = JSON.parse(await station.call('b', 'BootNotification', payload)) as [
      3,
      string,
      { status: string },
    ]
    answers.push(answer.status)
    await station.close()
  }
  return answers
}

/** All warnings but those about single stations. */
const warnings = (bridge: Bridge): LogLine[] =>
  bridge.log().filter(({ level }) => level === 'WARN' || level === 'ERROR')

function assertOne(bridge: Bridge, expected: RegExp): LogLine {
  const lines = warnings(bridge)
  assert.equal(lines.length, 1, lines.map(line => JSON.stringify(line)).join('\n'))
  assert.match(lines[0]?.msg ?? '', expected)
  return lines[0] as LogLine
}

/** Ruby code that the app loads first. */
function preludeOf(t: { after(end: () => void): void }, ruby: string): Readonly<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-prelude-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'prelude.rb'), ruby)
  return { RUBYOPT: `-r${join(folder, 'prelude.rb')}` }
}

test('an app that is not running is one warning that says how to start it', within, async t => {
  const bridge = await open(t, await freePort())
  assert.deepEqual(await boot(bridge), ['Pending', 'Pending', 'Pending'])
  assertOne(bridge, /does not answer at 127\.0\.0\.1:\d+: start it with `bundle exec anycable`, or set --rpc_host/)
})

describe('an app with a password', () => {
  let rails: Rails
  before(async () => {
    rails = await openRails({ env: { STATION_PASSWORD: 'secret' } })
  })
  after(() => rails.close())

  test('no hint is logged when nothing is wrong', within, async t => {
    const bridge = await open(t, rails.rpcPort)
    assert.deepEqual(await boot(bridge, 'secret'), ['Accepted', 'Accepted', 'Accepted'])
    assert.deepEqual(warnings(bridge), [])
  })

  const channels: readonly [name: string, expected: RegExp][] = [
    ['Nope', /no channel class Nope: define it, or set --ocpp_channel/],
    ['OCPPNoneChannel', /no channel class OCPPNoneChannel: .*inflect\.acronym "OCPP"/],
  ]
  for (const [name, expected] of channels) {
    test(`--ocpp_channel=${name} is one warning for all stations and actions`, within, async t => {
      const bridge = await open(t, rails.rpcPort, `--ocpp_channel=${name}`)
      assert.deepEqual(await boot(bridge, 'secret'), ['Pending', 'Pending', 'Pending'])
      const station = await connect(bridge, 'CP4', 'secret')
      t.after(() => station.close())
      assert.match(await station.call('a', 'Authorize', '{"idTag":"TAG1"}'), /^\[4,"a","InternalError"/)
      const line = assertOne(bridge, expected)
      assert.equal(line['error'], `Channel not found: ${name}`, "the app's own words stand beside it")
    })
  }

  test('a rejection is one hint at --headers when the Authorization header was not forwarded', within, async t => {
    const bridge = await open(t, rails.rpcPort, '--headers=cookie')
    assert.deepEqual(await boot(bridge, null), ['Rejected', 'Rejected', 'Rejected'])
    assert.deepEqual(warnings(bridge), [], 'stations without a password: the header would not help')
    assert.deepEqual(await boot(bridge, 'secret'), ['Rejected', 'Rejected', 'Rejected'])
    assertOne(bridge, /add authorization to --headers/)
  })

  test('a rejection is no hint at --headers when the app was given a wrong password', within, async t => {
    const bridge = await open(t, rails.rpcPort)
    assert.deepEqual(await boot(bridge, 'wrong'), ['Rejected', 'Rejected', 'Rejected'])
    assert.deepEqual(warnings(bridge), [])
  })
})

test('a `reject` in `subscribed` is one warning with the identifier', within, async t => {
  const prelude = `
    TracePoint.new(:end) do |point|
      point.self.class_eval { def subscribed = reject } if point.self.inspect == "OCPPChannel"
    end.enable
  `
  const rails = await openRails({ env: preludeOf(t, prelude) })
  t.after(() => rails.close())
  const bridge = await open(t, rails.rpcPort)
  assert.deepEqual(await boot(bridge), ['Rejected', 'Rejected', 'Rejected'])
  const line = assertOne(bridge, /called `reject` in `subscribed`/)
  assert.equal(line['identifier'], '{"channel":"OCPPChannel","sn":"CP1"}')
})

test('a gem of another RPC version is one warning with both versions', within, async t => {
  const prelude = `
    TracePoint.new(:class) do |point|
      next unless point.self.inspect == "AnyCable::Middlewares::CheckVersion"
      point.self.prepend(Module.new { def initialize(_version) = super("v9") })
    end.enable
  `
  const rails = await openRails({ env: preludeOf(t, prelude) })
  t.after(() => rails.close())
  const bridge = await open(t, rails.rpcPort)
  assert.deepEqual(await boot(bridge), ['Pending', 'Pending', 'Pending'])
  assertOne(
    bridge,
    /gem speaks version v9 of the RPC protocol, the bridge speaks v1: install an anycable-rails that speaks v1/,
  )
})
