/**
 * The metrics of each interval, for the log and StatsD: gauges as they are, counters by how much they grew, as AnyCable
 * has them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Gauges } from '../metric-table.ts'
import type { Metrics, Reading } from '../metrics.ts'
import type { Opened } from '../http/server.ts'

export interface Report {
  /** Takes the readings of one interval. Never rejects. */
  send(readings: readonly Reading[]): Promise<void>
  close(): void
}

/** How long the last report may take when the program ends, in ms. */
const lastMs = 1_000

/**
 * Reports every `intervalMs`, and the rest at the end; then closes the reports. A gauge that is gone is 0 once: StatsD
 * keeps the last value.
 */
export function openIntervals(
  intervalMs: number,
  metrics: Pick<Metrics, 'readings'>,
  gauges: Gauges,
  reports: readonly Report[],
): Opened {
  const before = new Map<string, number>()
  let shown = new Map<string, Reading>()
  const report = async (): Promise<void> => {
    const readings = metrics.readings(gauges).map(reading => grown(reading, before))
    const current = new Map(readings.filter(({ type }) => type === 'gauge').map(gauge => [keyOf(gauge), gauge]))
    for (const [key, gauge] of shown) if (!current.has(key)) readings.push({ ...gauge, value: 0 })
    shown = current
    await Promise.all(reports.map(each => each.send(readings)))
  }
  const timer = setInterval(() => void report(), intervalMs).unref()
  const last = async (): Promise<void> => {
    clearInterval(timer)
    await Promise.race([report(), sleep(lastMs, undefined, { ref: false })])
    for (const each of reports) each.close()
  }
  let closing: Promise<void> | null = null
  return { close: () => (closing ??= last()) }
}

/** @param before the last value of each counter; gets the new one */
function grown(reading: Reading, before: Map<string, number>): Reading {
  if (reading.type === 'gauge') return { ...reading, value: rounded(reading.value) }
  const key = keyOf(reading)
  const since = before.get(key) ?? 0
  before.set(key, reading.value)
  return { ...reading, value: rounded(reading.value - since) }
}

function keyOf({ name, labels }: Reading): string {
  return [name, ...Object.values(labels)].join('\n')
}

/** To a millionth: a sum of seconds has no exponent and no noise of floating point. */
function rounded(value: number): number {
  return Number(value.toFixed(6))
}
