import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Pause } from '../../../src/session/calls/pause.ts'
import { quiet } from '../../support/fakes.ts'

/** A pause, the waits that have ended, and time that passes on demand. */
function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const pause = new Pause()
  const ended: string[] = []
  const wait = (name: string, ms: number): void => void pause.wait(ms).then(() => ended.push(name))
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms)
    await quiet()
  }
  return { pause, ended, wait, pass }
}

test('a wait ends after its time, and not before', async t => {
  const { ended, wait, pass } = setUp(t)
  wait('a', 1_000)
  await pass(999)
  assert.deepEqual(ended, [])
  await pass(1)
  assert.deepEqual(ended, ['a'])
})

test('end ends the wait in progress', async t => {
  const { pause, ended, wait } = setUp(t)
  wait('a', 1_000)
  pause.end()
  await quiet()
  assert.deepEqual(ended, ['a'])
})

test('end does not shorten a wait that begins later', async t => {
  const { pause, ended, wait, pass } = setUp(t)
  pause.end()
  wait('a', 1_000)
  await pass(999)
  assert.deepEqual(ended, [])
  await pass(1)
  assert.deepEqual(ended, ['a'])
})

test('the timer of a wait that was ended does not end the next wait', async t => {
  const { pause, ended, wait, pass } = setUp(t)
  wait('a', 1_000)
  pause.end()
  wait('b', 5_000)
  await pass(4_999)
  assert.deepEqual(ended, ['a'])
  await pass(1)
  assert.deepEqual(ended, ['a', 'b'])
})

test('a pause can be used again when a wait has ended by itself', async t => {
  const { pause, ended, wait, pass } = setUp(t)
  wait('a', 10)
  await pass(10)
  wait('b', 10)
  pause.end()
  await quiet()
  assert.deepEqual(ended, ['a', 'b'])
})
