import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import type { LastSeen } from '../../../src/session/ports.ts'
import { openSeenStations } from '../../../src/store/stations/last-seen.ts'
import type { Store } from '../../../src/store/store.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { dawn } from '../../support/fakes.ts'

const left: LastSeen['end'] = { code: 1001, reason: 'Server restart' }

function seen(id: string, { at = dawn, end = left }: Partial<Pick<LastSeen, 'at' | 'end'>> = {}): LastSeen {
  return { stationId: id as StationId, at, version: 'ocpp1.6', address: '192.0.2.1', sn: null, refusal: null, end }
}

/** Stations over a store that notes its writes; a test may hold or reject them. */
async function opened(t: TestContext, stations: readonly LastSeen[] = [], aliveAt = 0) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const writes: (readonly [name: string, ids: readonly string[], at: number])[] = []
  const failures: unknown[] = []
  const store = {
    writing: () => Promise.resolve(),
    call: (name: string, first: unknown, at: number) => {
      if (name === 'lastSeen') return Promise.resolve({ aliveAt, stations })
      const ids = Array.isArray(first) ? (first as LastSeen[]).map(({ stationId }) => stationId) : []
      writes.push([name, ids, name === 'endSeen' ? Number(first) : at])
      return store.writing()
    },
  }
  const all = await openSeenStations(store as unknown as Store, () => dawn, error => failures.push(error)) // prettier-ignore
  t.after(() => all.close())
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms)
    for (let turn = 0; turn < 10; turn++) await setImmediate()
  }
  return { all, store, writes, failures, pass }
}

test('what changes is written after a second, the last change of each station', async t => {
  const { all, writes, pass } = await opened(t)
  all.keep(seen('CP1', { end: null }))
  all.keep(seen('CP2'))
  all.keep(seen('CP1'))
  await pass(999)
  assert.deepEqual(writes, [])
  await pass(1)
  assert.deepEqual(writes, [['keepSeen', ['CP2', 'CP1'], dawn]])
  await pass(10_000)
  assert.equal(writes.length, 1)
})

test('ten thousand stations that leave at once are five writes, one after another', async t => {
  const { all, store, writes, pass } = await opened(t)
  for (let at = 0; at < 10_001; at++) all.keep(seen(`CP${at}`))
  let release = (): void => undefined
  store.writing = () => new Promise(resolve => (release = resolve))
  await pass(2_000)
  assert.equal(writes.length, 1)
  all.keep(seen('late'))
  await pass(2_000)
  assert.equal(writes.length, 1)
  store.writing = () => Promise.resolve()
  release()
  await pass(0)
  assert.deepEqual(writes.map(([, ids]) => ids.length), [2_000, 2_000, 2_000, 2_000, 2_000, 1]) // prettier-ignore
  assert.deepEqual([writes[0]?.[1][0], writes.at(-1)?.[1]], ['CP1', ['late']])
})

test('a write that fails costs the stations that wait, one report, and no later one', async t => {
  const { all, store, writes, failures, pass } = await opened(t)
  store.writing = () => Promise.reject(new Error('full'))
  for (let at = 0; at < 5_000; at++) all.keep(seen(`CP${at}`))
  await pass(2_000)
  assert.deepEqual([writes.length, failures.length], [1, 1])
  store.writing = () => Promise.resolve()
  all.keep(seen('CP1'))
  await pass(2_000)
  assert.deepEqual([writes.at(-1)?.[1], failures.length], [['CP1'], 1])
})

test('the time is kept each minute once a station was here', async t => {
  const { all, writes, pass } = await opened(t)
  await pass(60_000)
  assert.equal(writes.length, 0)
  all.keep(seen('CP1'))
  await pass(2_000)
  await pass(58_000)
  await pass(60_000)
  assert.deepEqual(writes.map(([, ids]) => ids), [['CP1'], [], []]) // prettier-ignore
})

test('close writes what waits at once, and nothing is written after it', async t => {
  const { all, writes, pass } = await opened(t)
  for (let at = 0; at < 2_001; at++) all.keep(seen(`CP${at}`))
  all.close()
  assert.deepEqual(writes.map(([, ids]) => ids.length), [2_000, 1]) // prettier-ignore
  all.keep(seen('late'))
  all.close()
  await pass(120_000)
  assert.equal(writes.length, 2)
})

test('stations that were connected when the bridge was killed have left when it last ran', async t => {
  const stations = [seen('CP1', { at: 5, end: null }), seen('CP2', { at: 10 }), seen('CP3', { at: 40, end: null })]
  const { all, writes } = await opened(t, stations, 30)
  const end = { code: 1006, reason: 'The bridge ended without a shutdown' }
  assert.deepEqual(all.before, [stations[1], seen('CP1', { at: 30, end }), seen('CP3', { at: 40, end })])
  assert.deepEqual(writes, [['endSeen', [], 30]])
})

test('a bridge that ended in order leaves nothing to end', async t => {
  const { all, writes } = await opened(t, [seen('CP1')], 30)
  assert.deepEqual([all.before, writes], [[seen('CP1')], []])
})
