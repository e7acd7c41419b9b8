import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readService } from '../../src/rpc/codec.ts'
import { rpcError } from '../contract/rpc.ts'
import { env, perform } from './calls.ts'

const service = readService()

test('readService has the paths of rpc.proto', () => {
  assert.deepEqual(
    Object.values(service).map(({ path }) => path),
    ['/anycable.RPC/Connect', '/anycable.RPC/Command', '/anycable.RPC/Disconnect'],
  )
})

test('serialize writes the fields of rpc.proto', () => {
  // Field 1, a length, and the text: command = "message".
  assert.equal(service.command.serialize(perform).subarray(0, 9).toString('latin1'), '\n\x07message')
  assert.ok(service.connect.serialize({ sid: 's1', env }).includes(env.url), 'the env is there')
})

/** [bytes, status of the reply, because] */
const replies = [
  [[8, 1], 'success', 'SUCCESS'],
  [[8, 2], 'failure', 'FAILURE'],
  [[8, 1, 0x7a, 1, 65], 'success', 'a field that a newer proto may have'],
] as const
for (const [bytes, status, because] of replies) {
  test(`deserialize reads ${bytes.join(' ')} as ${status}: ${because}`, () => {
    assert.equal(service.command.deserialize(Buffer.from(bytes)).status, status)
  })
}

/** [bytes, message, because] */
const failures = [
  [[], /without a reason/, 'a status that is omitted is ERROR'],
  [[0x32, 4, 98, 111, 111, 109], /^boom$/, "ERROR with the app's message"],
  [[8, 7], /without a reason/, 'a status that rpc.proto does not define'],
  [[255, 255], /not a message of rpc\.proto/, 'not protobuf'],
] as const
for (const [bytes, message, because] of failures) {
  test(`deserialize throws ${message.source} on [${bytes.join(' ')}]: ${because}`, () => {
    assert.throws(() => service.command.deserialize(Buffer.from(bytes)), rpcError('application', 'ran', message))
  })
}
