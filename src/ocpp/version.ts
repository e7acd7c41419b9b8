/**
 * The differences between OCPP-J versions, one row per version. No other code branches on a version.
 *
 * Pure: imports nothing outside `ocpp/`.
 */
import { toStation16, toStation201, toStation21 } from './actions.ts'
import { answers16, answers201, answers21, type SilentAnswer, type SilentAnswers } from './answers.ts'
import { errorCodes, type ErrorCode } from './errors.ts'
import { quiet, spoken, spokenButTypes, type FaultCodes } from './faults.ts'
import { identities16, identities2x, type Identity } from './identity.ts'
import { isObject, jsonText, type JsonText } from './json.ts'
import { keyComponents, keys16, keys2x, keyVariable, type KeyRules } from './settings/keys.ts'
import { reports2x, type ReportRows } from './reports.ts'
import { firstSerialNumber } from './serial-numbers.ts'
import { essenceOf, isName, records, setIn, variablesIn } from './settings/variables.ts'
import { violationCodes16, violationCodes2, type ViolationCodes } from './violations.ts'

/** The official schemas of a version (part 3), in the package `ocpp-rpc`. */
export type SchemaSet = {
  /** The file name without `.json`. */
  readonly file: string
  /** The suffix of the action in the name of a request schema. The schema of a SEND has no suffix. */
  readonly request: string
  readonly response: string
}

type Payload = Readonly<Record<string, unknown>>

export type VersionRow = {
  /** As written in options and logs. */
  readonly number: string
  /** Checks the length of an identity only; stations in the field use all kinds of characters. */
  isIdentity(stationId: string): boolean
  /** Whether a CSMS must support permessage-deflate: a SHALL of 2.0.1 Part 4 §3.3 and 2.1 Part 4 §3.4. */
  readonly compresses: boolean
  /** 2.1 adds CALLRESULTERROR and SEND. */
  readonly messageTypes: readonly number[]
  /** Whether a CALLRESULT may be answered with a CALLRESULTERROR. */
  readonly answersResults: boolean
  /** The error code that answers each kind of malformed frame, if it is answered. */
  readonly faults: FaultCodes
  spell(code: ErrorCode): string
  readonly schemas: SchemaSet
  /** The error code that answers each kind of schema violation. */
  readonly violations: ViolationCodes
  /** Each action that a station may CALL, with the answer for a silent app. */
  readonly silentAnswers: SilentAnswers
  /** The actions that arrive as a SEND, which is never answered. */
  readonly sends: ReadonlySet<string>
  /** Each action that the app may send to a station. */
  readonly toStation: ReadonlySet<string>
  /**
   * Messages whose loss costs money, and what identifies each: the station stores and retries each one until it is
   * confirmed.
   */
  readonly transactionMessages: ReadonlyMap<string, Identity>
  /** The messages that carry the energy of a whole transaction. */
  readonly energyMessages: ReadonlySet<string>
  /** The multi-part reports. */
  readonly reports: ReportRows
  /** Commands refused while the boot is Pending; others may be sent (OCPP 1.6 §4.2, 2.0.1 B02). */
  readonly refusedWhilePending: ReadonlySet<string>
  /** The actions that a command triggers, which may then pass while the boot is Pending. */
  triggeredBy(command: string, payload: Payload): readonly string[]
  /** The command that changes configuration values. */
  readonly configurationCommand: string
  /** The heartbeat interval, in seconds, that this command sets; `null` if the answer accepts none. */
  heartbeatInterval(command: Payload, answer: Payload): number | null
  /** Whether a key for HTTP Basic is configured as the hexadecimal digits of its bytes. */
  readonly configuresHexKeys: boolean
  readonly keys: KeyRules
  /** The parts of `configurationCommand` that its answer is compared with here: keys and heartbeat interval. */
  essence(command: Payload): Payload
  /** The serial number in a BootNotification, which AnyCable's channel uses as the station's name. */
  serialNumber(boot: Payload): string | null
  /** The serial numbers of the station itself in a BootNotification; its meter has another. */
  ownSerialNumbers(boot: Payload): readonly unknown[]
  /** The command that finds out the serial number of a station that reconnects without a boot. */
  readonly serialNumberQuery: SerialNumberQuery
}

type SerialNumberQuery = {
  readonly action: string
  readonly payload: JsonText
  /** Whether it asks for another boot, and so needs `ocpp_trigger_boot`. */
  readonly triggersBoot: boolean
  /** The serial number in the station's answer. */
  serialNumber(answer: Payload): string | null
}

const row16: VersionRow = {
  number: '1.6',
  // The limit is ours; 1.6 sets none.
  isIdentity: stationId => new TextEncoder().encode(stationId).length <= 255,
  compresses: false,
  messageTypes: [2, 3, 4],
  answersResults: false,
  faults: quiet,
  spell: code => errorCodes[code].in16,
  schemas: { file: 'ocpp1_6', request: '.req', response: '.conf' },
  violations: violationCodes16,
  silentAnswers: answers16,
  sends: new Set(),
  toStation: toStation16,
  transactionMessages: identities16,
  energyMessages: new Set(['StopTransaction']),
  reports: new Map(),
  refusedWhilePending: new Set(['RemoteStartTransaction', 'RemoteStopTransaction']),
  triggeredBy: requestedMessage,
  configurationCommand: 'ChangeConfiguration',
  heartbeatInterval: ({ key, value }, { status }) =>
    status === 'Accepted' && isName(key, 'HeartbeatInterval') ? secondsOf(value) : null,
  configuresHexKeys: true,
  keys: keys16,
  essence: ({ key, value }) => ({ key, value }),
  serialNumber: boot =>
    firstSerialNumber(boot, ['meterSerialNumber', 'chargePointSerialNumber', 'chargeBoxSerialNumber']),
  ownSerialNumbers: ({ chargePointSerialNumber, chargeBoxSerialNumber }) => [
    chargePointSerialNumber,
    chargeBoxSerialNumber,
  ],
  // Only a boot tells it. After an accepted one, errata 2025-04 §3.40 forbids the trigger.
  serialNumberQuery: {
    action: 'TriggerMessage',
    payload: jsonText({ requestedMessage: 'BootNotification' }),
    triggersBoot: true,
    serialNumber: () => null,
  },
}

const row201: VersionRow = {
  number: '2.0.1',
  // Part 4 §3.1.1.
  isIdentity: stationId => stationId.length <= 48,
  compresses: true,
  messageTypes: [2, 3, 4],
  answersResults: false,
  faults: spoken,
  spell: code => code,
  schemas: { file: 'ocpp2_0_1', request: '.req', response: '.conf' },
  violations: violationCodes2,
  silentAnswers: answers201,
  sends: new Set(),
  toStation: toStation201,
  transactionMessages: identities2x,
  energyMessages: new Set(['TransactionEvent']),
  reports: reports2x,
  // The station itself answers RequestStart and RequestStop with Rejected (B02.FR.05).
  refusedWhilePending: new Set(),
  // B02.FR.02.
  triggeredBy: (command, payload) =>
    command === 'GetReport' || command === 'GetBaseReport' ? ['NotifyReport'] : requestedMessage(command, payload),
  configurationCommand: 'SetVariables',
  heartbeatInterval: ({ setVariableData }, { setVariableResult }) => {
    const set = setIn(setVariableData, setVariableResult, ['OCPPCommCtrlr'], 'HeartbeatInterval')
    return secondsOf(set.findLast(({ status }) => status === 'Accepted')?.data['attributeValue'])
  },
  configuresHexKeys: false,
  keys: keys2x,
  essence: ({ setVariableData }) => ({
    setVariableData: [
      ...variablesIn(setVariableData, ['OCPPCommCtrlr'], 'HeartbeatInterval'),
      ...variablesIn(setVariableData, keyComponents, keyVariable),
    ].map(essenceOf),
  }),
  serialNumber: boot =>
    isObject(boot['chargingStation']) ? firstSerialNumber(boot['chargingStation'], ['serialNumber']) : null,
  ownSerialNumbers: ({ chargingStation }) => (isObject(chargingStation) ? [chargingStation['serialNumber']] : []),
  // B06. A station that was accepted rejects the trigger of a boot (F06.FR.17).
  serialNumberQuery: {
    action: 'GetVariables',
    payload: jsonText({
      getVariableData: [{ component: { name: 'ChargingStation' }, variable: { name: 'SerialNumber' } }],
    }),
    triggersBoot: false,
    serialNumber: ({ getVariableResult }) => {
      const result = records(getVariableResult).find(({ attributeStatus }) => attributeStatus === 'Accepted')
      return result === undefined ? null : firstSerialNumber(result, ['attributeValue'])
    },
  },
}

export const versions = {
  'ocpp1.6': row16,
  'ocpp2.0.1': row201,
  'ocpp2.1': {
    ...row201,
    number: '2.1',
    messageTypes: [2, 3, 4, 5, 6],
    answersResults: true,
    faults: spokenButTypes,
    schemas: { file: 'ocpp2_1', request: 'Request', response: 'Response' },
    silentAnswers: answers21,
    sends: new Set(['NotifyPeriodicEventStream']),
    toStation: toStation21,
  },
} as const satisfies Record<string, VersionRow>

/** A version, by the registered name of its WebSocket subprotocol. */
export type Version = keyof typeof versions

/** The version of a subprotocol name, compared case-insensitively. */
export function versionOf(subprotocol: string): Version | null {
  const name = subprotocol.toLowerCase()
  return name in versions && Object.hasOwn(versions, name) ? (name as Version) : null
}

/** The answer to an action for a silent app; `null` for an action that stations do not send. */
export function silentAnswerFor(row: VersionRow, action: string): SilentAnswer | null {
  return Object.hasOwn(row.silentAnswers, action) ? (row.silentAnswers[action] ?? null) : null
}

/** Whether a station of this version may CALL an action. */
export function isFromStation(row: VersionRow, action: string): boolean {
  return Object.hasOwn(row.silentAnswers, action)
}

/** The action named in a TriggerMessage. Several names for certificates all mean SignCertificate. */
function requestedMessage(command: string, payload: Payload): readonly string[] {
  if (command !== 'TriggerMessage' && command !== 'ExtendedTriggerMessage') return []
  const requested = payload['requestedMessage']
  if (typeof requested !== 'string') return []
  return /^Sign\w*Certificate$/.test(requested) ? ['SignCertificate'] : [requested]
}

/** A positive number of seconds, as configuration values are spelled. */
function secondsOf(value: unknown): number | null {
  const seconds = typeof value === 'string' && /^\s*\d{1,9}\s*$/.test(value) ? Number(value) : 0
  return seconds > 0 ? seconds : null
}
