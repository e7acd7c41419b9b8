/**
 * `npm run fleet`: how many stations this machine's limits let one bridge hold, and what each takes.
 *
 *   npm run fleet -- 10000     connects and boots so many, keeps them idle for a while, and has each call once
 */
import { availableParallelism } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openServer, openWorker } from './children.ts'
import { groupOf } from './group.ts'
import { cpuSeconds, openFilesLimit, residentKilobytes } from './measure.ts'
import { fail, note, print } from './print.ts'
import { openBridge } from './subjects.ts'

const { positionals } = parseArgs({ allowPositionals: true })
const stations = Number(positionals[0] ?? 10_000)
/** Connected at a time; each part must end within the time limit of a task. */
const part = 2_500
/** Long enough for each to be pinged (`ocpp_ping_interval`). */
const idleMs = 40_000
const others = 100

if (process.platform !== 'linux') fail('Memory is read from /proc: this needs Linux.')
if (openFilesLimit() < stations + others) fail(`${openFilesLimit()} open files are allowed (ulimit -Hn): too few.`)

const bin = fileURLToPath(new URL('../bin/ocpp-cable', import.meta.url))
const app = await openServer('./stub-app.ts')
const subject = await openBridge({ name: 'ocpp-cable', bin }, app)
const load = openWorker('./load.ts')
const group = groupOf(subject, load, 'fleet')
const { pid } = subject.server
const empty = residentKilobytes(pid)
print(`${availableParallelism()} cores, Node.js ${process.version}, ${openFilesLimit()} open files`)

const startedAt = performance.now()
for (let open = 0; open < stations; open += part) {
  await group.open(Math.min(part, stations - open))
  note(`${Math.min(stations, open + part)} stations`)
}
const seconds = (performance.now() - startedAt) / 1000
print(`${stations} stations connected and booted in ${seconds.toFixed(1)} s (${Math.round(stations / seconds)}/s)`)

const cpuBefore = cpuSeconds(pid)
await setTimeout(idleMs)
const cpuShare = (100 * (cpuSeconds(pid) - cpuBefore)) / (idleMs / 1000)
const grown = residentKilobytes(pid) - empty
print(`idle: ${cpuShare.toFixed(1)} % of a core, ${Math.round((empty + grown) / 1024)} MiB resident`)
print(`a station: ${(grown / stations).toFixed(1)} kB resident`)
await group.call('heartbeat', 1)
print(`all ${stations} are still connected, and were answered`)
for (const child of [load, subject.server, app]) await child.close()
process.exit(0)
