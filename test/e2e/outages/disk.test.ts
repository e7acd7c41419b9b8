/**
 * What the messages do not need fails: the disk is full, or NATS is gone, while the app is away.
 */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openNats } from '../../support/nats.ts'
import { mountOf } from '../../support/store.ts'
import { appIsAway, assertOutcome, chargeAgain, openSite, stationsAt, warmUp, type Kind } from './site.ts'

const all: readonly Kind[] = ['KEEPING-1.6', 'COUNTING-1.6', 'KEEPING-2.0.1', 'COUNTING-2.0.1']
const within = { timeout: 180_000 }
const outageMs = 10_000

// Without state_dir there is no disk: that side of the row is the one of an app that is away.
test(
  'the ledgers of all stations are booked when the disk is full and the app is away, with state_dir',
  within,
  async t => {
    const dir = await mountOf(t, 1024)
    if (dir === null) return
    const site = await openSite(t, { sides: ['with state_dir'], dir })
    const [side] = site.sides
    assert.ok(side)
    const stations = stationsAt(t, side, all)
    await warmUp(stations)
    const ballast = path.join(dir, 'ballast')
    assert.throws(() => writeFileSync(ballast, 'x'.repeat(2 * 1024 * 1024)), /ENOSPC/)
    await appIsAway(site)
    await side.bridge.logged(/state_dir failed/)
    await sleep(outageMs)
    const confirmed = stations.filter(({ ends }) => ends.length === 0)
    assert.deepEqual(confirmed, [], 'the connection of each is closed: nothing is confirmed that is not on the disk')
    rmSync(ballast)
    await site.app.start()
    await assertOutcome(site, side, stations, { repeats: 'marked' })
  },
)

test('the ledgers of all stations are booked when NATS is gone and the app is away', within, async t => {
  const nats = await openNats()
  t.after(() => nats.close())
  const site = await openSite(t, { flags: [`--nats_servers=${nats.url}`] })
  const bySide = site.sides.map(side => ({ side, stations: stationsAt(t, side, all) }))
  const stations = bySide.flatMap(each => each.stations)
  await warmUp(stations)
  await nats.kill()
  for (const { bridge } of site.sides) await bridge.logged(/no broadcasts from NATS/)
  await chargeAgain(stations)
  assert.deepEqual(stations.flatMap(({ ends }) => ends), [], 'NATS alone closes no connection') // prettier-ignore
  await appIsAway(site)
  await sleep(outageMs)
  await site.app.start()
  await Promise.all(stations.map(station => station.settle()))
  for (const { side, stations: own } of bySide) await assertOutcome(site, side, own, { repeats: 'marked' })
})
