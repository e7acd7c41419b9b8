/**
 * What a station is told when the app was silent: one row for each action that a station sends, by version.
 *
 * An empty confirmation is safe once the app has run the action. A row that decides something takes the answer that
 * gives no energy away and promises nothing; where every answer would be an invention, there is none (`null`) and the
 * station gets a CALLERROR, which it can retry.
 *
 * Pure: time comes in as an argument. Imports nothing outside `ocpp/`.
 * Spec: OCPP 1.6 edition 2 §4; "Improved security for OCPP 1.6-J" edition 3; OCPP 2.0.1 and 2.1 Part 2.
 */
import { emptyObject, jsonText, membersOf, parseObject, type JsonText } from './json.ts'

/** What an answer may be made from. */
export type Asked = {
  readonly payload: JsonText
  /** UTC, with milliseconds and `Z`. */
  readonly now: string
  readonly heartbeatIntervalSeconds: number
}

/**
 * - `local`: the bridge's own to answer, whatever the app does
 * - `empty`: a confirmation that decides nothing; `null` where there would be something to decide
 * - `decision`: the app's to make; this is the least harmful one
 */
export type SilentAnswer = {
  readonly kind: 'local' | 'empty' | 'decision'
  readonly answer: (asked: Asked) => JsonText | null
}

export type SilentAnswers = Readonly<Record<string, SilentAnswer>>

const empty: SilentAnswer = { kind: 'empty', answer: () => emptyObject }
const noAnswer: SilentAnswer = { kind: 'decision', answer: () => null }
const clock: SilentAnswer = { kind: 'local', answer: ({ now }) => jsonText({ currentTime: now }) }
const accepted: SilentAnswer = {
  kind: 'decision',
  answer: asked => bootAnswer('Accepted', asked.heartbeatIntervalSeconds, asked),
}
const decide = (payload: object): SilentAnswer => ({ kind: 'decision', answer: () => jsonText(payload) })

/** A BootNotification's answer; `intervalSeconds` is the heartbeat's if accepted, else the least wait for the next boot. */
export function bootAnswer(
  status: 'Accepted' | 'Pending' | 'Rejected',
  intervalSeconds: number,
  { now }: Asked,
): JsonText {
  return jsonText({ status, currentTime: now, interval: intervalSeconds })
}

/**
 * The app's answer with the fields filled in whose meaning leaves no choice: the clock, and the heartbeat interval.
 * AnyCable's channel class acks a boot with a status alone; a `nil` of Ruby counts as left out.
 */
export function completeAnswer(action: string, payload: JsonText, asked: Asked): JsonText {
  const fields = fillings[action]
  if (fields === undefined) return payload
  const members = membersOf(payload)
  const nils = Object.keys(fields).filter(name => members.get(name) === 'null')
  for (const name of nils) members.delete(name)
  const missing = Object.entries(fields).filter(([name]) => !members.has(name))
  if (missing.length === 0) return payload
  const given = nils.length === 0 ? payload.slice(payload.indexOf('{') + 1, payload.lastIndexOf('}')) : joined(members)
  const filled = joined(missing.map(([name, fill]) => [name, fill(asked)]))
  return `{${members.size === 0 ? '' : `${given},`}${filled}}` as JsonText
}

function joined(members: Iterable<readonly [string, JsonText]>): string {
  return Array.from(members, ([name, value]) => `${jsonText(name)}:${value}`).join(',')
}

/** Whether an action's answer has such fields at all. */
export function isCompletable(action: string): boolean {
  return Object.hasOwn(fillings, action)
}

const currentTime = ({ now }: Asked): JsonText => jsonText(now)
const fillings: Readonly<Record<string, Readonly<Record<string, (asked: Asked) => JsonText>>>> = {
  BootNotification: { currentTime, interval: asked => jsonText(asked.heartbeatIntervalSeconds) },
  Heartbeat: { currentTime },
}

export const answers16: SilentAnswers = {
  BootNotification: accepted,
  Heartbeat: clock,
  // `Accepted` would give energy away (§4.1).
  Authorize: decide({ idTagInfo: { status: 'Invalid' } }),
  // Only the app can own a transactionId: Stop and MeterValues quote it (§4.8).
  StartTransaction: noAnswer,
  StopTransaction: empty,
  MeterValues: empty,
  StatusNotification: empty,
  // The required answer where nothing is implemented for the vendor (§4.3).
  DataTransfer: decide({ status: 'UnknownVendorId' }),
  DiagnosticsStatusNotification: empty,
  FirmwareStatusNotification: empty,
  SecurityEventNotification: empty,
  LogStatusNotification: empty,
  SignedFirmwareStatusNotification: empty,
  // `Accepted` promises a CertificateSigned (security white paper A02.FR.12).
  SignCertificate: decide({ status: 'Rejected' }),
}

export const answers201: SilentAnswers = {
  BootNotification: accepted,
  Heartbeat: clock,
  // C01.FR.07; with certificates in the request an answer needs `certificateStatus` too (C07.FR.13 to 17).
  Authorize: { kind: 'decision', answer: ({ payload }) => authorizeAnswer(payload) },
  TransactionEvent: { kind: 'empty', answer: ({ payload }) => transactionEventAnswer(payload) },
  MeterValues: empty,
  StatusNotification: empty,
  NotifyEvent: empty,
  NotifyReport: empty,
  NotifyMonitoringReport: empty,
  NotifyChargingLimit: empty,
  ClearedChargingLimit: empty,
  NotifyCustomerInformation: empty,
  NotifyDisplayMessages: empty,
  ReportChargingProfiles: empty,
  ReservationStatusUpdate: empty,
  FirmwareStatusNotification: empty,
  PublishFirmwareStatusNotification: empty,
  LogStatusNotification: empty,
  SecurityEventNotification: empty,
  // P01.FR.05.
  DataTransfer: decide({ status: 'UnknownVendorId' }),
  // A02.FR.12.
  SignCertificate: decide({ status: 'Rejected' }),
  Get15118EVCertificate: decide({ status: 'Failed', exiResponse: '' }),
  // M06.FR.04.
  GetCertificateStatus: decide({ status: 'Failed' }),
  // K15.FR.04; `Accepted` promises a SetChargingProfile.
  NotifyEVChargingNeeds: decide({ status: 'Rejected' }),
  // K15.FR.11 and 12: `Rejected` would start a renegotiation; the station has checked the limits itself.
  NotifyEVChargingSchedule: decide({ status: 'Accepted' }),
}

export const answers21: SilentAnswers = {
  ...answers201,
  // `Rejected` now ends the transaction (K18.FR.22, K19.FR.15).
  NotifyEVChargingNeeds: decide({ status: 'NoChargingProfile' }),
  BatterySwap: empty,
  NotifyDERAlarm: empty,
  NotifyDERStartStop: empty,
  NotifyPriorityCharging: empty,
  ReportDERControl: empty,
  ClosePeriodicEventStream: empty,
  NotifySettlement: empty,
  // N11.FR.05: `Accepted` starts a stream that nobody reads.
  OpenPeriodicEventStream: decide({ status: 'Rejected' }),
  // K28.FR.07: `Accepted` has to hold the new limits.
  PullDynamicScheduleUpdate: decide({ status: 'Rejected' }),
  // Each answer would be a statement about somebody's certificate or VAT number (M07.FR.08, C18.FR.09).
  GetCertificateChainStatus: noAnswer,
  VatNumberValidation: noAnswer,
}

function authorizeAnswer(payload: JsonText): JsonText | null {
  const request = parseObject(payload)
  if ('certificate' in request || 'iso15118CertificateHashData' in request) return null
  return jsonText({ idTokenInfo: { status: 'Unknown' } })
}

/**
 * Without an `idToken` nothing is decided; with one, its status is mandatory (E01.FR.12, E02.FR.02, E03.FR.02,
 * C12.FR.03) and the app's to give, but for the type `NoAuthorization`, whose status is prescribed (C02.FR.02).
 */
function transactionEventAnswer(payload: JsonText): JsonText | null {
  const { idToken } = parseObject(payload)
  if (idToken === undefined || idToken === null) return emptyObject
  const type = parseObject(JSON.stringify(idToken))['type']
  return type === 'NoAuthorization' ? jsonText({ idTokenInfo: { status: 'Accepted' } }) : null
}
