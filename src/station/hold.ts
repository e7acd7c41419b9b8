/**
 * Transaction messages are held while the app cannot take them, as long as the station can be expected to wait; then
 * the station gets a CALLERROR and keeps the message itself (OCPP 1.6 §3.7.1, OCPP 2.0.1 Part 2 E13).
 */
import { RpcError } from '../cable/rpc.ts'
import { idKey, type Call } from '../ocpp/frame.ts'
import type { StationId } from '../translate/handshake.ts'
import { contentOf } from './content.ts'
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

/** For how long a message that may have reached the app is remembered, and how many of them at most. */
const doubt = { lifeMs: 15 * 60_000, entries: 10_000 }

type Doubt = { readonly content: string; readonly tries: number; readonly at: number }

/** Holds messages in memory: they end with the process, and their stations send them again. */
export class MemoryHold implements Hold {
  readonly #now: () => number
  /** Messages that may have reached the app and have no answer of it, by station and id; the oldest first. */
  readonly #doubts = new Map<string, Doubt>()

  /** @param now as `Date` counts */
  constructor(now: () => number) {
    this.#now = now
  }

  put(stationId: StationId, call: Call): Promise<HeldMessage> {
    const key = `${stationId} ${idKey(call.id)}`
    // Looked up with the first try: one on an older connection may be under way until then.
    let tries: number | null = null
    return Promise.resolve({
      attempt: async run => {
        const before = (tries ??= this.#triesOf(key, call))
        try {
          const reply = await run(before + 1)
          tries = before + 1
          return reply
        } catch (error) {
          if (!(error instanceof RpcError) || error.outcome !== 'notRun') tries = before + 1
          throw error
        }
      },
      settle: isAnswered => {
        if (isAnswered || tries !== null) this.#doubts.delete(key)
        if (!isAnswered && tries !== null && tries > 0)
          this.#remember(key, { content: contentOf(call), tries, at: this.#now() })
        return Promise.resolve()
      },
    })
  }

  #triesOf(key: string, call: Call): number {
    const known = this.#doubts.get(key)
    if (known === undefined || this.#now() - known.at >= doubt.lifeMs) return 0
    return known.content === contentOf(call) ? known.tries : 0
  }

  #remember(key: string, known: Doubt): void {
    this.#doubts.set(key, known)
    const [oldest] = this.#doubts.keys()
    if (this.#doubts.size > doubt.entries && oldest !== undefined) this.#doubts.delete(oldest)
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
