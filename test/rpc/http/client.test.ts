import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { openHttp, rpcKey, type HttpSettings } from '../../../src/rpc/http/client.ts'
import { defaultLimits } from '../../../src/rpc/transport.ts'
import { rpcError, testRpcContract } from '../../contract/rpc.ts'
import { HttpApp, HttpStatus, type HttpAppOptions } from '../../support/http-app.ts'
import { freePort } from '../../support/ports.ts'
import { openMute, openTcp } from '../../support/tcp.ts'
import { never, perform } from '../calls.ts'

const mebibyte = 2 ** 20

async function openApp(t: TestContext, options: HttpAppOptions = {}): Promise<HttpApp> {
  const app = await HttpApp.start(options)
  t.after(() => app.stop())
  return app
}

function open(t: TestContext, url: string, settings: Partial<HttpSettings> = {}) {
  const trust = { ca: null, verify: true }
  const rpc = openHttp({ url, key: null, trust, limits: defaultLimits, ...settings })
  t.after(() => rpc.close())
  return rpc
}

async function openBoth(t: TestContext) {
  const app = await openApp(t)
  return { app, rpc: open(t, app.url) }
}

testRpcContract('HTTP', openBoth)

testRpcContract('HTTP, the status by its name', async t => {
  const both = await openBoth(t)
  both.app.statusAs = 'name'
  return both
})

test('a call fails as not sent when nobody listens', async t => {
  const rpc = open(t, `http://127.0.0.1:${await freePort()}/_anycable`)
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
  assert.equal(rpc.isConnected(), false)
})

test('a call fails with the error of each address when nobody listens at any of them', async t => {
  const rpc = open(t, `http://localhost:${await freePort()}/_anycable`)
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
})

test('a call fails as not sent when the name does not exist', async t => {
  const rpc = open(t, 'http://app.invalid/_anycable')
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /app\.invalid/))
})

test('a call may have run when the app is killed while it runs the call', async t => {
  const { app, rpc } = await openBoth(t)
  app.once(() => {
    app.stop()
    return {}
  })
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'unknown', /./))
})

test('a call may have run when its reply breaks off', async t => {
  const { host } = await openTcp(t, socket => {
    socket.resume().once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"sta'))
  })
  await assert.rejects(
    open(t, `http://${host}`).command(perform, never),
    rpcError('unavailable', 'unknown', /broke off/),
  )
})

test('a call has not run when the app goes away while the call is being sent', async t => {
  const cut = (socket: Socket): void => void socket.once('readable', () => socket.resetAndDestroy()).read(1)
  const { host } = await openTcp(t, cut, { pauseOnConnect: true })
  const large = { ...perform, data: 'x'.repeat(32 * mebibyte) }
  await assert.rejects(open(t, `http://${host}`).command(large, never), rpcError('unavailable', 'notRun', /./))
})

test('a call may have run when the app does not reply by its deadline', async t => {
  const { app, rpc } = await openBoth(t)
  app.once(() => new Promise(() => undefined))
  await assert.rejects(rpc.command(perform, never, performance.now() + 100), rpcError('timeout', 'unknown', /in time/))
})

test('a call has not run at its deadline when the app never reads it to its end', async t => {
  const { host } = await openMute(t, { pauseOnConnect: true })
  const large = { ...perform, data: 'x'.repeat(32 * mebibyte) }
  const reply = open(t, `http://${host}`).command(large, never, performance.now() + 200)
  await assert.rejects(reply, rpcError('timeout', 'notRun', /in time/))
})

test('a call is not sent when it is above the limit', async t => {
  const app = await openApp(t)
  const rpc = open(t, app.url, { limits: { ...defaultLimits, sent: 1000 } })
  const large = { ...perform, data: 'x'.repeat(1000) }
  await assert.rejects(rpc.command(large, never), rpcError('application', 'notRun', /rpc_max_call_send_size is 1000/))
  await rpc.command(perform, never)
  assert.equal(app.received.all.length, 1)
})

test('a call has run when its reply is above the limit', async t => {
  const { app, rpc } = await openBoth(t)
  app.once(() => ({ status: 'SUCCESS', transmissions: ['x'.repeat(5 * mebibyte)] }))
  await assert.rejects(rpc.command(perform, never), rpcError('application', 'ran', /rpc_max_call_recv_size/))
})

test('a call has run when its reply is not a message of rpc.proto', async t => {
  const { app, rpc } = await openBoth(t)
  for (const body of [
    '<html>Sign in</html>',
    '[]',
    '{"status":1,"transmissions":"one"}',
    '{"env":{"istate":{"a":1}}}',
  ]) {
    app.once(() => {
      throw new HttpStatus(200, body)
    })
    await assert.rejects(rpc.command(perform, never), rpcError('application', 'ran', /not a message of rpc\.proto/))
  }
})

test('the key is sent, and a call fails with the remedy when it is wrong', { timeout: 8_000 }, async t => {
  const key = rpcKey('qwerty')
  assert.equal(key, '57c40610d142fe7d7999be4e23dfba4f42c3c542e1f278063e8e3b6a30b0c2bd')
  const app = await openApp(t, { key })
  const rpc = open(t, app.url, { key })
  assert.equal((await rpc.command(perform, never)).status, 'success')
  assert.equal(await rpc.problem(1_000), null)
  for (const wrong of [null, 'other']) {
    const refused = open(t, app.url, { key: wrong })
    const isTold = rpcError('application', 'notRun', /401: Unauthorized; .*http_rpc_secret/)
    await assert.rejects(refused.command(perform, never), isTold)
    assert.ok(isTold(await refused.problem(10_000)), 'at once: waiting does not help')
    assert.equal(refused.isConnected(), false)
  }
})

test('a call fails with the remedy when the path is wrong, or the answer is a redirect', async t => {
  const app = await openApp(t)
  const rpc = open(t, app.url.replace('_anycable', 'cable'))
  await assert.rejects(rpc.command(perform, never), rpcError('application', 'notRun', /404.*; rpc_host must end with/))
  app.once(() => {
    throw new HttpStatus(301, '', { location: 'https://csms.example/' })
  })
  const redirected = open(t, app.url).command(perform, never)
  await assert.rejects(redirected, rpcError('application', 'notRun', /301: https:\/\/csms\.example\/; set rpc_host/))
})

test('a call succeeds when the path ends with a slash', async t => {
  const app = await openApp(t)
  assert.equal((await open(t, `${app.url}/`).command(perform, never)).status, 'success')
})

test('one connection carries all calls when they come one after another', async t => {
  const { app, rpc } = await openBoth(t)
  for (let calls = 0; calls < 20; calls++) await rpc.command(perform, never)
  assert.equal(app.connections, 1)
})

test('as many calls are in flight as are made: the guard limits them', { timeout: 20_000 }, async t => {
  const { app, rpc } = await openBoth(t)
  const calls = 150
  let arrived = 0
  const reply = { status: 'SUCCESS' }
  const all = new Promise<typeof reply>(resolve => {
    app.always(() => {
      if (++arrived === calls) resolve(reply)
      return all
    })
  })
  await Promise.all(Array.from({ length: calls }, () => rpc.command(perform, never)))
})

test('isConnected follows the app when it goes and comes back', async t => {
  const { app, rpc } = await openBoth(t)
  await rpc.command(perform, never)
  assert.equal(rpc.isConnected(), true)
  app.stop()
  await assert.rejects(rpc.command(perform, never), { code: 'unavailable' }) // may be the first to see the end
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
  assert.equal(rpc.isConnected(), false)
  const back = rpc.problem(10_000)
  await app.start()
  assert.equal(await back, null)
  assert.equal(rpc.isConnected(), true)
  assert.equal((await rpc.command(perform, never)).status, 'success')
})

test('isConnected starts a probe when nothing is known', { timeout: 30_000 }, async t => {
  const { app, rpc } = await openBoth(t)
  assert.equal(rpc.isConnected(), false)
  while (!rpc.isConnected()) await new Promise(setImmediate)
  assert.deepEqual(app.received.all, [], 'the probe is not a call')
})

test('problem does not wait longer than it is told when the app is absent', async t => {
  const rpc = open(t, `http://127.0.0.1:${await freePort()}`)
  assert.ok(rpcError('unavailable', 'notRun', /ECONNREFUSED/)(await rpc.problem(300)), 'with the reason')
  assert.notEqual(await rpc.problem(0), null)
})

test('close fails the calls after it, lets a call on the wire finish, and may be called twice', async t => {
  const { app, rpc } = await openBoth(t)
  let release: () => void = () => undefined
  const arrived = new Promise<void>(resolve => {
    app.once(() => {
      resolve()
      return new Promise(reply => (release = () => reply({ status: 'SUCCESS' })))
    })
  })
  const reply = rpc.command(perform, never)
  await arrived
  await rpc.close()
  await rpc.close()
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /closed/))
  release()
  assert.equal((await reply).status, 'success')
  assert.equal(app.received.all.length, 1)
})

/** [status, whether the bridge counts as connected after it, because] */
const afterwards = [
  [413, true, 'the call itself was too large'],
  [429, true, 'the app is there, and full'],
  [502, true, 'nothing is known'],
] as const
for (const [status, expected, because] of afterwards) {
  test(`isConnected is ${expected} when a call fails with HTTP ${status}: ${because}`, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never)
    app.once(() => {
      throw new HttpStatus(status, '')
    })
    await assert.rejects(rpc.command(perform, never))
    assert.equal(rpc.isConnected(), expected)
  })
}
