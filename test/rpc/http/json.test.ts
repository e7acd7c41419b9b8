import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Identifier } from '../../../src/cable/rpc.ts'
import { commandResponseOf, connectionResponseOf, disconnectResponseOf, jsonOf } from '../../../src/rpc/http/json.ts'
import { commandMessage, connectionRequest, disconnectRequest } from '../../../src/rpc/messages.ts'

const bare = { url: 'http://h/ocpp/CP01', headers: {}, cstate: {}, istate: {} }
const identifier = '{"channel":"OCPPChannel"}' as Identifier

/** [message, the text on the wire, because] */
const requests = [
  [connectionRequest({ sid: 's1', env: bare }), '{"env":{"url":"http://h/ocpp/CP01"}}', 'what is empty is left out'],
  [
    connectionRequest({ sid: 's1', env: { ...bare, cstate: { a: '' } } }),
    '{"env":{"url":"http://h/ocpp/CP01","cstate":{"a":""}}}',
    'but not from a map',
  ],
  [
    commandMessage({ sid: 's1', env: bare, command: 'subscribe', identifier, connectionIdentifiers: '{}', data: '' }),
    '{"command":"subscribe","identifier":"{\\"channel\\":\\"OCPPChannel\\"}","connection_identifiers":"{}","env":{"url":"http://h/ocpp/CP01"}}',
    'names are those of the proto',
  ],
  [
    disconnectRequest({ sid: 's1', env: bare, connectionIdentifiers: '{}', subscriptions: [] }),
    '{"identifiers":"{}","env":{"url":"http://h/ocpp/CP01"}}',
    'no subscription',
  ],
] as const
for (const [message, text, because] of requests) {
  test(`a request: ${because}`, () => assert.equal(jsonOf(message), text))
}

const statuses = [
  ['{"status":1}', 'SUCCESS', 'a newer google-protobuf'],
  ['{"status":"FAILURE"}', 'FAILURE', 'an older one'],
  ['{}', 'ERROR', 'it is left out'],
  ['{"status":0}', 'ERROR', 'or not'],
  ['{"status":7}', undefined, 'a number that the proto does not know'],
] as const
for (const [json, status, because] of statuses) {
  test(`the status of ${json} is ${status}: ${because}`, () => {
    for (const read of [connectionResponseOf, commandResponseOf, disconnectResponseOf])
      assert.equal(read(json).status, status)
  })
}

const misfits = [
  ['', 'nothing'],
  ['null,', 'no JSON'],
  ['[]', 'a list'],
  ['"SUCCESS"', 'a text'],
  ['{"error_msg":5}', 'a number as a text'],
  ['{"transmissions":"one"}', 'a text as a list'],
  ['{"transmissions":[1]}', 'a number in a list of texts'],
  ['{"env":"x"}', 'a text as a message'],
  ['{"env":{"cstate":{"a":{}}}}', 'a state that is no text'],
] as const
for (const [json, because] of misfits) {
  test(`${json} is no reply: ${because}`, () => assert.throws(() => connectionResponseOf(json)))
}

test('null is a field left out', () => {
  const empty = {
    status: 'SUCCESS',
    error_msg: '',
    identifiers: '',
    transmissions: [],
    env: { cstate: {}, istate: {} },
  }
  assert.deepEqual(connectionResponseOf('{"status":1,"identifiers":null,"transmissions":null,"env":null}'), empty)
})
