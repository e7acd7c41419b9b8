import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Identifier } from '../../../src/cable/rpc.ts'
import { commandResponseOf, connectionResponseOf, disconnectResponseOf, jsonOf } from '../../../src/rpc/http/json.ts'
import { rpcError } from '../../contract/rpc.ts'
import { commandMessage, connectionRequest, disconnectRequest } from '../../../src/rpc/messages.ts'

const bare = { url: 'http://h/ocpp/CP01', headers: {}, cstate: {}, istate: {} }
const identifier = '{"channel":"OCPPChannel"}' as Identifier

/** [message, JSON, because] */
const requests = [
  [connectionRequest({ sid: 's1', env: bare }), '{"env":{"url":"http://h/ocpp/CP01"}}', 'empty fields are omitted'],
  [
    connectionRequest({ sid: 's1', env: { ...bare, cstate: { a: '' } } }),
    '{"env":{"url":"http://h/ocpp/CP01","cstate":{"a":""}}}',
    'but not empty values of a map',
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
  test(`jsonOf writes ${text}: ${because}`, () => assert.equal(jsonOf(message), text))
}

const statuses = [
  ['{"status":1}', 'SUCCESS', 'a newer google-protobuf'],
  ['{"status":"FAILURE"}', 'FAILURE', 'an older one'],
  ['{}', 'ERROR', 'it is omitted'],
  ['{"status":0}', 'ERROR', 'it is not omitted'],
  ['{"status":7}', undefined, 'a number that the proto does not define'],
] as const
for (const [json, status, because] of statuses) {
  test(`a reply has the status ${status} when it is ${json}: ${because}`, () => {
    for (const read of [connectionResponseOf, commandResponseOf, disconnectResponseOf])
      assert.equal(read(json).status, status)
  })
}

const misfits = [
  ['', 'nothing'],
  ['null,', 'not JSON'],
  ['[]', 'a list'],
  ['"SUCCESS"', 'a string'],
  ['{"error_msg":5}', 'a number for a string'],
  ['{"transmissions":"one"}', 'a string for a list'],
  ['{"transmissions":[1]}', 'a number in a list of strings'],
  ['{"env":"x"}', 'a string for a message'],
  ['{"env":{"cstate":{"a":{}}}}', 'a state that is not a string'],
] as const
for (const [json, because] of misfits) {
  test(`connectionResponseOf throws on ${json}: ${because}`, () => assert.throws(() => connectionResponseOf(json)))
}

test('a field that is null has its default', () => {
  const empty = {
    status: 'SUCCESS',
    error_msg: '',
    identifiers: '',
    transmissions: [],
    env: { cstate: {}, istate: {} },
  }
  assert.deepEqual(connectionResponseOf('{"status":1,"identifiers":null,"transmissions":null,"env":null}'), empty)
})

const list = (count: number): string => JSON.stringify(Array.from({ length: count }, () => ''))
const map = (count: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [n, ''])))
const many = [
  [(count: number) => `{"transmissions":${list(count)}}`, 'transmissions'],
  [(count: number) => `{"streams":${list(count)}}`, 'streams'],
  [(count: number) => `{"stopped_streams":${list(count)}}`, 'stopped streams'],
  [(count: number) => `{"env":{"cstate":${map(count)}}}`, 'keys of the connection state'],
  [(count: number) => `{"env":{"istate":${map(count)}}}`, 'keys of the channel state'],
] as const
for (const [jsonWith, because] of many) {
  test(`a reply with more than 1,000 ${because} is refused`, () => {
    assert.equal(commandResponseOf(jsonWith(1_000)).error_msg, '')
    const tooMany = /^the reply has more than 1000 transmissions, streams and state keys$/
    assert.throws(() => commandResponseOf(jsonWith(1_001)), rpcError('application', 'ran', tooMany))
  })
}

test('a reply with a million values is refused before it is parsed', t => {
  const parse = t.mock.method(JSON, 'parse')
  assert.throws(() => connectionResponseOf(`{"transmissions":[${'"",'.repeat(1_000_000)}""]}`), /more than 1000/)
  assert.equal(parse.mock.callCount(), 0)
})
