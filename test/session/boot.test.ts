import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageId, type Call } from '../../src/ocpp/frame.ts'
import { jsonText } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { Boot } from '../../src/session/boot.ts'
import { KnownStations } from '../../src/session/known-stations.ts'
import { FakeMeter, FakeSocket, handshakeFor } from '../support/fakes.ts'

function newBoot(
  socket: FakeSocket,
  version: Version = 'ocpp1.6',
  known = new KnownStations({ now: () => 0, random: () => 0, meter: new FakeMeter() }),
): Boot {
  return new Boot({ row: versions[version], socket, handshake: handshakeFor('CP1') }, known)
}

function bootIn(version: Version, ...statuses: readonly string[]): Boot {
  const boot = newBoot(new FakeSocket(), version)
  for (const status of statuses) boot.onAnswer(jsonText({ status }))
  return boot
}

function command(action: string, payload: object = {}): Call {
  return { kind: 'call', id: messageId('1'), action, payload: jsonText(payload) }
}

const rows: readonly [Version, string[], { calls: string[]; not: string[] }, string][] = [
  [
    'ocpp1.6',
    [],
    { calls: ['BootNotification', 'StatusNotification'], not: [] },
    'a station that reconnects need not boot',
  ],
  ['ocpp2.0.1', ['Accepted'], { calls: ['BootNotification', 'Heartbeat', 'TransactionEvent'], not: [] }, 'accepted'],
  ['ocpp1.6', ['Pending'], { calls: ['BootNotification'], not: ['Heartbeat', 'StatusNotification'] }, 'pending'],
  ['ocpp2.1', ['Rejected'], { calls: ['BootNotification'], not: ['Heartbeat', 'NotifyReport'] }, 'rejected'],
  ['ocpp2.0.1', ['Pending', 'Accepted'], { calls: ['Heartbeat'], not: [] }, 'pending at first (TC_B_02)'],
  ['ocpp1.6', ['Accepted', 'Rejected'], { calls: [], not: ['Heartbeat'] }, 'the last answer counts'],
  ['ocpp1.6', ['Pending', 'Perhaps'], { calls: [], not: ['Heartbeat'] }, 'an unknown status changes nothing'],
  ['ocpp1.6', ['constructor'], { calls: ['Heartbeat'], not: [] }, 'a property of every object is not a status'],
]
for (const [version, statuses, { calls, not }, because] of rows) {
  test(`${version} passes ${calls.join(', ') || 'nothing'} and refuses ${not.join(', ') || 'nothing'} after ${statuses.join(', ') || 'no boot'}: ${because}`, () => {
    const boot = bootIn(version, ...statuses)
    for (const action of calls) assert.equal(boot.passesCall(action), true, action)
    for (const action of not) assert.equal(boot.passesCall(action), false, action)
  })
}

const commandRows: readonly [Version, string[], string, boolean, string][] = [
  ['ocpp1.6', [], 'RemoteStartTransaction', true, 'all commands pass without a boot'],
  ['ocpp1.6', ['Accepted'], 'RemoteStartTransaction', true, 'accepted'],
  ['ocpp1.6', ['Pending'], 'RemoteStartTransaction', false, '1.6 §4.2'],
  ['ocpp1.6', ['Pending'], 'RemoteStopTransaction', false, '1.6 §4.2'],
  ['ocpp1.6', ['Pending'], 'ChangeConfiguration', true, 'Pending is for configuring the station'],
  ['ocpp2.0.1', ['Pending'], 'RequestStartTransaction', true, 'the station itself rejects it (B02.FR.05)'],
  ['ocpp1.6', ['Rejected'], 'Reset', false, '1.6 SHOULD NOT'],
  ['ocpp2.1', ['Rejected'], 'SetVariables', false, 'B03.FR.03 SHALL NOT'],
]
for (const [version, statuses, action, passes, because] of commandRows) {
  test(`${version} ${passes ? 'sends' : 'refuses'} the command ${action} after ${statuses.join() || 'no boot'}: ${because}`, () => {
    assert.equal(bootIn(version, ...statuses).passesCommand(action), passes)
  })
}

const triggers: readonly [Version, Call, string, string][] = [
  ['ocpp1.6', command('TriggerMessage', { requestedMessage: 'MeterValues' }), 'MeterValues', 'requested by its name'],
  [
    'ocpp1.6',
    command('ExtendedTriggerMessage', { requestedMessage: 'LogStatusNotification' }),
    'LogStatusNotification',
    'the security extension',
  ],
  ['ocpp2.0.1', command('GetBaseReport'), 'NotifyReport', 'B02.FR.02'],
  ['ocpp2.0.1', command('GetReport'), 'NotifyReport', 'B02.FR.02'],
  [
    'ocpp2.0.1',
    command('TriggerMessage', { requestedMessage: 'SignV2GCertificate' }),
    'SignCertificate',
    'requested by another name',
  ],
]
for (const [version, trigger, action, because] of triggers) {
  test(`${version} passes ${action} while pending after the command ${trigger.action}: ${because}`, () => {
    const boot = bootIn(version, 'Pending')
    assert.equal(boot.passesCall(action), false)
    boot.onCommand(trigger)
    assert.equal(boot.passesCall(action), true)
    assert.equal(boot.passesCall('StatusNotification'), false, 'and nothing else')
    boot.onAnswer(jsonText({ status: 'Pending' }))
    assert.equal(boot.passesCall(action), false, 'the next boot answer ends it')
  })
}

test('a message that was triggered while pending is refused when the station is rejected', () => {
  const boot = bootIn('ocpp2.0.1', 'Pending')
  boot.onCommand(command('GetReport'))
  boot.onAnswer(jsonText({ status: 'Rejected' }))
  boot.onCommand(command('GetReport'))
  assert.equal(boot.passesCall('NotifyReport'), false)
})

/** [payload of the boot answer, the heartbeat interval in ms that the socket is told, because] */
const intervals: readonly (readonly [object, number | null, string])[] = [
  [{ status: 'Accepted', interval: 300 }, 300_000, 'accepted'],
  [{ status: 'Pending', interval: 600 }, 600_000, 'it may be silent until its next boot'],
  [{ status: 'Accepted', interval: 0 }, null, 'the station chooses'],
  [{ status: 'Accepted', interval: '300' }, null, 'not a number'],
  [{ status: 'Accepted' }, null, 'none'],
]
for (const [answer, expected, because] of intervals) {
  test(`the socket expects heartbeats every ${expected} ms when a boot is answered with ${JSON.stringify(answer)}: ${because}`, () => {
    const socket = new FakeSocket()
    newBoot(socket).onAnswer(jsonText(answer))
    assert.equal(socket.heartbeatIntervalMs, expected)
  })
}

test('the next connection expects the heartbeat interval of the last Accepted, and of a command after it', () => {
  const known = new KnownStations({ now: () => 0, random: () => 0, meter: new FakeMeter() })
  const next = (): number | null => {
    const socket = new FakeSocket()
    newBoot(socket, 'ocpp1.6', known)
    return socket.heartbeatIntervalMs
  }
  assert.equal(next(), null)
  const boot = newBoot(new FakeSocket(), 'ocpp1.6', known)
  boot.onAnswer(jsonText({ status: 'Accepted', interval: 300 }))
  assert.equal(next(), 300_000)
  boot.onAnswer(jsonText({ status: 'Pending', interval: 20 }))
  assert.equal(next(), 300_000, 'the time until the next boot is no heartbeat interval')
  const change = command('ChangeConfiguration', { key: 'HeartbeatInterval', value: '600' })
  boot.onCommandAnswer(change, jsonText({ status: 'Rejected' }))
  assert.equal(next(), 300_000)
  boot.onCommandAnswer(change, jsonText({ status: 'Accepted' }))
  assert.equal(next(), 600_000)
})
