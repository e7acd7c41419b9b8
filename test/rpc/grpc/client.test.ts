/** The client over a channel that the test plays. What it does over real ones is in `suite.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader'
import fc from 'fast-check'
import type { Identifier } from '../../../src/cable/rpc.ts'
import { GrpcClient, prefixBytes, type Channel, type Request } from '../../../src/rpc/grpc/client.ts'
import { localRpcError, rpcError } from '../../contract/rpc.ts'
import { never, perform } from '../calls.ts'

class FakeChannel implements Channel {
  readonly requests: Request<unknown>[] = []
  isAborted = false

  send<Reply>(request: Request<Reply>): Promise<Reply> {
    this.requests.push(request)
    // A CommandResponse that says SUCCESS.
    return Promise.resolve(request.deserialize(Buffer.of(8, 1)))
  }

  isConnected(): boolean {
    return true
  }

  problem(): Promise<null> {
    return Promise.resolve(null)
  }

  abort(): void {
    this.isAborted = true
  }

  close(): void {
    this.isAborted = false
  }
}

function setUp(sent = Infinity) {
  const channel = new FakeChannel()
  return { channel, client: new GrpcClient(channel, { sent, received: 100 }) }
}

test('command sends the path, the sid and the deadline with the bytes, and reads the reply', async () => {
  const { channel, client } = setUp()
  assert.equal((await client.command(perform, never, 3_000)).status, 'success')
  const [request] = channel.requests
  assert.deepEqual(
    [request?.path, request?.sid, request?.deadline, request?.signal],
    ['/anycable.RPC/Command', 's1', 3_000, never],
  )
})

test('command has no deadline when it is given none', async () => {
  const { channel, client } = setUp()
  await client.command(perform, never)
  assert.equal(channel.requests[0]?.deadline, Infinity)
})

test('a call is refused locally when it is one byte above the limit', async () => {
  const { channel, client } = setUp()
  await client.command(perform, never)
  const [{ bytes }] = channel.requests as [Request<unknown>]
  const length = bytes.length - prefixBytes
  await setUp(length).client.command(perform, never)
  const limited = setUp(length - 1)
  const isTooLarge = localRpcError('application', 'notRun', new RegExp(`${length} bytes, but .* is ${length - 1}`))
  await assert.rejects(limited.client.command(perform, never), isTooLarge)
  assert.deepEqual(limited.channel.requests, [])
})

test('abort reaches the channel, and the calls after it do not', async () => {
  const { channel, client } = setUp()
  client.abort()
  assert.equal(channel.isAborted, true)
  await assert.rejects(client.command(perform, never), rpcError('aborted', 'notRun', /./))
  assert.deepEqual(channel.requests, [])
})

// The messages, held against proto-loader's reading of rpc.proto.

const proto = loadSync(fileURLToPath(new URL('../../../protos/rpc.proto', import.meta.url)), {
  keepCase: true,
  enums: String,
  defaults: true,
})['anycable.RPC'] as ServiceDefinition

function methodOf(name: string): MethodDefinition<object, object> {
  return proto[name] ?? assert.fail(`rpc.proto has ${name}`)
}

/** What the app reads of the request that a call sends, and its path. */
async function sentBy(call: (client: GrpcClient) => Promise<unknown>): Promise<{ path: string; message: object }> {
  const { channel, client } = setUp()
  await call(client)
  const { path, bytes } = channel.requests[0] ?? assert.fail('it is sent')
  assert.deepEqual([bytes[0], bytes.readUInt32BE(1)], [0, bytes.length - prefixBytes])
  const definition = methodOf(path.split('/').at(-1) ?? '')
  assert.equal(path, definition.path)
  return { path, message: { ...definition.requestDeserialize(bytes.subarray(prefixBytes)) } }
}

/** Lengths of one, two and three bytes; text beyond ASCII. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.nat(300).map(length => 'é'.repeat(length)),
  fc.constantFrom('x'.repeat(127), 'x'.repeat(128), 'x'.repeat(2 ** 14 - 1), 'é'.repeat(2 ** 13), 'x'.repeat(2 ** 21)),
)
const key = text.filter(given => given !== '__proto__' && given.length < 300)
const state = fc.dictionary(key, text, { maxKeys: 4, noNullPrototype: true })
const plain = { noNullPrototype: true }
const envs = fc.record({ url: text, headers: state, cstate: state, istate: state }, plain)
const runs = { numRuns: 100, seed: 5 }

test('requests are what rpc.proto says, whatever their texts and states', async () => {
  await fc.assert(
    fc.asyncProperty(envs, text, text, text, async (env, identifier, connectionIdentifiers, data) => {
      const own = identifier as Identifier
      const command = { sid: 's', env, command: 'message', identifier: own, connectionIdentifiers, data } as const
      const sent = { command: 'message', identifier, connection_identifiers: connectionIdentifiers, data, env }
      assert.deepEqual((await sentBy(client => client.command(command, never))).message, sent)
      assert.deepEqual((await sentBy(client => client.connect({ sid: 's', env }, never))).message, { env })
      const left = { sid: 's', env, connectionIdentifiers, subscriptions: [own, own] }
      const gone = { identifiers: connectionIdentifiers, subscriptions: [identifier, identifier], env }
      assert.deepEqual((await sentBy(client => client.disconnect(left, never))).message, gone)
    }),
    runs,
  )
})

test('a request has the latest url and states of its session when they change', async () => {
  const headers = { a: '1' }
  const before = { url: 'u', headers, cstate: { c: '1' }, istate: {} }
  for (const env of [
    before,
    before,
    { ...before, cstate: { c: '2' } },
    { ...before, istate: { i: '1' } },
    { ...before, url: 'v' },
    before,
  ]) {
    const { message } = await sentBy(client => client.command({ ...perform, env }, never))
    assert.deepEqual((message as { env: object }).env, env)
  }
})

/** Replies from bytes, as a channel that has these brings them. */
function replying(bytes: Buffer): GrpcClient {
  const channel = new FakeChannel()
  channel.send = request => Promise.resolve().then(() => request.deserialize(bytes))
  return new GrpcClient(channel, { sent: Infinity, received: Infinity })
}

const texts = fc.array(text, { maxLength: 3 })
const changes = fc.option(fc.record({ cstate: state, istate: state }, plain))

test('replies are read as rpc.proto says, whatever their texts and states', async () => {
  const response = fc.record({
    stop_streams: fc.boolean(),
    disconnect: fc.boolean(),
    streams: texts,
    transmissions: texts,
    stopped_streams: texts,
    env: changes,
  })
  await fc.assert(
    fc.asyncProperty(response, text, async (fields, identifiers) => {
      const { transmissions, env } = fields
      const bytes = methodOf('Command').responseSerialize({ status: 'SUCCESS', ...fields })
      assert.deepEqual(await replying(bytes).command(perform, never), {
        status: 'success',
        disconnect: fields.disconnect,
        stopAllStreams: fields.stop_streams,
        streams: fields.streams,
        stoppedStreams: fields.stopped_streams,
        transmissions,
        cstate: env?.cstate ?? {},
        istate: env?.istate ?? {},
      })
      const connected = methodOf('Connect').responseSerialize({ status: 'SUCCESS', identifiers, transmissions, env })
      const reply = { status: 'success', connectionIdentifiers: identifiers, transmissions, cstate: env?.cstate ?? {} }
      assert.deepEqual(await replying(connected).connect(perform, never), reply)
    }),
    runs,
  )
})

/** [bytes, status of the reply, because] */
const replies = [
  [[8, 1], 'success', 'SUCCESS'],
  [[8, 2], 'failure', 'FAILURE'],
  [[8, 2, 8, 1], 'success', 'the last of several applies'],
  [[8, 1, 0x7a, 1, 65], 'success', 'a field that a newer proto may have'],
  [[0xf8, 0xff, 0xff, 0xff, 0x0f, 5, 0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1], 'success', 'such numbers'],
  [[0x0a, 1, 2, 8, 1], 'success', 'a known field of another type'],
  [[8, 0x81, 0x80, 0], 'success', 'a number with more bytes than it needs'],
] as const
for (const [bytes, status, because] of replies) {
  test(`command reads the reply ${bytes.join(' ')} as ${status}: ${because}`, async () => {
    assert.equal((await replying(Buffer.from(bytes)).command(perform, never)).status, status)
  })
}

test('a state named __proto__ is a state like any other, and states of two parts are joined', async () => {
  const part = methodOf('Command').responseSerialize({
    status: 'SUCCESS',
    env: { cstate: { a: '1' }, istate: { b: '2' } },
  })
  const key = '__proto__'
  const entry = Buffer.concat([Buffer.of(0x0a, key.length), Buffer.from(key), Buffer.of(0x12, 1, 0x78)])
  const more = Buffer.concat([Buffer.of(0x3a, entry.length + 2, 0x0a, entry.length), entry])
  const { cstate, istate } = await replying(Buffer.concat([part, more])).command(perform, never)
  assert.deepEqual(
    [Object.entries(cstate), istate],
    [
      [
        ['a', '1'],
        [key, 'x'],
      ],
      { b: '2' },
    ],
  )
})

/** [bytes, message, because] */
const failures = [
  [[], /without a reason/, 'a status that is omitted is ERROR'],
  [[0x32, 4, 98, 111, 111, 109], /^boom$/, "ERROR with the app's message"],
  [[8, 7], /without a reason/, 'a status that rpc.proto does not define'],
  [[255, 255], /not a message of rpc\.proto/, 'not protobuf'],
  [[8], /not a message/, 'no value'],
  [[0x2a, 5, 65], /not a message/, 'a text that ends too early'],
  [[0x0b], /not a message/, 'a group'],
  [[0x0f, 1], /not a message/, 'a wire type that does not exist'],
  [[0, 1], /not a message/, 'the field 0'],
  [[0x7d, 1, 2], /not a message/, 'a number that ends too early'],
  [[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], /not a message/, 'a number of more than ten bytes'],
] as const
for (const [bytes, message, because] of failures) {
  test(`command throws ${message.source} on the reply [${bytes.join(' ')}]: ${because}`, async () => {
    await assert.rejects(replying(Buffer.from(bytes)).command(perform, never), rpcError('application', 'ran', message))
  })
}

test('connect and disconnect throw on ERROR, and accept FAILURE', async () => {
  for (const [bytes, isError] of [
    [Buffer.of(), true],
    [Buffer.of(8, 2), false],
  ] as const) {
    const client = replying(bytes)
    const left = { ...perform, subscriptions: [] }
    for (const reply of [client.connect(perform, never), client.disconnect(left, never)])
      if (isError) await assert.rejects(reply, rpcError('application', 'ran', /without a reason/))
      else await reply
  }
})

/** A field with an empty value, so often. */
const repeated = (tag: number, count: number): Buffer => Buffer.alloc(2 * count, Buffer.from([tag, 0]))
const stateOf = (tag: number, count: number): Buffer => {
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
  [(count: number) => stateOf(0x0a, count), 'keys of the connection state'],
  [(count: number) => stateOf(0x12, count), 'keys of the channel state'],
] as const
for (const [items, because] of many) {
  test(`command refuses a reply with more than 1,000 ${because}`, async () => {
    const reply = (count: number) =>
      replying(Buffer.concat([Buffer.from([8, 1]), items(count)])).command(perform, never)
    assert.equal((await reply(1_000)).status, 'success')
    await assert.rejects(
      reply(1_001),
      localRpcError('application', 'ran', /^the reply has more than 1000 transmissions, streams and state keys$/),
    )
  })
}
