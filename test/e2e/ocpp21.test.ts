/**
 * What OCPP 2.1 adds, over real sockets with the built bridge: by an independent client where that one speaks it, and by
 * hand where it does not (SEND, CALLRESULTERROR).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { requestFor, stationActionsOf } from '../fuzz/payloads.ts'
import { Random } from '../fuzz/random.ts'
import { ScriptedApp, type Received } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { codeOf, openRawStation, openStation, type Payload, type RawStation, type Station } from '../support/station.ts'

const version = 'ocpp2.1'
const within = { timeout: 60_000 }

/** At most 25 characters, by the schema. */
const serialOf = (id: string) => `SN-${id}`.slice(0, 25)

let app: ScriptedApp
let bridge: Bridge
/** The data of what the app was asked to perform, in order, and who waits for more. */
const performed: string[] = []
let onPerform: () => void = () => undefined

before(async () => {
  app = await ScriptedApp.start()
  app.always(reply)
  bridge = await openBridge([`--rpc_host=${app.host}`])
})

after(async () => {
  await bridge.close()
  app.stop()
})

/** An app that is silent but for SENDs, which it acks in vain. */
function reply({ method, message }: Received): object {
  if (method !== 'Command') return { status: 'SUCCESS', identifiers: '{}' }
  const { command, identifier = '', data = '' } = message as Readonly<Record<string, string>>
  const transmit = (said: object): string => JSON.stringify({ identifier, ...said })
  if (command === 'subscribe') {
    const { stream } = commandBroadcast((JSON.parse(identifier) as { sn: string }).sn, { command: '', payload: {} })
    return { status: 'SUCCESS', streams: [stream], transmissions: [transmit({ type: 'confirm_subscription' })] }
  }
  if (command !== 'message') return { status: 'SUCCESS' }
  performed.push(data)
  onPerform()
  const { id, command: action } = JSON.parse(data) as Payload
  const isSend = action === 'NotifyPeriodicEventStream'
  return {
    status: 'SUCCESS',
    transmissions: isSend ? [transmit({ message: { command: 'Ack', id, payload: {} } })] : [],
  }
}

async function performedWith(id: string): Promise<Payload> {
  for (;;) {
    const found = performed.find(data => data.includes(`"id":"${id}",`))
    if (found !== undefined) return JSON.parse(found) as Payload
    await new Promise<void>(resolve => (onPerform = resolve))
  }
}

async function broadcast(sn: string, command: string, id: string, payload: Payload): Promise<void> {
  const body = JSON.stringify(commandBroadcast(sn, { command, id, payload }))
  const { status } = await fetch(bridge.httpBroadcastUrl, { method: 'POST', body })
  assert.equal(status, 201)
}

const boot = (id: string): Payload => ({
  reason: 'PowerUp',
  chargingStation: { model: 'Model', vendorName: 'Vendor', serialNumber: serialOf(id) },
})

async function connect(t: TestContext, id: string): Promise<Station> {
  const station = await openStation(bridge.url, id, { version })
  t.after(() => station.close())
  assert.equal((await station.call('BootNotification', boot(id)))['status'], 'Accepted')
  return station
}

async function connectRaw(t: TestContext, id: string): Promise<RawStation> {
  const station = await openRawStation(bridge.url, id, { version })
  t.after(() => station.close())
  assert.match(await station.call('boot', 'BootNotification', JSON.stringify(boot(id))), /"Accepted"/)
  return station
}

const now = () => new Date().toISOString()
const batteryData = [{ evseId: 1, serialNumber: 'B1', soC: 80, soH: 99 }]
const swap = { batteryData, eventType: 'BatteryIn', idToken: { idToken: 'A', type: 'Central' }, requestId: 1 }
const stream = { constantStreamData: { id: 1, params: { interval: 5, values: 10 }, variableMonitoringId: 3 } }

test('a station charges with an app that never answers', within, async t => {
  const station = await connect(t, 'charging')
  const timestamp = now()
  const status = { timestamp, connectorStatus: 'Occupied', evseId: 1, connectorId: 1 }
  assert.deepEqual(await station.call('StatusNotification', status), {})
  const idToken = { idToken: 'ABCD', type: 'ISO14443' }
  assert.deepEqual(await station.call('Authorize', { idToken }), { idTokenInfo: { status: 'Unknown' } })
  const meterValue = [{ timestamp, sampledValue: [{ value: 2935.6 }] }]
  for (const [seqNo, eventType] of ['Started', 'Updated', 'Ended'].entries()) {
    const event = { eventType, seqNo, timestamp, triggerReason: 'CablePluggedIn', meterValue }
    assert.deepEqual(await station.call('TransactionEvent', { ...event, transactionInfo: { transactionId: 'T1' } }), {})
  }
  assert.deepEqual(await station.call('MeterValues', { evseId: 1, meterValue }), {})
  assert.deepEqual(await station.call('BatterySwap', swap), {})
  assert.deepEqual(await station.call('OpenPeriodicEventStream', stream), { status: 'Rejected' })
  const sent = station.sent.map(({ id }) => id)
  const ids = performed.map(data => (JSON.parse(data) as Payload)['id'])
  assert.deepEqual(
    ids.filter(id => sent.includes(String(id))),
    sent,
  ) // all of them, once, in order
})

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
      const station = await connect(t, action)
      let asked: Payload | null = null
      station.answers(action, given => {
        asked = given
        return answer
      })
      await broadcast(serialOf(action), action, `ask-${action}`, payload)
      const told = await performedWith(`ask-${action}`)
      assert.deepEqual(asked, payload)
      assert.deepEqual(told, { action: 'ack', id: `ask-${action}`, command: 'Ack', payload: answer, request: action })
    })
  }
})

test('a SEND is performed and never answered, right or wrong, whatever the app says to it', within, async t => {
  const station = await connectRaw(t, 'sender')
  const payload = `{"id":1,"pending":0,"basetime":"${now()}","data":[{"t":0.10,"v":"1.50"}]}`
  station.send(`[6,"send","NotifyPeriodicEventStream",${payload}]`)
  for (const wrong of ['[6,"a","Heartbeat",{}]', '[6,"b","Nonsense",{}]', '[6,"c"]', '[6,"d","Heartbeat",[]]', '[6]'])
    station.send(wrong)
  await station.call('after', 'Heartbeat')
  assert.equal(station.received.length, 2) // the boot's answer and the Heartbeat's
  const sent = performed.filter(data => /"id":"(send|[abcd])",/.test(data))
  const names = '"action":"notify_periodic_event_stream","id":"send","command":"NotifyPeriodicEventStream"'
  assert.deepEqual(sent, [`{${names},"payload":${payload}}`])
})

test('a SEND passes while a command is open, and does not settle it', within, async t => {
  const station = await connectRaw(t, 'busy')
  await broadcast(serialOf('busy'), 'ClearCache', 'clear', {})
  await station.message(/^\[2,"clear"/)
  station.send(`[6,"clear","NotifyPeriodicEventStream",{"id":1,"pending":0,"basetime":"${now()}","data":[]}]`)
  await station.call('later', 'Heartbeat')
  station.send('[3,"clear",{"status":"Accepted"}]')
  await station.call('last', 'Heartbeat')
  const told = performed
    .filter(data => data.includes('"id":"clear",'))
    .map(data => (JSON.parse(data) as Payload)['action'])
  assert.deepEqual(told, ['notify_periodic_event_stream', 'ack'])
})

test('a CALLRESULTERROR of the station is not answered, and ends nothing', within, async t => {
  const station = await connectRaw(t, 'reader')
  await station.call('swap', 'BatterySwap', JSON.stringify(swap))
  for (const text of [
    '[5,"swap","FormatViolation","cannot read it",{}]', // of an answer that it has
    '[5,"nobody","GenericError","",{}]',
    '[5,"x"]',
    '[5]',
  ])
    station.send(text)
  assert.match(await station.call('after', 'Heartbeat'), /^\[3,"after",\{"currentTime"/)
  assert.equal(station.received.length, 3) // those to the boot, the swap and the Heartbeat
})

test('silent answers to a station that is driven by hand', within, async t => {
  const station = await connectRaw(t, 'hand')
  const answers = [
    ['BatterySwap', swap, '[3,"1",{}]'],
    ['OpenPeriodicEventStream', stream, '[3,"2",{"status":"Rejected"}]'],
    ['ClosePeriodicEventStream', { id: 1 }, '[3,"3",{}]'],
  ] as const
  for (const [at, [action, payload, answer]] of answers.entries())
    assert.equal(await station.call(String(at + 1), action, JSON.stringify(payload)), answer)
})

/** What the table of `docs/protocol.md` has for those that are not `{}`; a text is the code of a CALLERROR. */
const decided: Readonly<Record<string, Payload | string>> = {
  DataTransfer: { status: 'UnknownVendorId' },
  SignCertificate: { status: 'Rejected' },
  OpenPeriodicEventStream: { status: 'Rejected' },
  PullDynamicScheduleUpdate: { status: 'Rejected' },
  Get15118EVCertificate: { status: 'Failed', exiResponse: '' },
  GetCertificateStatus: { status: 'Failed' },
  NotifyEVChargingNeeds: { status: 'NoChargingProfile' },
  NotifyEVChargingSchedule: { status: 'Accepted' },
  GetCertificateChainStatus: 'InternalError',
  VatNumberValidation: 'InternalError',
}
const elsewhere = ['BootNotification', 'Heartbeat', 'Authorize', 'TransactionEvent']

describe('an app that is silent: the client takes the answer for a valid one', within, () => {
  for (const action of stationActionsOf(version).filter(name => !elsewhere.includes(name))) {
    test(action, async t => {
      const station = await connect(t, action)
      const payload = JSON.parse(requestFor(version, action, new Random(1))) as Payload
      const expected = decided[action] ?? {}
      const call = station.call(action, payload)
      assert.deepEqual(await (typeof expected === 'string' ? codeOf(call) : call), expected)
    })
  }
})
