/**
 * `npm run hour`: no call is lost or doubled, and memory does not grow (from 4 minutes on), at full load while the real
 * gem's server closes its connections. Prints a line a minute and what is wrong at the end.
 *
 *   --minutes=60          how long
 *   --stations=56         each has one call open
 *   --connection-age=300  the age at which the gem's server closes a connection, in seconds; 300 is the gem's default
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { median } from '../../bench/table.ts'
import { runHour, type Reading } from './hour.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    stations: { type: 'string', default: '56' },
    'connection-age': { type: 'string', default: '300' },
  },
})
const minutes = Number(values.minutes)
const connectionAge = Number(values['connection-age'])
const minuteMs = 60_000
/** The last quarter of the run may have so much more resident memory than the second one. */
const growth = 1.1
/** A run of fewer minutes does not show whether memory grows: each quarter needs a reading. */
const leastMinutes = 4

const readings: Reading[] = []
const note = (text: string): boolean => process.stdout.write(`${text}\n`)
note('minute     calls   lost doubled GOAWAYs connections RSS, MB')
const report = await runHour({
  stations: Number(values.stations),
  connectionAge,
  next: () => sleep(minuteMs),
  read: reading => {
    readings.push(reading)
    const { calls, lost, doubled, goaways, connections, residentMegabytes } = reading
    const cells = [readings.length, calls, lost, doubled, goaways, connections, residentMegabytes.toFixed(1)]
    const widths = [6, 9, 6, 7, 7, 11, 7]
    note(cells.map((cell, at) => String(cell).padStart(widths[at] ?? 0)).join(' '))
    return readings.length < minutes
  },
})

const isLong = readings.length >= leastMinutes
const quarter = Math.ceil(readings.length / 4)
const residentOf = (part: readonly Reading[]): number => median(part.map(({ residentMegabytes }) => residentMegabytes))
const early = residentOf(readings.slice(quarter, 2 * quarter))
const late = residentOf(readings.slice(-quarter))
const { calls, lost, doubled, goaways, retries, statuses, failures } = report
note(`${calls} calls answered, ${lost} lost, ${doubled} doubled, ${failures.length} failed, ${retries} RPCs made again`)
for (const [status, count] of Object.entries(statuses)) note(`${count} RPCs failed with ${status}`)
const memory = `RSS, median: ${early.toFixed(1)} MB in the second quarter, ${late.toFixed(1)} in the last`
note(`${goaways} GOAWAYs; ${isLong ? memory : `less than ${leastMinutes} minutes do not show whether memory grows`}`)
const expected = Math.floor((minutes * minuteMs) / 1000 / connectionAge) - 1
const wrong = [
  ...failures,
  ...(lost > 0 ? ['calls are lost'] : []),
  ...(doubled > 0 ? ['calls are doubled'] : []),
  ...(isLong && late > early * growth ? ['memory grows'] : []),
  ...(goaways < expected ? [`fewer than ${expected} GOAWAYs`] : []),
]
for (const what of wrong) note(`WRONG  ${what}`)
note(wrong.length === 0 ? 'nothing is wrong' : `${wrong.length} things are wrong`)
process.exitCode = wrong.length === 0 ? 0 : 1
