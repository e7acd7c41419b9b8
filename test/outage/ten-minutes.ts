/**
 * `npm run outage`: the app is away for ten real minutes. Afterwards the ledgers of all stations are booked, without
 * `state_dir` and with it. `fleet/long-outage` has the same on the virtual clock, and an hour.
 */
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { appIsAway, assertOutcome, openSite, stationsAt, warmUp } from '../e2e/outages/site.ts'

const outageMs = 10 * 60_000
const kinds = ['KEEPING-1.6', 'COUNTING-1.6', 'KEEPING-2.0.1', 'COUNTING-2.0.1', 'IMPATIENT-1.6'] as const

test('the ledgers of all stations are booked when the app is away for ten minutes', async t => {
  const site = await openSite(t)
  const bySide = site.sides.map(side => ({ side, stations: stationsAt(t, side, kinds) }))
  const stations = bySide.flatMap(each => each.stations)
  await warmUp(stations)
  await appIsAway(site)
  await sleep(outageMs)
  await site.app.start()
  await warmUp(stations)
  for (const { side, stations: those } of bySide)
    await assertOutcome(site, side, those, { repeats: 'marked', stores: side.dir !== null })
})
