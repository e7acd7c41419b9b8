/**
 * Transaction messages are held while the app cannot take them, as long as the station can be expected to wait; then
 * the station gets a CALLERROR and keeps the message itself (OCPP 1.6 §3.7.1, OCPP 2.0.1 Part 2 E13).
 */
import { RpcError } from '../cable/rpc.ts'

/** How long a station waits for an answer at least; 30 s is common, and no text sets a number. */
export const holdMs = 20_000
const pauseMs = 500

export type Attempts = {
  /** Until when to try again, in the clock of `now`. */
  readonly until: number
  readonly now: () => number
  /** Ends the waiting: the station is gone, or the bridge is. */
  readonly signal: AbortSignal
}

/**
 * Runs a perform until the app has it.
 *
 * `attempt` counts the runs that may have reached the app: from 2 on, the app has to look whether it knows the message.
 * An app that ran it and raised is not asked again.
 */
export async function performHeld<Reply>(
  perform: (attempt: number) => Promise<Reply>,
  { until, now, signal }: Attempts,
): Promise<Reply> {
  for (let attempt = 1; ;) {
    try {
      return await perform(attempt)
    } catch (error) {
      const isOver = signal.aborted || now() + pauseMs >= until
      if (isOver || !(error instanceof RpcError) || error.code === 'application' || error.code === 'aborted')
        throw error
      if (error.outcome === 'unknown') attempt++
    }
    await pause(signal)
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, pauseMs)
    signal.addEventListener('abort', end, { once: true })
  })
}
