import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { Bodies } from '../../../src/admin/http/bodies.ts'
import { limits } from '../../../src/admin/limits.ts'
import { ProblemError } from '../../../src/admin/problems.ts'
import { listenHttp } from '../../../src/ops/http/server.ts'
import { openFakeAdmin } from '../support.ts'

const host = '127.0.0.1'
const path = '/v1/stations/CP1/log'

test('a body that is too long is 413, with and without its length in the head', async t => {
  const { url, client } = await openFakeAdmin(t)
  const long = 'x'.repeat(limits.bodyBytes + 1)
  assert.equal((await client(null).ask('PUT', path, long)).body['type'], '/problems/body-too-large')
  const stream = new Blob([long]).stream()
  const request = { method: 'PUT', body: stream, duplex: 'half', headers: { 'content-type': 'application/json' } }
  assert.equal((await fetch(url + path, request as RequestInit)).status, 413)
})

test('a body that is not application/json is 415', async t => {
  const { client } = await openFakeAdmin(t)
  const { status } = await client(null).ask('PUT', path, '{"level":"debug","for":1}', { 'content-type': 'text/plain' })
  assert.equal(status, 415)
})

test('a body in UTF-8 is application/json with a charset, too', async t => {
  const { client } = await openFakeAdmin(t)
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  assert.equal((await client(null).ask('PUT', path, '{"level":"debug","for":1}', headers)).status, 200)
})

/** A server that answers each body with what was received, with a limit of 10 bytes each, and of 15 for all. */
async function openBodies(t: TestContext) {
  const bodies = new Bodies({ each: 10, open: 15 })
  const failed: unknown[] = []
  const arrived = new EventEmitter()
  const listener: RequestListener = (request, response) => {
    arrived.emit('request')
    bodies.text(request).then(
      text => response.end(text),
      (error: unknown) => {
        const { type } = error instanceof ProblemError ? error.problem : assert.fail()
        failed.push(type)
        arrived.emit('failed')
        response.end(type)
      },
    )
  }
  const server = await listenHttp({ host, port: 0 }, listener, { isTrusted: () => true })
  t.after(() => server.close())
  const { port } = server
  /** The beginning of a request that has a longer body. */
  const begin = async (text: string): Promise<Socket> => {
    const request = once(arrived, 'request')
    const socket = connect(port, host)
    t.after(() => socket.destroy())
    socket.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n${text}`)
    await request
    return socket
  }
  const post = async (body: string | ReadableStream): Promise<string> => {
    const headers = { 'content-type': 'application/json' }
    const request = { method: 'POST', headers, body, duplex: 'half' }
    const response = await fetch(`http://${host}:${port}`, request as RequestInit)
    return await response.text()
  }
  return { failed, arrived, begin, post }
}

test('a body is received up to its limit, with and without its length in the head', async t => {
  const { post } = await openBodies(t)
  assert.equal(await post('123456789é'.slice(1)), '23456789é')
  assert.equal(await post('12345678901'), '/problems/body-too-large')
  assert.equal(await post(new Blob(['1234567890']).stream()), '1234567890')
  assert.equal(await post(new Blob(['12345678901']).stream()), '/problems/body-too-large')
})

test('a body is refused while too much of others is open, and received when they have ended', async t => {
  const { failed, arrived, begin, post } = await openBodies(t)
  const first = await begin('12345678')
  // Answered, so that what came before it was read.
  await post('')
  assert.equal(await post('12345678'), '/problems/too-many-requests')
  const ended = once(arrived, 'failed')
  first.destroy()
  await ended
  assert.equal(failed.at(-1), '/problems/bad-request')
  assert.equal(await post('12345678'), '12345678')
  assert.equal(await post('1234567890'), '1234567890')
})
