/**
 * `npm run bench`: one run, three tables. Everything it compares is measured in this run, in turns, round by round.
 *
 *   --quick        one short round with few stations: shows that it works, not how fast
 *   --anycable     AnyCable's own server too; installs the gem anycable-thruster into a cache folder if need be
 *   --also=PATH    a second build of the bridge, to compare: the path of its bin/ocpp-cable
 */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findThrust } from './anycable.ts'
import { measureMemory } from './memory.ts'
import { measureOptions } from './options.ts'
import { fail, note, print } from './print.ts'
import { measureSpeed } from './speed.ts'

const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean' }, anycable: { type: 'boolean' }, also: { type: 'string' } },
})
const isQuick = flags.quick ?? false
const latestMs = 10 * 60_000

const bin = fileURLToPath(new URL('../bin/ocpp-cable', import.meta.url))
if (process.platform !== 'linux') fail('CPU time and memory are read from /proc: this needs Linux.')
if (!existsSync(fileURLToPath(new URL('../dist/main.js', import.meta.url))))
  fail('dist/ is missing: run `npm run build` first.')

setTimeout(() => fail(`Not finished after ${latestMs / 60_000} minutes.`), latestMs).unref()

print(`${availableParallelism()} cores, Node.js ${process.version}, ${process.platform} ${process.arch}`)
const subjects = {
  bridges: [
    { name: 'ocpp-cable', bin },
    ...(flags.also === undefined ? [] : [{ name: 'the other build', bin: flags.also }]),
  ],
  thrust: flags.anycable === true ? findThrust() : null,
}

const speed = isQuick
  ? { rounds: 1, stations: [2, 4], window: { warmUpMs: 50, ms: 300 } }
  : { rounds: 5, stations: [10, 28, 100], window: { warmUpMs: 200, ms: 800 } }
print(await measureSpeed(subjects, speed, note))

const options = isQuick
  ? { rounds: 1, stations: [2], window: { warmUpMs: 50, ms: 150 } }
  : { rounds: 7, stations: [28], window: { warmUpMs: 100, ms: 500 } }
print(await measureOptions(bin, options, note))

const memory = isQuick
  ? { rounds: 1, warmUp: 10, stations: 20, calls: 5, settleMs: 200 }
  : { rounds: 3, warmUp: 250, stations: 1_000, calls: 40, settleMs: 2_000 }
const compressing = { bin, flags: ['--ocpp_compression=on'], compression: 'agreed' } as const
const bridges = [
  ...subjects.bridges,
  { name: 'ocpp-cable, stations compress', ...compressing },
  { name: 'ocpp-cable, both compress', ...compressing, firstCall: 'longData' },
] as const
print(await measureMemory({ ...subjects, bridges }, memory, note))
process.exit(0)
