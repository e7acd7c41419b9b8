import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { abortRequests, closeTarget, post, targetFor, type Post, type Target } from '../../../src/rpc/http/post.ts'
import { rpcError } from '../../contract/rpc.ts'
import { freePort } from '../../support/ports.ts'
import { openMute, openTcp } from '../../support/tcp.ts'

const within = { timeout: 20_000 }
const trust = { ca: null, verify: true }
const mebibyte = 2 ** 20
const usual: Post = { path: 'command', headers: {}, body: '{}', deadline: Infinity, maxReceived: 1_000 }

function target(t: TestContext, url: string): Target {
  const made = targetFor(new URL(url), trust)
  t.after(() => closeTarget(made))
  return made
}

async function listen(t: TestContext, listener: RequestListener, host = '127.0.0.1'): Promise<string> {
  const server = createServer(listener).listen(0, host)
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/_anycable`
}

test('post sends path, headers and body, and resolves with the answer', within, async t => {
  const requests: [IncomingMessage, string][] = []
  const url = await listen(t, (request, response) => {
    void text(request).then(body => {
      requests.push([request, body])
      response.writeHead(302, { location: 'https://csms.example/' }).end('moved')
    })
  })
  const answer = await post(target(t, `${url}/`), { ...usual, headers: { 'x-sid': 's1' }, body: '{"a":"ö"}' })
  assert.deepEqual(answer, { status: 302, body: 'moved', location: 'https://csms.example/' })
  const [[request, body] = []] = requests
  assert.deepEqual([request?.method, request?.url, body], ['POST', '/_anycable/command', '{"a":"ö"}'])
  assert.deepEqual([request?.headers['x-sid'], request?.headers['content-length']], ['s1', '10'])
})

test('post reaches an IPv6 address in brackets', within, async t => {
  const url = await listen(t, (_, response) => response.end('ok'), '::1')
  assert.deepEqual(await post(target(t, url), usual), { status: 200, body: 'ok', location: null })
})

test('post uses one connection for request after request', within, async t => {
  const sockets = new Set<unknown>()
  const url = await listen(t, (request, response) => {
    sockets.add(request.socket)
    response.end('ok')
  })
  const made = target(t, url)
  for (let requests = 0; requests < 5; requests++) await post(made, usual)
  assert.equal(sockets.size, 1)
})

test('post rejects as not run when nobody listens', within, async t => {
  const made = target(t, `http://127.0.0.1:${await freePort()}`)
  await assert.rejects(post(made, usual), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
  assert.equal(made.open.size, 0)
})

test('post rejects as maybe run when the connection is lost after the whole request', within, async t => {
  const url = await listen(t, request => void text(request).then(() => request.socket.destroy()))
  await assert.rejects(post(target(t, url), usual), rpcError('unavailable', 'unknown', /./))
})

test('post rejects as maybe run when the answer breaks off', within, async t => {
  const { host } = await openTcp(t, socket => {
    socket.resume().once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"sta'))
  })
  await assert.rejects(post(target(t, `http://${host}`), usual), rpcError('unavailable', 'unknown', /broke off/))
})

test('post rejects as not run when Node refuses a header', within, async t => {
  const made = target(t, 'http://127.0.0.1:9')
  const answer = post(made, { ...usual, headers: { authorization: 'Bearer 鍵' } })
  await assert.rejects(answer, rpcError('application', 'notRun', /cannot be sent: Invalid character.*authorization/))
  assert.equal(made.open.size, 0)
})

/** [status, outcome, because] */
const large = [
  [200, 'ran', 'the app has replied'],
  [500, 'unknown', 'an error page'],
] as const
for (const [status, outcome, because] of large) {
  test(
    `post rejects with ${outcome} when the answer with ${status} is above the limit: ${because}`,
    within,
    async t => {
      const url = await listen(t, (_, response) => response.writeHead(status).end('x'.repeat(1_001)))
      const isTooLarge = rpcError('application', outcome, /larger than 1000 bytes: see rpc_max_call_recv_size/)
      await assert.rejects(post(target(t, url), usual), isTooLarge)
    },
  )
}

test('post resolves when the answer has exactly the limit', within, async t => {
  const url = await listen(t, (_, response) => response.end('x'.repeat(1_000)))
  assert.equal((await post(target(t, url), usual)).body.length, 1_000)
})

/** [request, outcome, because] */
const slow = [
  [{}, 'unknown', 'the whole request was sent'],
  [{ body: 'x'.repeat(32 * mebibyte) }, 'notRun', 'part of the request was not sent'],
] as const
for (const [request, outcome, because] of slow) {
  const open = async (t: TestContext) => {
    const { host } = await openMute(t, { pauseOnConnect: true })
    return target(t, `http://${host}`)
  }

  test(`post times out as ${outcome} when there is no answer: ${because}`, within, async t => {
    const made = await open(t)
    const answer = post(made, { ...usual, ...request, deadline: performance.now() + 200 })
    await assert.rejects(answer, rpcError('timeout', outcome, /in time/))
    assert.equal(made.open.size, 0)
  })

  test(`abortRequests fails a request without an answer as ${outcome}: ${because}`, within, async t => {
    const made = await open(t)
    const answer = assert.rejects(post(made, { ...usual, ...request }), rpcError('aborted', outcome, /./))
    await new Promise(resolve => setTimeout(resolve, 200))
    assert.equal(made.open.size, 1)
    abortRequests(made)
    await answer
    assert.equal(made.open.size, 0)
  })
}

test('abortRequests leaves an answered request alone', within, async t => {
  const url = await listen(t, (_, response) => response.end('ok'))
  const made = target(t, url)
  const { status } = await post(made, usual)
  abortRequests(made)
  assert.equal(status, 200)
  assert.equal((await post(made, usual)).status, 200)
})

test('closeTarget closes idle connections at once, and others after their request', within, async t => {
  const answers: (() => void)[] = []
  const url = await listen(t, (_, response) => answers.push(() => response.end('ok')))
  const arrived = async (count: number) => {
    while (answers.length < count) await new Promise(setImmediate)
  }
  const made = target(t, url)
  const idle = () => Object.values(made.agent.freeSockets).flat().length
  const [first, second] = [post(made, usual), post(made, usual)]
  await arrived(2)
  answers[0]?.()
  await first
  while (idle() < 1) await new Promise(setImmediate)
  closeTarget(made)
  while (idle() > 0) await new Promise(setImmediate)
  answers[1]?.()
  assert.equal((await second).body, 'ok')
  await new Promise(setImmediate)
  assert.equal(idle(), 0)
})
