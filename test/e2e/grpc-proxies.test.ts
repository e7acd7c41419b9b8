/** The gRPC client through proxies that stand before an app: the contract, and their reloads under load. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { RpcError } from '../../src/cable/rpc.ts'
import { openGrpc } from '../../src/rpc/grpc/channel.ts'
import { testRpcContract, rpcError } from '../contract/rpc.ts'
import { never, perform } from '../rpc/calls.ts'
import { ScriptedApp, type Received } from '../support/app.ts'
import { Mailbox } from '../support/fakes.ts'
import { openGrpcProxy, proxyNames } from '../support/proxies.ts'
import { keepUntil } from '../support/keep.ts'

for (const name of proxyNames) {
  describe(`through ${name}`, { timeout: 60_000 }, () => {
    const keep = keepUntil(after)
    let app: ScriptedApp
    let proxy: Awaited<ReturnType<typeof openGrpcProxy>>

    before(async () => {
      app = await ScriptedApp.start()
      proxy = keep(await openGrpcProxy(name, app.port))
    })

    after(() => app.stop())

    testRpcContract(`grpc through ${name}`, t => {
      const rpc = openGrpc(proxy.host)
      t.after(() => rpc.close())
      app.received = new Mailbox<Received>()
      const { received } = app
      return Promise.resolve({ rpc, app: { received, once: script => app.once(script) } })
    })

    test(`no call is doubled, or lost without an error, when ${name} reloads under load`, async t => {
      const rpc = openGrpc(proxy.host)
      t.after(() => rpc.close())
      app.received = new Mailbox<Received>()
      const runs = (id: string): number => app.received.all.filter(({ message }) => message['data'] === id).length
      const failures = new Map<string, RpcError>()
      const made: string[] = []
      const station = async (name: string): Promise<void> => {
        for (let calls = 0; calls < 200; calls++) {
          const id = `${name}-${calls}`
          made.push(id)
          if (made.length % 150 === 0) proxy.reload()
          await rpc
            .command({ ...perform, data: id }, never)
            .catch((error: unknown) => failures.set(id, error as RpcError))
        }
      }
      await Promise.all(['a', 'b', 'c', 'd'].map(station))
      for (const id of made) {
        const { outcome } = failures.get(id) ?? { outcome: 'ran' }
        if (outcome !== 'unknown') assert.equal(runs(id), outcome === 'ran' ? 1 : 0, `${id}, ${outcome}`)
        else assert.ok(runs(id) <= 1, id)
      }
      assert.ok(failures.size < made.length / 20, `${failures.size} failed`)
    })

    test(`a call fails as unavailable when the app behind ${name} is away, and succeeds once it is back`, async t => {
      const rpc = openGrpc(proxy.host)
      t.after(() => rpc.close())
      await rpc.command(perform, never)
      app.stop()
      // A proxy that has just reloaded may first close the connection to its old process with a GOAWAY.
      const failed = async (): Promise<unknown> => {
        const error: unknown = await rpc.command(perform, never).then(
          () => null,
          (error: unknown) => error,
        )
        return error instanceof RpcError && error.outcome === 'notRun' ? failed() : error
      }
      rpcError('unavailable', 'unknown', /HTTP status code 50[23]/)(await failed())
      await app.start()
      while ((await rpc.command(perform, never).catch(() => null)) === null) await new Promise(setImmediate)
    })
  })
}
