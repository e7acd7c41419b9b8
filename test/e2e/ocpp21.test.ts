/**
 * What OCPP 2.1 adds, over real sockets with the built bridge: with an independent client, and with hand-written frames
 * for what that client lacks (SEND, CALLRESULTERROR).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { ScriptedApp } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { batterySwap, bootOf, eventStream, now, openBooted, serialOf } from '../support/ocpp2.ts'
import { Performs } from '../support/performs.ts'
import { openRawStation, type Payload, type RawStation } from '../support/station.ts'

const version = 'ocpp2.1'
const within = { timeout: 60_000 }

let app: ScriptedApp
let bridge: Bridge
const performs = new Performs()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  // The app acks SENDs only, to no effect.
  app.always(performs.script(({ command }) => (command === 'NotifyPeriodicEventStream' ? {} : null)))
  bridge = keep(await openBridge([`--rpc_host=${app.host}`]))
})

const ask = (stationId: string, command: string, id: string, payload: Payload): Promise<void> =>
  bridge.broadcast(commandBroadcast(serialOf(stationId), { command, id, payload }))

async function connectRaw(t: TestContext, id: string): Promise<RawStation> {
  const station = await openRawStation(bridge.url, id, { version })
  t.after(() => station.close())
  assert.match(await station.call('boot', 'BootNotification', JSON.stringify(bootOf(id))), /"Accepted"/)
  return station
}

describe('commands that 2.1 adds', within, () => {
  const derControl = { controlId: 'C1', controlType: 'FixedPFAbsorb', isDefault: true }
  const fixedPFAbsorb = { priority: 1, displacement: 0.95, excitation: false }
  const commands: readonly (readonly [string, Payload, Payload])[] = [
    ['UsePriorityCharging', { transactionId: 'T1', activate: true }, { status: 'Accepted' }],
    ['SetDERControl', { ...derControl, fixedPFAbsorb }, { status: 'Accepted', supersededIds: ['C0'] }],
    [
      'RequestStartTransaction',
      { remoteStartId: 7, idToken: { idToken: 'A', type: 'Central' } },
      { status: 'Rejected' },
    ],
  ]
  for (const [action, payload, answer] of commands) {
    test(action, async t => {
      const station = await openBooted(t, bridge, action, version)
      let asked: Payload | null = null
      station.answers(action, given => {
        asked = given
        return answer
      })
      await ask(action, action, `ask-${action}`, payload)
      const { sid, ...data } = (await performs.next(`ask-${action}`)).data
      assert.deepEqual(asked, payload)
      assert.match(String(sid), /^[\da-f-]{36}$/)
      const ack = { action: 'ack', id: `ask-${action}`, command: 'Ack', payload: answer, request: action }
      assert.deepEqual(data, { ...ack, version: '2.1' })
    })
  }
})

test('a SEND is performed and never answered, valid or not, even when the app acks it', within, async t => {
  const station = await connectRaw(t, 'sender')
  const payload = `{"id":1,"pending":0,"basetime":"${now()}","data":[{"t":0.10,"v":"1.50"}]}`
  station.send(`[6,"send","NotifyPeriodicEventStream",${payload}]`)
  for (const wrong of ['[6,"a","Heartbeat",{}]', '[6,"b","Nonsense",{}]', '[6,"c"]', '[6,"d","Heartbeat",[]]', '[6]'])
    station.send(wrong)
  await station.call('after', 'Heartbeat')
  assert.equal(station.received.length, 2) // the answers to the boot and the Heartbeat
  const sent = performs.all.map(({ text }) => text).filter(text => /"id":"(send|[abcd])",/.test(text))
  const names = '"action":"notify_periodic_event_stream","id":"send","command":"NotifyPeriodicEventStream"'
  assert.deepEqual(sent, [`{${names},"payload":${payload},"version":"2.1"}`])
})

test('a SEND is performed while a command is open, and does not settle it', within, async t => {
  const station = await connectRaw(t, 'busy')
  await ask('busy', 'ClearCache', 'clear', {})
  await station.message(/^\[2,"clear"/)
  station.send(`[6,"clear","NotifyPeriodicEventStream",{"id":1,"pending":0,"basetime":"${now()}","data":[]}]`)
  await station.call('later', 'Heartbeat')
  station.send('[3,"clear",{"status":"Accepted"}]')
  await station.call('last', 'Heartbeat')
  const told = performs.all.filter(({ data }) => data.id === 'clear').map(({ data }) => data['action'])
  assert.deepEqual(told, ['notify_periodic_event_stream', 'ack'])
})

test('a CALLRESULTERROR of the station is not answered and ends no command', within, async t => {
  const station = await connectRaw(t, 'reader')
  await station.call('swap', 'BatterySwap', JSON.stringify(batterySwap))
  for (const text of [
    '[5,"swap","FormatViolation","cannot read it",{}]', // about an answer that was sent
    '[5,"nobody","GenericError","",{}]',
    '[5,"x"]',
    '[5]',
  ])
    station.send(text)
  assert.match(await station.call('after', 'Heartbeat'), /^\[3,"after",\{"currentTime"/)
  assert.equal(station.received.length, 3) // the answers to the boot, the swap and the Heartbeat
})

test("a silent app's stations get the answers of the table", within, async t => {
  const station = await connectRaw(t, 'hand')
  const answers = [
    ['BatterySwap', batterySwap, '[3,"1",{}]'],
    ['OpenPeriodicEventStream', eventStream, '[3,"2",{"status":"Rejected"}]'],
    ['ClosePeriodicEventStream', { id: 1 }, '[3,"3",{}]'],
  ] as const
  for (const [at, [action, payload, answer]] of answers.entries())
    assert.equal(await station.call(String(at + 1), action, JSON.stringify(payload)), answer)
})
