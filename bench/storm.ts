/**
 * `npm run bench:storm`: a fleet that comes all at once, and an app that goes away under one. Ends after some two
 * minutes.
 *
 *   --quick       few stations and short windows: shows that it works, not how it does
 *   --gem         boots at the app of examples/rails, too, with the real gem; installs Ruby and gems if need be
 *   --bin=PATH    another build of the bridge: the path of its bin/ocpp-cable
 */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fail, note, print } from './print.ts'
import { measureBootStorm, openGemApp, openPacedApp } from './storm/boot.ts'
import { measureRestart } from './storm/restart.ts'

const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean' }, gem: { type: 'boolean' }, bin: { type: 'string' } },
})
const bin = flags.bin ?? fileURLToPath(new URL('../bin/ocpp-cable', import.meta.url))
const latestMs = 8 * 60_000

if (process.platform !== 'linux') fail('Memory and sockets are read from /proc: this needs Linux.')
if (!existsSync(fileURLToPath(new URL('../dist/main.js', import.meta.url))))
  fail('dist/ is missing: run `npm run build` first.')
setTimeout(() => fail(`Not finished after ${latestMs / 60_000} minutes.`), latestMs).unref()

print(`${availableParallelism()} cores, Node.js ${process.version}, ${process.platform} ${process.arch}`)
const boots = flags.quick
  ? { stations: 60, withinMs: 200, connected: 10, calmMs: 1_500, windowMs: 3_500 }
  : { stations: 5_000, withinMs: 1_000, connected: 100, calmMs: 12_000, windowMs: 75_000 }
const paced = await openPacedApp(flags.quick ? 50 : 200)
for (const table of await measureBootStorm(bin, paced, boots, note)) print(table)
if (flags.gem) for (const table of await measureBootStorm(bin, await openGemApp(), boots, note)) print(table)

const restart = flags.quick
  ? { stations: 100, everyMs: 1_000, callsPerSecond: 400, awayMs: 1_000, windowMs: 3_000 }
  : { stations: 5_000, everyMs: 20_000, callsPerSecond: 1_000, awayMs: 5_000, windowMs: 22_000 }
for (const table of await measureRestart(bin, restart, note)) print(table)
process.exit(0)
