import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageId } from '../../../src/ocpp/frame.ts'
import { jsonText } from '../../../src/ocpp/json.ts'
import { CommandQueue } from '../../../src/session/commands/queue.ts'
import type { Command } from '../../../src/session/commands/unanswered.ts'

const MiB = 1024 * 1024

function command(id: string, bytes = 0): Command {
  return {
    kind: 'call',
    id: messageId(id),
    action: 'Reset',
    payload: jsonText({ x: 'x'.repeat(bytes) }),
    asked: null,
    givenAt: 0,
  }
}

test('commands wait in order, and one may leave from anywhere', () => {
  const queue = new CommandQueue()
  const [a, b, c] = [command('a'), command('b'), command('c')]
  for (const each of [a, b, c]) queue.add(each)
  assert.deepEqual([queue.length, queue.first, queue.hasId(messageId('b'))], [3, a, true])
  assert.deepEqual([queue.remove(b), queue.remove(b), queue.hasId(messageId('b'))], [true, false, false])
  assert.deepEqual(queue.calls, [a, c])
  assert.deepEqual(queue.clear(), [a, c])
  assert.deepEqual([queue.length, queue.first], [0, undefined])
})

/** [bytes of the commands that wait, bytes of the next, how many may wait, whether there is room, because] */
const rows: readonly (readonly [readonly number[], number, number, boolean, string])[] = [
  [[], 8 * MiB, 50, true, 'the first one is taken whatever its size'],
  [[1], 5 * MiB, 50, false, 'another one is not'],
  [[MiB, MiB], MiB, 50, true, 'below 4 MiB'],
  [[2 * MiB, 2 * MiB], 1, 50, false, 'above 4 MiB'],
  [[1, 1], 1, 2, false, 'as many as may wait'],
  [[], 1, 0, false, 'none may wait'],
]
for (const [waiting, bytes, most, hasRoom, because] of rows) {
  test(`behind ${waiting.length} commands there is ${hasRoom ? '' : 'no '}room: ${because}`, () => {
    const queue = new CommandQueue()
    waiting.forEach((each, at) => queue.add(command(String(at), each)))
    assert.equal(queue.hasRoomFor(command('next', bytes), most), hasRoom)
    queue.clear()
    assert.equal(queue.hasRoomFor(command('next', bytes), 50), true, 'what has left counts no more')
  })
}
