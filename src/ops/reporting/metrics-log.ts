/**
 * The metrics as one line of the log for each interval, a field each, with AnyCable's names. A counter with labels is
 * the sum of its series; a gauge with labels has no sum, and is left out.
 */
import type { Log } from '../log.ts'
import { table, type Row } from '../metric-table.ts'
import type { Report } from './intervals.ts'

const fields = new Set(Object.entries<Row<'gauge' | 'counter' | 'histogram'>>(table).flatMap(fieldsOf))

/** @param filter the only fields to log; empty for all */
export function metricsLog(filter: readonly string[], intervalMs: number, log: Pick<Log, 'info' | 'warn'>): Report {
  const unknown = filter.filter(name => !fields.has(name))
  // AnyCable has some that mean nothing here, such as `goroutines_num`.
  if (unknown.length > 0) log.warn({ unknown }, 'metrics_log_filter names metrics that are not logged')
  const chosen = filter.length === 0 ? fields : new Set(filter)
  log.info({}, `Log metrics every ${intervalMs / 1000}s`)
  return {
    send: readings => {
      const sums: Record<string, number> = {}
      for (const { name, value } of readings)
        if (fields.has(name) && chosen.has(name)) sums[name] = (sums[name] ?? 0) + value
      log.info(Object.fromEntries(Object.entries(sums).sort()), 'metrics')
      return Promise.resolve()
    },
    close: () => undefined,
  }
}

function fieldsOf([name, { type, labels }]: readonly [string, Row<'gauge' | 'counter' | 'histogram'>]): string[] {
  if (type === 'histogram') return [`${name}_count`, `${name}_sum`]
  return type === 'gauge' && Object.keys(labels).length > 0 ? [] : [name]
}
