import assert from 'node:assert/strict'
import { test } from 'node:test'
import { versionOf, versions, type Version } from '../../src/ocpp/version.ts'
import { openSchemas } from '../../src/validation/schemas.ts'
import { actionsOf, allVersions } from './schemas.ts'

/** The actions that a station sends, from the specs, as the schemas do not state the direction. */
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

/** Totals in the specs: from the station (including SENDs), to the station, in all. */
const totals: Readonly<Record<Version, readonly [number, number, number]>> = {
  'ocpp1.6': [14, 26, 39],
  'ocpp2.0.1': [25, 40, 64],
  'ocpp2.1': [37, 55, 91],
}

for (const version of allVersions) {
  const row = versions[version]
  const official = actionsOf(version)

  test(`${version} knows exactly the actions that a station sends`, () => {
    assert.deepEqual(sorted(Object.keys(row.silentAnswers)), sorted(fromStation[version]))
    assert.deepEqual(sorted(row.sends), sends[version])
  })

  test(`${version} sends a station all other actions with a schema, and DataTransfer`, () => {
    const upward = new Set([...fromStation[version], ...sends[version]])
    const downward = [...official].filter(action => !upward.has(action) || action === 'DataTransfer')
    assert.deepEqual(sorted(row.toStation), sorted(downward))
  })

  test(`${version} knows no action without a schema`, () => {
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

  test(`${version}: transaction messages come from the station, and commands refused while Pending go to it`, () => {
    assert.deepEqual(
      [...row.transactionMessages.keys()].filter(action => !Object.hasOwn(row.silentAnswers, action)),
      [],
    )
    assert.deepEqual(
      [...row.refusedWhilePending].filter(action => !row.toStation.has(action)),
      [],
    )
  })
}

test('transaction messages are those that a station keeps until they are confirmed', () => {
  assert.deepEqual(sorted(versions['ocpp1.6'].transactionMessages.keys()), [
    'MeterValues',
    'StartTransaction',
    'StopTransaction',
  ])
  for (const version of ['ocpp2.0.1', 'ocpp2.1'] as const)
    assert.equal(versions[version].transactionMessages.has('TransactionEvent'), true)
})

test('while Pending, 1.6 refuses remote starts and stops (§4.2); in 2.x the station rejects them itself', () => {
  const refused = ['RemoteStartTransaction', 'RemoteStopTransaction']
  assert.deepEqual(sorted(versions['ocpp1.6'].refusedWhilePending), refused)
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

test('options and logs name a version by its number', () => {
  assert.deepEqual(
    allVersions.map(version => `ocpp${versions[version].number}`),
    allVersions,
  )
})

const names = [
  ['ocpp1.6', 'ocpp1.6', 'as registered'],
  ['ocpp2.0.1', 'ocpp2.0.1', 'as registered'],
  ['ocpp2.1', 'ocpp2.1', 'as registered'],
  ['OCPP1.6', 'ocpp1.6', 'upper case'],
  ['Ocpp2.0.1', 'ocpp2.0.1', 'mixed case'],
  ['ocpp2.0', null, 'the 2018 release, which is not compatible with 2.0.1'],
  ['ocpp1.5', null, 'a version for SOAP only'],
  ['ocpp16', null, 'an unregistered name'],
  ['1.6', null, 'a number is not a subprotocol'],
  [' ocpp1.6', null, 'whitespace is not trimmed here'],
  ['', null, 'an empty name'],
  ['__proto__', null, 'an inherited property is not a version'],
  ['toString', null, 'an inherited property is not a version, in any case'],
  ['constructor', null, 'an inherited property is not a version'],
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
  ['ocpp1.6', { ...box, ...point, ...meter }, 'M1', 'the meter’s comes first, as in AnyCable'],
  ['ocpp1.6', { ...box, ...point }, 'P1', 'the charge point’s comes second'],
  ['ocpp1.6', box, 'B1', 'the charge box’s comes third'],
  ['ocpp1.6', { chargePointVendor: 'V', chargePointModel: 'M' }, null, 'all three are optional'],
  ['ocpp1.6', { ...point, meterSerialNumber: '' }, 'P1', 'an empty serial number is ignored'],
  ['ocpp1.6', { ...point, meterSerialNumber: ' ' }, 'P1', 'a blank one is ignored'],
  ['ocpp1.6', { ...point, meterSerialNumber: 'N/A' }, 'P1', 'a placeholder is ignored'],
  ['ocpp1.6', { meterSerialNumber: 'N/A', chargePointSerialNumber: '0000' }, null, 'so are two'],
  ['ocpp1.6', { ...point, meterSerialNumber: 7 }, 'P1', 'a number is ignored'],
  ['ocpp1.6', { ...point, meterSerialNumber: null }, 'P1', 'null is ignored'],
  [
    'ocpp1.6',
    { meterSerialNumber: 'M'.repeat(256), chargePointSerialNumber: 'P1' },
    'P1',
    'one of over 255 characters is ignored',
  ],
  ['ocpp1.6', { meterSerialNumber: 'M'.repeat(255) }, 'M'.repeat(255), 'one of 255 characters is accepted'],
  ['ocpp1.6', { chargingStation: { serialNumber: 'S1' } }, null, '1.6 has no chargingStation'],
  ['ocpp2.0.1', { chargingStation: { serialNumber: 'S1' } }, 'S1', 'the station’s'],
  ['ocpp2.1', { chargingStation: { serialNumber: 'S1' } }, 'S1', 'the station’s'],
  ['ocpp2.0.1', { chargingStation: { model: 'M' } }, null, 'the serial number is optional'],
  ['ocpp2.0.1', { chargingStation: { serialNumber: '' } }, null, 'an empty serial number is ignored'],
  ['ocpp2.0.1', { chargingStation: { serialNumber: 'undefined' } }, null, 'a placeholder is ignored'],
  ['ocpp2.0.1', { chargingStation: 'S1' }, null, 'a chargingStation that is not an object'],
  ['ocpp2.0.1', { chargingStation: null }, null, 'a chargingStation that is null'],
  ['ocpp2.0.1', { chargingStation: [{ serialNumber: 'S1' }] }, null, 'a chargingStation that is a list'],
  ['ocpp2.0.1', { reason: 'PowerUp' }, null, 'no chargingStation'],
  ['ocpp2.0.1', meter, null, '2.x has no meterSerialNumber'],
]
for (const [version, boot, expected] of [
  ['ocpp1.6', { meterSerialNumber: 'M', chargePointSerialNumber: 'P', chargeBoxSerialNumber: 'B' }, ['P', 'B']],
  ['ocpp2.0.1', { chargingStation: { serialNumber: 'S' } }, ['S']],
  ['ocpp2.1', { chargingStation: 'S' }, []],
] as const) {
  test(`ownSerialNumbers of ${version} are ${expected.join(' and ') || 'none'}`, () => {
    assert.deepEqual(versions[version].ownSerialNumbers(boot), expected)
  })
}

for (const [version, boot, expected, because] of serialNumbers) {
  test(`${version}: the serial number of ${JSON.stringify(boot)} is ${expected ?? 'none'}: ${because}`, () => {
    assert.equal(versions[version].serialNumber(boot), expected)
  })
}

for (const version of allVersions) {
  test(`${version}: the query for the serial number is valid, and one that asks for a boot says so`, () => {
    const { action, payload, triggersBoot } = versions[version].serialNumberQuery
    assert.deepEqual(openSchemas().violations(version, action, 'request', payload), [])
    assert.equal(versions[version].toStation.has(action), true)
    assert.equal(triggersBoot, payload.includes('BootNotification'))
  })
}

const about = { component: { name: 'ChargingStation' }, variable: { name: 'SerialNumber' } }
const variable = (attributeStatus: string, attributeValue?: unknown): Record<string, unknown> => ({
  getVariableResult: [{ ...about, attributeStatus, attributeValue }],
})
const queried: readonly (readonly [Version, Record<string, unknown>, string | null, string])[] = [
  ['ocpp2.0.1', variable('Accepted', 'S1'), 'S1', 'the station tells it'],
  ['ocpp2.1', variable('Accepted', 'S1'), 'S1', 'the station tells it'],
  ['ocpp2.0.1', variable('UnknownVariable'), null, 'it has no such variable'],
  ['ocpp2.0.1', variable('Rejected', 'S1'), null, 'it does not tell'],
  ['ocpp2.0.1', variable('Accepted', 'N/A'), null, 'a placeholder is ignored'],
  ['ocpp2.0.1', variable('Accepted', 7), null, 'a number is ignored'],
  ['ocpp2.0.1', { getVariableResult: 'S1' }, null, 'no list'],
  ['ocpp2.0.1', {}, null, 'nothing at all'],
  ['ocpp1.6', { status: 'Accepted' }, null, 'the boot to come tells it'],
]
for (const [version, answer, expected, because] of queried) {
  test(`${version}: the serial number in the answer ${JSON.stringify(answer)} is ${expected ?? 'none'}: ${because}`, () => {
    assert.equal(versions[version].serialNumberQuery.serialNumber(answer), expected)
  })
}

const triggers: readonly (readonly [Version, string, Record<string, unknown>, readonly string[], string])[] = [
  [
    'ocpp1.6',
    'TriggerMessage',
    { requestedMessage: 'StatusNotification' },
    ['StatusNotification'],
    'the requested message',
  ],
  [
    'ocpp1.6',
    'ExtendedTriggerMessage',
    { requestedMessage: 'Heartbeat' },
    ['Heartbeat'],
    'the requested message, as in the security white paper',
  ],
  [
    'ocpp1.6',
    'ExtendedTriggerMessage',
    { requestedMessage: 'SignChargePointCertificate' },
    ['SignCertificate'],
    'all certificate requests mean SignCertificate',
  ],
  ['ocpp1.6', 'GetDiagnostics', { location: 'ftp://x' }, [], 'GetDiagnostics does not name a message'],
  ['ocpp1.6', 'GetReport', {}, [], 'a trigger in 2.x only'],
  ['ocpp1.6', 'TriggerMessage', {}, [], 'no requested message'],
  ['ocpp1.6', 'TriggerMessage', { requestedMessage: 7 }, [], 'a requested message that is not a string'],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'TransactionEvent' },
    ['TransactionEvent'],
    'the requested message',
  ],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignChargingStationCertificate' },
    ['SignCertificate'],
    'all certificate requests mean SignCertificate',
  ],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignV2GCertificate' },
    ['SignCertificate'],
    'all certificate requests mean SignCertificate',
  ],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignCombinedCertificate' },
    ['SignCertificate'],
    'all certificate requests mean SignCertificate',
  ],
  [
    'ocpp2.1',
    'TriggerMessage',
    { requestedMessage: 'SignV2G20Certificate' },
    ['SignCertificate'],
    'all certificate requests mean SignCertificate',
  ],
  [
    'ocpp2.0.1',
    'TriggerMessage',
    { requestedMessage: 'SignCertificateX' },
    ['SignCertificateX'],
    'a name that is not a certificate request',
  ],
  ['ocpp2.0.1', 'GetReport', { requestId: 1 }, ['NotifyReport'], 'B02.FR.02'],
  ['ocpp2.1', 'GetBaseReport', { requestId: 1 }, ['NotifyReport'], 'B02.FR.02'],
  ['ocpp2.0.1', 'GetMonitoringReport', { requestId: 1 }, [], 'not listed in B02.FR.02'],
  ['ocpp2.0.1', 'Reset', { type: 'Immediate' }, [], 'Reset triggers no message'],
]
for (const [version, command, payload, expected, because] of triggers) {
  test(`${version}: ${command} ${JSON.stringify(payload)} triggers [${expected.join()}]: ${because}`, () => {
    assert.deepEqual(versions[version].triggeredBy(command, payload), expected)
  })
}

const interval = { component: { name: 'OCPPCommCtrlr' }, variable: { name: 'HeartbeatInterval' } }
const other = { component: { name: 'OCPPCommCtrlr' }, variable: { name: 'WebSocketPingInterval' } }
const change = (key: unknown, value: unknown) => ({ key, value })
const set = (...data: readonly object[]) => ({ setVariableData: data })
const said = (...results: readonly object[]) => ({ setVariableResult: results })
const accepted = { attributeStatus: 'Accepted' }
type Fields = Record<string, unknown>
/** [version, the command, its answer, seconds, because] */
const intervals: readonly (readonly [Version, Fields, Fields, number | null, string])[] = [
  ['ocpp1.6', change('HeartbeatInterval', '300'), { status: 'Accepted' }, 300, 'accepted'],
  ['ocpp1.6', change('heartbeatinterval', ' 300 '), { status: 'Accepted' }, 300, 'a key is a CiString'],
  ['ocpp1.6', change('HeartbeatInterval', '300'), { status: 'Rejected' }, null, 'rejected'],
  ['ocpp1.6', change('HeartbeatInterval', '300'), { status: 'RebootRequired' }, null, 'not yet: its boot tells'],
  ['ocpp1.6', change('HeartbeatInterval', '300'), {}, null, 'no status'],
  ['ocpp1.6', change('HeartbeatInterval', '0'), { status: 'Accepted' }, null, 'no heartbeats at all'],
  ['ocpp1.6', change('HeartbeatInterval', '-1'), { status: 'Accepted' }, null, 'not a number of seconds'],
  ['ocpp1.6', change('HeartbeatInterval', 300), { status: 'Accepted' }, null, 'not a text'],
  ['ocpp1.6', change('WebSocketPingInterval', '300'), { status: 'Accepted' }, null, 'another key'],
  ['ocpp1.6', change(7, '300'), { status: 'Accepted' }, null, 'no key'],
  [
    'ocpp2.0.1',
    set({ ...other, attributeValue: '10' }, { ...interval, attributeValue: '300' }),
    said({ ...other, attributeStatus: 'Rejected' }, { ...interval, ...accepted }),
    300,
    'one of several',
  ],
  [
    'ocpp2.1',
    set({ component: { name: 'ocppcommctrlr' }, variable: { name: 'heartbeatinterval' }, attributeValue: '300' }),
    said({ ...interval, ...accepted, attributeType: 'Actual' }),
    300,
    'names are case-insensitive',
  ],
  [
    'ocpp2.0.1',
    set({ ...other, attributeValue: '10' }, { ...interval, attributeValue: '300' }),
    said({ ...other, ...accepted }, { ...interval, attributeStatus: 'Rejected' }),
    null,
    'only the other one is accepted',
  ],
  [
    'ocpp2.0.1',
    set({ ...interval, attributeType: 'Target', attributeValue: '300' }),
    said({ ...interval, ...accepted, attributeType: 'Target' }),
    null,
    'not the actual value',
  ],
  [
    'ocpp2.0.1',
    set({ ...interval, attributeValue: '300' }, { ...interval, attributeValue: '1' }),
    said({ ...interval, ...accepted }, { ...interval, attributeStatus: 'Rejected' }),
    300,
    'twice in one message: the first is accepted',
  ],
  ['ocpp2.0.1', set({ ...interval, attributeValue: '300' }), said(), null, 'no result'],
  [
    'ocpp2.0.1',
    set(
      { ...interval, component: { name: 'OCPPCommCtrlr', instance: 'x' }, attributeValue: '1' },
      { ...interval, attributeValue: '300' },
    ),
    said(
      { ...interval, ...accepted },
      { ...interval, component: { name: 'OCPPCommCtrlr', instance: 'x' }, attributeStatus: 'Rejected' },
    ),
    300,
    'the results are in another order',
  ],
  ['ocpp2.0.1', set(), said({ ...interval, ...accepted }), null, 'it was not asked for'],
  ['ocpp2.0.1', { setVariableData: 'x' }, { setVariableResult: [null] }, null, 'not of the schema'],
]
for (const [version, command, answer, expected, because] of intervals) {
  const { configurationCommand } = versions[version]
  test(`${version}: ${configurationCommand} ${JSON.stringify(command)} sets a heartbeat interval of ${expected ?? 'none'}: ${because}`, () => {
    assert.equal(versions[version].heartbeatInterval(command, answer), expected)
  })
}

const identities: readonly (readonly [Version, string, boolean, string])[] = [
  ['ocpp1.6', 'CP01', true, 'an ordinary identity'],
  ['ocpp1.6', 'x'.repeat(255), true, 'the limit is ours, 1.6 sets none'],
  ['ocpp1.6', 'x'.repeat(256), false, 'over the limit'],
  ['ocpp1.6', 'ü'.repeat(127), true, '254 bytes'],
  ['ocpp1.6', 'ü'.repeat(128), false, '256 bytes in 128 characters'],
  ['ocpp2.0.1', 'x'.repeat(48), true, 'identifierString[48]'],
  ['ocpp2.0.1', 'x'.repeat(49), false, 'over the limit'],
  ['ocpp2.1', 'x'.repeat(48), true, 'identifierString[48]'],
  ['ocpp2.1', 'x'.repeat(49), false, 'over the limit'],
]
for (const [version, identity, expected, because] of identities) {
  test(`${version}: an identity of ${identity.length} characters is ${expected ? 'accepted' : 'too long'}: ${because}`, () => {
    assert.equal(versions[version].isIdentity(identity), expected)
  })
}
