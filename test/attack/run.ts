/**
 * `npm run attack`: each attack beside healthy stations, whose calls are measured in a quiet phase before it and during it.
 * Exits with 1 if an attack misses the goal.
 *
 *   --only=TEXT        the attacks whose name contains it
 *   --seconds=15       how long each goes on
 *   --stations=200     beside it
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { keepUntil, type Keep } from '../support/keep.ts'
import { attacks, type Attack } from './attacks.ts'
import { openSite, type Site } from './site.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '15' },
    stations: { type: 'string', default: '200' },
  },
})
const attackMs = Number(values.seconds) * 1000
const quietMs = 5_000
/** For connections that the bridge gives a time limit of their own, and garbage. */
const settleMs = 45_000
const print = (...cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`)
const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

async function measure(site: Site, attack: Attack): Promise<boolean> {
  const before = await site.holdings()
  const rssBefore = site.resident()
  const quiet = await site.watchQuiet(quietMs)
  let peak = 0
  const sampling = setInterval(() => (peak = Math.max(peak, site.resident())), 100)
  // Without the time in which the attackers' process starts, which takes a core.
  const [during, ends] = await Promise.all([
    sleep(1_000).then(() => site.watch(attackMs)),
    site.attack(attack, attackMs, 1),
  ])
  clearInterval(sampling)
  const open = site.bridge.process.pid === undefined ? 0 : await site.holdings()
  await site.settled(before.files, settleMs)
  await sleep(1_000)
  const after = await site.holdings()
  const isMet =
    during.errors === 0 &&
    during.p99 <= Math.max(2 * quiet.p99, 10) &&
    after.files <= before.files &&
    after.memory < before.memory + 32 * 2 ** 20
  print(
    attack.name,
    quiet.p99.toFixed(1),
    during.p99.toFixed(1),
    `${during.errors} of ${during.calls}`,
    `${mebibytes(rssBefore)} / ${mebibytes(peak)} / ${mebibytes(site.resident())}`,
    `${before.files} / ${open === 0 ? '' : open.files} / ${after.files}`,
    Object.entries(ends)
      .map(([end, count]) => `${end}: ${count}`)
      .join(', '),
    isMet ? 'met' : 'MISSED',
  )
  return isMet
}

async function runAll(keep: Keep, isTls: boolean): Promise<boolean> {
  const chosen = attacks.filter(({ name, isTls: needs = false }) => needs === isTls && name.includes(values.only))
  if (chosen.length === 0) return true
  const site = await openSite(keep, { stations: Number(values.stations), isTls })
  let areMet = true
  for (const attack of chosen) areMet = (await measure(site, attack)) && areMet
  return areMet
}

print(
  'attack',
  'quiet p99, ms',
  'p99 during',
  'errors',
  'RSS before / peak / after, MiB',
  'open files',
  'how its connections ended',
  'goal',
)
print(...Array.from({ length: 8 }, () => '---'))
for (const isTls of [false, true]) {
  let close: () => Promise<void> = () => Promise.resolve()
  try {
    if (
      !(await runAll(
        keepUntil(end => (close = end)),
        isTls,
      ))
    )
      process.exitCode = 1
  } finally {
    await close()
  }
}
process.exit()
