import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ending } from '../../src/session/ending.ts'
import type { QueuedDisconnect } from '../../src/session/ports.ts'
import { quiet } from '../support/fakes.ts'

/** A Disconnect that counts how often it is expedited, and is done when the test says so. */
function newDisconnect() {
  let finish: () => void = () => undefined
  let expedited = 0
  const done = new Promise<void>(resolve => (finish = resolve))
  const disconnect: QueuedDisconnect = { done, expedite: () => (expedited += 1) }
  return { disconnect, finish: () => finish(), expedited: () => expedited }
}

/** Whether a promise has resolved. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false
  void promise.then(() => (done = true))
  await quiet()
  return done
}

test('an ending is not done before it runs', async () => {
  assert.equal(await isDone(new Ending().done), false)
})

test('an ending is done at once when the app never knew the session', async () => {
  const ending = new Ending()
  await ending.run(null)
  assert.equal(await isDone(ending.done), true)
})

test('an ending is done when its Disconnect is done', async () => {
  const ending = new Ending()
  const { disconnect, finish, expedited } = newDisconnect()
  const running = ending.run(disconnect)
  assert.equal(await isDone(ending.done), false)
  finish()
  await running
  assert.equal(await isDone(ending.done), true)
  assert.equal(expedited(), 0, 'the Disconnect kept its place in the queue')
})

test('expedite expedites a Disconnect that is queued, and resolves when it is done', async () => {
  const ending = new Ending()
  const { disconnect, finish, expedited } = newDisconnect()
  void ending.run(disconnect)
  const ended = ending.expedite()
  assert.equal(expedited(), 1)
  assert.equal(await isDone(ended), false)
  finish()
  assert.equal(await isDone(ended), true)
})

test('expedite expedites the Disconnect as soon as it is queued when work is still in progress', async () => {
  const ending = new Ending()
  const { disconnect, finish, expedited } = newDisconnect()
  const ended = ending.expedite()
  assert.equal(await isDone(ended), false)
  const running = ending.run(disconnect)
  assert.equal(expedited(), 1)
  finish()
  await running
  assert.equal(await isDone(ended), true)
})
