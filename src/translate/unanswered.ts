/**
 * What becomes of a transaction message that the bridge cannot have performed: one row for each CALLERROR of the
 * bridge's own that could meet it. OCPP has a station keep the message after a CALLERROR (OCPP 1.6 errata 2025-04 §3.3,
 * OCPP 2.0.1 Part 2 E13), but stations in the field drop it; all of them keep it when the connection closes.
 *
 * Pure: no I/O, no clock.
 */
import type { RpcError } from '../cable/rpc.ts'

type Remedy = {
  /** How often the connection is closed over one message before the message gets the CALLERROR after all. */
  readonly closes: number
  /** Until when the station waits outside (503): until the app has replied to any call, or has accepted any station. */
  readonly waitsOutside: 'untilReply' | 'untilAccepted' | false
  readonly because: string
}

/**
 * Stations that count each send as an attempt often discard a message after three (1.6 `TransactionMessageAttempts`).
 */
const triesOfBadMessage = 3

/** The connection is closed. */
export const closedOver = {
  away: {
    closes: Infinity,
    waitsOutside: 'untilReply',
    because: 'the app is unreachable, the message is not the reason',
  },
  timeout: {
    closes: Infinity,
    waitsOutside: 'untilReply',
    because: 'the app hangs or is slow, and may have run the message',
  },
  queue: { closes: Infinity, waitsOutside: 'untilReply', because: 'the app has too much to do' },
  ended: { closes: Infinity, waitsOutside: false, because: 'the bridge stops, or the connection has ended' },
  raised: {
    closes: triesOfBadMessage,
    waitsOutside: false,
    because: 'a deploy may mend the action; one bad message must not hold up the others for ever',
  },
  refused: {
    closes: triesOfBadMessage,
    waitsOutside: false,
    because: 'as `raised`: a `rescue_from` that catches the error looks the same',
  },
  behind: {
    closes: triesOfBadMessage,
    waitsOutside: false,
    because: 'an earlier message of its transaction is stored, and the app raises on it: it must not overtake that one',
  },
  unattached: {
    closes: Infinity,
    waitsOutside: 'untilAccepted',
    because: 'Connect or subscribe raised, which has nothing to do with the message, and may last until a deploy',
  },
  unauthorized: {
    closes: Infinity,
    waitsOutside: false,
    because: 'the connection is closed with 1008 anyway, and the app may accept the station later',
  },
  unready: { closes: Infinity, waitsOutside: 'untilReply', because: 'the app failed, and the bridge put off the boot' },
} as const satisfies Record<string, Remedy>

/** Why a transaction message cannot be performed. */
export type Cause = keyof typeof closedOver

/** The message gets the CALLERROR, because the next connection would make no difference. */
export const answeredWithError = {
  unaccepted: 'the app put off or rejected the boot: SecurityError is due (B01.FR.10, B02.FR.09, B03.FR.07)',
  silent: 'the app ran the message; what is missing is an answer that only the app can give',
  malformed: 'the message has no payload to perform',
} as const satisfies Record<string, string>

/** @param isAttached whether the app had accepted the connection, so that the error is the action's own */
export function causeOf({ code, outcome }: RpcError, isAttached: boolean): Cause {
  switch (code) {
    case 'unavailable':
      return 'away'
    case 'exhausted':
      return 'queue'
    case 'timeout':
      return outcome === 'notRun' ? 'queue' : 'timeout'
    case 'blocked':
      return 'behind'
    case 'application':
      return isAttached ? 'raised' : 'unattached'
    case 'aborted':
      return 'ended'
  }
}
