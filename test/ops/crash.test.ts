import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

const module = new URL('../../src/ops/crash.ts', import.meta.url).href

const faults = [
  ['throw fault', 'an exception that nobody catches'],
  ['void Promise.reject(fault)', 'a rejection that nobody handles'],
] as const
const bug = "Object.assign(new RangeError('a bug of TAG1\\n    at TAG1'), { frame: 'TAG1', code: 'ERR_OF_TEST' })"

type Line = readonly [error: string, code: string | null, stack: readonly string[], text: string]

/** What is logged of a fault; it is a line, and the process ends with 1. */
function crash(fault: string, thrown: string): Line {
  const script = `
    const { endOnFault } = await import(${JSON.stringify(module)})
    endOnFault({ error: ({ error, code, stack }, text) => console.log(JSON.stringify([error, code, stack, text])) })
    const fault = ${fault}
    setTimeout(() => console.log('never'), 60_000)
    ${thrown}`
  const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
  assert.deepEqual([run.status, run.stderr.toString()], [1, ''])
  assert.equal(run.stdout.includes('TAG1'), false, run.stdout.toString())
  return JSON.parse(run.stdout.toString()) as Line
}

for (const [thrown, because] of faults) {
  test(`${because} is one error in the log, with where it was thrown and nothing else of it, and ends the process with 1`, () => {
    const [error, code, stack, text] = crash(bug, thrown)
    assert.deepEqual([error, code, text], ['RangeError', 'ERR_OF_TEST', 'a bug ended the process: report this line'])
    assert.match(stack[0] ?? '', /^at .*:\d+/)
  })
}

const odd = [
  ["'TAG1'", 'a thrown string'],
  ['(() => { const cycle = { tag: "TAG1" }; cycle.cycle = cycle; return cycle })()', 'a thrown object'],
  ['undefined', 'a thrown undefined'],
  ["Object.defineProperty(new Error('TAG1'), 'stack', { get() { throw new Error('TAG1') } })", 'Error'],
  ["Object.assign(new Error('a bug'), { name: 'the name is TAG1' })", 'Error'],
  ["Object.assign(new Error('x\\n    at TAG1'), { message: 'another' })", 'Error'],
] as const
for (const [fault, name] of odd) {
  test(`a crash by ${fault} is a line, too, and shows no text of it`, () => {
    assert.equal(crash(fault, 'throw fault')[0], name)
  })
}

test('a process ends with 1 when its log fails', () => {
  const script = `
    const { endOnFault } = await import(${JSON.stringify(module)})
    endOnFault({ error: () => { throw new Error('no log') } })
    throw new Error('a bug')`
  assert.equal(spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]).status, 1)
})
