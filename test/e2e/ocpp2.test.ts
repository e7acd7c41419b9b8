/**
 * What OCPP 2.0.1 and 2.1 have in common, from boot to the end of a transaction: an independent client that validates
 * every message in both directions, the built bridge, and an app that sends no Acks.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { channelAction } from '../../src/translate/commands.ts'
import { requestFor, stationActionsOf } from '../fuzz/payloads.ts'
import { Random } from '../fuzz/random.ts'
import { ScriptedApp, type PerformData } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { batterySwap, eventStream, now, openBooted, serialOf } from '../support/ocpp2.ts'
import { Performs } from '../support/performs.ts'
import { callErrorOf, codeOf, type Payload } from '../support/station.ts'

let app: ScriptedApp
let bridge: Bridge
const performs = new Performs()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  app.always(performs.script(() => null))
  bridge = keep(await openBridge([`--rpc_host=${app.host}`]))
})

/** Sends a command to a station; resolves with the outcome that the app receives. */
async function ask(stationId: string, id: string, command: string, payload: Payload): Promise<PerformData> {
  await bridge.broadcast(commandBroadcast(serialOf(stationId), { command, id, payload }))
  return (await performs.next(id)).data
}

type Row = {
  readonly version: 'ocpp2.0.1' | 'ocpp2.1'
  /** What only a station of this version sends while it charges, and the answers. */
  readonly adds: readonly (readonly [action: string, payload: Payload, answer: Payload])[]
  /** A command of another version. */
  readonly foreign: readonly [action: string, payload: Payload]
  /** A silent app's answers of this version only. */
  readonly decided: Readonly<Record<string, Payload | string>>
}

const rows: readonly Row[] = [
  {
    version: 'ocpp2.0.1',
    adds: [],
    foreign: ['UsePriorityCharging', { transactionId: 'T', activate: true }], // of 2.1
    decided: { NotifyEVChargingNeeds: { status: 'Rejected' } },
  },
  {
    version: 'ocpp2.1',
    adds: [
      ['BatterySwap', batterySwap, {}],
      ['OpenPeriodicEventStream', eventStream, { status: 'Rejected' }],
    ],
    foreign: ['RemoteStartTransaction', { idTag: 'A' }], // of 1.6
    decided: {
      OpenPeriodicEventStream: { status: 'Rejected' },
      PullDynamicScheduleUpdate: { status: 'Rejected' },
      NotifyEVChargingNeeds: { status: 'NoChargingProfile' },
      GetCertificateChainStatus: 'InternalError',
      VatNumberValidation: 'InternalError',
    },
  },
]

/** The silent answers of `docs/protocol.md` that are not `{}`; a text is the code of a CALLERROR. */
const decidedInBoth: Row['decided'] = {
  DataTransfer: { status: 'UnknownVendorId' },
  SignCertificate: { status: 'Rejected' },
  Get15118EVCertificate: { status: 'Failed', exiResponse: '' },
  GetCertificateStatus: { status: 'Failed' },
  NotifyEVChargingSchedule: { status: 'Accepted' },
}
/** Actions that other tests cover. */
const elsewhere = ['BootNotification', 'Heartbeat', 'Authorize', 'TransactionEvent']

const event = (eventType: string, seqNo: number, more: Payload = {}): Payload => ({
  eventType,
  seqNo,
  timestamp: now(),
  triggerReason: 'CablePluggedIn',
  transactionInfo: { transactionId: 'T1' },
  ...more,
})

const meterValue = [{ timestamp: now(), sampledValue: [{ value: 2935.6, measurand: 'Energy.Active.Import.Register' }] }]

for (const { version, adds, foreign, decided } of rows) {
  describe(version, { timeout: 60_000 }, () => {
    const idOf = (name: string) => `${version}-${name}`

    test('the app performs all messages of a charging session in order when it answers none', async t => {
      const station = await openBooted(t, bridge, idOf('charging'), version)
      const status = { timestamp: now(), connectorStatus: 'Occupied', evseId: 1, connectorId: 1 }
      assert.deepEqual(await station.call('StatusNotification', status), {})
      assert.match(String((await station.call('Heartbeat'))['currentTime']), /Z$/)
      const idToken = { idToken: 'ABCD', type: 'ISO14443' }
      assert.deepEqual(await station.call('Authorize', { idToken }), { idTokenInfo: { status: 'Unknown' } })
      assert.deepEqual(await station.call('TransactionEvent', event('Started', 0)), {})
      assert.deepEqual(await station.call('TransactionEvent', event('Updated', 1, { meterValue })), {})
      assert.deepEqual(await station.call('MeterValues', { evseId: 1, meterValue }), {})
      assert.deepEqual(await station.call('TransactionEvent', event('Ended', 2)), {})
      for (const [action, payload, answer] of adds) assert.deepEqual(await station.call(action, payload), answer)
      const expected = station.sent
        .filter(({ action }) => action !== 'Heartbeat') // answered by the bridge
        .map(({ id, action, payload }) => ({ action: channelAction(action), id, command: action, payload }))
      const performed = performs.of(station.id)
      assert.deepEqual(
        performed.map(({ action, id, command, payload }) => ({ action, id, command, payload })),
        expected,
      )
      assert.deepEqual([...new Set(performed.map(({ version: told }) => told))], [version.replace('ocpp', '')])
      const keys = performed.flatMap(({ command, key }) => (key === undefined ? [] : [[command, key] as const]))
      assert.deepEqual(
        keys.map(([command]) => command),
        ['TransactionEvent', 'TransactionEvent', 'MeterValues', 'TransactionEvent'],
      )
      assert.equal(new Set(keys.map(([, key]) => key)).size, 4)
      for (const [command, key] of keys) assert.match(key as string, new RegExp(`^${command}-[\\w-]{22}$`))
      const warnings = bridge.log().filter(({ msg, station: named }) => named === station.id && /Ack/.test(msg))
      assert.equal(warnings.filter(({ action }) => action === 'BootNotification').length, 0)
    })

    test('the app decides the status of a token', async t => {
      const station = await openBooted(t, bridge, idOf('tokens'), version)
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

    test('the app gets the answer of the station to each command', async t => {
      const station = await openBooted(t, bridge, idOf('asked'), version)
      station.answers('RequestStartTransaction', () => ({ status: 'Accepted', transactionId: 'T2' }))
      const idToken = { idToken: 'ABCD', type: 'Central' }
      const start = { remoteStartId: 7, evseId: 1, idToken }
      const { sid, ...outcome } = await ask(station.id, idOf('start'), 'RequestStartTransaction', start)
      assert.match(String(sid), /^[\da-f-]{36}$/)
      assert.deepEqual(outcome, {
        action: 'ack',
        id: idOf('start'),
        command: 'Ack',
        payload: { status: 'Accepted', transactionId: 'T2' },
        request: 'RequestStartTransaction',
        version: version.replace('ocpp', ''),
      })

      const variable = { component: { name: 'OCPPCommCtrlr' }, variable: { name: 'HeartbeatInterval' } }
      const result = { getVariableResult: [{ ...variable, attributeStatus: 'Accepted', attributeValue: '30' }] }
      station.answers('GetVariables', payload => {
        assert.deepEqual(payload, { getVariableData: [variable] })
        return result
      })
      const got = await ask(station.id, idOf('get'), 'GetVariables', { getVariableData: [variable] })
      assert.deepEqual([got['action'], got['payload']], ['ack', result])

      station.answers('Reset', () => {
        throw callErrorOf('OccurrenceConstraintViolation', 'no')
      })
      const { action, code } = await ask(station.id, idOf('reset'), 'Reset', { type: 'Immediate' })
      assert.deepEqual([action, code], ['error', 'OccurrenceConstraintViolation'])
      const unknown = await ask(station.id, idOf('foreign'), ...foreign)
      assert.deepEqual([unknown['action'], unknown['code']], ['error', 'UnknownAction'])
    })

    describe("the bridge's answer is valid when the app is silent", () => {
      for (const action of stationActionsOf(version).filter(name => !elsewhere.includes(name))) {
        test(action, async t => {
          const station = await openBooted(t, bridge, idOf(action), version)
          const payload = JSON.parse(requestFor(version, action, new Random(1))) as Payload
          const expected = decided[action] ?? decidedInBoth[action] ?? {}
          const call = station.call(action, payload)
          assert.deepEqual(await (typeof expected === 'string' ? codeOf(call) : call), expected)
        })
      }
    })
  })
}
