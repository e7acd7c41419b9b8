/**
 * A fleet that connects at once, and an app that goes away under a fleet: all stations are served in the end, the app
 * never has more calls than `rpc_concurrency`, and connected stations go first. docs/benchmarks.md has the speed.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { cableApp, ScriptedApp, type AppScript, type Received } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

const stations = 300
const concurrency = 5
const boot = '{"chargePointVendor":"Vendor","chargePointModel":"Model"}'
const status = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'
const meterValues =
  '{"connectorId":1,"transactionId":1,"meterValue":[{"timestamp":"2026-01-02T03:04:05Z","sampledValue":[{"value":"1"}]}]}'

/** Accepts every station and acks everything. */
const willing = cableApp(({ command }) => {
  const currentTime = '2026-01-02T03:04:05Z'
  if (command === 'BootNotification') return { status: 'Accepted', currentTime, interval: 300 }
  return command === 'Heartbeat' ? { currentTime } : {}
})

/** An app that replies to no Connect until a test releases it. */
class Gate {
  #waiting: (() => void)[] = []
  #isOpen = false

  readonly script: AppScript = async call => {
    if (call.method === 'Connect' && !this.#isOpen) await new Promise<void>(pass => this.#waiting.push(pass))
    return willing(call)
  }

  /** Releases the Connects that wait, and not later ones. */
  letThrough(): void {
    for (const pass of this.#waiting.splice(0)) pass()
  }

  open(): void {
    this.#isOpen = true
    this.letThrough()
  }

  close(): void {
    this.#isOpen = false
  }
}

/** Takes some time for each call, so that as many are in flight as the bridge allows. */
const unhurried: AppScript = async call => {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  return willing(call)
}

type Answer = { readonly status: string; readonly interval: number }

async function openSite(t: TestContext, script: AppScript, ...flags: string[]): Promise<[ScriptedApp, Bridge]> {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  app.always(script)
  const bridge = await openBridge([`--rpc_host=${app.host}`, `--rpc_concurrency=${concurrency}`, ...flags])
  t.after(() => bridge.close())
  return [app, bridge]
}

async function connect(t: TestContext, { url }: Bridge, name: string, count: number): Promise<RawStation[]> {
  const ids = Array.from({ length: count }, (_, at) => `${name}-${at}`)
  const opened = await Promise.all(ids.map(id => openRawStation(url, id)))
  t.after(() => Promise.all(opened.map(station => station.close())))
  return opened
}

async function bootAll(fleet: readonly RawStation[], id: string): Promise<Answer[]> {
  const answers = await Promise.all(fleet.map(station => station.call(id, 'BootNotification', boot)))
  return answers.map(answer => {
    const [type, , payload] = JSON.parse(answer) as [number, string, Answer]
    assert.equal(type, 3, `a boot has no CALLERROR for the app's fault: ${answer}`)
    return payload
  })
}

function callAll(fleet: readonly RawStation[], id: string, action: string, payload: string): Promise<string[]> {
  return Promise.all(fleet.map(station => station.call(id, action, payload)))
}

/** In groups, so that no call times out on a busy machine. */
async function inTurns<Value>(
  fleet: readonly RawStation[],
  ask: (some: readonly RawStation[]) => Promise<Value[]>,
): Promise<Value[]> {
  const values: Value[] = []
  for (let from = 0; from < fleet.length; from += concurrency)
    values.push(...(await ask(fleet.slice(from, from + concurrency))))
  return values
}

/** The name of a call: `Connect`, `Disconnect`, `subscribe`, or the performed action; a retry is marked `again`. */
function nameOf({ method, message }: Received): string {
  const { command, data } = message as { readonly command?: string; readonly data: string }
  if (command !== 'message') return command ?? method
  const performed = JSON.parse(data) as { readonly command: string; readonly attempt?: number }
  return performed.attempt === undefined ? performed.command : `${performed.command} again`
}

/** Few enough that no deadline is near, even on a busy machine. */
const boots = 120

const count = <Value>(values: readonly Value[], value: Value): number => values.filter(each => each === value).length

test(
  `${boots} stations that boot at once are served by an app that takes ${concurrency} calls at a time`,
  { timeout: 120_000 },
  async t => {
    const gate = new Gate()
    const [app, bridge] = await openSite(t, gate.script, '--rpc_command_timeout=8s')
    gate.open()
    const [connected] = await connect(t, bridge, 'connected', 1)
    assert.ok(connected, 'one station is connected before')
    await bootAll([connected], 'boot')
    gate.close()
    const fleet = await connect(t, bridge, 'storm', boots)

    const booting = bootAll(fleet, 'boot')
    await bridge.metricReaches('rpc_pending_num', boots - concurrency)
    assert.equal(app.running, concurrency, 'all that the app was said to bear')

    const served = connected.call('status', 'StatusNotification', status)
    await bridge.metricReaches('rpc_pending_num', boots - concurrency + 1)
    const before = app.received.all.length
    gate.letThrough()
    assert.equal(await served, '[3,"status",{}]', "the app's answer, while the storm waits")
    const names = app.received.all.slice(before).map(nameOf)
    const performed = names.indexOf('StatusNotification')
    assert.equal(count(names.slice(0, performed), 'Connect'), 0, `before every new Connect: ${names.join(' ')}`)
    assert.equal(app.mostRunning, concurrency, 'by its own count')

    const answers = await booting
    const accepted = answers.filter(answer => answer.status === 'Accepted')
    const pending = answers.filter(answer => answer.status === 'Pending')
    // Of those whose Connect came through: the app keeps the Connect of each eighth permit, until none is left.
    assert.ok(accepted.length > 0 && accepted.length <= concurrency, `${accepted.length} are accepted`)
    assert.equal(accepted.length + pending.length, boots, 'all others are put off')
    const intervals = pending.map(({ interval }) => interval)
    assert.deepEqual(
      intervals.filter(seconds => seconds < 10 || seconds > 20),
      [],
      'ten seconds off, a few seconds of turns, and five of chance',
    )
    assert.ok(new Set(intervals).size >= 5, `spread over the seconds: ${[...new Set(intervals)].sort().join(' ')}`)

    gate.letThrough() // nobody awaits what is still at the app
    const isBusy = (): boolean => app.running > 0
    while (isBusy()) await new Promise(setImmediate)
    app.mostRunning = 0
    const timeouts = await bridge.metric('rpc_timeout_total')
    const late = fleet.filter((_, at) => answers[at]?.status === 'Pending')
    const again = bootAll(late, 'boot again')
    await bridge.metricReaches('rpc_pending_num', boots - 2 * concurrency)
    gate.open()
    const statuses = (await again).map(answer => answer.status)
    assert.equal(count(statuses, 'Accepted'), late.length, 'those who were put off get in')
    // On a busy machine a call may time out here while the app still works on it.
    const givenUp = (await bridge.metric('rpc_timeout_total')) - timeouts
    assert.ok(
      app.mostRunning <= concurrency + givenUp,
      `${app.mostRunning} at once the second time, ${givenUp} given up`,
    )
    assert.equal(await bridge.metric('clients_num'), boots + 1, 'nobody lost the connection')
  },
)

test(
  `${stations} connected stations are served again when the app is stopped and started`,
  { timeout: 120_000 },
  async t => {
    const [app, bridge] = await openSite(t, unhurried)
    const fleet = await connect(t, bridge, 'station', stations)
    const booted = await inTurns(fleet, some => bootAll(some, 'boot'))
    assert.equal(
      count(
        booted.map(answer => answer.status),
        'Accepted',
      ),
      stations,
      'all are in',
    )
    app.stop()

    const refused = await callAll(fleet, 'refused', 'StatusNotification', status)
    assert.deepEqual(
      new Set(refused),
      new Set(['[4,"refused","InternalError","The CSMS could not process the message",{}]']),
    )
    const calls = await bridge.metric('client_msg_total')
    const held = callAll(fleet, 'held', 'MeterValues', meterValues)
    await bridge.metricReaches('client_msg_total', calls + stations)
    app.mostRunning = 0
    await app.start()

    assert.deepEqual(new Set(await held), new Set(['[3,"held",{}]']), 'what was held is performed')
    const answers = await inTurns(fleet, some => callAll(some, 'served', 'StatusNotification', status))
    assert.deepEqual(new Set(answers), new Set(['[3,"served",{}]']), 'every station is served again')
    const names = app.received.all.map(nameOf)
    assert.deepEqual(
      ['Connect', 'subscribe', 'MeterValues', 'StatusNotification', 'Disconnect'].map(name => count(names, name)),
      [stations, stations, stations, stations, 0],
      'each session was connected once, and each message performed once',
    )
    assert.ok(
      app.mostRunning > 1 && app.mostRunning <= concurrency + (await bridge.metric('rpc_timeout_total')),
      `no herd: by its own count the app had ${app.mostRunning} calls at once`,
    )
    assert.equal(await bridge.metric('clients_num'), stations, 'nobody lost the connection')
  },
)
