/** What frames say; what must not be in them is in `rules.test.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, parseControlFrame, serializeNumbers, serializeSettings } from '../../src/http2/frames.ts'
import { numbers, types } from './server.ts'

const setting = (number: number, value: number): Buffer => Buffer.concat([Buffer.of(0, number), numbers(value)])

/** [type, flags, stream, payload, what it reads as, because] */
const frames: readonly (readonly [number, number, number, Buffer, object, string])[] = [
  [types.settings, 0, 0, Buffer.of(), { kind: 'settings', changes: [] }, 'no settings'],
  [
    types.settings,
    0,
    0,
    Buffer.concat(
      [
        [1, 0],
        [2, 0],
        [3, 5],
        [4, 6],
        [5, 2 ** 14],
        [6, 7],
        [9, 9],
        [3, 8],
      ].map(([a = 0, b = 0]) => setting(a, b)),
    ),
    {
      kind: 'settings',
      changes: [
        ['headerTableBytes', 0],
        ['maxStreams', 5],
        ['windowBytes', 6],
        ['maxFrameBytes', 2 ** 14],
        ['maxHeaderListBytes', 7],
        ['maxStreams', 8],
      ],
    },
    'all settings, in order; one occurs twice',
  ],
  [types.settings, 1, 0, Buffer.of(), { kind: 'settingsAck' }, 'an acknowledgement'],
  [types.ping, 0, 0, Buffer.from('12345678'), { kind: 'ping', payload: Buffer.from('12345678') }, 'a ping'],
  [types.ping, 1, 0, Buffer.alloc(8), { kind: 'pong' }, 'its answer'],
  [
    types.goaway,
    0,
    0,
    Buffer.concat([numbers(2 ** 31 + 5, 11), Buffer.from('too_many_pings')]),
    { kind: 'goaway', lastStreamId: 5, code: 11 },
    'a reserved bit, and a text for people',
  ],
  [types.windowUpdate, 0, 3, numbers(2 ** 31 + 1), { kind: 'windowUpdate', increment: 1 }, 'a reserved bit'],
  [types.rstStream, 0, 3, numbers(7), { kind: 'rstStream', code: 7 }, 'a reset'],
  [types.priority, 0, 3, Buffer.alloc(5), { kind: 'ignored' }, 'RFC 9113 has no priorities any more'],
  [0x0c, 0, 3, Buffer.alloc(5), { kind: 'ignored' }, 'a type that is unknown'],
]
for (const [type, flags, id, payload, expected, because] of frames) {
  test(`parseControlFrame reads type ${type} as ${JSON.stringify(expected).slice(0, 60)}: ${because}`, () => {
    assert.deepEqual(parseControlFrame(type, flags, id, payload), expected)
  })
}

test('serializeSettings has no push, the window and the longest list; serializeNumbers 32 bits for each', () => {
  assert.deepEqual(serializeSettings(10, 20), Buffer.concat([setting(2, 0), setting(4, 10), setting(6, 20)]))
  assert.deepEqual(serializeNumbers(1, 2 ** 31), Buffer.of(0, 0, 0, 1, 128, 0, 0, 0))
})

test('contentOf has no priority in DATA, whatever the flag says', () => {
  assert.deepEqual(contentOf(types.data, 8 | 32, Buffer.of(1, 7, 8, 0)), Buffer.of(7, 8))
  assert.deepEqual(contentOf(types.headers, 8 | 32, Buffer.of(1, 0, 0, 0, 0, 9, 7, 8, 0)), Buffer.of(7, 8))
})
