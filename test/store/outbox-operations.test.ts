import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import { operationsOn } from '../../src/store/operations.ts'
import { temporaryDirectory } from '../support/store.ts'
import { outboxMessage } from './messages.ts'

const ample = 1_000_000

function operations(t: TestContext) {
  const database = openDatabase(temporaryDirectory(t))
  t.after(() => database.close())
  const outbox = operationsOn(database)
  const pending = (station = 'CP1', afterSeq = 0) => outbox.pendingOf(station, afterSeq).map(({ id }) => id)
  return { ...outbox, database, pending }
}

test('a message comes back as it was stored', t => {
  const { append, pendingOf } = operations(t)
  const message = outboxMessage('a')
  assert.equal(append(message, ample), 'stored')
  assert.deepEqual(
    pendingOf('CP1', 0).map(each => ({ ...each })),
    [{ ...message, seq: 1, attempts: 0, nextAttemptAt: 0 }],
  )
})

test('pending messages are those of the station, in the order of arrival', t => {
  const { append, pending } = operations(t)
  for (const [name, station] of [
    ['b', 'CP1'],
    ['x', 'CP2'],
    ['a', 'CP1'],
  ] as const)
    // prettier-ignore
    append(outboxMessage(name, { station }), ample)
  assert.deepEqual(pending(), ['"b"', '"a"'])
  assert.deepEqual(pending('CP1', 1), ['"a"'])
  assert.deepEqual(pending('CP3'), [])
})

test('pending messages come a hundred at a time', t => {
  const { append, pending } = operations(t)
  for (let n = 0; n < 130; n++) append(outboxMessage(String(n)), ample)
  assert.deepEqual([pending().length, pending('CP1', 100).length], [100, 30])
})

const repeats = [
  ['under another id', { id: '"other"' }, 'present'],
  ['with another content under the same key', { content: 'other' }, 'stored'],
  ['with the same content under another key', { key: 'other' }, 'stored'],
  ['by another station', { stationId: 'CP2' }, 'stored'],
] as const
for (const [how, changed, expected] of repeats) {
  test(`a message that comes again ${how} is ${expected}`, t => {
    const { append, outboxSize } = operations(t)
    append(outboxMessage('a'), ample)
    assert.equal(append({ ...outboxMessage('a'), ...changed } as ReturnType<typeof outboxMessage>, ample), expected)
    assert.equal(outboxSize().pending, expected === 'present' ? 1 : 2)
  })
}

test('a message is refused when the outbox is full, and one that is stored already is present', t => {
  const { append, delivered, outboxSize } = operations(t)
  append(outboxMessage('a'), ample)
  const { bytes } = outboxSize()
  assert.equal(append(outboxMessage('b'), 2 * bytes), 'stored')
  assert.equal(append(outboxMessage('c'), 2 * bytes), 'refused')
  assert.equal(append(outboxMessage('a'), 2 * bytes), 'present')
  delivered(1)
  assert.equal(append(outboxMessage('c'), 2 * bytes), 'stored')
})

test('a message that is delivered is gone, and its place is not used again', t => {
  const { append, delivered, pending, pendingOf } = operations(t)
  append(outboxMessage('a'), ample)
  delivered(1)
  append(outboxMessage('b'), ample)
  delivered(99)
  assert.deepEqual([pending(), pendingOf('CP1', 0)[0]?.seq], [['"b"'], 2])
})

test('an attempt that has failed is counted, and the message keeps its place', t => {
  const { append, failed, pendingOf } = operations(t)
  append(outboxMessage('a'), ample)
  append(outboxMessage('b'), ample)
  failed(1, 3, 5_000, 'undefined method')
  const [first, second] = pendingOf('CP1', 0)
  assert.deepEqual([first?.id, first?.attempts, first?.nextAttemptAt], ['"a"', 3, 5_000])
  assert.deepEqual([second?.id, second?.attempts, second?.nextAttemptAt], ['"b"', 0, 0])
})

test('a dead letter is not pending, and is present when it comes again', t => {
  const { append, deadLetter, pending, outboxSize } = operations(t)
  append(outboxMessage('a'), ample)
  append(outboxMessage('b'), ample)
  deadLetter(1, 'x'.repeat(10_000), 5_000)
  assert.deepEqual(pending(), ['"b"'])
  assert.equal(append(outboxMessage('a'), ample), 'present')
  const { pending: num, dead } = outboxSize()
  assert.deepEqual([num, dead], [1, 1])
})

test('the size is that of the messages, and the oldest is the first that is pending', t => {
  const { append, delivered, deadLetter, outboxSize } = operations(t)
  const empty = { pending: 0, dead: 0, bytes: 0, oldestAt: null }
  assert.deepEqual(outboxSize(), empty)
  const messages = [1, 2, 3].map(at => ({ ...outboxMessage(String(at)), storedAt: at }))
  for (const message of messages) append(message, ample)
  const each = outboxSize().bytes / 3
  deadLetter(1, '', 9)
  deadLetter(1, 'again', 10)
  assert.deepEqual(outboxSize(), { pending: 2, dead: 1, bytes: 3 * each, oldestAt: 2 })
  delivered(2)
  assert.deepEqual(outboxSize(), { pending: 1, dead: 1, bytes: 2 * each, oldestAt: 3 })
  delivered(1)
  delivered(3)
  assert.deepEqual(outboxSize(), empty)
})

test('the size is as before when a transaction fails', t => {
  const { append, database, outboxSize } = operations(t)
  append(outboxMessage('a'), ample)
  const before = outboxSize()
  assert.throws(() =>
    database.transaction(() => {
      append(outboxMessage('b'), ample)
      throw new Error('disk I/O error')
    }),
  )
  assert.deepEqual(outboxSize(), before)
})

test('the stations with pending messages are those, the one with the oldest message first', t => {
  const { append, deadLetter, pendingStations } = operations(t)
  for (const [name, station] of [
    ['a', 'CP3'],
    ['b', 'CP2'],
    ['c', 'CP1'],
    ['d', 'CP3'],
  ] as const)
    // prettier-ignore
    append(outboxMessage(name, { station }), ample)
  deadLetter(1, '', 9)
  assert.deepEqual(pendingStations(), ['CP2', 'CP1', 'CP3'])
})

test('the session of a station is the last one kept, and one over 16 KiB is not kept at all', t => {
  const { keepSession, appSession, database } = operations(t)
  assert.equal(appSession('CP1'), null)
  keepSession('CP1', '{"n":1}')
  keepSession('CP2', '{"n":2}')
  keepSession('CP1', '{"n":3}')
  assert.deepEqual([appSession('CP1'), appSession('CP2')], ['{"n":3}', '{"n":2}'])
  const before = database.prepare('SELECT total_changes() AS n').get()
  keepSession('CP1', '{"n":3}')
  assert.deepEqual(database.prepare('SELECT total_changes() AS n').get(), before, 'the same one is not written')
  keepSession('CP1', 'x'.repeat(16_385))
  assert.equal(appSession('CP1'), null)
})

test('an operator lists messages by station and state, in pages, and finds one by its number', t => {
  const { append, deadLetter, outboxList, outboxFind } = operations(t)
  append(outboxMessage('a'), ample)
  append(outboxMessage('b', { station: 'CP2' }), ample)
  append(outboxMessage('c'), ample)
  deadLetter(3, 'raised', 1_000)
  const every = { stationId: null, state: null, after: 0, limit: 10 }
  const listed = (filter: object): number[] => outboxList({ ...every, ...filter }).map(({ seq }) => seq)
  assert.deepEqual(listed({}), [1, 2, 3])
  assert.deepEqual(listed({ after: 1, limit: 1 }), [2])
  assert.deepEqual(listed({ stationId: 'CP1' }), [1, 3])
  assert.deepEqual([listed({ state: 'dead' }), listed({ state: 'pending' })], [[3], [1, 2]])
  const { deadAt, error, payload } = outboxFind(3) ?? {}
  assert.deepEqual([deadAt, error, payload], [1_000, 'raised', outboxMessage('c').payload])
  assert.equal(outboxFind(4), null)
})

test('an operator makes messages pending, which keep their attempts, and learns of which stations, and drops messages', t => {
  const { append, deadLetter, failed, outboxRetry, outboxDrop, pendingOf, pending } = operations(t)
  for (const name of ['a', 'b']) append(outboxMessage(name), ample)
  append(outboxMessage('x', { station: 'CP2' }), ample)
  deadLetter(1, 'raised', 1_000)
  failed(2, 3, 9_999, 'away')
  assert.deepEqual(outboxRetry([1, 2, 77]), { messages: 2, stations: ['CP1'] })
  assert.deepEqual(
    pendingOf('CP1', 0).map(({ attempts, nextAttemptAt }) => [attempts, nextAttemptAt]),
    [
      [1, 0],
      [3, 0],
    ],
  )
  assert.equal(outboxDrop([1]), 1)
  assert.deepEqual(pending(), ['"b"'])
  assert.equal(outboxDrop(null), 2)
})
