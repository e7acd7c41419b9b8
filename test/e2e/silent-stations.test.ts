/**
 * Stations that reconnect without a boot and say nothing, as OCPP lets them, and stations whose serial number is none:
 * the built program, and an app that streams to each station by its `sn`.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { after, before, describe, test, type TestContext } from 'node:test'
import { ScriptedApp, stationOf, type AppScript } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { closeCode, frameOf, opcodes, openPeer, protocol, said, type Peer } from '../support/peer.ts'
import { Performs } from '../support/performs.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

const within = { timeout: 60_000 }

/** The stations that the app has subscribed, each with its `sn`. */
class Subscriptions {
  readonly #all: string[] = []
  readonly #came = new EventEmitter()

  /** As `script`; the subscriptions are noted once the app has them. */
  noting(script: AppScript): AppScript {
    return async call => {
      const { command, identifier } = call.message as { readonly command?: string; readonly identifier?: string }
      const reply = await script(call)
      if (command === 'subscribe') {
        this.#all.push(`${stationOf(call)} as ${(JSON.parse(identifier ?? '{}') as { readonly sn: string }).sn}`)
        this.#came.emit('subscription')
      }
      return reply
    }
  }

  async have(station: string, sn: string): Promise<void> {
    while (!this.#all.includes(`${station} as ${sn}`)) await once(this.#came, 'subscription')
  }
}

let app: ScriptedApp
const subscriptions = new Subscriptions()
const performs = new Performs()

before(async () => {
  app = await ScriptedApp.start()
  app.always(
    subscriptions.noting(
      performs.script(({ command }) => (command === 'BootNotification' ? { status: 'Accepted' } : {})),
    ),
  )
})

after(() => app.stop())

async function open(t: TestContext, ...flags: readonly string[]): Promise<Bridge> {
  const bridge = await openBridge([`--rpc_host=${app.host}`, ...flags])
  t.after(() => bridge.close())
  return bridge
}

async function connect(t: TestContext, { url }: Bridge, id: string, version = 'ocpp1.6'): Promise<RawStation> {
  const station = await openRawStation(url, id, { version })
  t.after(() => station.close())
  return station
}

/** The app sends a command to one `sn`, and the station gets it. */
async function reach(bridge: Bridge, station: RawStation, sn: string): Promise<void> {
  await bridge.broadcast(commandBroadcast(sn, { command: 'Reset', id: 'r', payload: { type: 'Soft' } }))
  await station.message(/^\[2,"r","Reset",/)
}

const bootOf = (sn: string): string => `{"chargePointVendor":"V","chargePointModel":"M","meterSerialNumber":"${sn}"}`

describe('stations that say nothing', { ...within, concurrency: true }, () => {
  test('a command reaches a station that reconnects and says nothing', async t => {
    const bridge = await open(t)
    const booted = await openRawStation(bridge.url, 'quiet')
    await booted.call('b', 'BootNotification', bootOf('SN-quiet'))
    await booted.close()
    await bridge.logged(/station disconnected/)
    const station = await connect(t, bridge, 'quiet')
    await bridge.metricReaches('broadcast_streams_num', 1)
    await reach(bridge, station, 'SN-quiet')
  })

  test('a command reaches a station that says nothing and was never seen by this bridge, by its id', async t => {
    const bridge = await open(t)
    const station = await connect(t, bridge, 'unknown')
    await bridge.metricReaches('broadcast_streams_num', 1)
    await reach(bridge, station, 'unknown')
  })

  test('a station that answers pings outlives the boot timeout, and one that answers none is closed', async t => {
    const bridge = await open(t, '--ocpp_boot_timeout=2s', '--ocpp_ping_interval=0')
    const upgrade = (id: string): Promise<Peer> => openPeer(bridge.port, `/ocpp/${id}`, [protocol('ocpp1.6')])
    const alive = await upgrade('alive')
    t.after(() => alive.socket.destroy())
    await alive.next(opcodes.ping)
    alive.write(frameOf('', { opcode: opcodes.pong }))
    // Its time ends after that of the first one.
    const dead = await upgrade('dead')
    t.after(() => dead.socket.destroy())
    assert.equal(await closeCode(dead), 1008)
    alive.write(frameOf('[2,"h","Heartbeat",{}]'))
    assert.match(await said(alive), /^\[3,"h",/)
    const line = await bridge.logged(/"station":"dead".*No message in time|No message in time.*"station":"dead"/)
    assert.equal(line['code'], 1008)
  })

  test('a silent station is refused with 1008 when the app does not accept it', async t => {
    const strict = await ScriptedApp.start()
    t.after(() => strict.stop())
    strict.always(() => ({ status: 'FAILURE' }))
    const bridge = await openBridge([`--rpc_host=${strict.host}`])
    t.after(() => bridge.close())
    const station = await openRawStation(bridge.url, 'stranger')
    assert.deepEqual(await station.closed, { code: 1008, reason: 'Not authorized' })
  })

  test('a silent station stays while the app is away, and a command reaches it when the app is back', async t => {
    const late = await ScriptedApp.start()
    late.stop()
    t.after(() => late.stop())
    late.always(performs.script(() => null))
    const bridge = await openBridge([`--rpc_host=${late.host}`])
    t.after(() => bridge.close())
    const station = await connect(t, bridge, 'patient')
    await bridge.logged(/the app does not answer at/)
    await late.start()
    await bridge.metricReaches('broadcast_streams_num', 1)
    await reach(bridge, station, 'patient')
  })
})

describe('serial numbers', { ...within, concurrency: true }, () => {
  test('a 2.x station that reconnects without a boot is asked for its serial number, and commands to it arrive', async t => {
    const bridge = await open(t)
    const station = await connect(t, bridge, 'asked', 'ocpp2.0.1')
    const question = await station.message(/"GetVariables"/)
    const [, id] = JSON.parse(question) as [number, string]
    const about = '"component":{"name":"ChargingStation"},"variable":{"name":"SerialNumber"}'
    station.send(
      `[3,"${id}",{"getVariableResult":[{"attributeStatus":"Accepted","attributeValue":"SN-asked",${about}}]}]`,
    )
    await subscriptions.have('asked', 'SN-asked')
    await station.call('h', 'Heartbeat') // behind the subscription
    await bridge.broadcast(commandBroadcast('SN-asked', { command: 'ClearCache', id: 'c', payload: {} }))
    await station.message(/^\[2,"c","ClearCache",/)
    station.send('[3,"c",{"status":"Accepted"}]')
    assert.equal((await performs.next('c')).data['request'], 'ClearCache')
    assert.deepEqual(
      performs.of('asked').map(({ id: performed }) => performed),
      ['c'],
      'the app hears nothing of the question',
    )
  })

  test('a 1.6 station is asked for another boot with ocpp_trigger_boot', async t => {
    const bridge = await open(t, '--ocpp_trigger_boot')
    const station = await connect(t, bridge, 'triggered')
    const question = await station.message(/"TriggerMessage",\{"requestedMessage":"BootNotification"\}/)
    const [, id] = JSON.parse(question) as [number, string]
    station.send(`[3,"${id}",{"status":"Accepted"}]`)
    await station.call('b', 'BootNotification', bootOf('SN-triggered'))
    await subscriptions.have('triggered', 'SN-triggered')
  })

  test('two stations whose serial number is N/A are apart, and a command reaches one of them', async t => {
    const bridge = await open(t)
    const [one, two] = [await connect(t, bridge, 'NA1'), await connect(t, bridge, 'NA2')]
    for (const station of [one, two]) await station.call('b', 'BootNotification', bootOf('N/A'))
    const stop = (sn: string) =>
      commandBroadcast(sn, { command: 'RemoteStopTransaction', id: sn, payload: { transactionId: 1 } })
    for (const sn of ['N/A', 'NA1', 'NA2']) await bridge.broadcast(stop(sn))
    await one.message(/"NA1","RemoteStopTransaction"/)
    await two.message(/"NA2","RemoteStopTransaction"/)
    for (const station of [one, two]) assert.equal(station.received.length, 2, station.received.join('\n'))
  })

  test('two stations with one serial number are named in one warning, and counted', async t => {
    const bridge = await open(t)
    for (const id of ['twin1', 'twin2'])
      await (await connect(t, bridge, id)).call('b', 'BootNotification', bootOf('SN-twin'))
    const { sn, stations } = await bridge.logged(/two connected stations have the same sn/)
    assert.deepEqual([sn, stations], ['SN-twin', ['twin1', 'twin2']])
    assert.equal(await bridge.metric('ocpp_shared_sn_total'), 1)
  })
})
