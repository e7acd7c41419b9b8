/**
 * The short form of `npm run attack`: the attacks for some seconds each, beside stations that must not lose a call. Counts
 * only; how long calls take is measured by the long form.
 */
import assert from 'node:assert/strict'
import { describe, test, before, after } from 'node:test'
import { keepUntil } from '../support/keep.ts'
import { attacks } from './attacks.ts'
import { dialStation, Ends } from './connections.ts'
import { openSite, type Holdings, type Site } from './site.ts'

const within = { timeout: 120_000, skip: process.platform !== 'linux' && 'open files are read from /proc' }
/** For garbage that is not collected at once, and code that is compiled meanwhile. */
const spareMemory = 32 * 2 ** 20

describe('stations beside an attack lose no call', within, () => {
  let site: Site
  let start: Holdings
  const keep = keepUntil(after)

  before(async () => {
    site = await openSite(keep, { stations: 30, isTls: false })
    start = await site.holdings()
    await site.watchQuiet(0)
  })

  for (const attack of attacks.filter(({ shortEnds }) => shortEnds !== undefined)) {
    test(`the attackers of "${attack.name}" end as the row says, and no call is lost`, within, async () => {
      const limits = await site.bridge.metric('ocpp_limit_total')
      const [service, ends] = await Promise.all([site.watch(1_500), site.attack(attack, 1_000, 0.1)])
      assert.equal(service.errors, 0)
      assert.ok(service.calls > 0)
      assert.deepEqual(
        Object.keys(ends).filter(end => !attack.shortEnds?.includes(end)),
        [],
        JSON.stringify(ends),
      )
      if (attack.isLimited === true) assert.ok((await site.bridge.metric('ocpp_limit_total')) > limits)
    })
  }

  test('2,000 connections from one address are all admitted', within, async t => {
    const before = await site.bridge.metric('ocpp_connection_total')
    const refused = await site.bridge.metric('ocpp_refused_total')
    const target = { port: site.bridge.port, isTls: false, adminPort: 0, broadcastPort: 0, until: Infinity, share: 1 }
    const ends = new Ends()
    for (let count = 0; count < 2_000; count += 100) {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => dialStation(target, ends)))
      assert.ok(sockets.every(socket => socket !== null))
      t.after(() => sockets.forEach(socket => socket.destroy()))
    }
    assert.deepEqual(ends.counts, {})
    assert.equal((await site.bridge.metric('ocpp_connection_total')) - before, 2_000)
    assert.equal((await site.bridge.metric('ocpp_refused_total')) - refused, 0)
  })

  test('memory and open files are back after the attacks', within, async () => {
    await site.settled(start.files, 30_000)
    const end = await site.holdings()
    assert.ok(end.files <= start.files, `${end.files} open files, ${start.files} before`)
    assert.ok(end.memory < start.memory + spareMemory, `${end.memory} bytes, ${start.memory} before`)
  })
})
