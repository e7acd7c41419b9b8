/**
 * OCPP 1.6 in plain words, for readers who do not know its frames. Pure.
 */
import type { Payload } from './station.ts'

type Words = {
  readonly asks: (payload: Payload) => string
  readonly answers: (answer: Payload) => string
}

/** Formats an energy in Wh. */
export function kWh(wh: unknown): string {
  return `${(Number(wh) / 1000).toFixed(2)} kWh`
}

const words: Readonly<Record<string, Words>> = {
  BootNotification: {
    asks: p =>
      `I was switched on: a "${text(p['chargePointModel'])}" by ${text(p['chargePointVendor'])}, serial number ${text(p['chargePointSerialNumber'])}.`,
    answers: a =>
      `${text(a['status'])}. It is ${text(a['currentTime'])}; send a heartbeat every ${text(a['interval'])} s.`,
  },
  StatusNotification: {
    asks: p => `Connector ${text(p['connectorId'])} is ${text(p['status'])} (${text(p['errorCode'])}).`,
    answers: () => 'Noted.',
  },
  Heartbeat: {
    asks: () => 'I am still here.',
    answers: a => `It is ${text(a['currentTime'])}.`,
  },
  Authorize: {
    asks: p => `A driver presents the card ${text(p['idTag'])}. May it charge?`,
    answers: a => `${cardStatus(a)}.`,
  },
  StartTransaction: {
    asks: p =>
      `Connector ${text(p['connectorId'])} starts for ${text(p['idTag'])}. The meter reads ${kWh(p['meterStart'])}.`,
    answers: a => `${cardStatus(a)}. This is transaction ${text(a['transactionId'])}.`,
  },
  MeterValues: {
    asks: p => `Transaction ${text(p['transactionId'])}: the meter reads ${kWh(readingWh(p))}.`,
    answers: () => 'Noted.',
  },
  StopTransaction: {
    asks: p =>
      `Transaction ${text(p['transactionId'])} has stopped (${text(p['reason'])}). The meter reads ${kWh(p['meterStop'])}.`,
    answers: () => 'Noted.',
  },
  RemoteStartTransaction: {
    asks: p => `Please start for the card ${text(p['idTag'])}.`,
    answers: a => `${text(a['status'])}.`,
  },
  RemoteStopTransaction: {
    asks: p => `Please stop transaction ${text(p['transactionId'])}.`,
    answers: a => `${text(a['status'])}.`,
  },
  TriggerMessage: {
    asks: p => `Please send me your ${text(p['requestedMessage'])}.`,
    answers: a => `${text(a['status'])}.`,
  },
}

export function asking(action: string, payload: Payload): string {
  return words[action]?.asks(payload) ?? `${action}?`
}

/** @param answer `null` if the station does not know the command */
export function answering(action: string, answer: Payload | null): string {
  if (answer === null) return `I cannot do ${action}.`
  return words[action]?.answers(answer) ?? JSON.stringify(answer)
}

/** The energy register in a MeterValues. */
export function readingWh({ meterValue }: Payload): number {
  const [value] = meterValue as { sampledValue: { value: string }[] }[]
  return Number(value?.sampledValue[0]?.value)
}

export function cardStatus({ idTagInfo }: Payload): string {
  return text((idTagInfo as Payload | undefined)?.['status'])
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '(nothing)'
}
