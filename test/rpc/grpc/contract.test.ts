/** Both gRPC clients at a server of bare `node:http2`, which frames messages by itself. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { openGrpcJs } from '../../../src/rpc/grpc-js/channel.ts'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { testRpcContract } from '../../contract/rpc.ts'
import { headersOf, methods, service, type AppScript, type Received } from '../../support/app.ts'
import { Mailbox } from '../../support/fakes.ts'
import { reply } from './raw-app.ts'

const prefixBytes = 5

/** Is stopped at the end of the test. */
async function openHttp2App(t: TestContext) {
  const received = new Mailbox<Received>()
  const next: AppScript[] = []
  const sessions: ServerHttp2Session[] = []
  const onStream = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> => {
    const bytes = await buffer(stream)
    const method = methods.find(name => service[name]?.path === headers[':path'])
    const definition = method && service[method]
    if (method === undefined || definition === undefined) throw new Error(`no method has the path ${headers[':path']}`)
    const message = definition.requestDeserialize(bytes.subarray(prefixBytes)) as Received['message']
    const call = { method, metadata: headersOf(headers), message }
    received.put(call)
    const script = next.shift() ?? (() => ({ status: 'SUCCESS' }))
    const answer = definition.responseSerialize(await script(call))
    const prefix = Buffer.alloc(prefixBytes)
    prefix.writeUInt32BE(answer.length, 1)
    if (!stream.destroyed) reply(stream, [prefix, answer])
  }
  const server = createServer()
  server.on('session', session => sessions.push(session.on('error', () => undefined)))
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    void onStream(
      stream.on('error', () => undefined),
      headers,
    )
  })
  server.listen(0, '127.0.0.1')
  t.after(() => {
    server.close()
    for (const session of sessions) session.destroy()
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { host: `127.0.0.1:${port}`, received, once: (script: AppScript) => next.push(script) }
}

for (const [name, openTransport] of [
  ['grpc', openGrpc],
  ['grpc-js', openGrpcJs],
] as const) {
  testRpcContract(`${name} at node:http2`, async t => {
    const app = await openHttp2App(t)
    const rpc = openTransport(app.host)
    t.after(() => rpc.close())
    return { rpc, app }
  })
}
