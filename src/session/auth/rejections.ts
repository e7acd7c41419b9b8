/**
 * Credentials that the app has rejected recently. A station that retries the same ones gets the same verdict without a
 * Connect; other ones go to the app at once.
 */
import { createHash } from 'node:crypto'
import type { Meter } from '../../ops/metrics.ts'
import { remember, type ClockAndMeter } from '../../ops/recent.ts'
import type { StationHandshake } from '../../translate/handshake.ts'
import type { Verdict } from './verdict.ts'

/** Until the app is asked again: the first time, and at most; doubled for each further rejection. */
const askAgainMs = { least: 5_000, most: 120_000 }
/** Rejections further apart than this do not add up. */
const forgottenAfterMs = 15 * 60_000
const maxRejections = 100_000

type Rejection = { readonly verdict: Verdict; readonly at: number; readonly until: number; readonly times: number }

export class Rejections {
  readonly #now: () => number
  readonly #meter: Meter
  readonly #rejections = new Map<string, Rejection>()

  constructor({ now, meter }: ClockAndMeter) {
    this.#now = now
    this.#meter = meter
  }

  /** The app's verdict, and for how long it stands; `null` if the app has to be asked. */
  find(handshake: StationHandshake): { readonly verdict: Verdict; readonly seconds: number } | null {
    const rejection = this.#rejections.get(digestOf(handshake))
    const leftMs = (rejection?.until ?? 0) - this.#now()
    return rejection === undefined || leftMs <= 0
      ? null
      : { verdict: rejection.verdict, seconds: Math.ceil(leftMs / 1000) }
  }

  /** @returns whether the app had not rejected the same before */
  add(handshake: StationHandshake, verdict: Verdict): boolean {
    const digest = digestOf(handshake)
    const at = this.#now()
    const before = this.#rejections.get(digest)
    const times = before !== undefined && at - before.at < forgottenAfterMs ? before.times + 1 : 1
    const waitMs = Math.min(askAgainMs.least * 2 ** (times - 1), askAgainMs.most)
    const memory = { limit: maxRejections, kind: 'rejections', meter: this.#meter } as const
    remember(this.#rejections, digest, { verdict, at, until: at + waitMs, times }, memory)
    return times === 1
  }

  delete(handshake: StationHandshake): void {
    this.#rejections.delete(digestOf(handshake))
  }
}

/**
 * Covers all that the app receives, the peer's address included: the app may decide by any of it. Also covers whether a
 * header was withheld, because the hint in the log depends on it.
 */
function digestOf({ env: { url, headers }, withheld }: StationHandshake): string {
  return createHash('sha256')
    .update(JSON.stringify([url, headers, withheld === true]))
    .digest('base64')
}
