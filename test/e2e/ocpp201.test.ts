/**
 * OCPP 2.0.1 from boot to the end of a transaction: an independent client that checks every message both ways against
 * the official schemas, the built bridge, and an app that says nothing but what a test has it say.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { requestFor, stationActionsOf } from '../fuzz/payloads.ts'
import { Random } from '../fuzz/random.ts'
import { ScriptedApp, type Received } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { callErrorOf, codeOf, openStation, type Payload, type Station } from '../support/station.ts'

const version = 'ocpp2.0.1'
const within = { timeout: 60_000 }

/** At most 25 characters, by the schema. */
const serialOf = (id: string) => `SN-${id}`.slice(0, 25)

let app: ScriptedApp
let bridge: Bridge
/** What the app was asked to perform, in order: the data, and who waits for more. */
const performed: Payload[] = []
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

function reply({ method, message }: Received): object {
  if (method !== 'Command') return { status: 'SUCCESS', identifiers: '{}' }
  const { command, identifier, data } = message as Readonly<Record<string, string>>
  if (command === 'message') {
    performed.push(JSON.parse(data ?? '') as Payload)
    onPerform()
  }
  if (command !== 'subscribe') return { status: 'SUCCESS' }
  const { sn } = JSON.parse(identifier ?? '') as { sn: string }
  const transmissions = [JSON.stringify({ identifier, type: 'confirm_subscription' })]
  return { status: 'SUCCESS', streams: [commandBroadcast(sn, { command: '', payload: {} }).stream], transmissions }
}

/** The outcome of a remote command, as the app is told of it. */
async function outcomeOf(id: string): Promise<Payload> {
  for (;;) {
    const found = performed.find(data => data['id'] === id)
    if (found !== undefined) return found
    await new Promise<void>(resolve => (onPerform = resolve))
  }
}

async function ask(sn: string, command: string, id: string, payload: Payload): Promise<Payload> {
  const body = JSON.stringify(commandBroadcast(sn, { command, id, payload }))
  const { status } = await fetch(bridge.httpBroadcastUrl, { method: 'POST', body })
  assert.equal(status, 201)
  return outcomeOf(id)
}

async function connect(t: TestContext, id: string): Promise<Station> {
  performed.length = 0
  const station = await openStation(bridge.url, id, { version })
  t.after(() => station.close())
  const boot = await station.call('BootNotification', {
    reason: 'PowerUp',
    chargingStation: { model: 'Model', vendorName: 'Vendor', serialNumber: serialOf(id) },
  })
  assert.deepEqual([boot['status'], boot['interval']], ['Accepted', 30])
  return station
}

const now = () => new Date().toISOString()

const event = (eventType: string, seqNo: number, more: Payload = {}): Payload => ({
  eventType,
  seqNo,
  timestamp: now(),
  triggerReason: 'CablePluggedIn',
  transactionInfo: { transactionId: 'T1' },
  ...more,
})

const meterValue = [{ timestamp: now(), sampledValue: [{ value: 2935.6, measurand: 'Energy.Active.Import.Register' }] }]

test('a station charges with an app that never answers: all it sends is performed, in order', within, async t => {
  const station = await connect(t, 'charging')
  const status = { timestamp: now(), connectorStatus: 'Occupied', evseId: 1, connectorId: 1 }
  assert.deepEqual(await station.call('StatusNotification', status), {})
  assert.match(String((await station.call('Heartbeat'))['currentTime']), /Z$/)
  const idToken = { idToken: 'ABCD', type: 'ISO14443' }
  assert.deepEqual(await station.call('Authorize', { idToken }), { idTokenInfo: { status: 'Unknown' } })
  assert.deepEqual(await station.call('TransactionEvent', event('Started', 0)), {})
  assert.deepEqual(await station.call('TransactionEvent', event('Updated', 1, { meterValue })), {})
  assert.deepEqual(await station.call('MeterValues', { evseId: 1, meterValue }), {})
  assert.deepEqual(await station.call('TransactionEvent', event('Ended', 2)), {})
  const expected = station.sent
    .filter(({ action }) => action !== 'Heartbeat') // which the bridge answers itself
    .map(({ id, action, payload }) => ({
      action: action.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase(),
      id,
      command: action,
      payload,
    }))
  assert.deepEqual(performed, expected)
})

test("the status of a token is the app's to give", within, async t => {
  const station = await connect(t, 'tokens')
  const withToken = (type: string) =>
    station.call(
      'TransactionEvent',
      event('Started', 0, { idToken: { idToken: type === 'NoAuthorization' ? '' : 'A', type } }),
    )
  assert.deepEqual(await withToken('NoAuthorization'), { idTokenInfo: { status: 'Accepted' } }) // C02.FR.02
  assert.equal(await codeOf(withToken('ISO14443')), 'InternalError')
  const certificate = station.call('Authorize', { idToken: { idToken: 'A', type: 'eMAID' }, certificate: 'PEM' })
  assert.equal(await codeOf(certificate), 'InternalError')
})

test('commands, and the answers of the station', within, async t => {
  const station = await connect(t, 'asked')
  station.answers('RequestStartTransaction', () => ({ status: 'Accepted', transactionId: 'T2' }))
  const idToken = { idToken: 'ABCD', type: 'Central' }
  const started = await ask(serialOf('asked'), 'RequestStartTransaction', 'start', {
    remoteStartId: 7,
    evseId: 1,
    idToken,
  })
  assert.deepEqual(started, {
    action: 'ack',
    id: 'start',
    command: 'Ack',
    payload: { status: 'Accepted', transactionId: 'T2' },
    request: 'RequestStartTransaction',
  })

  const variable = { component: { name: 'OCPPCommCtrlr' }, variable: { name: 'HeartbeatInterval' } }
  const result = { getVariableResult: [{ ...variable, attributeStatus: 'Accepted', attributeValue: '30' }] }
  station.answers('GetVariables', payload => {
    assert.deepEqual(payload, { getVariableData: [variable] })
    return result
  })
  const got = await ask(serialOf('asked'), 'GetVariables', 'get', { getVariableData: [variable] })
  assert.deepEqual([got['action'], got['payload']], ['ack', result])

  station.answers('Reset', () => {
    throw callErrorOf('OccurrenceConstraintViolation', 'no')
  })
  const { action, code } = await ask(serialOf('asked'), 'Reset', 'reset', { type: 'Immediate' })
  assert.deepEqual([action, code], ['error', 'OccurrenceConstraintViolation'])
  const unknown = await ask(serialOf('asked'), 'UsePriorityCharging', 'later', { transactionId: 'T', activate: true })
  assert.deepEqual([unknown['action'], unknown['code']], ['error', 'UnknownAction']) // it is of 2.1
})

/** What the table of `docs/protocol.md` has for those that are not `{}`. */
const decided: Readonly<Record<string, Payload>> = {
  DataTransfer: { status: 'UnknownVendorId' },
  SignCertificate: { status: 'Rejected' },
  Get15118EVCertificate: { status: 'Failed', exiResponse: '' },
  GetCertificateStatus: { status: 'Failed' },
  NotifyEVChargingNeeds: { status: 'Rejected' },
  NotifyEVChargingSchedule: { status: 'Accepted' },
}
const elsewhere = ['BootNotification', 'Heartbeat', 'Authorize', 'TransactionEvent']

describe('an app that is silent: the client takes the answer for a valid one', within, () => {
  for (const action of stationActionsOf(version).filter(name => !elsewhere.includes(name))) {
    test(action, async t => {
      const station = await connect(t, action)
      const payload = JSON.parse(requestFor(version, action, new Random(1))) as Payload
      assert.deepEqual(await station.call(action, payload), decided[action] ?? {})
    })
  }
})
