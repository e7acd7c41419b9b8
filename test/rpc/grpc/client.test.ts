/** The client over a channel that the test plays. What it does over real ones is in `suite.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GrpcClient, type Channel, type Request } from '../../../src/rpc/grpc/client.ts'
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
  const { length } = bytes
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
