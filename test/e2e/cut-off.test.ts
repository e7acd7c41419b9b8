/**
 * What a refused or disconnected station receives, and what the log says about it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { dial, protocol, upgradeHeaders } from '../support/peer.ts'

async function open(t: TestContext, ...flags: string[]): Promise<Bridge> {
  const bridge = await openBridge(['--rpc_host=127.0.0.1:1', ...flags])
  t.after(() => bridge.close())
  return bridge
}

async function plug(t: TestContext, bridge: Bridge, id: string): Promise<WebSocket> {
  const socket = new WebSocket(`${bridge.url}/${id}`, ['ocpp1.6'])
  t.after(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

/** The head of the answer to a request. */
async function answerTo(t: TestContext, bridge: Bridge, request: readonly string[]): Promise<string> {
  const { head, socket } = await dial(bridge.port, [...request, 'Host: localhost'])
  t.after(() => socket.destroy())
  return head
}

const [upgrade, connection, webSocketVersion, key] = upgradeHeaders
const offer = protocol('ocpp1.6')

test('a message that is too big closes the connection with 1009, logged with its reason', async t => {
  const bridge = await open(t, '--max_message_size=1KiB')
  const socket = await plug(t, bridge, 'CP1')
  const closed = once(socket, 'close')
  socket.send('x'.repeat(2_000))
  assert.equal((await closed)[0], 1009)
  const { code, reason, station } = await bridge.logged(/station disconnected/)
  assert.deepEqual([code, reason, station], [1009, 'Max payload size exceeded', 'CP1'])
})

test('text that is not UTF-8 closes the connection with 1007, logged with its reason', async t => {
  const bridge = await open(t)
  const socket = await plug(t, bridge, 'CP1')
  const closed = once(socket, 'close')
  socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
  assert.equal((await closed)[0], 1007)
  assert.equal((await bridge.logged(/station disconnected/))['code'], 1007)
})

test('text that is not UTF-8 is answered with one warning that names the station when ocpp_invalid_utf8=replace', async t => {
  const bridge = await open(t, '--ocpp_invalid_utf8=replace')
  const socket = await plug(t, bridge, 'CP1')
  for (const id of ['1', '2']) {
    const answer = once(socket, 'message')
    socket.send(Buffer.from(`[2,"${id}","Heartbeat",{"by":"Fran\u00e7ois"}]`, 'latin1'), { binary: false })
    assert.match(String((await answer)[0]), new RegExp(`^\\[3,"${id}",`))
  }
  const warnings = bridge.log().filter(({ msg }) => msg.includes('not UTF-8'))
  assert.deepEqual(
    warnings.map(({ level, station }) => [level, station]),
    [['WARN', 'CP1']],
  )
})

const lists = [
  ['ocpp1.6,', 'an empty element at the end'],
  [',ocpp1.6', 'at the start'],
  ['ocpp1.6, ocpp1.6', 'the same one twice'],
] as const
for (const [offered, because] of lists) {
  test(`${protocol(offered)} is negotiated: ${because}`, async t => {
    const bridge = await open(t)
    const head = await answerTo(t, bridge, ['GET /ocpp/CP1 HTTP/1.1', ...upgradeHeaders, protocol(offered)])
    assert.match(head, /^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Protocol: ocpp1\.6(\r\n|$)/s)
  })
}

test('a refused upgrade is logged when it is not a valid WebSocket upgrade', async t => {
  const bridge = await open(t)
  const answer = await answerTo(t, bridge, ['GET /ocpp/CP1 HTTP/1.1', upgrade, connection, webSocketVersion, offer])
  assert.match(answer, /^HTTP\/1\.1 400 /)
  const { status, path } = await bridge.logged(/a station was refused/)
  assert.deepEqual([status, path], [400, '/ocpp/CP1'])
})

test('a refusal is logged with the path and without the query, which may hold a secret', async t => {
  const bridge = await open(t)
  const request = ['GET /nope/CP1?token=SECRET HTTP/1.1', ...upgradeHeaders, offer]
  assert.match(await answerTo(t, bridge, request), /^HTTP\/1\.1 404 /)
  assert.equal((await bridge.logged(/a station was refused/))['path'], '/nope/CP1')
  assert.ok(!bridge.process.output.includes('SECRET'), 'the query is in the log')
})

test('a request that is not HTTP is refused, and logged without its bytes', async t => {
  const bridge = await open(t)
  assert.match(
    await answerTo(t, bridge, ['GET /ocpp/CP 1?token=SECRET HTTP/1.1', ...upgradeHeaders]),
    /^HTTP\/1\.1 400 /,
  )
  const { problem, status } = await bridge.logged(/a station was refused/)
  assert.deepEqual([problem, status], ['Malformed HTTP request (HPE_INVALID_CONSTANT)', 400])
  assert.ok(!bridge.process.output.includes('SECRET'), 'the request is in the log')
})

test('an unknown version of WebSocket gets a 400 that names the supported one', async t => {
  const bridge = await open(t)
  const request = ['GET /ocpp/CP1 HTTP/1.1', upgrade, connection, 'Sec-WebSocket-Version: 7', key, offer]
  assert.match(await answerTo(t, bridge, request), /^HTTP\/1\.1 400 [^]*Sec-WebSocket-Version: 13(\r\n|$)/)
})

test('no pings are sent when ocpp_ping_interval=0', async t => {
  const bridge = await open(t, '--ocpp_ping_interval=0', '--ocpp_idle_timeout=1s')
  const socket = await plug(t, bridge, 'CP1')
  let pings = 0
  socket.on('ping', () => pings++)
  await once(socket, 'close')
  assert.equal(pings, 0)
  assert.equal((await bridge.logged(/station disconnected/))['reason'], 'Silent for too long')
})
