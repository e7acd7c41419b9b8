import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { openBridge } from './support/bridge.ts'

const skip = process.platform !== 'linux'

test('the event loop comes before the other threads of the process', { skip }, async t => {
  const bridge = await openBridge([])
  t.after(() => bridge.close())
  const { pid = 0 } = bridge.process
  const threads = await readdir(`/proc/${pid}/task`)
  const lower = await Promise.all(threads.map(async thread => (await niceOf(thread)) - (await niceOf(`${pid}`))))
  // V8's four, libuv's four and Node's own one or two.
  assert.ok(threads.length > 8, `${threads.length} threads`)
  assert.deepEqual(lower, [0, ...Array.from({ length: threads.length - 1 }, () => 10)])
})

/** Of a thread. */
async function niceOf(thread: string): Promise<number> {
  const stat = await readFile(`/proc/${thread}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
}
