import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

const module = new URL('../../src/ops/crash.ts', import.meta.url).href

const faults = [
  ['throw fault', 'an exception that nobody catches'],
  ['void Promise.reject(fault)', 'a rejection that nobody handles'],
] as const
for (const [fault, because] of faults) {
  test(`${because} is one error in the log, with where it was thrown and nothing else of it, and ends the process with 1`, () => {
    const script = `
      const { endOnFault } = await import(${JSON.stringify(module)})
      endOnFault({ error: ({ error, stack }, text) => console.log(JSON.stringify([error.message, stack, text])) })
      const fault = Object.assign(new Error('a bug'), { frame: 'TAG1' })
      setTimeout(() => console.log('never'), 60_000)
      ${fault}`
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
    assert.deepEqual([run.status, run.stderr.toString()], [1, ''])
    const [message, stack, text] = JSON.parse(run.stdout.toString()) as [string, string[], string]
    assert.deepEqual([message, text], ['a bug', 'a bug ended the process: report this line'])
    assert.match(stack[0] ?? '', /^at /)
    assert.equal(run.stdout.includes('TAG1'), false)
  })
}
