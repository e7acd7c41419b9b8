import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { eventsIn, type ServerEvent } from '../../../src/cli/admin/events.ts'

async function read(...chunks: readonly string[]): Promise<ServerEvent[]> {
  const found: ServerEvent[] = []
  for await (const event of eventsIn(Readable.from(chunks))) found.push(event)
  return found
}

test('eventsIn reads type and data of each event, and skips comments', async () => {
  const text = ': hello\n\nevent: message\ndata: {"a":1}\n\n: heartbeat\n\ndata: one\ndata: two\nid: 7\n\n'
  const expected = [
    { type: 'message', data: '{"a":1}' },
    { type: 'message', data: 'one\ntwo' },
  ]
  assert.deepEqual(await read(text), expected)
  assert.deepEqual(await read(...text.split('')), expected, 'one character at a time')
})

test('eventsIn leaves out an event that has not ended', async () => {
  assert.deepEqual(await read('event: lost\ndata: {"count":1}\n\ndata: {'), [{ type: 'lost', data: '{"count":1}' }])
})
