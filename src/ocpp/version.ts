/**
 * What differs between the versions of OCPP-J: one row a version, and nowhere else an `if` on one.
 *
 * Pure: imports nothing outside `ocpp/`.
 */
import { toStation16, toStation201, toStation21 } from './actions.ts'
import { answers16, answers201, answers21, type SilentAnswer, type SilentAnswers } from './answers.ts'
import { errorCodes, type ErrorCode } from './errors.ts'
import { quiet, spoken, spokenButTypes, type FaultCodes } from './faults.ts'
import { isObject } from './json.ts'
import { reports2x, type ReportRows } from './reports.ts'
import { violationCodes16, violationCodes2, type ViolationCodes } from './violations.ts'

/** A version's official schemas (part 3), as the package `ocpp-rpc` has them. */
export type SchemaSet = {
  /** Without `.json`. */
  readonly file: string
  /** What follows the action in the name of a request's schema; a SEND's has neither. */
  readonly request: string
  readonly response: string
}

export type VersionRow = {
  /** As options and logs write it. */
  readonly number: string
  /** Whether an identity is short enough; which characters it may hold is not checked, for the field has all kinds. */
  isIdentity(stationId: string): boolean
  /** Whether a CSMS has to offer permessage-deflate: a SHALL of 2.0.1 Part 4 §3.3 and 2.1 Part 4 §3.4. */
  readonly compresses: boolean
  /** 2.1 adds CALLRESULTERROR and SEND. */
  readonly messageTypes: readonly number[]
  /** Whether a CALLRESULT may be answered, with a CALLRESULTERROR: in all other versions no answer is. */
  readonly answersResults: boolean
  /** How a broken frame is answered, if at all. */
  readonly faults: FaultCodes
  spell(code: ErrorCode): string
  readonly schemas: SchemaSet
  /** How a payload that breaks its schema is answered. */
  readonly violations: ViolationCodes
  /** Each action that a station may CALL, and what it is told when the app is silent. */
  readonly silentAnswers: SilentAnswers
  /** The actions that come as a SEND, which is never answered. */
  readonly sends: ReadonlySet<string>
  /** Each action that the app may ask of a station. */
  readonly toStation: ReadonlySet<string>
  /** Messages that cost money when they are lost: kept by the station, and sent again, until they are confirmed. */
  readonly transactionMessages: ReadonlySet<string>
  /** What a station reports in parts. */
  readonly reports: ReportRows
  /** Commands that are refused while the boot is Pending; the others may go out (OCPP 1.6 §4.2, 2.0.1 B02). */
  readonly refusedWhilePending: ReadonlySet<string>
  /** The actions that a command asks the station to send, and which may then pass while the boot is Pending. */
  triggeredBy(command: string, payload: Readonly<Record<string, unknown>>): readonly string[]
  /** The serial number in a BootNotification's payload, by which AnyCable's channel knows the station. */
  serialNumber(boot: Readonly<Record<string, unknown>>): string | null
}

const row16: VersionRow = {
  number: '1.6',
  // 1.6 sets no limit; this one is ours.
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
  transactionMessages: new Set(['StartTransaction', 'StopTransaction', 'MeterValues']),
  reports: new Map(),
  refusedWhilePending: new Set(['RemoteStartTransaction', 'RemoteStopTransaction']),
  triggeredBy: requestedMessage,
  serialNumber: boot => firstText(boot, ['meterSerialNumber', 'chargePointSerialNumber', 'chargeBoxSerialNumber']),
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
  transactionMessages: new Set(['TransactionEvent', 'MeterValues']),
  reports: reports2x,
  // A station answers RequestStart and RequestStop with Rejected by itself (B02.FR.05).
  refusedWhilePending: new Set(),
  // B02.FR.02.
  triggeredBy: (command, payload) =>
    command === 'GetReport' || command === 'GetBaseReport' ? ['NotifyReport'] : requestedMessage(command, payload),
  serialNumber: boot =>
    isObject(boot['chargingStation']) ? firstText(boot['chargingStation'], ['serialNumber']) : null,
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

/** A version by its WebSocket subprotocol's registered name. */
export type Version = keyof typeof versions

/** The version of a subprotocol's name, however a station capitalises it. */
export function versionOf(subprotocol: string): Version | null {
  const name = subprotocol.toLowerCase()
  return name in versions && Object.hasOwn(versions, name) ? (name as Version) : null
}

/** How a version answers an action for a silent app; `null` for one that no station sends. */
export function silentAnswerFor(row: VersionRow, action: string): SilentAnswer | null {
  return Object.hasOwn(row.silentAnswers, action) ? (row.silentAnswers[action] ?? null) : null
}

/** Whether a station of this version may CALL an action. */
export function isFromStation(row: VersionRow, action: string): boolean {
  return Object.hasOwn(row.silentAnswers, action)
}

/** TriggerMessage may name a thing that is no action of that name: certificates are asked for by several names. */
function requestedMessage(command: string, payload: Readonly<Record<string, unknown>>): readonly string[] {
  if (command !== 'TriggerMessage' && command !== 'ExtendedTriggerMessage') return []
  const requested = payload['requestedMessage']
  if (typeof requested !== 'string') return []
  return /^Sign\w*Certificate$/.test(requested) ? ['SignCertificate'] : [requested]
}

/** Far beyond any version's schema; it goes to the app with each call. */
const maxSerialNumberLength = 255

function firstText(fields: Readonly<Record<string, unknown>>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string' && value.trim() !== '' && value.length <= maxSerialNumberLength) return value
  }
  return null
}
