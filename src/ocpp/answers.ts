/**
 * The bridge's answers for a silent app: one row per action that a station sends, by version, with the reason.
 * The table in `docs/protocol.md` is generated from these rows.
 *
 * An empty confirmation is safe once the app has run the action. A row that decides something has two answers: one that
 * gives no energy away and promises nothing, and one that accepts. Where any answer would be made up, there is none
 * (`null`), and the station gets a CALLERROR, which it can retry.
 *
 * Pure: time and ids come in as arguments. Imports nothing outside `ocpp/`.
 * Spec: OCPP 1.6 edition 2 §4; "Improved security for OCPP 1.6-J" edition 3; OCPP 2.0.1 and 2.1 Part 2.
 */
import { emptyObject, jsonText, membersOf, type JsonText } from './json.ts'
import { acceptedVatNumber, asksAboutCertificates, tokenOf } from './requests.ts'

/** The inputs of an answer. */
export type Asked = {
  readonly payload: JsonText
  /** UTC, with `Z`, with or without milliseconds. */
  readonly now: string
  readonly heartbeatIntervalSeconds: number
  /** Minted by the bridge for a silent app: positive, 31 bits (errata 2025-04 §3.54). `null` if none was minted. */
  readonly transactionId: number | null
}

type Answer = (asked: Asked) => JsonText | null

export type SilentAnswer = {
  /**
   * - `local`: the bridge always answers, whatever the app does
   * - `empty`: a confirmation that decides nothing; `safe` returns `null` for a request that needs a decision
   * - `default`: a decision that an app may leave to the bridge
   * - `decision`: only the app can decide
   */
  readonly kind: 'local' | 'empty' | 'default' | 'decision'
  /** The least harmful answer; `null` where any answer would be made up. */
  readonly safe: Answer
  /** The answer that accepts, or the safe one where accepting requires data that only the app has. */
  readonly anycable: Answer
  /** Whether the accepting answer contains a transaction id, which the app must receive beforehand. */
  readonly mintsTransactionId: boolean
  /** What the app's own Ack contains, for a hint to its developer; absent where `{}` is enough. */
  readonly ack?: string
  /** The reason, as shown in the table in `docs/protocol.md`. */
  readonly why: string
}

/**
 * The text of a CALLRESULT that refuses a card: `idTagInfo` (1.6) or `idTokenInfo` (2.x) with another status than
 * Accepted. Most answers are not parsed for it.
 */
export const cardRefusal = /^(?!.*"Accepted").*"idT(?:ag|oken)Info"/s

export type SilentAnswers = Readonly<Record<string, SilentAnswer>>

/** The answer to a BootNotification. `intervalSeconds`: if accepted, for heartbeats; otherwise, until the next boot. */
export function bootAnswer(
  status: 'Accepted' | 'Pending' | 'Rejected',
  intervalSeconds: number,
  { now }: Asked,
): JsonText {
  return jsonText({ status, currentTime: now, interval: intervalSeconds })
}

/**
 * Fills in the fields of the app's answer that the bridge knows: the current time and the heartbeat interval.
 * AnyCable's channel class acks a boot with a status alone. A `null` (Ruby's `nil`) counts as missing.
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

/** Whether `completeAnswer` may change the answer to an action. */
export function isCompletable(action: string): boolean {
  return Object.hasOwn(fillings, action)
}

const currentTime = ({ now }: Asked): JsonText => jsonText(now)
const fillings: Readonly<Record<string, Readonly<Record<string, (asked: Asked) => JsonText>>>> = {
  BootNotification: { currentTime, interval: asked => jsonText(asked.heartbeatIntervalSeconds) },
  Heartbeat: { currentTime },
}

const constant = (payload: object): Answer => {
  const text = jsonText(payload)
  return () => text
}
const status = (value: string): Answer => constant({ status: value })
const none: Answer = () => null

const row = (kind: SilentAnswer['kind'], why: string, safe: Answer, anycable = safe): SilentAnswer => {
  return { kind, safe, anycable, mintsTransactionId: false, why }
}

const empty = row('empty', 'decides nothing', () => emptyObject)
const boot = row('default', 'as AnyCable documents it; a silent app never fails a boot with a CALLERROR', asked =>
  bootAnswer('Accepted', asked.heartbeatIntervalSeconds, asked),
)
const heartbeat = row('local', 'the bridge answers with its own clock', ({ now }) => jsonText({ currentTime: now }))
const dataTransfer = row(
  'decision',
  'required if the vendor is not supported (1.6 §4.3, 2.x P01.FR.05)',
  status('UnknownVendorId'),
  status('Accepted'),
)
const signCertificate = row(
  'decision',
  '`Accepted` promises a CertificateSigned (A02.FR.12)',
  status('Rejected'),
  status('Accepted'),
)

export const answers16: SilentAnswers = {
  BootNotification: boot,
  Heartbeat: heartbeat,
  Authorize: row(
    'decision',
    '`Accepted` gives energy away (§4.1)',
    constant({ idTagInfo: { status: 'Invalid' } }),
    constant({ idTagInfo: { status: 'Accepted' } }),
  ),
  StartTransaction: {
    ...row(
      'decision',
      'Stop and MeterValues refer to the transaction id (§4.8): the app must assign it, or receive it as `transactionId` beside the payload',
      none,
      ({ transactionId }) =>
        transactionId === null ? null : jsonText({ idTagInfo: { status: 'Accepted' }, transactionId }),
    ),
    mintsTransactionId: true,
    ack: 'with transactionId and idTagInfo',
  },
  StopTransaction: row(
    'empty',
    'idTagInfo is optional, and the CSMS cannot prevent the stop (§4.10)',
    () => emptyObject,
  ),
  MeterValues: empty,
  StatusNotification: empty,
  DataTransfer: dataTransfer,
  DiagnosticsStatusNotification: empty,
  FirmwareStatusNotification: empty,
  SecurityEventNotification: empty,
  LogStatusNotification: empty,
  SignedFirmwareStatusNotification: empty,
  SignCertificate: signCertificate,
}

const acceptedToken = constant({ idTokenInfo: { status: 'Accepted' } })
const unknownToken = constant({ idTokenInfo: { status: 'Unknown' } })
const acceptedCertificates = constant({ idTokenInfo: { status: 'Accepted' }, certificateStatus: 'Accepted' })
const tokenAnswers = { none: empty.safe, prescribed: acceptedToken, open: none }

export const answers201: SilentAnswers = {
  BootNotification: boot,
  Heartbeat: heartbeat,
  Authorize: row(
    'decision',
    'a status is mandatory (C01.FR.07), also for certificates (C07.FR.13 to 17); `Accepted` gives energy away',
    asked => (asksAboutCertificates(asked.payload) ? null : unknownToken(asked)),
    asked => (asksAboutCertificates(asked.payload) ? acceptedCertificates(asked) : acceptedToken(asked)),
  ),
  TransactionEvent: {
    ...row(
      'empty',
      'the status of an idToken is mandatory, and only the app knows it (E01.FR.12, C12.FR.03), unless the spec prescribes it (C02.FR.02)',
      asked => tokenAnswers[tokenOf(asked.payload)](asked),
      asked => (tokenOf(asked.payload) === 'none' ? emptyObject : acceptedToken(asked)),
    ),
    ack: 'with idTokenInfo if the event has an idToken, else with an empty payload',
  },
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
  DataTransfer: dataTransfer,
  SignCertificate: signCertificate,
  Get15118EVCertificate: row(
    'decision',
    '`exiResponse` is required, and `Accepted` with an empty one would break the EV’s session',
    constant({ status: 'Failed', exiResponse: '' }),
  ),
  GetCertificateStatus: row('decision', '`Accepted` must include the `ocspResult` (M06.FR.04)', status('Failed')),
  NotifyEVChargingNeeds: row(
    'decision',
    '`Accepted` promises a SetChargingProfile (K15.FR.04)',
    status('Rejected'),
    status('Accepted'),
  ),
  NotifyEVChargingSchedule: row(
    'decision',
    '`Rejected` starts a renegotiation (K15.FR.11, 12); the station has already checked the limits',
    status('Accepted'),
  ),
}

export const answers21: SilentAnswers = {
  ...answers201,
  NotifyEVChargingNeeds: row(
    'decision',
    '`Accepted` promises a SetChargingProfile, `Rejected` ends the transaction (K18.FR.22, K19.FR.15)',
    status('NoChargingProfile'),
    status('Accepted'),
  ),
  BatterySwap: empty,
  NotifyDERAlarm: empty,
  NotifyDERStartStop: empty,
  NotifyPriorityCharging: empty,
  ReportDERControl: empty,
  ClosePeriodicEventStream: empty,
  NotifySettlement: row(
    'empty',
    'only the app can give a `receiptUrl`, if the CSMS issues the receipts (C21.FR.03)',
    () => emptyObject,
  ),
  OpenPeriodicEventStream: row(
    'decision',
    '`Accepted` starts a stream that the app may never read (N11.FR.05)',
    status('Rejected'),
    status('Accepted'),
  ),
  PullDynamicScheduleUpdate: row('decision', '`Accepted` must include the new limits (K28.FR.07)', status('Rejected')),
  GetCertificateChainStatus: row('decision', 'any answer would state the status of a certificate (M07.FR.08)', none),
  VatNumberValidation: row(
    'decision',
    'any answer would state the status of a VAT number (C18.FR.09)',
    none,
    ({ payload }) => acceptedVatNumber(payload),
  ),
}
