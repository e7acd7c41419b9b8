import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Checks } from '../../../src/server/auth/checks.ts'
import { quiet } from '../../support/fakes.ts'

function setUp(atOnce: number, maxWaiting: number) {
  const checks = new Checks(atOnce, maxWaiting)
  const ends: ((error?: Error) => void)[] = []
  const run = () =>
    checks.run(
      () =>
        new Promise<string>((resolve, reject) =>
          ends.push(error => (error === undefined ? resolve('ran') : reject(error))),
        ),
    )
  return { ends, run }
}

test('so many checks run at once, so many wait, and one more does not run', async () => {
  const { ends, run } = setUp(2, 1)
  const [first, second, third, fourth] = [run(), run(), run(), run()]
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
  const { ends, run } = setUp(1, 1)
  const [first, second] = [run(), run()]
  await quiet()
  ends[0]?.(new Error('no'))
  await assert.rejects(first, /^Error: no$/)
  await quiet()
  ends[1]?.()
  assert.equal(await second, 'ran')
  const third = run()
  await quiet()
  ends[2]?.()
  assert.equal(await third, 'ran')
})
