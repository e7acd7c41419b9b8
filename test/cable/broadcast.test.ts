import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBroadcasts as parse } from '../../src/cable/broadcast.ts'
import { elementsOf, isParsable, slicing } from '../../src/ocpp/json.ts'

const parseBroadcasts = (text: string) => parse(text, slicing, isParsable(text))

const stream = (name: string, data: string, excludeSid: string | null = null) => ({
  kind: 'stream',
  stream: name,
  data,
  excludeSid,
})
const disconnect = (connectionIdentifiers: string) => ({
  kind: 'disconnect',
  connectionIdentifiers,
})

/** The first six were recorded from the gem. */
const publications = [
  [
    String.raw`{"stream":"ocpp:ev/SN1","data":"{\"command\":\"TriggerMessage\",\"id\":\"u1\",\"payload\":{\"requestedMessage\":\"BootNotification\"}}"}`,
    [stream('ocpp:ev/SN1', '{"command":"TriggerMessage","id":"u1","payload":{"requestedMessage":"BootNotification"}}')],
    'a remote command',
  ],
  [
    String.raw`{"stream":"ocpp:ev/SN1","data":"{\"a\":1}","meta":{"exclude_socket":"sess-9"}}`,
    [stream('ocpp:ev/SN1', '{"a":1}', 'sess-9')],
    'to all but one session',
  ],
  [
    String.raw`{"stream":"ocpp:42","data":"\"plain string\""}`,
    [stream('ocpp:42', '"plain string"')],
    'a string, encoded once more',
  ],
  ['{"stream":"raw","data":"not json"}', [stream('raw', 'not json')], 'data that is not JSON'],
  [
    String.raw`[{"stream":"s1","data":"{\"x\":1}"},{"stream":"s2","data":"{\"x\":2}"}]`,
    [stream('s1', '{"x":1}'), stream('s2', '{"x":2}')],
    'a batch, in its order',
  ],
  [
    String.raw`{"command":"disconnect","payload":{"identifier":"{\"station_id\":\"CP01\",\"role\":\"ev\"}","reconnect":true}}`,
    [disconnect('{"station_id":"CP01","role":"ev"}')],
    'a remote disconnect',
  ],
  [
    '{"command":"disconnect","payload":{"identifier":"I","reconnect":false}}',
    [disconnect('I')],
    'a remote disconnect for good',
  ],
  [
    '{"command":"disconnect","payload":{"identifier":"I"}}',
    [disconnect('I')],
    'reconnect left out: a station comes back in any case',
  ],
  [
    '{"stream":"s","data":"d","command":"disconnect","payload":{"identifier":"I"}}',
    [stream('s', 'd')],
    'the stream is tried first',
  ],
  [
    '{"stream":"","data":"d","command":"disconnect","payload":{"identifier":"I"}}',
    [disconnect('I')],
    'an empty stream is none',
  ],
  ['{"stream":"s","data":""}', [stream('s', '')], 'empty data is kept'],
  [
    '{"stream":"s","data":"d","meta":{"exclude_socket":""}}',
    [stream('s', 'd')],
    'an empty exclude_socket excludes nobody',
  ],
  [
    '{"stream":"s","data":"d","meta":{"exclude_socket":7}}',
    [stream('s', 'd')],
    'an exclude_socket that is not a string excludes nobody',
  ],
  ['{"stream":"s","data":"d","meta":null,"more":[1]}', [stream('s', 'd')], 'unknown members are ignored'],
  [
    '{"stream":"s","data":{"command":"Reset","id":"1","payload":{"v" : 2935.600, "n":9223372036854775807}}}',
    [stream('s', '{"command":"Reset","id":"1","payload":{"v" : 2935.600, "n":9223372036854775807}}')],
    'data that is an object, as people post it by hand, byte for byte',
  ],
  [
    String.raw`{"data":{"a":1},"stream":"s","meta":{"data":{"b":2},"exclude_socket":"x"},"data": {"\u0064ata":"[{,"} }`,
    [stream('s', String.raw`{"\u0064ata":"[{,"}`, 'x')],
    'the last of two members is its data, and no member of another',
  ],
  [
    '[{"stream":"a","data":{"x":1.0}},{"stream":"b","data":"{}"},{"stream":"c","data":{"y":[2.00,{}]}}]',
    [stream('a', '{"x":1.0}'), stream('b', '{}'), stream('c', '{"y":[2.00,{}]}')],
    'a batch with objects as data',
  ],
  [
    ' \n{"stream":"Ünïcode ⚡","data":"\\u26a1"}\n',
    [stream('Ünïcode ⚡', '⚡')],
    'white space around it, and any character',
  ],
] as const
for (const [text, expected, because] of publications) {
  test(`parseBroadcasts reads a publication: ${because}`, () => {
    assert.deepEqual(parseBroadcasts(text), expected)
  })
}

const unreadable = [
  ['', 'an empty body'],
  ['{"stream":"s"', 'truncated JSON'],
  ['null', 'not an object'],
  ['7', 'a number'],
  ['"stream"', 'a string'],
  ['{}', 'an empty object'],
  ['[]', 'an empty batch'],
  ['{"stream":7,"data":"d"}', 'a stream that is not a string'],
  ['{"stream":"s"}', 'no data'],
  ['{"stream":"s","data":[{"a":1}]}', 'data that is a list'],
  ['{"stream":"s","data":7}', 'data that is a number'],
  ['{"stream":"s","data":null}', 'data that is null'],
  ['{"command":"restart","payload":{}}', 'an unknown command'],
  ['{"command":"disconnect"}', 'a disconnect without a payload'],
  ['{"command":"disconnect","payload":[]}', 'a disconnect whose payload is not an object'],
  ['{"command":"disconnect","payload":{"identifier":7}}', 'a disconnect whose identifier is not a string'],
  ['{"__proto__":{"stream":"s","data":"d"}}', 'a stream in __proto__'],
  ['{"command":"disconnect","payload":{"__proto__":{"identifier":"I"}}}', 'an identifier in __proto__'],
  ['{"constructor":{"prototype":{"stream":"s"}}}', 'a stream in constructor.prototype'],
] as const
for (const [text, because] of unreadable) {
  test(`parseBroadcasts rejects a publication as unreadable: ${because}`, () => {
    const [broadcast, ...more] = parseBroadcasts(text)
    assert.equal(broadcast?.kind, 'unreadable')
    assert.deepEqual(more, [])
  })
}

test('an unreadable item in a batch does not affect the others', () => {
  const text =
    '[{"stream":"a","data":"1"},7,{"stream":"b","data":[]},[{"stream":"c","data":"3"}],{"stream":"d","data":"4"}]'
  const kinds = parseBroadcasts(text).map(broadcast => broadcast.kind)
  assert.deepEqual(kinds, ['stream', 'unreadable', 'unreadable', 'unreadable', 'stream'])
})

test('a batch may contain both messages and disconnects', () => {
  const text = '[{"stream":"a","data":"1"},{"command":"disconnect","payload":{"identifier":"I"}}]'
  assert.deepEqual(parseBroadcasts(text), [stream('a', '1'), disconnect('I')])
})

test('__proto__ beside a stream changes no prototype', () => {
  const text = '{"__proto__":{"polluted":1},"stream":"s","data":"d","meta":{"__proto__":{"exclude_socket":"x"}}}'
  assert.deepEqual(parseBroadcasts(text), [stream('s', 'd')])
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('deeply nested brackets are unreadable and do not crash', () => {
  for (const text of ['['.repeat(200_000), `${'['.repeat(200_000)}${']'.repeat(200_000)}`]) {
    assert.deepEqual(
      parseBroadcasts(text).map(broadcast => broadcast.kind),
      ['unreadable'],
    )
  }
})

test('a batch of many objects is cut once, and not once for each', () => {
  let cuts = 0
  const counting = { ...slicing, elementsOf: (text: string) => (cuts++, elementsOf(text)) }
  const text = JSON.stringify(Array.from({ length: 1_000 }, () => ({ stream: 's', data: {} })))
  assert.equal(parse(text, counting, true).length, 1_000)
  assert.equal(cuts, 1)
})

test('a publication of 1 MiB is read, one character more is unreadable', () => {
  const ofLength = (length: number): string => `{"stream":"s","data":"${'x'.repeat(length - 24)}"}`
  const most = 1024 * 1024
  assert.equal(ofLength(most).length, most)
  assert.deepEqual(parseBroadcasts(ofLength(most)), [stream('s', 'x'.repeat(most - 24))])
  assert.deepEqual(parseBroadcasts(ofLength(most + 1)), [{ kind: 'unreadable', problem: 'more than 1 MiB' }])
})
