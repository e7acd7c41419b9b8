import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitMs, Pairs, type Frame } from '../../../src/cli/show/pairs.ts'

const frameOf = (given: Partial<Frame>): Frame => ({
  at: '2026-01-02T03:04:05.006Z',
  station: 'CP1',
  sid: 's1',
  direction: 'received',
  type: 'call',
  id: '1',
  action: 'Heartbeat',
  milliseconds: null,
  isError: false,
  frame: '',
  ...given,
})
const call = frameOf({})
const answer = frameOf({ direction: 'sent', type: 'callResult', milliseconds: 2 })
const error = frameOf({ direction: 'sent', type: 'callError', isError: true })

test('a CALL comes with its answer, whatever passes between', () => {
  const pairs = new Pairs(false, () => 0)
  const other = frameOf({ station: 'CP2' })
  const sent = frameOf({ direction: 'sent' })
  assert.deepEqual(pairs.add(call), [])
  assert.deepEqual(pairs.add(other), [])
  assert.deepEqual(pairs.add(sent), [])
  assert.deepEqual(pairs.add(answer), [call, answer])
  assert.deepEqual(pairs.add({ ...answer, direction: 'received' }), [sent, { ...answer, direction: 'received' }])
  assert.deepEqual(pairs.add(answer), [answer], 'an answer without a CALL comes alone')
})

test('a CALL that waits too long comes alone, and so does its answer', () => {
  let now = 0
  const pairs = new Pairs(false, () => now)
  pairs.add(call)
  now = waitMs - 1
  assert.deepEqual(pairs.due(), [])
  now = waitMs
  assert.deepEqual(pairs.due(), [call])
  assert.deepEqual(pairs.due(), [])
  assert.deepEqual(pairs.add(answer), [answer])
})

test('SENDs and malformed messages do not wait', () => {
  const pairs = new Pairs(false, () => 0)
  for (const type of ['send', 'malformed', 'callResultError'] as const)
    assert.deepEqual(pairs.add(frameOf({ type })), [frameOf({ type })])
})

test('with errors alone, a CALL is shown only before its error', () => {
  let now = 0
  const pairs = new Pairs(true, () => now)
  pairs.add(call)
  assert.deepEqual(pairs.add(answer), [])
  pairs.add(call)
  now = waitMs * 10
  assert.deepEqual(pairs.due(), [])
  assert.deepEqual(pairs.add(error), [call, error])
  assert.deepEqual(pairs.add(frameOf({ type: 'send' })), [])
  const malformed = frameOf({ type: 'malformed', isError: true })
  assert.deepEqual(pairs.add(malformed), [malformed])
  const refusal = { ...answer, isError: true }
  pairs.add(call)
  assert.deepEqual(pairs.add(refusal), [call, refusal], 'an answer that refuses a card')
})

test('a CALL that comes twice under one id is shown twice', () => {
  const pairs = new Pairs(false, () => 0)
  pairs.add(call)
  assert.deepEqual(pairs.add({ ...call, at: 'later' }), [call])
})

test('a thousand CALLs wait at most: the oldest is shown', () => {
  const pairs = new Pairs(false, () => 0)
  for (let id = 0; id < 1_000; id++) assert.deepEqual(pairs.add(frameOf({ id: String(id) })), [])
  assert.deepEqual(pairs.add(frameOf({ id: 'more' })), [frameOf({ id: '0' })])
})
