/**
 * Transactions, as far as frames show them.
 *
 * Pure: no DOM. The fields are those of OCPP 1.6 §6.45 to §6.50 and of TransactionEvent in 2.0.1 and 2.1 (Part 2, E).
 */
import { payloadOf, type Entry } from './frames.ts'

export type Transaction = {
  /** `null` until a 1.6 start has its answer. */
  readonly id: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
  /** Of the latest message. */
  readonly seenAt: string
  /** Connector (1.6), or EVSE and connector. */
  readonly outlet: string
  /** In Wh; the difference of the meter between start and latest value. */
  readonly energyWh: number | null
  /** The meter at the first of them, in Wh. */
  readonly firstWh: number | null
  /** Messages about it. */
  readonly messages: number
  readonly reason: string | null
}

type Payload = Readonly<Record<string, unknown>>
type Draft = { -readonly [K in keyof Transaction]: Transaction[K] }

/** @param entries latest first, as `Timeline` has them */
export function transactionsIn(entries: readonly Entry[]): readonly Transaction[] {
  const drafts = new Map<string, Draft>()
  for (const entry of entries.toReversed()) {
    const payload = entry.first === null ? undefined : payloadOf(entry.first)
    if (entry.from !== 'station' || typeof payload !== 'object' || payload === null) continue
    const reader = entry.action === null ? undefined : readers[entry.action]
    reader?.(entry, payload as Payload, key => draftOf(drafts, key, entry.at))
  }
  return [...drafts.values()].reverse()
}

type Reader = (entry: Entry, payload: Payload, draft: (key: string) => Draft) => void

const readers: Readonly<Record<string, Reader>> = {
  StartTransaction: (entry, { connectorId, meterStart, timestamp }, draft) => {
    const answer = entry.answer === null ? undefined : payloadOf(entry.answer)
    const { transactionId } = ((typeof answer === 'object' ? answer : null) as Payload | null) ?? {}
    const id = isId(transactionId) ? String(transactionId) : null
    const started = draft(id ?? `start ${entry.key}`)
    started.id = id
    started.startedAt = textOr(timestamp, entry.at)
    started.outlet = isId(connectorId) ? `connector ${connectorId}` : ''
    measure(started, meterStart)
  },
  MeterValues: (_, { transactionId, connectorId, meterValue }, draft) => {
    if (!isId(transactionId)) return
    const metered = draft(String(transactionId))
    metered.id = String(transactionId)
    if (isId(connectorId)) metered.outlet = `connector ${connectorId}`
    measure(metered, energyIn(meterValue))
  },
  StopTransaction: (entry, { transactionId, meterStop, timestamp, reason }, draft) => {
    if (!isId(transactionId)) return
    const stopped = draft(String(transactionId))
    stopped.id = String(transactionId)
    stopped.endedAt = textOr(timestamp, entry.at)
    stopped.reason = typeof reason === 'string' ? reason : 'Local'
    measure(stopped, meterStop)
  },
  TransactionEvent: (entry, { eventType, transactionInfo, evse, meterValue, timestamp, triggerReason }, draft) => {
    const { transactionId, stoppedReason } = isRecord(transactionInfo) ? transactionInfo : ({} as Payload)
    if (!isId(transactionId)) return
    const seen = draft(String(transactionId))
    seen.id = String(transactionId)
    if (eventType === 'Started') seen.startedAt = textOr(timestamp, entry.at)
    if (eventType === 'Ended') {
      seen.endedAt = textOr(timestamp, entry.at)
      seen.reason = textOr(stoppedReason, textOr(triggerReason, ''))
    }
    if (isRecord(evse)) seen.outlet = outletOf(evse)
    measure(seen, energyIn(meterValue))
  },
}

function draftOf(drafts: Map<string, Draft>, key: string, at: string): Draft {
  const draft: Draft = drafts.get(key) ?? {
    id: null,
    startedAt: null,
    endedAt: null,
    seenAt: at,
    outlet: '',
    energyWh: null,
    messages: 0,
    reason: null,
    firstWh: null,
  }
  drafts.set(key, draft)
  draft.seenAt = at
  draft.messages++
  return draft
}

function measure(draft: Draft, wh: unknown): void {
  if (typeof wh !== 'number') return
  draft.firstWh ??= wh
  draft.energyWh = wh - draft.firstWh
}

/** The last value of the energy register among sampled values, in Wh. It is the measurand where none is named. */
function energyIn(meterValue: unknown): number | null {
  let energy: number | null = null
  for (const each of listOf(meterValue))
    for (const { measurand = register, phase, value, unit, unitOfMeasure } of listOf(each['sampledValue'])) {
      if (measurand !== register || phase !== undefined) continue
      const { unit: unit2, multiplier = 0 } = isRecord(unitOfMeasure) ? unitOfMeasure : ({} as Payload)
      const scale = (unit2 ?? unit ?? 'Wh') === 'kWh' ? 1000 : 1
      const read = Number(value) * scale * 10 ** Number(multiplier)
      if (Number.isFinite(read)) energy = read
    }
  return energy
}

const register = 'Energy.Active.Import.Register'

function outletOf({ id, connectorId }: Payload): string {
  const evse = isId(id) ? `EVSE ${id}` : ''
  return isId(connectorId) ? `${evse}, connector ${connectorId}` : evse
}

function listOf(value: unknown): readonly Payload[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

function isRecord(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isId(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}

function textOr(value: unknown, other: string): string {
  return typeof value === 'string' ? value : other
}
