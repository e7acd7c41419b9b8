/** Several servers of one app, in turns. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openGrpcJs } from '../../../src/rpc/grpc-js/channel.ts'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { rpcError } from '../../contract/rpc.ts'
import { ScriptedApp } from '../../support/app.ts'
import { freePort } from '../../support/ports.ts'
import { openMute } from '../../support/tcp.ts'
import { never, perform } from '../calls.ts'

const within = { timeout: 30_000 }

async function openApps(t: TestContext, count: number): Promise<ScriptedApp[]> {
  const apps = await Promise.all(Array.from({ length: count }, () => ScriptedApp.start()))
  t.after(() => apps.forEach(app => app.stop()))
  return apps
}

const counts = (apps: readonly ScriptedApp[]) => apps.map(app => app.received.all.length)

/** [implementation, what it says of a call for which there is no connection in time] */
const implementations = [
  ['grpc', openGrpc, /no connection in time/],
  ['grpc-js', openGrpcJs, /Waiting for LB pick/],
] as const
for (const [name, openTransport, tooLate] of implementations) {
  function open(t: TestContext, hosts: readonly string[]) {
    const rpc = openTransport(`grpc-list://${hosts.join(',')}`)
    t.after(() => rpc.close())
    return rpc
  }

  test(`${name}: calls go round, once all are connected`, within, async t => {
    const apps = await openApps(t, 3)
    const rpc = open(
      t,
      ['localhost', '127.0.0.1', 'localhost'].map((name, at) => `${name}:${apps[at]?.port}`),
    )
    const reached = () => counts(apps).every(count => count > 0)
    while (!reached()) await rpc.command(perform, never)
    const before = counts(apps)
    for (let calls = 0; calls < 30; calls++) await rpc.command(perform, never)
    assert.deepEqual(
      counts(apps).map((count, at) => count - (before[at] ?? 0)),
      [10, 10, 10],
    )
  })

  test(`${name}: one is killed: calls go on at the other, and at both when it is back`, within, async t => {
    const apps = await openApps(t, 2)
    const [first, second] = apps as [ScriptedApp, ScriptedApp]
    const rpc = open(
      t,
      apps.map(app => app.host),
    )
    while (!counts(apps).every(count => count > 0)) await rpc.command(perform, never)

    first.stop()
    let lost = 0
    const atFirst = first.received.all.length
    const before = second.received.all.length
    for (let calls = 0; calls < 20; calls++) await rpc.command(perform, never).catch(() => lost++)
    assert.ok(lost <= 1, `${lost} calls were lost`)
    assert.deepEqual([first.received.all.length - atFirst, second.received.all.length - before], [0, 20 - lost])
    assert.equal(rpc.isConnected(), true)

    await first.start()
    while (first.received.all.length === atFirst) await rpc.command(perform, never)
  })

  test(`${name}: none is there: a call fails at once, and says why`, async t => {
    const rpc = open(t, [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`])
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
    assert.notEqual(await rpc.problem(0), null)
    assert.ok(rpcError('unavailable', 'notRun', /ECONNREFUSED/)(await rpc.problem(0)), 'it tells why')
  })

  test(`${name}: one that never speaks keeps no call from the other`, within, async t => {
    const mute = await openMute(t)
    const [app] = (await openApps(t, 1)) as [ScriptedApp]
    for (const hosts of [
      [mute.host, app.host],
      [app.host, mute.host],
    ]) {
      const rpc = open(t, hosts)
      for (let calls = 0; calls < 5; calls++) await rpc.command(perform, never, performance.now() + 10_000)
      await rpc.close()
    }
    assert.equal(app.received.all.length, 10)
    const alone = open(t, [mute.host, mute.host])
    const reply = alone.command(perform, never, performance.now() + 100)
    await assert.rejects(reply, rpcError('timeout', 'notRun', tooLate))
  })

  test(`${name}: after the end nothing is sent`, async t => {
    const apps = await openApps(t, 2)
    const rpc = open(
      t,
      apps.map(app => app.host),
    )
    await rpc.command(perform, never)
    await rpc.close()
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /closed/))
    assert.notEqual(await rpc.problem(10_000), null)
    assert.equal(
      counts(apps).reduce((sum, count) => sum + count),
      1,
    )
  })
}
