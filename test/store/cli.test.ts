import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
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

const ran = (dir: string, ...words: readonly string[]): string => {
  const { ok, text } = outboxCommand(dir, words)
  assert.ok(ok, text)
  return text
}

test('list has a line for each message, also of a running bridge', within, async t => {
  const { dir, store } = await filled(t)
  const lines = [
    '1\tCP1\tocpp1.6\tStopTransaction\t2026-01-02T03:04:05.000Z\t3\tpending\ttimeout\n',
    '2\tCP2\tocpp1.6\tStopTransaction\t2026-01-02T03:04:05.000Z\t0\tdead\tundefined method\n',
  ]
  assert.equal(ran(dir, 'list'), lines.join(''))
  await store.close()
  assert.equal(ran(dir, 'list'), lines.join(''))
})

test('show and export have the payload as the station sent it', within, async t => {
  const { dir } = await filled(t)
  const line = ran(dir, 'show', '2')
  assert.ok(line.includes('"payload":{"meterStop": 2935.600}'), line)
  const { seq, station, id, error } = JSON.parse(line) as Readonly<Record<string, unknown>>
  assert.deepEqual([seq, station, id, error], [2, 'CP2', 'b', 'undefined\nmethod'])
  assert.equal(ran(dir, 'export').split('\n').length, 3)
  assert.equal(ran(dir, 'show', '1', '2'), ran(dir, 'export'))
})

test('retry and drop are refused while a bridge runs', within, async t => {
  const { dir, store } = await filled(t)
  for (const command of ['retry', 'drop']) {
    const { ok, text } = outboxCommand(dir, [command, 'all'])
    assert.equal(ok, false)
    assert.match(text, /another process uses it/)
  }
  assert.deepEqual((await outboxOf(store, 1).size()).dead, 1)
})

test('retry makes a dead letter pending again', within, async t => {
  const { dir, store } = await filled(t)
  await store.close()
  assert.equal(ran(dir, 'retry', '2'), '1 message\n')
  assert.match(ran(dir, 'list'), /^2\tCP2\t.*\t0\tpending\t/m)
  assert.equal(ran(dir, 'retry', 'all'), '2 messages\n')
  assert.match(ran(dir, 'list'), /^1\tCP1\t.*\t0\tpending\t/m)
})

test('drop deletes messages', within, async t => {
  const { dir, store } = await filled(t)
  await store.close()
  assert.equal(ran(dir, 'drop', '1', '99'), '1 message\n')
  assert.match(ran(dir, 'list'), /^2\t[^\n]*\n$/)
  const again = await openSourceStore(dir)
  const { pending, dead } = await outboxOf(again, 1).size()
  await again.close()
  assert.deepEqual([pending, dead], [0, 1])
})

for (const words of [[], ['lists'], ['list', '1'], ['show'], ['drop'], ['drop', '1;'], ['retry', 'all', '1']]) {
  test(`outbox ${words.join(' ')} prints the usage, and changes nothing`, t => {
    const dir = temporaryDirectory(t)
    const { ok, text } = outboxCommand(dir, words)
    assert.equal(ok, false)
    assert.match(text, /^Usage: ocpp-cable outbox/)
    assert.deepEqual(readdirSync(dir), [])
  })
}

test('outbox says what is missing without a state_dir, and without a store in it', t => {
  assert.deepEqual(outboxCommand(null, ['list']), {
    ok: false,
    text: 'state_dir is not set: add --state_dir=DIRECTORY\n',
  })
  const dir = temporaryDirectory(t)
  for (const words of [['list'], ['drop', 'all']])
    assert.deepEqual(outboxCommand(dir, words), { ok: false, text: `state_dir ${dir}: no bridge has used it yet\n` })
  assert.deepEqual(readdirSync(dir), [])
})
