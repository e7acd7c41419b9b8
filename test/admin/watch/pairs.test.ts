import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pairs } from '../../../src/admin/watch/pairs.ts'
import type { Who } from '../../../src/session/ports.ts'

const who = { sid: 's', station: 'CP1' } as Who

test('an answer has the action of its CALL and the time since, once, and only in the other direction', () => {
  const pairs = new Pairs()
  pairs.read(who, 'received', '[2,"1","Authorize",{}]', 100)
  assert.equal(pairs.read(who, 'received', '[3,"1",{}]', 110).action, null)
  assert.deepEqual(pairs.read(who, 'sent', '[3,"1",{}]', 112.34), {
    type: 'callResult',
    id: '1',
    action: 'Authorize',
    milliseconds: 12.3,
  })
  assert.equal(pairs.read(who, 'sent', '[3,"1",{}]', 113).action, null)
})

const rows = [
  ['[2,"1","Reset",{}]', 'call', '1', 'Reset'],
  ['\ufeff [ 2 , 7 , "Reset" , {} ]', 'call', '7', 'Reset'],
  ['[4,"1","GenericError","",{}]', 'callError', '1', null],
  ['[5,"1","GenericError","",{}]', 'callResultError', '1', null],
  ['[6,"1","NotifyPeriodicEventStream",{}]', 'send', '1', 'NotifyPeriodicEventStream'],
  ['[2,"a\\"b","Reset",{}]', 'call', 'a"b', 'Reset'],
  ['[9,"1",{}]', 'malformed', null, null],
  ['ping', 'malformed', null, null],
  ['', 'malformed', null, null],
] as const
for (const [text, type, id, action] of rows)
  test(`${JSON.stringify(text)} is read as ${type}`, () =>
    assert.deepEqual(new Pairs().read(who, 'received', text, 0), { type, id, action, milliseconds: null }))
