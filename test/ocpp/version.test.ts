import assert from 'node:assert/strict'
import { test } from 'node:test'
import { versionOf, versions, type Version } from '../../src/ocpp/version.ts'
import { actionsOf, allVersions } from './schemas.ts'

/** What a station sends, by the directions of the specs (the schemas do not tell them). */
const core16 =
  'Authorize BootNotification DataTransfer DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat MeterValues StartTransaction StatusNotification StopTransaction'
const security16 = 'LogStatusNotification SecurityEventNotification SignCertificate SignedFirmwareStatusNotification'
const all201 =
  'Authorize BootNotification ClearedChargingLimit DataTransfer FirmwareStatusNotification Get15118EVCertificate GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport NotifyReport PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate SecurityEventNotification SignCertificate StatusNotification TransactionEvent'
const added21 =
  'BatterySwap ClosePeriodicEventStream GetCertificateChainStatus NotifyDERAlarm NotifyDERStartStop NotifyPriorityCharging NotifySettlement OpenPeriodicEventStream PullDynamicScheduleUpdate ReportDERControl VatNumberValidation'
const fromStation: Readonly<Record<Version, readonly string[]>> = {
  'ocpp1.6': `${core16} ${security16}`.split(' '),
  'ocpp2.0.1': all201.split(' '),
  'ocpp2.1': `${all201} ${added21}`.split(' '),
}
const sends: Readonly<Record<Version, readonly string[]>> = {
  'ocpp1.6': [],
  'ocpp2.0.1': [],
  'ocpp2.1': ['NotifyPeriodicEventStream'],
}
const sorted = (names: Iterable<string>): string[] => [...names].sort()

/** The totals of the specs: from the station (SENDs too), to the station, in all. */
const totals: Readonly<Record<Version, readonly [number, number, number]>> = {
  'ocpp1.6': [14, 26, 39],
  'ocpp2.0.1': [25, 40, 64],
  'ocpp2.1': [37, 55, 91],
}

for (const version of allVersions) {
  const row = versions[version]
  const official = actionsOf(version)

  test(`${version}: what a station sends is known, no less and no more`, () => {
    assert.deepEqual(sorted(Object.keys(row.silentAnswers)), sorted(fromStation[version]))
    assert.deepEqual(sorted(row.sends), sends[version])
  })

  test(`${version}: what a station is sent is all other actions that have a schema, and DataTransfer`, () => {
    const upward = new Set([...fromStation[version], ...sends[version]])
    const downward = [...official].filter(action => !upward.has(action) || action === 'DataTransfer')
    assert.deepEqual(sorted(row.toStation), sorted(downward))
  })

  test(`${version}: no action is known that has no schema`, () => {
    const known = [...Object.keys(row.silentAnswers), ...row.sends, ...row.toStation]
    assert.deepEqual(
      known.filter(action => !official.has(action)),
      [],
    )
    const [up, down, all] = totals[version]
    assert.equal(Object.keys(row.silentAnswers).length + row.sends.size, up)
    assert.equal(row.toStation.size, down)
    assert.equal(official.size, all)
  })

  test(`${version}: transaction messages come from the station, held commands go to it`, () => {
    assert.deepEqual(
      [...row.transactionMessages].filter(action => !Object.hasOwn(row.silentAnswers, action)),
      [],
    )
    assert.deepEqual(
      [...row.refusedWhilePending].filter(action => !row.toStation.has(action)),
      [],
    )
  })
}

test('transaction messages: those that a station keeps until they are confirmed', () => {
  assert.deepEqual(sorted(versions['ocpp1.6'].transactionMessages), [
    'MeterValues',
    'StartTransaction',
    'StopTransaction',
  ])
  for (const version of ['ocpp2.0.1', 'ocpp2.1'] as const)
    assert.equal(versions[version].transactionMessages.has('TransactionEvent'), true)
})

test('held while Pending: in 1.6 both remote starts and stops (§4.2); in 2.x the station rejects them itself', () => {
  const held = ['RemoteStartTransaction', 'RemoteStopTransaction']
  assert.deepEqual(sorted(versions['ocpp1.6'].refusedWhilePending), held)
  assert.deepEqual([...versions['ocpp2.0.1'].refusedWhilePending], [])
  assert.deepEqual([...versions['ocpp2.1'].refusedWhilePending], [])
})

test('only 2.1 has message types 5 and 6', () => {
  const types = allVersions.map(version => versions[version].messageTypes)
  assert.deepEqual(types, [
    [2, 3, 4],
    [2, 3, 4],
    [2, 3, 4, 5, 6],
  ])
})

test('a version is called by its number on options and in logs', () => {
  assert.deepEqual(
    allVersions.map(version => `ocpp${versions[version].number}`),
    allVersions,
  )
})

const names = [
  ['ocpp1.6', 'ocpp1.6', 'as registered'],
  ['ocpp2.0.1', 'ocpp2.0.1', 'as registered'],
  ['ocpp2.1', 'ocpp2.1', 'as registered'],
  ['OCPP1.6', 'ocpp1.6', 'stations that shout'],
  ['Ocpp2.0.1', 'ocpp2.0.1', 'stations that capitalise'],
  ['ocpp2.0', null, 'the draft of 2018, not compatible with 2.0.1'],
  ['ocpp1.5', null, 'SOAP days'],
  ['ocpp16', null, 'a name that is not registered'],
  ['1.6', null, 'the number alone is no subprotocol'],
  [' ocpp1.6', null, 'trimming is the header’s reader’s'],
  ['', null, 'nothing'],
  ['__proto__', null, 'what objects inherit is no version'],
  ['toString', null, 'nor is this, whatever its case'],
  ['constructor', null, 'nor this'],
] as const
for (const [name, expected, because] of names) {
  test(`the subprotocol ${JSON.stringify(name)} is ${expected ?? 'none'}: ${because}`, () => {
    assert.equal(versionOf(name), expected)
  })
}

const meter = { meterSerialNumber: 'M1' }
const point = { chargePointSerialNumber: 'P1' }
const box = { chargeBoxSerialNumber: 'B1' }
const serialNumbers: readonly (readonly [Version, Record<string, unknown>, string | null, string])[] = [
  ['ocpp1.6', { ...box, ...point, ...meter }, 'M1', 'the meter’s is the first, as AnyCable has it'],
  ['ocpp1.6', { ...box, ...point }, 'P1', 'then the charge point’s'],
  ['ocpp1.6', box, 'B1', 'then the charge box’s'],
  ['ocpp1.6', { chargePointVendor: 'V', chargePointModel: 'M' }, null, 'all three are optional'],
  ['ocpp1.6', { ...point, meterSerialNumber: '' }, 'P1', 'an empty one is none'],
  ['ocpp1.6', { ...point, meterSerialNumber: ' ' }, 'P1', 'nor is a blank one'],
  ['ocpp1.6', { ...point, meterSerialNumber: 7 }, 'P1', 'nor what is no string'],
  ['ocpp1.6', { ...point, meterSerialNumber: null }, 'P1', 'nor null'],
  [
    'ocpp1.6',
    { meterSerialNumber: 'M'.repeat(256), chargePointSerialNumber: 'P1' },
    'P1',
    'one that goes on and on is none',
  ],
  ['ocpp1.6', { meterSerialNumber: 'M'.repeat(255) }, 'M'.repeat(255), 'the longest'],
  ['ocpp1.6', { chargingStation: { serialNumber: 'S1' } }, null, '1.6 has no chargingStation'],
  ['ocpp2.0.1', { chargingStation: { serialNumber: 'S1' } }, 'S1', 'the station’s'],
  ['ocpp2.1', { chargingStation: { serialNumber: 'S1' } }, 'S1', 'the same in 2.1'],
  ['ocpp2.0.1', { chargingStation: { model: 'M' } }, null, 'it is optional'],
  ['ocpp2.0.1', { chargingStation: { serialNumber: '' } }, null, 'an empty one is none'],
  ['ocpp2.0.1', { chargingStation: 'S1' }, null, 'a station that is no object'],
  ['ocpp2.0.1', { chargingStation: null }, null, 'or null'],
  ['ocpp2.0.1', { chargingStation: [{ serialNumber: 'S1' }] }, null, 'or a list'],
  ['ocpp2.0.1', { reason: 'PowerUp' }, null, 'or missing'],
  ['ocpp2.0.1', meter, null, '2.x has no meterSerialNumber'],
]
for (const [version, boot, expected, because] of serialNumbers) {
  test(`${version}: the serial number of ${JSON.stringify(boot)} is ${expected ?? 'none'}: ${because}`, () => {
    assert.equal(versions[version].serialNumber(boot), expected)
  })
}

const triggers: readonly (readonly [Version, string, Record<string, unknown>, readonly string[], string])[] = [
  ['ocpp1.6', 'TriggerMessage', { requestedMessage: 'StatusNotification' }, ['StatusNotification'], 'what it asks for'],
  ['ocpp1.6', 'ExtendedTriggerMessage', { requestedMessage: 'Heartbeat' }, ['Heartbeat'], 'the white paper’s one, too'],
  [
    'ocpp1.6',
    'ExtendedTriggerMessage',
    { requestedMessage: 'SignChargePointCertificate' },
    ['SignCertificate'],
    'no action of that name',
  ],
  ['ocpp1.6', 'GetDiagnostics', { location: 'ftp://x' }, [], 'not asked for by name'],
  ['ocpp1.6', 'GetReport', {}, [], '2.x only'],
  ['ocpp1.6', 'TriggerMessage', {}, [], 'nothing is asked for'],
  ['ocpp1.6', 'TriggerMessage', { requestedMessage: 7 }, [], 'nor by a number'],
  ['ocpp2.0.1', 'TriggerMessage', { requestedMessage: 'TransactionEvent' }, ['TransactionEvent'], 'what it asks for'],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignChargingStationCertificate' },
    ['SignCertificate'],
    'no action of that name',
  ],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignV2GCertificate' },
    ['SignCertificate'],
    'no action of that name',
  ],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignCombinedCertificate' },
    ['SignCertificate'],
    'no action of that name',
  ],
  [
    'ocpp2.1',
    'TriggerMessage',
    { requestedMessage: 'SignV2G20Certificate' },
    ['SignCertificate'],
    'no action of that name',
  ],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignCertificateX' },
    ['SignCertificateX'],
    'only names of certificates',
  ],
  ['ocpp2.0.1', 'GetReport', { requestId: 1 }, ['NotifyReport'], 'B02.FR.02'],
  ['ocpp2.1', 'GetBaseReport', { requestId: 1 }, ['NotifyReport'], 'B02.FR.02'],
  ['ocpp2.0.1', 'GetMonitoringReport', { requestId: 1 }, [], 'B02.FR.02 names it not'],
  ['ocpp2.0.1', 'Reset', { type: 'Immediate' }, [], 'asks for no message'],
]
for (const [version, command, payload, expected, because] of triggers) {
  test(`${version}: ${command} ${JSON.stringify(payload)} triggers [${expected.join()}]: ${because}`, () => {
    assert.deepEqual(versions[version].triggeredBy(command, payload), expected)
  })
}

const identities: readonly (readonly [Version, string, boolean, string])[] = [
  ['ocpp1.6', 'CP01', true, 'an ordinary one'],
  ['ocpp1.6', 'x'.repeat(255), true, '1.6 sets no limit, 255 bytes is ours'],
  ['ocpp1.6', 'x'.repeat(256), false, 'one more'],
  ['ocpp1.6', 'ü'.repeat(127), true, '254 bytes'],
  ['ocpp1.6', 'ü'.repeat(128), false, '256 bytes in 128 characters'],
  ['ocpp2.0.1', 'x'.repeat(48), true, 'identifierString[48]'],
  ['ocpp2.0.1', 'x'.repeat(49), false, 'one more'],
  ['ocpp2.1', 'x'.repeat(48), true, 'identifierString[48]'],
  ['ocpp2.1', 'x'.repeat(49), false, 'one more'],
]
for (const [version, identity, expected, because] of identities) {
  test(`${version}: an identity of ${identity.length} characters is ${expected ? 'fine' : 'too long'}: ${because}`, () => {
    assert.equal(versions[version].isIdentity(identity), expected)
  })
}
