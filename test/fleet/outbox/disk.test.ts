import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Disk } from '../../../src/fleet/outbox/disk.ts'
import { FakeWorld, quiet } from '../../support/fakes.ts'

function setUp(t: TestContext) {
  const world = new FakeWorld(t)
  const failures: unknown[] = []
  return { world, failures, disk: new Disk(error => failures.push(error), world) }
}

/** An operation that has exceeded its 5 s, and what ends it. */
async function overdue({ disk, world }: ReturnType<typeof setUp>) {
  let resolve: (value: string) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const waiting = disk.wait(new Promise<string>((...settle) => ([resolve, reject] = settle)))
  await world.pass(5_000, 500)
  assert.equal(await waiting, null)
  return { resolve, reject }
}

test('a disk counts as failing for 30 s when an operation fails', async t => {
  const { disk, world, failures } = setUp(t)
  assert.equal(disk.isFailing, false)
  assert.equal(await disk.wait(Promise.reject(new Error('EIO'))), null)
  assert.deepEqual([disk.isFailing, disk.isHanging, failures.length], [true, false, 1])
  await world.pass(29_000, 500)
  assert.equal(disk.isFailing, true)
  await world.pass(1_000, 500)
  assert.equal(disk.isFailing, false)
})

test('a disk does not count as failing any more when an operation succeeds', async t => {
  const { disk } = setUp(t)
  await disk.wait(Promise.reject(new Error('EIO')))
  assert.equal(await disk.wait(Promise.resolve('read')), 'read')
  assert.equal(disk.isFailing, false)
})

test('a disk hangs when an operation takes longer than 5 s, until that one succeeds', async t => {
  const parts = setUp(t)
  const operation = await overdue(parts)
  assert.deepEqual([parts.disk.isFailing, parts.disk.isHanging], [true, true])
  operation.resolve('late')
  await quiet()
  assert.deepEqual([parts.disk.isFailing, parts.disk.isHanging], [false, false])
})

test('a disk still fails, and no longer hangs, when its overdue operation fails', async t => {
  const parts = setUp(t)
  const operation = await overdue(parts)
  operation.reject(new Error('EIO'))
  await quiet()
  assert.deepEqual([parts.disk.isFailing, parts.disk.isHanging], [true, false])
})

test('an operation is not waited for while the disk hangs', async t => {
  const parts = setUp(t)
  await overdue(parts)
  const waiting = parts.disk.wait(new Promise(() => undefined))
  await parts.world.pass(0)
  await parts.world.pass(1)
  assert.equal(await waiting, null)
})

test('an operation has the time that its caller has left', async t => {
  const { disk, world, failures } = setUp(t)
  const waiting = disk.wait(new Promise(() => undefined), 1_000)
  await world.pass(1_000, 500)
  assert.equal(await waiting, null)
  assert.match(String(failures[0]), /did not reply in 1000 ms/)
})
