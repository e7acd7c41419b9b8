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

/** A field with an empty value, so often. */
const repeated = (tag: number, count: number): Buffer => Buffer.alloc(2 * count, Buffer.from([tag, 0]))
const state = (tag: number, count: number): Buffer => {
  const entries = Array.from({ length: count }, (_, n) => {
    const key = Buffer.from(`k${n}`)
    return Buffer.concat([Buffer.from([tag, key.length + 2, 0x0a, key.length]), key])
  })
  const env = Buffer.concat(entries)
  return Buffer.concat([Buffer.from([0x3a, 0x80 + (env.length % 128), Math.floor(env.length / 128)]), env])
}
/** [the repeated field of a CommandResponse, because] */
const many = [
  [(count: number) => repeated(0x2a, count), 'transmissions'],
  [(count: number) => repeated(0x22, count), 'streams'],
  [(count: number) => repeated(0x42, count), 'stopped streams'],
  [(count: number) => state(0x0a, count), 'keys of the connection state'],
  [(count: number) => state(0x12, count), 'keys of the channel state'],
] as const
for (const [items, because] of many) {
  test(`deserialize refuses a reply with more than 1,000 ${because}`, () => {
    const bytes = (count: number) => Buffer.concat([Buffer.from([8, 1]), items(count)])
    assert.equal(service.command.deserialize(bytes(1_000)).status, 'success')
    const tooMany = rpcError(
      'application',
      'ran',
      /^the reply has more than 1000 transmissions, streams and state keys$/,
    )
    assert.throws(() => service.command.deserialize(bytes(1_001)), tooMany)
  })
}
