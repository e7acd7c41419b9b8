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

export type VersionRow = {
  /** As options and logs write it. */
  readonly number: string
  /** Whether an identity is short enough; which characters it may hold is not checked, for the field has all kinds. */
  isIdentity(stationId: string): boolean
  /** 2.1 adds CALLRESULTERROR and SEND. */
  readonly messageTypes: readonly number[]
  /** How a broken frame is answered, if at all. */
  readonly faults: FaultCodes
  spell(code: ErrorCode): string
  /** Each action that a station may CALL, and what it is told when the app is silent. */
  readonly silentAnswers: SilentAnswers
  /** The actions that come as a SEND, which is never answered. */
  readonly sends: ReadonlySet<string>
  /** Each action that the app may ask of a station. */
  readonly toStation: ReadonlySet<string>
  /** Messages that cost money when they are lost: kept by the station, and sent again, until they are confirmed. */
  readonly transactionMessages: ReadonlySet<string>
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
  messageTypes: [2, 3, 4],
  faults: quiet,
  spell: code => errorCodes[code].in16,
  silentAnswers: answers16,
  sends: new Set(),
  toStation: toStation16,
  transactionMessages: new Set(['StartTransaction', 'StopTransaction', 'MeterValues']),
  refusedWhilePending: new Set(['RemoteStartTransaction', 'RemoteStopTransaction']),
  triggeredBy: requestedMessage,
  serialNumber: boot => firstText(boot, ['meterSerialNumber', 'chargePointSerialNumber', 'chargeBoxSerialNumber']),
}

const row201: VersionRow = {
  number: '2.0.1',
  // Part 4 §3.1.1.
  isIdentity: stationId => stationId.length <= 48,
  messageTypes: [2, 3, 4],
  faults: spoken,
  spell: code => code,
  silentAnswers: answers201,
  sends: new Set(),
  toStation: toStation201,
  transactionMessages: new Set(['TransactionEvent', 'MeterValues']),
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
    faults: spokenButTypes,
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

/** TriggerMessage may name a thing that is no action of that name: certificates are asked for by several names. */
function requestedMessage(command: string, payload: Readonly<Record<string, unknown>>): readonly string[] {
  if (command !== 'TriggerMessage' && command !== 'ExtendedTriggerMessage') return []
  const requested = payload['requestedMessage']
  if (typeof requested !== 'string') return []
  return /^Sign\w*Certificate$/.test(requested) ? ['SignCertificate'] : [requested]
}

function firstText(fields: Readonly<Record<string, unknown>>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string' && value.trim() !== '') return value
  }
  return null
}
