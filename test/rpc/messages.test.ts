import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  commandMessage,
  commandReply,
  connectionRequest,
  connectReply,
  disconnectReply,
  disconnectRequest,
} from '../../src/rpc/messages.ts'
import { rpcError } from '../contract/rpc.ts'
import { env, identifier, perform } from './calls.ts'

const outcome = { status: 'SUCCESS', error_msg: '' } as const
const connection = { ...outcome, identifiers: '{"id":1}', transmissions: ['welcome'], env: null }
const command = {
  ...outcome,
  disconnect: false,
  stop_streams: true,
  streams: ['a'],
  stopped_streams: ['b'],
  transmissions: ['t'],
  env: { cstate: { a: '1' }, istate: { b: '' } },
}

test('the messages have the fields of rpc.proto, without the sid', () => {
  const left = { sid: 's1', env, connectionIdentifiers: '{}', subscriptions: [identifier] }
  assert.deepEqual(connectionRequest({ sid: 's1', env }), { env })
  assert.deepEqual(commandMessage(perform), {
    command: 'message',
    identifier,
    connection_identifiers: '{}',
    data: perform.data,
    env,
  })
  assert.deepEqual(disconnectRequest(left), { identifiers: '{}', subscriptions: [identifier], env })
})

test('connectReply has the identifiers when the status is SUCCESS, and the transmissions alone when it is FAILURE', () => {
  assert.deepEqual(connectReply(connection), {
    status: 'success',
    connectionIdentifiers: '{"id":1}',
    transmissions: ['welcome'],
    cstate: {},
  })
  assert.deepEqual(connectReply({ ...connection, status: 'FAILURE' }), {
    status: 'failure',
    transmissions: ['welcome'],
  })
})

test('commandReply has all fields, also when the status is FAILURE', () => {
  const reply = {
    disconnect: false,
    stopAllStreams: true,
    stoppedStreams: ['b'],
    streams: ['a'],
    transmissions: ['t'],
    cstate: { a: '1' },
    istate: { b: '' },
  }
  assert.deepEqual(commandReply(command), { status: 'success', ...reply })
  assert.deepEqual(commandReply({ ...command, status: 'FAILURE' }), { status: 'failure', ...reply })
})

/** [status, error_msg, message, because] */
const errors = [
  ['ERROR', 'boom', /^boom$/, "the app's own message"],
  ['ERROR', '', /without a reason$/, 'no message'],
  [7, '', /without a reason$/, 'a status that rpc.proto does not define'],
] as const
for (const [status, error_msg, message, because] of errors) {
  test(`every reply throws ${message.source} when the status is ${status}: ${because}`, () => {
    const raised = rpcError('application', 'ran', message)
    assert.throws(() => connectReply({ ...connection, status, error_msg }), raised)
    assert.throws(() => commandReply({ ...command, status, error_msg }), raised)
    assert.throws(() => disconnectReply({ status, error_msg }), raised)
  })
}

test('disconnectReply accepts FAILURE', () => {
  assert.doesNotThrow(() => disconnectReply({ status: 'FAILURE', error_msg: '' }))
})
