import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { changeOutbox, hasOutbox, readOutbox } from '../../src/store/directory.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import type { OutboxRow } from '../../src/session/ports.ts'
import type { Store } from '../../src/store/store.ts'
import { openSourceStore, temporaryDirectory } from '../support/store.ts'
import { outboxMessage } from './messages.ts'

const within = { timeout: 60_000 }

/** A running bridge's directory with the messages a, pending, and b, a dead letter. */
async function filled(t: TestContext): Promise<{ readonly dir: string; readonly store: Store }> {
  const dir = temporaryDirectory(t)
  const store = await openSourceStore(dir)
  t.after(() => store.close())
  const outbox = outboxOf(store, Infinity)
  await outbox.append(outboxMessage('a'))
  await outbox.append({ ...outboxMessage('b', { station: 'CP2' }), payload: '{"meterStop": 2935.600}' as never })
  await outbox.failed(1, 3, 0, 'timeout')
  await outbox.deadLetter(2, 'undefined\nmethod')
  return { dir, store }
}

/** Only the directory matters, and how many messages it holds. */
async function withMessages(t: TestContext, count: number): Promise<string> {
  const dir = temporaryDirectory(t)
  const store = await openSourceStore(dir)
  const outbox = outboxOf(store, Infinity)
  await Promise.all(Array.from({ length: count }, (_, at) => outbox.append(outboxMessage(`${at}`))))
  await store.close()
  return dir
}

const seqsOf = (dir: string, seqs: readonly number[] | null, pageSize?: number): number[] =>
  Array.from(readOutbox(dir, seqs, pageSize), ({ seq }) => seq)

test('messages are read as they are stored, also of a running bridge', within, async t => {
  const { dir, store } = await filled(t)
  const read = [...readOutbox(dir, null)]
  const shown = read.map(({ stationId, version, id, attempts, deadAt, error }) => [stationId, version, id, attempts, deadAt !== null, error]) // prettier-ignore
  assert.deepEqual(shown, [
    ['CP1', 'ocpp1.6', '"a"', 3, false, 'timeout'],
    ['CP2', 'ocpp1.6', '"b"', 1, true, 'undefined\nmethod'],
  ])
  assert.equal(read[1]?.payload, '{"meterStop": 2935.600}')
  await store.close()
  assert.deepEqual([...readOutbox(dir, null)], read)
})

test('retry and drop are refused while a bridge runs', within, async t => {
  const { dir, store } = await filled(t)
  for (const change of ['retry', 'drop'] as const)
    assert.throws(() => changeOutbox(dir, change, null), { name: 'StoreError', code: 'locked' })
  assert.deepEqual((await outboxOf(store, 1).size()).dead, 1)
})

test('retry makes a dead letter pending again, and keeps its attempts', within, async t => {
  const { dir, store } = await filled(t)
  await store.close()
  assert.equal(changeOutbox(dir, 'retry', [2]), 1)
  const deaths = () => Array.from(readOutbox(dir, null), ({ deadAt, attempts }) => [deadAt, attempts])
  assert.deepEqual(deaths(), [[null, 3], [null, 1]]) // prettier-ignore
  assert.equal(changeOutbox(dir, 'retry', null), 2)
  assert.deepEqual(deaths(), [[null, 3], [null, 1]]) // prettier-ignore
})

test('drop deletes messages', within, async t => {
  const { dir, store } = await filled(t)
  await store.close()
  assert.equal(changeOutbox(dir, 'drop', [1, 99]), 1)
  assert.deepEqual(seqsOf(dir, null), [2])
  const again = await openSourceStore(dir)
  const { pending, dead } = await outboxOf(again, 1).size()
  await again.close()
  assert.deepEqual([pending, dead], [0, 1])
})

test('a directory has an outbox once a bridge has used it', within, async t => {
  assert.equal(hasOutbox(temporaryDirectory(t)), false)
  assert.equal(hasOutbox(await withMessages(t, 0)), true)
})

test('messages are read page by page, each once and in order, whatever the page', within, async t => {
  const dir = await withMessages(t, 2_000)
  const all = Array.from({ length: 2_000 }, (_, at) => at + 1)
  for (const pageSize of [1, 7, 1_000, 5_000]) assert.deepEqual(seqsOf(dir, null, pageSize), all)
  assert.deepEqual(seqsOf(dir, [3, 1999, 2, 7000], 1), [2, 3, 1999])
})

test('no more is read than is taken, and the directory is free again when the reader leaves', within, async t => {
  const dir = await withMessages(t, 200)
  const reading = readOutbox(dir, null)
  const first: IteratorResult<OutboxRow, void> = reading.next()
  assert.equal(first.done === true ? null : first.value.seq, 1)
  // What is still in the store when the reader begins was not read before.
  const store = await openSourceStore(dir)
  await Promise.all(Array.from({ length: 200 }, (_, at) => outboxOf(store, 1).delivered(at + 1)))
  await store.close()
  assert.equal([...reading].length, 49)
  for (const { seq } of readOutbox(await withMessages(t, 2), null)) {
    assert.equal(seq, 1)
    break
  }
  assert.equal(changeOutbox(dir, 'drop', null), 0)
})
