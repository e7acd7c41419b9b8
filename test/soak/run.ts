/**
 * `npm run soak`: stations come and go, and what they leave behind is printed and named.
 *
 *   --visits=100000     how many times
 */
import { parseArgs } from 'node:util'
import { countsOf, growthOf, leaksOf, megabytes } from './leaks.ts'
import { soak } from './soak.ts'

const { values } = parseArgs({ options: { visits: { type: 'string', default: '100000' } } })
const note = (text: string): boolean => process.stderr.write(`${text}\n`)
const startedAt = Date.now()

try {
  const report = await soak({ visits: Number(values.visits), note })
  const { start, warm, end, connects, calls, commands, identities, strayEnds } = report
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  note(`after the warm-up ${connects} connects, ${calls} calls, ${commands} commands; ${seconds} s in all`)
  const row = (name: string, ...values: readonly (number | string)[]): boolean =>
    note(name.padEnd(34) + values.map(value => String(value).padStart(12)).join(''))
  row('', 'start', 'warmed up', 'end')
  for (const name of countsOf(end).keys())
    row(name, ...[start, warm, end].map(reading => countsOf(reading).get(name) ?? 0))
  for (const name of Object.keys(end.entries))
    row(`entries of every ${name}`, ...[start, warm, end].map(({ entries }) => entries[name] ?? 0))
  for (const name of ['heap', 'resident'] as const)
    row(`${name} memory`, ...[start, warm, end].map(reading => megabytes(reading[name])))
  const leaks = [...leaksOf(start, end), ...growthOf(warm, end, identities)]
  if (strayEnds > 0) leaks.push(`ends of sessions that were not open: ${strayEnds}`)
  for (const leak of leaks) note(`LEAK  ${leak}`)
  note(leaks.length === 0 ? 'nothing is left behind' : `${leaks.length} numbers did not come back`)
  process.exitCode = leaks.length === 0 ? 0 : 1
} catch (error) {
  note(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
