/**
 * Transaction messages are held while the app cannot take them, as long as the station can be expected to wait; then
 * the station gets a CALLERROR and keeps the message itself (OCPP 1.6 §3.7.1, OCPP 2.0.1 Part 2 E13).
 */
import { RpcError } from '../cable/rpc.ts'
import type { Hold, HeldMessage } from './ports.ts'

/** How long a station waits for an answer at least; 30 s is common, and no text sets a number. */
export const holdMs = 20_000
const pauseMs = 500

export type Attempts = {
  /** Until when to try again, in the clock of `now`. */
  readonly until: number
  readonly now: () => number
  /** Ends the waiting: the station is gone, or the bridge is. */
  readonly signal: AbortSignal
  /** The message has its answer meanwhile. */
  readonly isNeedless: () => boolean
}

/** Holds messages in memory: they end with the process, and their stations send them again. */
export class MemoryHold implements Hold {
  #size = 0

  /** How many messages are held, each of another station. */
  get size(): number {
    return this.#size
  }

  put(): Promise<HeldMessage> {
    this.#size++
    let attempts = 1
    return Promise.resolve({
      attempt: async run => {
        try {
          return await run(attempts)
        } catch (error) {
          if (error instanceof RpcError && error.outcome === 'unknown') attempts++
          throw error
        }
      },
      settle: () => {
        this.#size--
        return Promise.resolve()
      },
    })
  }
}

/** Runs a message's way to the app again until the app has it; an app that ran it and raised is not asked again. */
export async function held<Reply>(
  run: () => Promise<Reply>,
  { until, now, signal, isNeedless }: Attempts,
): Promise<Reply> {
  for (;;) {
    try {
      return await run()
    } catch (error) {
      const isOver = signal.aborted || isNeedless() || now() + pauseMs >= until
      if (isOver || !(error instanceof RpcError) || error.code === 'application' || error.code === 'aborted')
        throw error
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
