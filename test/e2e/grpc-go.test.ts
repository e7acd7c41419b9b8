/** Both gRPC clients at a server of grpc-go: the contract, and the connections that the server closes under load. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openGrpcJs } from '../../src/rpc/grpc-js/channel.ts'
import { openGrpc } from '../../src/rpc/grpc/channel.ts'
import { testRpcContract } from '../contract/rpc.ts'
import { never, perform } from '../rpc/calls.ts'
import { ScriptedApp, type Received } from '../support/app.ts'
import { Mailbox } from '../support/fakes.ts'
import { openGrpcGo, type GrpcGo } from '../support/grpc-go.ts'
import { openHttp2Tap } from '../support/http2-tap.ts'
import { keepUntil } from '../support/keep.ts'

for (const [name, openTransport] of [
  ['grpc', openGrpc],
  ['grpc-js', openGrpcJs],
] as const) {
  describe(`${name} at grpc-go`, { timeout: 300_000 }, () => {
    const keep = keepUntil(after)
    let app: ScriptedApp
    let server: GrpcGo

    before(async () => {
      app = await ScriptedApp.start()
      server = keep(await openGrpcGo(app.host))
    })

    after(() => app.stop())

    testRpcContract(`${name} at grpc-go`, t => {
      const rpc = openTransport(server.host)
      t.after(() => rpc.close())
      app.received = new Mailbox<Received>()
      const { received } = app
      return Promise.resolve({ rpc, app: { received, once: script => app.once(script) } })
    })

    test(`${name} loses and doubles no call when grpc-go closes connections under load`, async t => {
      const keep = keepUntil(end => t.after(end))
      const aging = keep(await openGrpcGo(app.host, '1s'))
      const tap = keep(await openHttp2Tap(aging.host))
      const rpc = keep(openTransport(tap.host))
      app.received = new Mailbox<Received>()
      const made: string[] = []
      const station = async (name: string): Promise<void> => {
        for (let calls = 0; tap.goaways < 8; calls++) {
          const id = `${name}-${calls}`
          made.push(id)
          await rpc.command({ ...perform, data: id }, never)
        }
      }
      await Promise.all(['a', 'b', 'c', 'd', 'e'].map(station))
      assert.deepEqual(app.received.all.map(({ message }) => message['data']).toSorted(), made.toSorted())
      assert.ok(tap.connections >= 4, `${tap.connections} connections`)
    })
  })
}
