import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { constants, getPriority } from 'node:os'
import { test } from 'node:test'
import { openBridge } from './support/bridge.ts'

const skip = process.platform !== 'linux'
const below = constants.priority.PRIORITY_BELOW_NORMAL

test("the bridge lowers the priority of V8's and libuv's threads when it starts", { skip }, async t => {
  const bridge = await openBridge([], { NODE_OPTIONS: '--v8-pool-size=4', UV_THREADPOOL_SIZE: '4' })
  t.after(() => bridge.close())
  const main = `${bridge.process.pid}`
  const others = (await readdir(`/proc/${main}/task`)).filter(thread => thread !== main)
  assert.equal(await niceOf(main), getPriority())
  // V8's four and libuv's four; Node adds its own.
  assert.ok(others.length >= 8, `${others.length} threads`)
  const expected = Math.max(getPriority(), below)
  assert.deepEqual(
    await Promise.all(others.map(niceOf)),
    others.map(() => expected),
  )
})

/** Of a thread. */
async function niceOf(thread: string): Promise<number> {
  const stat = await readFile(`/proc/${thread}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
}
