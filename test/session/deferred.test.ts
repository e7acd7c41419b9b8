import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Deferred } from '../../src/session/deferred.ts'

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const pushed: [entry: string, bytes: null][] = []
  const deferred = new Deferred<string>({ push: (entry, bytes) => pushed.push([entry, bytes]) }, 1_000)
  return { deferred, pushed, pass: (ms: number): void => t.mock.timers.tick(ms) }
}

test('retry puts an entry into the inbox once, after the pause, as one that the station has not sent', t => {
  const { deferred, pushed, pass } = setUp(t)
  deferred.retry('a')
  assert.equal(deferred.size, 1)
  pass(999)
  assert.deepEqual(pushed, [])
  pass(1)
  assert.deepEqual(pushed, [['a', null]])
  assert.equal(deferred.size, 0)
  pass(5_000)
  assert.equal(pushed.length, 1)
})

test('each entry has a pause of its own', t => {
  const { deferred, pushed, pass } = setUp(t)
  deferred.retry('a')
  pass(500)
  deferred.retry('b')
  pass(500)
  assert.deepEqual(pushed, [['a', null]])
  pass(500)
  assert.deepEqual(pushed.at(-1), ['b', null])
})

test('stop keeps the entries that wait for take, and puts none into the inbox', t => {
  const { deferred, pushed, pass } = setUp(t)
  for (const entry of ['a', 'b']) deferred.retry(entry)
  deferred.stop()
  pass(5_000)
  assert.deepEqual(pushed, [])
  assert.equal(deferred.size, 0)
  assert.deepEqual(deferred.take(), ['a', 'b'])
})

test('retry keeps an entry for take when it was stopped', t => {
  const { deferred, pushed, pass } = setUp(t)
  deferred.stop()
  deferred.retry('a')
  pass(5_000)
  assert.deepEqual(pushed, [])
  assert.deepEqual(deferred.take(), ['a'])
})

test('take returns each kept entry once, in order', t => {
  const { deferred } = setUp(t)
  for (const entry of ['a', 'b']) deferred.keep(entry)
  assert.deepEqual(deferred.take(), ['a', 'b'])
  assert.deepEqual(deferred.take(), [])
})
