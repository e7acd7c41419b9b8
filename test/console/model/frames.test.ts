import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FrameView } from '../../../src/admin/answers.ts'
import { frameJson, payloadOf, resultOf, Timeline } from '../../../src/console/model/frames.ts'

const base: FrameView = {
  at: '2026-01-01T00:00:00.000Z',
  station: 'CP1',
  sid: 's1',
  direction: 'received',
  type: 'call',
  id: 'a',
  action: 'Heartbeat',
  milliseconds: null,
  isError: false,
  frame: '[2,"a","Heartbeat",{}]',
}
const call = (more: Partial<FrameView> = {}): FrameView => ({ ...base, ...more })
const answer = (more: Partial<FrameView> = {}): FrameView => ({
  ...base,
  direction: 'sent',
  type: 'callResult',
  milliseconds: 3,
  frame: '[3,"a",{"status":"Accepted"}]',
  ...more,
})

function timelineOf(...frames: readonly FrameView[]): Timeline {
  const timeline = new Timeline()
  for (const frame of frames) timeline.add(frame)
  return timeline
}

test('a CALL and its answer are one entry, the latest entry first', () => {
  const { entries } = timelineOf(call(), call({ id: 'b' }), answer())
  assert.deepEqual(
    entries.map(({ id, answer: its }) => [id, its?.milliseconds ?? null]),
    [
      ['b', null],
      ['a', 3],
    ],
  )
})

const apart = [
  [answer({ direction: 'received' }), 'app', 'the answer to a command with the same id'],
  [answer({ sid: 's2' }), 'station', 'an answer on another connection'],
  [answer({ id: 'x' }), 'station', 'an answer whose CALL passed before'],
] as const
for (const [frame, from, because] of apart) {
  test(`an answer that belongs to no CALL is an entry that began at the ${from}: ${because}`, () => {
    const { entries } = timelineOf(call(), frame)
    assert.deepEqual([entries[0]?.first, entries[0]?.answer?.id, entries[0]?.from], [null, frame.id, from])
  })
}

test('frames of the history that the stream has brought already are left out', () => {
  const { entries } = timelineOf(call(), answer(), call(), answer())
  assert.equal(entries.length, 1)
})

test('frames of the history take their place by time when the stream was faster', () => {
  const early = call({ id: 'early', at: '2025-12-31T23:59:59.000Z' })
  assert.deepEqual(
    timelineOf(call({ id: 'late' }), early).entries.map(({ id }) => id),
    ['late', 'early'],
  )
})

test('five hundred entries are kept', () => {
  const timeline = new Timeline()
  for (let at = 0; at < 600; at++) timeline.add(call({ id: String(at) }))
  assert.deepEqual([timeline.entries.length, timeline.entries[0]?.id], [500, '599'])
})

const results = [
  [[call()], 'no answer yet', false, 'an open CALL'],
  [[call(), answer()], 'Accepted', false, 'a status'],
  [[call(), answer({ frame: '[3,"a",{}]' })], 'answered', false, 'an answer without a status'],
  [[call(), answer({ isError: true, frame: '[3,"a",{"idTagInfo":{"status":"Blocked"}}]' })], 'Blocked', true, 'a card'],
  [
    [call(), answer({ type: 'callError', isError: true, frame: '[4,"a","FormationViolation","",{}]' })],
    'FormationViolation',
    true,
    'an error',
  ],
  [
    [call(), answer({ type: 'callError', isError: true, frame: '[4,"a","Form...(9)' })],
    'error',
    true,
    'an error that is cut',
  ],
  [[call({ type: 'send', frame: '[6,"a","NotifyPeriodicEventStream",{}]' })], 'sent', false, 'a SEND'],
  [[call({ type: 'malformed', frame: 'x' })], 'cannot be read', true, 'no JSON'],
] as const
for (const [frames, word, isError, because] of results) {
  test(`an entry came to ${word}: ${because}`, () => {
    const [entry] = timelineOf(...frames).entries
    assert.ok(entry)
    assert.deepEqual(resultOf(entry), { word, isError })
  })
}

test('a payload is read from frames that are whole', () => {
  assert.deepEqual(payloadOf(call()), {})
  assert.deepEqual(payloadOf(answer()), { status: 'Accepted' })
  assert.equal(payloadOf(call({ frame: '[2,"a","Heartb...(12)' })), undefined)
  assert.equal(frameJson(call({ frame: '{}' })), null)
  assert.equal(payloadOf(answer({ type: 'callError' })), undefined)
})
