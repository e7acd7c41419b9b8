/**
 * The short form of `npm run attack`: the attacks marked `isShort`, for 0.7 s each, beside stations that must not lose
 * a call. Counts only; how long calls take is measured by the long form.
 */
import assert from 'node:assert/strict'
import { describe, test, before, after } from 'node:test'
import { keepUntil } from '../support/keep.ts'
import { attacksOn } from './rows/all.ts'
import { dialStation, Ends, type Target } from './connections.ts'
import { none, type Tally } from './fleet.ts'
import { keepsMemory, wrongEnds } from './result.ts'
import { openSite, type Site } from './site.ts'
import { sites, type SiteName } from './sites.ts'

const within = { timeout: 300_000, skip: process.platform !== 'linux' && 'open files are read from /proc' }
const stations = 30
const attackMs = 700

for (const name of Object.keys(sites) as SiteName[]) {
  const chosen = attacksOn(name).filter(({ isShort }) => isShort === true)
  if (chosen.length === 0) continue

  describe(`stations beside an attack lose no call (${name})`, within, () => {
    let site: Site
    let start: { readonly memory: number; readonly files: number }
    let seen = none
    const keep = keepUntil(after)

    /** What healthy stations have seen since the last time. */
    async function seenSince(): Promise<Tally> {
      const last = seen
      seen = await site.tally()
      return { calls: seen.calls - last.calls, errors: seen.errors - last.errors }
    }

    before(async () => {
      site = await openSite(keep, { name, stations })
      start = { memory: await site.memory(), files: site.files() }
      await site.watchQuiet(0)
    })

    for (const attack of chosen) {
      test(`the attackers of "${attack.name}" end as the row says, and no call is lost`, within, async () => {
        const { counted, mostLines = Infinity } = attack
        const count = async (): Promise<number> => (counted === undefined ? 0 : site.bridge.metric(counted))
        const [counts, lines] = [await count(), site.bridge.process.lines.length]
        const [ends] = await Promise.all([site.attack(attack, attackMs, 0.1), site.watch(attackMs)])
        await site.watchQuiet(0)
        const { calls, errors } = await seenSince()
        assert.ok(calls > 0)
        assert.equal(errors, 0)
        assert.deepEqual(wrongEnds(attack, ends), [], JSON.stringify(ends))
        if (counted !== undefined) assert.ok((await count()) > counts, counted)
        assert.ok(site.bridge.process.lines.length - lines <= mostLines)
      })
    }

    if (name === 'plain') {
      test('2,000 connections from one address are all admitted', within, async t => {
        const admitted = await site.bridge.metric('ocpp_connection_total')
        const refused = await site.bridge.metric('ocpp_refused_total')
        const ends = new Ends()
        const target: Target = { ...nowhere, port: site.bridge.port }
        for (let count = 0; count < 2_000; count += 100) {
          const sockets = await Promise.all(Array.from({ length: 100 }, () => dialStation(target, ends)))
          assert.ok(sockets.every(socket => socket !== null))
          t.after(() => sockets.forEach(socket => socket.destroy()))
        }
        assert.deepEqual(ends.counts, {})
        assert.equal((await site.bridge.metric('ocpp_connection_total')) - admitted, 2_000)
        assert.equal((await site.bridge.metric('ocpp_refused_total')) - refused, 0)
      })
    }

    test('memory and open files are back after the attacks', within, async () => {
      const files = await site.settled(start.files, 30_000)
      assert.ok(files <= start.files, `${files} open files, ${start.files} before`)
      assert.equal((await seenSince()).errors, 0)
      const memory = await site.memory()
      assert.ok(!keepsMemory({ before: start.memory, after: memory }), `${memory} bytes, ${start.memory} before`)
    })
  })
}

const nowhere: Omit<Target, 'port'> = {
  isTls: false,
  adminPort: 0,
  broadcastPort: 0,
  natsPort: 0,
  from: '127.0.0.1',
  until: Infinity,
  share: 1,
}
