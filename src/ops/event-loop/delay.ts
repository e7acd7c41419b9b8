/**
 * How late the timers of this process fire: because of long work in one turn, or because the machine has no CPU for it.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Sample } from '../metric-table.ts'

/** A timer as short as this measures; Node counts its own interval as delay. In ms. */
const resolution = 20
const nanoseconds = 1e9
const quantiles = ['0.5', '0.99', '1'] as const

export interface EventLoopDelay {
  /** The delay since the last reading. */
  read(): Sample<'event_loop_delay_seconds'>[]
  close(): Promise<void>
}

/** Measures until it is closed. */
export function openEventLoopDelay(): EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution })
  histogram.enable()
  return {
    read: () => {
      const hasSamples = histogram.max > 0
      const samples = quantiles.map(quantile => {
        const intervalNs = hasSamples ? histogram.percentile(Number(quantile) * 100) : 0
        return [{ quantile }, Math.max(0, intervalNs / nanoseconds - resolution / 1000)] as const
      })
      histogram.reset()
      return samples
    },
    close: () => {
      histogram.disable()
      return Promise.resolve()
    },
  }
}
