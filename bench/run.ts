/**
 * `npm run bench`: one run, a table for each question of docs/benchmarks.md. Everything that a table compares is
 * measured in this run, in turns, round by round.
 *
 *   --quick        one short round with few stations: shows that it works, not how fast
 *   --anycable     AnyCable's own server too; installs the gem anycable-thruster into a cache folder if need be
 *   --also=PATH    a second build of the bridge, to compare: the path of its bin/ocpp-cable
 *   --write        also writes the tables and their plots into docs/benchmarks.md
 */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeAnswers, type Answer } from './answer.ts'
import { findThrust } from './anycable.ts'
import { openFilesLimit } from './measure.ts'
import { fail, note, print } from './print.ts'
import { measureBroadcasts } from './questions/broadcast.ts'
import { measureHalfLoad } from './questions/half-load.ts'
import { measureMemory } from './questions/memory.ts'
import { measureOptions } from './questions/options.ts'
import { measureSpeed } from './questions/speed.ts'

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    anycable: { type: 'boolean', default: false },
    also: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})

const quick = {
  speed: { rounds: 1, stations: [2, 4], window: { warmUpMs: 50, ms: 300 } },
  options: { rounds: 1, stations: 2, window: { warmUpMs: 50, ms: 150 } },
  memory: { rounds: 1, warmUp: 10, calls: 5, stations: [20], settleMs: 200 },
  broadcast: { rounds: 1, stations: 4, rate: { perSecond: 100, warmUpMs: 50, ms: 300 } },
  halfLoad: { rounds: 1, stations: 4, window: { warmUpMs: 50, ms: 200 }, rate: { warmUpMs: 50, ms: 300 } },
}
const whole: typeof quick = {
  speed: { rounds: 5, stations: [10, 28, 100, 1_000], window: { warmUpMs: 200, ms: 800 } },
  options: { rounds: 5, stations: 28, window: { warmUpMs: 100, ms: 500 } },
  memory: { rounds: 5, warmUp: 250, calls: 40, stations: [1_000, 8_000], settleMs: 1_000 },
  broadcast: { rounds: 5, stations: 100, rate: { perSecond: 500, warmUpMs: 500, ms: 3_000 } },
  halfLoad: { rounds: 5, stations: 100, window: { warmUpMs: 200, ms: 800 }, rate: { warmUpMs: 500, ms: 3_000 } },
}
const plan = flags.quick ? quick : whole
const latestMs = 30 * 60_000
/** Of a process with stations: what it has open besides. */
const otherFiles = 200

const bin = fileURLToPath(new URL('../bin/ocpp-cable', import.meta.url))
if (process.platform !== 'linux') fail('CPU time and memory are read from /proc: this needs Linux.')
if (!existsSync(fileURLToPath(new URL('../dist/main.js', import.meta.url))))
  fail('dist/ is missing: run `npm run build` first.')
const files = Math.max(...plan.memory.stations) + plan.memory.warmUp + otherFiles
if (openFilesLimit() < files)
  fail(`A process may have ${openFilesLimit()} open files: raise \`ulimit -Hn\` to ${files}.`)

setTimeout(() => fail(`Not finished after ${latestMs / 60_000} minutes.`), latestMs).unref()

const cores = `${availableParallelism()} cores, Node.js ${process.version}, ${process.platform} ${process.arch}`
const machine = flags.quick ? `${cores}; one short round, which measures nothing` : cores
print(machine)
const subjects = {
  bridges: [
    { name: 'ocpp-cable', bin },
    ...(flags.also === undefined ? [] : [{ name: 'the other build', bin: flags.also }]),
  ],
  thrust: flags.anycable ? findThrust() : null,
}

const answers: Answer[] = []
const keep = (answer: Answer): void => {
  print(answer.table)
  answers.push(answer)
}
keep(await measureSpeed(subjects, plan.speed, note))
keep(await measureHalfLoad(subjects, plan.halfLoad, note))
keep(await measureBroadcasts(subjects, plan.broadcast, note))
keep(await measureMemory(subjects, plan.memory, note))
keep(await measureOptions(bin, plan.options, note))
if (flags.write) writeAnswers(machine, answers)
process.exit(0)
