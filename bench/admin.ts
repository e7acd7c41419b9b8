/**
 * `npm run bench:admin`: how long stations wait for their answers while the admin API is used at its worst, in turns
 * with the same stations while it is not used.
 *
 *   --quick      one short round: shows that it works, not how fast
 *   --bin=PATH   another build of the bridge: the path of its bin/ocpp-cable
 */
import { availableParallelism } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Task } from './admin-clients.ts'
import { openWorker } from './children.ts'
import { note, print } from './print.ts'
import { openApp, openFleet, openStormBridge } from './storm/site.ts'
import { markdownTable, percentile, ratio, spread } from './table.ts'

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean' }, bin: { type: 'string' } } })
const bin = flags.bin ?? fileURLToPath(new URL('../bin/ocpp-cable', import.meta.url))
const plan = flags.quick
  ? { rounds: 1, ms: 1_500, stations: 60, everyMs: 300 }
  : { rounds: 5, ms: 8_000, stations: 2_000, everyMs: 4_000 }
const tails = 20
const adminPort = 19_465

type Times = { readonly p50: number; readonly p99: number; readonly calls: number }

print(`${availableParallelism()} cores, Node.js ${process.version}, ${process.platform} ${process.arch}`)
const app = await openApp(0, null)
const bridge = await openStormBridge(bin, app, [`--admin_port=${adminPort}`])
const fleet = await openFleet({
  url: bridge.url,
  prefix: 'admin',
  stations: plan.stations,
  withinMs: plan.everyMs,
  every: { ms: plan.everyMs, calls: ['status', 'meterValues'] },
})
while ((await fleet.report()).attached < plan.stations) await setTimeout(200)
const clients = openWorker('./admin-clients.ts')
const ask = (task: Task): Promise<unknown> => clients.ask(task)

const [quiet, used]: [Times[], Times[]] = [[], []]
let pages = 0
for (let round = 0; round < plan.rounds; round++) {
  note(`round ${round + 1} of ${plan.rounds}`)
  quiet.push(await timesOfCalls())
  await ask({ kind: 'start', port: adminPort, tails })
  used.push(await timesOfCalls())
  pages += Number(await ask({ kind: 'stop' }))
}
for (const part of [clients, fleet, bridge.server]) await part.close()
await app.kill()

const names = ['not used', `${tails} streams that are not read, a list in a loop`]
const rows = [quiet, used].map((times, at) => [
  names[at] ?? '',
  spread(times.map(({ calls }) => (calls * 1000) / plan.ms)),
  spread(times.map(({ p50 }) => p50)),
  spread(times.map(({ p99 }) => p99)),
  ratio(
    times.map(({ p99 }) => p99),
    quiet.map(({ p99 }) => p99),
  ),
])
print(markdownTable(['admin API', 'calls/s', 'median, ms', 'p99, ms', 'ratio'], rows))
note(`pages of 500 stations listed: ${pages}`)

/** The times of the stations' calls for a while. Each call must be answered by a CALLRESULT. */
async function timesOfCalls(): Promise<Times> {
  await fleet.report()
  await setTimeout(plan.ms)
  const { answers } = await fleet.report()
  const failed = answers.filter(({ came }) => came !== 'result')
  if (failed.length > 0) throw new Error(`${failed.length} calls failed: ${failed[0]?.came}`)
  const times = answers.map(({ sentAt, endedAt }) => endedAt - sentAt)
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), calls: times.length }
}
