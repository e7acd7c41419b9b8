import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Checks, type CheckLimits } from '../../../src/server/auth/checks.ts'
import { quiet } from '../../support/fakes.ts'

/** Checks by name: which have started and which have been turned away, in order. */
function setUp(limits: Partial<CheckLimits>) {
  const checks = new Checks({ atOnce: 1, waitingOfAddress: 10, waiting: 10, ...limits })
  const started: string[] = []
  const rejected: string[] = []
  const ends: ((error?: Error) => void)[] = []
  const run = async (name: string, address = 'A') => {
    const result = await checks.run(address, () => {
      started.push(name)
      return new Promise<string>((resolve, reject) =>
        ends.push(error => {
          if (error === undefined) resolve('ran')
          else reject(error)
        }),
      )
    })
    if (result === null) rejected.push(name)
    return result
  }
  /** Ends the checks in the order in which they start, until none runs. */
  const endAll = async () => {
    await quiet()
    while (ends.length > 0) {
      ends.shift()?.()
      await quiet()
    }
  }
  return { started, rejected, ends, run, endAll }
}

test('so many checks run at once, so many of one address wait, and one more does not run', async () => {
  const { ends, run } = setUp({ atOnce: 2, waitingOfAddress: 1 })
  const [first, second, third, fourth] = [run('1'), run('2'), run('3'), run('4')]
  await quiet()
  assert.equal(ends.length, 2)
  assert.equal(await fourth, null)
  ends[0]?.()
  assert.equal(await first, 'ran')
  await quiet()
  assert.equal(ends.length, 3)
  ends[1]?.()
  ends[2]?.()
  assert.deepEqual(await Promise.all([second, third]), ['ran', 'ran'])
})

test('a check that fails gives its place to the next one', async () => {
  const { ends, run } = setUp({ waitingOfAddress: 1 })
  const [first, second] = [run('1'), run('2')]
  await quiet()
  ends[0]?.(new Error('no'))
  await assert.rejects(first, /^Error: no$/)
  await quiet()
  ends[1]?.()
  assert.equal(await second, 'ran')
  const third = run('3')
  await quiet()
  ends[2]?.()
  assert.equal(await third, 'ran')
})

const arrivals: readonly (readonly [
  limits: Partial<CheckLimits>,
  come: string,
  started: string,
  rejected: string,
  because: string,
])[] = [
  [{}, 'A1 A2 A3 A4 B1 B2 C1', 'A1 A2 B1 C1 A3 B2 A4', '', 'addresses take turns'],
  [{ waitingOfAddress: 2 }, 'A1 A2 A3 A4 B1', 'A1 A2 B1 A3', 'A4', 'an address that is full leaves room for others'],
  [
    { waiting: 3 },
    'A1 A2 A3 A4 B1 B2',
    'A1 A2 B1 A3',
    'A4 B2',
    'a full queue makes room for who has the shorter queue',
  ],
  [{ waiting: 3 }, 'A1 A2 A3 A4 A5', 'A1 A2 A3 A4', 'A5', 'no address makes room for itself'],
  [{ waiting: 2 }, 'A1 A2 B1 C1', 'A1 A2 B1', 'C1', 'one check of each address stays'],
]
for (const [limits, come, started, rejected, because] of arrivals) {
  test(`checks start in the order ${started} when they come as ${come}: ${because}`, async () => {
    const checks = setUp(limits)
    const runs = come.split(' ').map(name => checks.run(name, name.slice(0, 1)))
    await checks.endAll()
    await Promise.all(runs)
    assert.deepEqual([checks.started.join(' '), checks.rejected.join(' ')], [started, rejected])
  })
}
