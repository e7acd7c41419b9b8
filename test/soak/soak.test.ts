/**
 * A short soak, and that what it finds is told by its name.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { growthOf, leaksOf, type Reading } from './leaks.ts'
import { soak } from './soak.ts'

const visits = 10_000

test(
  `${visits} times a station comes and goes, and nothing of it stays`,
  { timeout: 600_000, skip: process.platform !== 'linux' && 'handles are read from /proc' },
  async t => {
    const { start, warm, end, connects, identities, strayEnds } = await soak({
      visits,
      note: text => t.diagnostic(text),
    })
    t.diagnostic(`entries: ${JSON.stringify([start.entries, warm.entries, end.entries])}`)
    assert.ok(connects > visits * 0.9, 'all after the warm-up were there')
    assert.deepEqual(leaksOf(start, end), [], 'what stations left behind')
    assert.equal(end.objects['Session'], 0, 'sessions are counted, and none is left')
    assert.equal(strayEnds, 0, 'ends of sessions that the app was told of more than once')
    assert.deepEqual(growthOf(warm, end, identities), [], 'memory after the warm-up and at the end')
  },
)

const reading: Reading = {
  gauges: { clients_num: 0 },
  openSessions: 0,
  handles: 20,
  resources: { Timeout: 3 },
  objects: { Session: 0 },
  entries: { Map: 5_000 },
  heap: 10 * 2 ** 20,
  external: 2 ** 20,
  resident: 90 * 2 ** 20,
}

describe('a leak has a name', () => {
  const rows = [
    [{}, [], 'all as it was'],
    [{ handles: 19, resources: {} }, [], 'fewer is no leak'],
    [{ gauges: { clients_num: 1 } }, ['metric clients_num: 0 -> 1'], "the program's own count"],
    [{ openSessions: 2 }, ['sessions open at the app: 0 -> 2'], 'the app was not told of an end'],
    [{ handles: 21 }, ['open handles: 20 -> 21'], 'a socket'],
    [{ resources: { Timeout: 3, Immediate: 1 } }, ['resource Immediate: 0 -> 1'], 'of a kind that was not there'],
    [{ objects: { Session: 1 } }, ['object Session: 0 -> 1'], 'somebody holds on to it'],
  ] as const
  for (const [after, expected, because] of rows) {
    test(`${expected[0] ?? 'none'}: ${because}`, () => {
      assert.deepEqual(leaksOf(reading, { ...reading, ...after }), expected)
    })
  }

  test('memory may grow, but not without end', () => {
    const grown = (bytes: number): Reading => ({ ...reading, heap: reading.heap + bytes })
    assert.deepEqual(growthOf(reading, grown(2 ** 20), 0), [])
    assert.deepEqual(growthOf(reading, grown(100 * 2 ** 20), 0), ['heap memory: 10.0 MB -> 110.0 MB'])
  })

  test('so may collections, but not by an entry a visit', () => {
    const grown = (more: number): Reading => ({ ...reading, entries: { Map: 5_000 + more } })
    assert.deepEqual(growthOf(reading, grown(1_400), 100), [])
    assert.deepEqual(growthOf(reading, grown(9_000), 1_000), ['entries of every Map: 5000 -> 14000'])
  })
})
