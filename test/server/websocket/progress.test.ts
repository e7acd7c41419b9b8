/**
 * Whether a connection gets on, look by look.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Progress } from '../../../src/server/websocket/progress.ts'

type Seen = readonly [now: number, messagesBefore: number | null, bytesBefore: number | null]

/** Each look at a station that is not accepted and sends all the time, what the last one returns, because. */
const rows: readonly (readonly [readonly Seen[], 'message' | 'write' | null, string])[] = [
  [
    [
      [0, null, null],
      [9_000, null, null],
    ],
    null,
    'nothing is in progress',
  ],
  [
    [
      [0, 1, null],
      [999, 1, null],
    ],
    null,
    'a message has some time',
  ],
  [
    [
      [0, 1, null],
      [1_000, 1, null],
    ],
    'message',
    'the same message, for too long',
  ],
  [
    [
      [0, 1, null],
      [900, 2, null],
      [1_500, 2, null],
    ],
    null,
    'another message begins anew',
  ],
  [
    [
      [0, 1, null],
      [900, null, null],
      [1_500, 1, null],
    ],
    null,
    'a socket that is paused begins anew',
  ],
  [
    [
      [0, null, 5],
      [499, null, 5],
    ],
    null,
    'a station has some time to read',
  ],
  [
    [
      [0, null, 5],
      [500, null, 5],
    ],
    'write',
    'it has read nothing for too long',
  ],
  [
    [
      [0, null, 5],
      [400, null, 6],
      [800, null, 6],
    ],
    null,
    'it has read something',
  ],
  [
    [
      [0, 1, 5],
      [1_000, 1, 5],
    ],
    'write',
    'who does not read gets no close frame',
  ],
]
for (const [seen, expected, because] of rows) {
  test(`${seen.map(each => each.join('/')).join(', ')} is ${expected ?? 'progress'}: ${because}`, () => {
    const progress = new Progress({ messageTimeoutMs: 1_000, writeTimeoutMs: 500 })
    const results = seen.map(([now, messagesBefore, bytesBefore]) => {
      const arriving = messagesBefore === null ? null : { messagesBefore, bytes: now, mayBeSlow: false }
      return progress.look({ now, arriving, bytesBefore })
    })
    assert.equal(results.at(-1), expected)
  })
}

test('0 means no limit', () => {
  const progress = new Progress({ messageTimeoutMs: 0, writeTimeoutMs: 0 })
  const arriving = { messagesBefore: 1, bytes: 1, mayBeSlow: true }
  for (const now of [0, 3_600_000]) assert.equal(progress.look({ now, arriving, bytesBefore: 1 }), null)
})

/** The bytes of one message of an accepted station at each look, 600 ms apart; what the last look returns, because. */
const accepted: readonly (readonly [readonly number[], 'message' | null, string])[] = [
  [[1, 2, 3, 4, 5], null, 'a slow link gets on'],
  [[1, 2, 2], null, 'a link may stand still for a while'],
  [[1, 2, 2, 2], 'message', 'nothing has arrived for too long'],
  [[1, 2, 2, 3, 3], null, 'the time counts from the last byte'],
]
for (const [bytes, expected, because] of accepted) {
  test(`a message of an accepted station is ${expected === null ? 'in' : 'out of'} time when its bytes are ${bytes.join(', ')}: ${because}`, () => {
    const progress = new Progress({ messageTimeoutMs: 1_000, writeTimeoutMs: 0 })
    const results = bytes.map((arrived, count) =>
      progress.look({
        now: 600 * count,
        arriving: { messagesBefore: 1, bytes: arrived, mayBeSlow: true },
        bytesBefore: null,
      }),
    )
    assert.equal(results.at(-1), expected)
  })
}

test('the time of a message begins anew when the app accepts its station', () => {
  const progress = new Progress({ messageTimeoutMs: 1_000, writeTimeoutMs: 0 })
  const seen = [false, true, true, true].map((mayBeSlow, count) =>
    progress.look({ now: 600 * count, arriving: { messagesBefore: 1, bytes: 900, mayBeSlow }, bytesBefore: null }),
  )
  assert.deepEqual(seen, [null, null, null, 'message'])
})
