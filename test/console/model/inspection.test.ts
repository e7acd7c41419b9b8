import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FrameView } from '../../../src/admin/answers.ts'
import type { Entry } from '../../../src/console/model/frames.ts'
import { inspect } from '../../../src/console/model/inspection.ts'

const schemas = {
  request: { type: 'object', required: ['type'], properties: { type: { type: 'string', enum: ['Soft'] } } },
  response: { type: 'object', required: ['status'], properties: {} },
} as const

function entryOf(first: string | null, answer: string | null): Entry {
  const frameOf = (type: FrameView['type'], frame: string | null) =>
    frame === null ? null : ({ type, frame } as FrameView)
  const frames = { first: frameOf('call', first), answer: frameOf('callResult', answer) }
  return { key: '1', at: '', from: 'app', action: 'Reset', id: 'a', ...frames }
}

const rows = [
  ['[2,"a","Reset",{"type":"Soft"}]', '[3,"a",{"status":"Accepted"}]', [], 'both are valid'],
  ['[2,"a","Reset",{"type":"Warm"}]', null, [['message', '/type', 'enum']], 'the CALL'],
  ['[2,"a","Reset",{"type":"Soft"}]', '[3,"a",{}]', [['answer', '/status', 'required']], 'the answer'],
  ['[2,"a","Reset",{"ty...(40)', null, [], 'nothing is known of a frame that is cut'],
  [null, '[3,"a",{}]', [['answer', '/status', 'required']], 'an answer whose CALL was not seen'],
] as const
for (const [first, answer, expected, because] of rows) {
  test(`${String(first)} and ${String(answer)} break ${JSON.stringify(expected)}: ${because}`, () => {
    const found = inspect(entryOf(first, answer), schemas)
    assert.deepEqual(
      found.map(({ where, path, rule }) => [where, path, rule]),
      expected,
    )
  })
}
