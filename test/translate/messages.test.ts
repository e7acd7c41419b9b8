import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readMessage, readTransmission, type AppMessage } from '../../src/translate/messages.ts'

const cable = (type: string, reason = ''): object => ({ kind: 'cable', type, reason })
const command = (id: string | null, action: string, payload: string): object => ({
  kind: 'command',
  id,
  action,
  payload,
})
const ack = (id: string, payload: string): object => ({ kind: 'answer', frame: { kind: 'callResult', id, payload } })
const error = (id: string, code: string, description: string, details: string): object => ({
  kind: 'answer',
  frame: { kind: 'callError', id, code, description, details },
})
const foreign = (problem: string): object => ({ kind: 'foreign', problem })

/** Recorded from the gem. */
const recorded: readonly (readonly [string, object, string])[] = [
  ['{"type":"welcome","sid":"s1"}', cable('welcome'), 'Connect ok'],
  [
    '{"type":"disconnect","reason":"unauthorized","reconnect":false}',
    cable('disconnect', 'unauthorized'),
    'Connect rejected',
  ],
  [
    '{"type":"disconnect","reason":"invalid_request","reconnect":false}',
    cable('disconnect', 'invalid_request'),
    'Connect rejected for an Origin that Rails does not allow',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"SN1\"}","type":"confirm_subscription"}`,
    cable('confirm_subscription'),
    'subscribe ok',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"SN1\",\"push\":true}","message":{"command":"GetConfiguration","id":"srv-1","payload":{"key":["a\u003cb\u003e\u0026c"]}}}`,
    command('"srv-1"', 'GetConfiguration', String.raw`{"key":["a\u003cb\u003e\u0026c"]}`),
    'transmit in subscribed: a remote command, as escaped by Rails',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"reject\"}","type":"reject_subscription"}`,
    cable('reject_subscription'),
    'subscribe reject',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"SN1\"}","message":{"command":"Ack","id":"42","payload":{"status":"Accepted","interval":60,"at":"2026-01-02T03:04:05.000Z","boots":1,"inspect":{"action":"boot_notification","id":"42","command":"BootNotification","payload":{"chargePointModel":"M"}}}}}`,
    ack(
      '"42"',
      '{"status":"Accepted","interval":60,"at":"2026-01-02T03:04:05.000Z","boots":1,"inspect":{"action":"boot_notification","id":"42","command":"BootNotification","payload":{"chargePointModel":"M"}}}',
    ),
    'perform boot_notification: members inside the payload are not members of the message',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"SN1\"}","message":{"command":"Ack","id":"43","payload":{"idTagInfo":{"status":"Accepted"}}}}`,
    ack('"43"', '{"idTagInfo":{"status":"Accepted"}}'),
    'perform authorize: the Ack',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"SN1\"}","message":{"command":"TriggerMessage","id":"srv-2","payload":{"requestedMessage":"Heartbeat"}}}`,
    command('"srv-2"', 'TriggerMessage', '{"requestedMessage":"Heartbeat"}'),
    'perform authorize: a command besides the Ack',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"SN1\"}","message":{"got":{"id":"1","command":"X","payload":{}}}}`,
    foreign('a message without a command'),
    'perform without action: the channel transmits something other than OCPP',
  ],
  [
    String.raw`{"identifier":"{\"channel\":\"OCPPChannel\",\"sn\":\"SN1\"}","message":{"command":"Error","id":"x","payload":{}}}`,
    error('"x"', 'GenericError', '', '{}'),
    'perform raises, rescued in the channel: an Error without a code',
  ],
  ['{"type":"disconnect","reason":"bye","reconnect":false}', cable('disconnect', 'bye'), 'perform connection.close'],
]

const transmissions: readonly (readonly [string, object, string])[] = [
  ...recorded,
  ['{"type":"ping","message":1757000000}', cable('ping'), 'a ping, though its message is a number'],
  ['{"type":"confirm_history","identifier":"I"}', cable('confirm_history'), 'of AnyCable’s longer protocol'],
  ['{"type":"disconnect","reason":null,"reconnect":true}', cable('disconnect'), 'a reason that is null'],
  ['{"type":"disconnect","reason":7}', cable('disconnect'), 'or no string'],
  [
    '{"type":null,"message":{"command":"Reset","id":"1"}}',
    command('"1"', 'Reset', '{}'),
    'a type that is null counts as absent',
  ],
  [
    ' { "message" : { "command" : "Ack" , "id" : 7 , "payload" : { "v" : 2935.600, "v":1 } } } ',
    ack('7', '{ "v" : 2935.600, "v":1 }'),
    'whitespace, a numeric id and an unchanged payload',
  ],
  [
    '{"message":{"command":"Reset","id":"1"},"message":{"command":"ClearCache","id":"2"}}',
    command('"2"', 'ClearCache', '{}'),
    'the last of equal keys counts',
  ],
  ['{"identifier":"I"}', foreign('a transmission without a message'), 'neither a type nor a message'],
  ['{"message":null}', foreign('a message that is not a JSON object'), 'a message that is null'],
  ['{"message":"hello"}', foreign('a message that is not a JSON object'), 'a message that is a string'],
  ['{"message":[{"command":"Reset"}]}', foreign('a message that is not a JSON object'), 'a message that is a list'],
  [
    '{"__proto__":{"message":{"command":"Reset"}}}',
    foreign('a transmission without a message'),
    'a message in __proto__ is ignored',
  ],
  ['[]', foreign('a transmission that is not a JSON object'), 'a list'],
  ['"welcome"', foreign('a transmission that is not a JSON object'), 'a string'],
  ['', foreign('a transmission that is not a JSON object'), 'an empty text'],
  ['{"message":{"command":"Reset"}', foreign('a transmission that is not a JSON object'), 'truncated JSON'],
]
for (const [text, expected, because] of transmissions) {
  test(`readTransmission: ${because}`, () => {
    assert.deepEqual(readTransmission(text), expected)
  })
}

const messages: readonly (readonly [string, object, string])[] = [
  [
    '{"command":"TriggerMessage","id":"u1","payload":{"requestedMessage":"BootNotification"}}',
    command('"u1"', 'TriggerMessage', '{"requestedMessage":"BootNotification"}'),
    'a remote command',
  ],
  ['{"command":"ClearCache"}', command(null, 'ClearCache', '{}'), 'neither an id nor a payload'],
  ['{"command":"ClearCache","id":null,"payload":null}', command(null, 'ClearCache', '{}'), 'both null'],
  ['{"command":"ClearCache","id":""}', command(null, 'ClearCache', '{}'), 'an empty id is none'],
  [
    '{"command":"ClearCache","id":7}',
    command('"7"', 'ClearCache', '{}'),
    'a numeric id becomes a string (1.6 §4.2.1 table 3)',
  ],
  [
    '{"command":"ClearCache","id":1757000000000000001}',
    command('"1757000000000000001"', 'ClearCache', '{}'),
    'a numeric id beyond double precision is kept, as the app expects it back',
  ],
  [
    String.raw`{"command":"ClearCache","id":"\u0041\u003c"}`,
    command('"A<"', 'ClearCache', '{}'),
    'an escaped id is unescaped',
  ],
  [
    `{"command":"ClearCache","id":"${'d'.repeat(37)}"}`,
    command(`"${'d'.repeat(37)}"`, 'ClearCache', '{}'),
    'an id that is too long is refused later, with an error to the app',
  ],
  [
    '{"payload":{"connectorId":1,"v":1.50},"id":"1","command":"UnlockConnector","more":[1]}',
    command('"1"', 'UnlockConnector', '{"connectorId":1,"v":1.50}'),
    'members in any order, with unknown ones',
  ],
  ['{"command":"Nonsense","id":"1"}', command('"1"', 'Nonsense', '{}'), 'the action is not checked here'],
  ['{"command":"ack","id":"1"}', command('"1"', 'ack', '{}'), 'only "Ack" is an Ack'],
  ['{"type":"welcome","command":"Reset","id":"1"}', command('"1"', 'Reset', '{}'), 'a broadcast has no type'],
  ['{"command":"Ack","id":"1"}', ack('"1"', '{}'), 'an Ack without a payload'],
  ['{"command":"Ack","id":"1","payload":null}', ack('"1"', '{}'), 'or with none'],
  ['{"command":"Ack","id":7,"payload":{}}', ack('7', '{}'), 'an id that is a number, as the station sent it'],
  [
    '{"command":"Ack","id":1757000000000000001,"payload":{}}',
    ack('1757000000000000001', '{}'),
    'an Ack whose numeric id is beyond double precision',
  ],
  ['{"command":"Ack","id":"a","id":"b"}', ack('"b"', '{}'), 'the last of equal keys counts'],
  [
    '{"command":"Error","id":"1","code":"SecurityError","message":"no","payload":{"a":1.0}}',
    error('"1"', 'SecurityError', 'no', '{"a":1.0}'),
    'an Error',
  ],
  [
    '{"command":"Error","id":"1","code":"OutOfCoffee"}',
    error('"1"', 'OutOfCoffee', '', '{}'),
    'an Error with an unknown code',
  ],
  [
    '{"command":"Error","id":"1","code":500,"message":{}}',
    error('"1"', 'GenericError', '', '{}'),
    'an Error whose code and message have the wrong type',
  ],
  ['{"command":"Ack"}', foreign('an Ack without an id'), 'an Ack for nothing'],
  ['{"command":"Ack","id":null}', foreign('an Ack without an id'), 'an Ack for null'],
  ['{"command":"Ack","id":{}}', foreign('an Ack without an id'), 'an Ack for an object'],
  ['{"command":"Ack","id":true}', foreign('an Ack without an id'), 'an Ack for a word'],
  ['{"command":"Error","code":"InternalError"}', foreign('an Error without an id'), 'an Error for nothing'],
  [
    '{"command":"Ack","id":"1","payload":[]}',
    foreign('an Ack whose payload is not an object'),
    'an Ack whose payload is a list',
  ],
  [
    '{"command":"Ack","id":"1","payload":"{}"}',
    foreign('an Ack whose payload is not an object'),
    'an Ack whose payload is a JSON string',
  ],
  ['{"id":"1","payload":{}}', foreign('a message without a command'), 'no command'],
  ['{"command":7,"id":"1"}', foreign('a message without a command'), 'a command that is a number'],
  ['{"command":["Reset"],"id":"1"}', foreign('a message without a command'), 'a command in a list'],
  ['{"__proto__":{"command":"Reset"}}', foreign('a message without a command'), 'a message in __proto__ is ignored'],
  ['null', foreign('a message that is not a JSON object'), 'null'],
  ['[{"command":"Reset"}]', foreign('a message that is not a JSON object'), 'a list'],
  ['Reset', foreign('a message that is not a JSON object'), 'not JSON'],
  ['', foreign('a message that is not a JSON object'), 'an empty text'],
]
for (const [text, expected, because] of messages) {
  test(`readMessage: ${because}`, () => {
    assert.deepEqual(readMessage(text), expected)
  })
}

test('a message reads the same whether broadcast or transmitted', () => {
  for (const [text] of messages) {
    if (text === '' || text === 'Reset') continue
    assert.deepEqual(readTransmission(`{"identifier":"I","message": ${text} }`), readMessage(text))
  }
})

test('no text makes the readers throw, and every payload is part of its text', () => {
  const word = fc.constantFrom('Ack', 'Error', 'Reset', 'x y')
  const message = fc.record(
    {
      command: fc.oneof(word, fc.jsonValue()),
      id: fc.jsonValue(),
      payload: fc.oneof(fc.object(), fc.jsonValue()),
      code: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const wrapped = fc.record({ message, type: fc.jsonValue() }, { requiredKeys: ['message'] })
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    message.map(value => JSON.stringify(value, null, 1)),
    wrapped.map(value => JSON.stringify(value)),
  )
  const payloadOf = (read: AppMessage): string => {
    if (read.kind === 'command') return read.payload ?? '{}'
    if (read.kind !== 'answer') return '{}'
    return read.frame.kind === 'callResult' ? read.frame.payload : read.frame.details
  }
  fc.assert(
    fc.property(text, one => {
      for (const read of [readTransmission(one), readMessage(one)])
        assert.equal(payloadOf(read) === '{}' || one.includes(payloadOf(read)), true)
    }),
    { numRuns: 500 },
  )
})

const refusedLater: readonly (readonly [string, string, string | null, string])[] = [
  ['{"command":"Reset","payload":0}', 'Reset', null, 'a payload that is a number'],
  ['{"command":"Reset","payload":false}', 'Reset', null, 'a payload that is a word'],
  ['{"command":"","payload":{}}', '', '{}', 'an empty command'],
  ['{"command":"Trigger Message"}', 'Trigger Message', '{}', 'a space in the action'],
  ['{"command":"trigger_message"}', 'trigger_message', '{}', 'an underscored action'],
  [String.raw`{"command":"Reset\",{}]"}`, 'Reset",{}]', '{}', 'a quote in the action'],
]
for (const [text, action, payload, because] of refusedLater) {
  test(`readMessage reads ${text} as a command, so that the app gets its error: ${because}`, () => {
    assert.deepEqual(readMessage(text), { kind: 'command', id: null, action, payload })
  })
}
