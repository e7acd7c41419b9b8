import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { PassThrough, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { outboxCommand } from '../../src/store/cli.ts'
import { outboxOf } from '../../src/store/outbox.ts'
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

/** What the command printed, and its problem. */
async function output(
  dir: string | null,
  words: readonly string[],
  pageSize?: number,
): Promise<[string, string | null]> {
  const out = new PassThrough()
  const printed = text(out)
  const problem = await outboxCommand(dir, words, out, pageSize)
  out.end()
  return [await printed, problem]
}

async function ran(dir: string, ...words: readonly string[]): Promise<string> {
  const [printed, problem] = await output(dir, words)
  assert.equal(problem, null)
  return printed
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

test('list has a line for each message, also of a running bridge', within, async t => {
  const { dir, store } = await filled(t)
  const lines = [
    '1\tCP1\t1.6\tStopTransaction\t2026-01-02T03:04:05.000Z\t3\tpending\ttimeout\n',
    '2\tCP2\t1.6\tStopTransaction\t2026-01-02T03:04:05.000Z\t1\tdead\tundefined method\n',
  ]
  assert.equal(await ran(dir, 'list'), lines.join(''))
  await store.close()
  assert.equal(await ran(dir, 'list'), lines.join(''))
})

test('show and export have the payload as the station sent it', within, async t => {
  const { dir } = await filled(t)
  const line = await ran(dir, 'show', '2')
  assert.ok(line.includes('"payload":{"meterStop": 2935.600}'), line)
  const { seq, station, version, id, error } = JSON.parse(line) as Readonly<Record<string, unknown>>
  assert.deepEqual([seq, station, version, id, error], [2, 'CP2', '1.6', 'b', 'undefined\nmethod'])
  assert.equal((await ran(dir, 'export')).split('\n').length, 3)
  assert.equal(await ran(dir, 'show', '1', '2'), await ran(dir, 'export'))
})

test('retry and drop are refused while a bridge runs', within, async t => {
  const { dir, store } = await filled(t)
  for (const command of ['retry', 'drop']) {
    const [printed, problem] = await output(dir, [command, 'all'])
    assert.equal(printed, '')
    assert.match(String(problem), /another process uses it/)
  }
  assert.deepEqual((await outboxOf(store, 1).size()).dead, 1)
})

test('retry makes a dead letter pending again', within, async t => {
  const { dir, store } = await filled(t)
  await store.close()
  assert.equal(await ran(dir, 'retry', '2'), `1 message of ${dir}\n`)
  assert.match(await ran(dir, 'list'), /^2\tCP2\t.*\t1\tpending\t/m)
  assert.equal(await ran(dir, 'retry', 'all'), `2 messages of ${dir}\n`)
  assert.match(await ran(dir, 'list'), /^1\tCP1\t.*\t3\tpending\t/m)
})

test('drop deletes messages', within, async t => {
  const { dir, store } = await filled(t)
  await store.close()
  assert.equal(await ran(dir, 'drop', '1', '99'), `1 message of ${dir}\n`)
  assert.match(await ran(dir, 'list'), /^2\t[^\n]*\n$/)
  const again = await openSourceStore(dir)
  const { pending, dead } = await outboxOf(again, 1).size()
  await again.close()
  assert.deepEqual([pending, dead], [0, 1])
})

for (const words of [[], ['lists'], ['list', '1'], ['show'], ['drop'], ['drop', '1;'], ['retry', 'all', '1']]) {
  test(`outbox ${words.join(' ')} prints the usage, and changes nothing`, async t => {
    const dir = temporaryDirectory(t)
    const [printed, problem] = await output(dir, words)
    assert.equal(printed, '')
    assert.match(String(problem), /^Usage: ocpp-cable outbox/)
    assert.deepEqual(readdirSync(dir), [])
  })
}

test('outbox says what is missing without a state_dir, and without a store in it', async t => {
  assert.deepEqual(await output(null, ['list']), ['', 'state_dir is not set: add --state_dir=DIRECTORY\n'])
  const dir = temporaryDirectory(t)
  for (const words of [['list'], ['drop', 'all']])
    assert.deepEqual(await output(dir, words), ['', `state_dir ${dir}: no bridge has used it yet\n`])
  assert.deepEqual(readdirSync(dir), [])
})

test('export reads page by page, each message once and in order, whatever the page', within, async t => {
  const dir = await withMessages(t, 2_000)
  for (const pageSize of [1, 7, 1_000, 5_000]) {
    const [printed] = await output(dir, ['export'], pageSize)
    const numbers = printed.split('\n', 2_000).map(line => (JSON.parse(line) as { readonly seq: number }).seq)
    assert.deepEqual(numbers, Array.from({ length: 2_000 }, (_, at) => at + 1)) // prettier-ignore
    assert.equal(printed.split('\n').length, 2_001)
  }
  const [shown] = await output(dir, ['show', '3', '1999', '2', '7000'], 1)
  assert.deepEqual([...shown.matchAll(/"seq":(\d+)/g)].map(([, seq]) => seq), ['2', '3', '1999']) // prettier-ignore
})

test('export reads no further than its reader takes', within, async t => {
  const dir = await withMessages(t, 2_000)
  const out = new PassThrough()
  const exporting = outboxCommand(dir, ['export'], out)
  await once(out, 'readable')
  // What is still in the store when the reader begins was not read before.
  const store = await openSourceStore(dir)
  await Promise.all(Array.from({ length: 2_000 }, (_, at) => outboxOf(store, 1).delivered(at + 1)))
  await store.close()
  const printed = text(out)
  assert.equal(await exporting, null)
  out.end()
  const lines = (await printed).split('\n').length - 1
  assert.ok(lines > 0 && lines < 500, `${lines} lines`)
})

test('export ends without a problem when its reader leaves', within, async t => {
  const dir = await withMessages(t, 2_000)
  const out = new Writable({
    write: (_, __, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
  })
  assert.equal(await outboxCommand(dir, ['export'], out), null)
  // The store is closed again.
  await (await openSourceStore(dir)).close()
})
