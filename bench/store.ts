/**
 * `npm run bench:store`: what it costs to keep a message, in turns, round by round. Durable appends to the outbox, so
 * many at a time, beside a file that is written and synced for each message; what a bridge with a `state_dir` costs
 * while the app is up; how a full outbox drains beside live traffic.
 *
 *   --quick      one short round: shows that it works, not how fast
 *   --dir=PATH   a directory on the disk to measure; by default the system's one for temporary files
 */
import { open } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { outboxOf } from '../src/store/outbox.ts'
import { openStore } from '../src/store/store.ts'
import { note, print } from './print.ts'
import { costTable, drainTable, type Plan } from './state-dir.ts'
import { inDirectory, messageOf, payload, thread } from './stored.ts'
import { markdownTable, percentile, ratio, spread } from './table.ts'

type Round = { readonly perSecond: number; readonly p99Ms: number }
/** Writes the message with that number; resolves when it is on the disk. */
type Append = (number: number) => Promise<unknown>
type Contender = { readonly name: string; readonly atOnce: number; run(dir: string, ms: number): Promise<Round> }

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean' }, dir: { type: 'string' } } })
const plan: Plan = {
  ...(flags.quick
    ? { rounds: 1, ms: 500, messages: 200, stations: 20 }
    : { rounds: 5, ms: 2_000, messages: 10_000, stations: 500 }),
  dir: flags.dir,
}

/** Appends for a while, so many at a time. */
async function measure(atOnce: number, ms: number, append: Append): Promise<Round> {
  const times: number[] = []
  const until = performance.now() + ms
  let number = 0
  const loop = async (): Promise<void> => {
    for (let at = performance.now(); at < until; at = performance.now()) {
      await append(number++)
      times.push(performance.now() - at)
    }
  }
  const from = performance.now()
  await Promise.all(Array.from({ length: atOnce }, loop))
  const perSecond = (times.length * 1_000) / (performance.now() - from)
  return { perSecond, p99Ms: percentile(times, 0.99) }
}

const file: Contender = {
  name: 'a file, synced for each message',
  atOnce: 1,
  run: async (dir, ms) => {
    const handle = await open(path.join(dir, 'plain'), 'a')
    const round = await measure(1, ms, async () => {
      await handle.write(payload)
      await handle.datasync()
    })
    await handle.close()
    return round
  },
}

const outbox = (atOnce: number): Contender => ({
  name: 'the outbox',
  atOnce,
  run: async (dir, ms) => {
    const store = await openStore(dir, thread)
    const kept = outboxOf(store, Infinity)
    const round = await measure(atOnce, ms, number => kept.append(messageOf(number)))
    await store.close()
    return round
  },
})

print(`${availableParallelism()} cores, Node.js ${process.version}, ${process.platform} ${process.arch}`)
const contenders = [file, outbox(1), outbox(10), outbox(100), outbox(1_000)]
const rounds = new Map<Contender, Round[]>(contenders.map(contender => [contender, []]))
for (let round = 0; round < plan.rounds; round++) {
  note(`round ${round + 1} of ${plan.rounds}`)
  for (const contender of contenders) {
    rounds.get(contender)?.push(await inDirectory(flags.dir, dir => contender.run(dir, plan.ms)))
    await setTimeout(plan.ms / 10)
  }
}
const speedOf = (contender: Contender): number[] => (rounds.get(contender) ?? []).map(({ perSecond }) => perSecond)
const rows = contenders.map(contender => [
  contender.name,
  String(contender.atOnce),
  spread(speedOf(contender)),
  ratio(speedOf(contender), speedOf(file)),
  spread((rounds.get(contender) ?? []).map(({ p99Ms }) => p99Ms)),
])
print(markdownTable(['500 bytes, on the disk', 'at a time', 'a second', 'ratio', 'p99, ms'], rows))
note('what state_dir costs')
print(await costTable(plan))
note('how the outbox drains')
print(await drainTable(plan))
