/**
 * What a call sends, and how it reads what comes back, from a server of bare HTTP/2 that says what no gRPC library
 * would, and from servers that do not speak HTTP/2.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { queryObjects } from 'node:v8'
import type { RpcError } from '../../../src/cable/rpc.ts'
import { Call, type CallOwner } from '../../../src/rpc/grpc/call.ts'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { localRpcError, rpcError } from '../../contract/rpc.ts'
import { openTcp } from '../../support/tcp.ts'
import { never, perform } from '../calls.ts'
import { RawApp, reply, success, yes, type StreamScript } from './raw-app.ts'

const within = { timeout: 20_000 }

async function openBoth(t: TestContext, settings: Parameters<typeof openGrpc>[1] = {}) {
  const app = await RawApp.start(t)
  const rpc = openGrpc(app.host, settings)
  t.after(() => rpc.close())
  return { app, rpc }
}

const status = (code: string, message?: string): StreamScript => {
  const headers = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': code }
  return stream => stream.respond({ ...headers, ...(message !== undefined && { 'grpc-message': message }) }, ended)
}
const ended = { endStream: true }
const saying =
  (pieces: readonly Buffer[], trailers?: object): StreamScript =>
  stream =>
    reply(stream, pieces, trailers)
const http = (code: number, body: string): StreamScript => {
  return stream => {
    stream.respond({ ':status': code, 'content-type': 'text/html' })
    stream.end(body)
  }
}
/** Begins a reply, and then does something else. */
const begun =
  (piece: Buffer, then: (stream: ServerHttp2Stream) => void): StreamScript =>
  stream => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.write(piece, () => then(stream))
  }
const broken = new Error('broken')
const half = success.subarray(0, 6)
const bytewise = [...success].map(byte => Buffer.from([byte]))

/** [what the app does, because]: each is a valid reply. */
const replies: readonly (readonly [StreamScript, string])[] = [
  [yes, 'one frame'],
  [saying(bytewise), 'a frame for each byte'],
  [saying([success], { 'grpc-status': '0', 'grpc-message': '', more: 'x' }), 'a message with additional trailers'],
  [
    stream => {
      stream.additionalHeaders({ ':status': 103 })
      yes(stream)
    },
    'a message after early hints',
  ],
]
for (const [script, because] of replies) {
  test(`a call resolves when the reply comes as ${because}`, within, async t => {
    const { app, rpc } = await openBoth(t)
    app.once(script)
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })
}

/** [what the app does, code and outcome of the error, its message, because] */
const failures: readonly (readonly [StreamScript, RpcError['code'], RpcError['outcome'], RegExp, string])[] = [
  [
    status('8', 'No free threads in thread pool'),
    'exhausted',
    'notRun',
    /No free threads/,
    'a status without a message',
  ],
  [
    status('8', 'Received message larger than max (5 vs 4)'),
    'application',
    'notRun',
    /; the call is larger than the app's server accepts/,
    'the call is too large: a reply above the limit fails here',
  ],
  [
    status('2', 'certificate has expired'),
    'application',
    'unknown',
    /expired$/,
    'an error in the app, not of our own TLS',
  ],
  [status('4', 'Waiting for LB pick'), 'timeout', 'unknown', /LB pick/, "the words of grpc-js in the app's status"],
  [
    status('13', 'Received RST_STREAM with code 2'),
    'application',
    'unknown',
    /code 13/,
    "the words of grpc-js in the app's status",
  ],
  [
    status('14', 'No connection established'),
    'unavailable',
    'unknown',
    /code 14/,
    "the words of grpc-js in the app's status",
  ],
  [status('2', 'boom%20%E2%9A%A1'), 'application', 'unknown', /boom ⚡/, 'a message that is percent-encoded'],
  [status('2', '100%'), 'application', 'unknown', /100%/, 'a message that is not'],
  [status('2'), 'application', 'unknown', /code 2/, 'no message'],
  [status('strange'), 'application', 'unknown', /code 2/, 'a status that is not a number is UNKNOWN'],
  [status('99', 'new'), 'application', 'unknown', /code 99: new/, 'a status that gRPC does not define'],
  [saying([success], { 'grpc-status': '13' }), 'application', 'unknown', /code 13/, 'a message before a failure'],
  [saying([success], {}), 'unavailable', 'unknown', /without a gRPC status/, 'no status'],
  [http(503, '<html>'), 'unavailable', 'unknown', /HTTP status code 503/, 'a proxy'],
  [http(404, 'not found'), 'application', 'notRun', /HTTP status code 404/, 'another service'],
  [http(418, ''), 'application', 'unknown', /HTTP status code 418/, 'any other HTTP status is UNKNOWN'],
  [http(200, '<html>'.repeat(1000)), 'unavailable', 'unknown', /without a gRPC status/, 'a web page'],
  [saying([]), 'application', 'ran', /not one whole message/, 'OK without a message'],
  [saying([half]), 'application', 'ran', /not one whole message/, 'a message shorter than its prefix says'],
  [saying([success, Buffer.of(0)]), 'application', 'ran', /not one whole message/, 'a longer one'],
  [saying([success, success]), 'application', 'ran', /not one whole message/, 'two messages'],
  [saying([Buffer.of(0, 0)]), 'application', 'ran', /not one whole message/, 'half a prefix'],
  [
    saying([Buffer.of(1, 0, 0, 0, 2, 8, 1)]),
    'application',
    'ran',
    /compressed/,
    'the request does not accept compression',
  ],
  [saying([Buffer.of(0, 0, 0, 0, 2, 255, 255)]), 'application', 'ran', /not a message of rpc\.proto/, 'not protobuf'],
  [stream => stream.close(2), 'unavailable', 'unknown', /HTTP\/2 code 2/, 'reset before the headers'],
  [
    begun(half, stream => stream.destroy(broken)),
    'unavailable',
    'unknown',
    /HTTP\/2 code 2/,
    'reset within the message',
  ],
  [
    begun(success, stream => stream.destroy(broken)),
    'unavailable',
    'unknown',
    /HTTP\/2 code 2/,
    'reset before the status',
  ],
  [stream => stream.close(8), 'unavailable', 'unknown', /HTTP\/2 code 8/, 'cancelled by the app'],
  [stream => stream.close(11), 'unavailable', 'unknown', /HTTP\/2 code 11/, 'it may have run'],
  [
    stream => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => undefined).write(half, () => stream.close(7))
    },
    'unavailable',
    'unknown',
    /HTTP\/2 code 7/,
    'refused after a response has begun',
  ],
  [
    stream => {
      stream.session?.goaway(7, stream.id)
      stream.session?.destroy()
    },
    'unavailable',
    'unknown',
    /connection was lost/,
    'the connection is refused, not this call, which may have run',
  ],
  [stream => stream.close(12), 'application', 'unknown', /HTTP\/2 code 12/, 'the app requires better TLS'],
  [begun(success, stream => stream.session?.destroy()), 'unavailable', 'unknown', /./, 'the connection is lost'],
]
for (const [script, code, outcome, message, because] of failures) {
  test(`a call fails with ${code}, ${outcome}, ${message} when the reply is bad: ${because}`, within, async t => {
    const { app, rpc } = await openBoth(t)
    app.once(script)
    await assert.rejects(rpc.command(perform, never), rpcError(code, outcome, message))
    assert.equal(app.streams.all.length, 1, 'it is not retried')
    assert.equal((await rpc.command(perform, never)).status, 'success', 'the next call succeeds')
  })
}

test('a call is retried once when the app refuses its stream', within, async t => {
  const { app, rpc } = await openBoth(t)
  const refuse: StreamScript = stream => stream.close(7)
  app.once(refuse)
  assert.equal((await rpc.command(perform, never)).status, 'success')
  app.once(refuse)
  app.once(refuse)
  await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /took no more calls/))
  assert.equal(app.streams.all.length, 4)
})

test('a call fails at the prefix and resets its stream when the reply is above the limit', within, async t => {
  const { app, rpc } = await openBoth(t, { limits: { sent: Infinity, received: 100 } })
  app.once(begun(Buffer.of(0, 0, 0, 0, 101), () => undefined))
  await assert.rejects(
    rpc.command(perform, never),
    rpcError('application', 'ran', /^101 bytes.*rpc_max_call_recv_size/),
  )
  const stream = await app.streams.next()
  if (!stream.closed) await once(stream, 'close')
  assert.equal(stream.rstCode, 8)
})

test('a call resets its stream when its deadline passes', within, async t => {
  const { app, rpc } = await openBoth(t)
  assert.equal(await rpc.problem(10_000), null)
  app.once(() => undefined)
  await assert.rejects(rpc.command(perform, never, performance.now() + 100), rpcError('timeout', 'unknown', /Deadline/))
  const stream = await app.streams.next()
  if (!stream.closed) await once(stream, 'close')
  assert.equal(stream.rstCode, 8)
})

test('a call is not sent when its deadline has passed, which is local', within, async t => {
  const { app, rpc } = await openBoth(t)
  assert.equal(await rpc.problem(10_000), null)
  await assert.rejects(rpc.command(perform, never, performance.now() - 1), localRpcError('timeout', 'notRun', /./))
  assert.equal(app.streams.all.length, 0)
})

/** [time until the deadline, grpc-timeout, because] */
const timeouts: readonly (readonly [number, RegExp | undefined, string])[] = [
  [5_000, /^([1-4]\d{3}|5000)m$/, 'in milliseconds'],
  [24 * 60 * 60 * 1000, /^(86400000|863999\d\d)m$/, 'the longest that an option allows'],
  [Infinity, undefined, 'no deadline'],
]
for (const [ms, expected, because] of timeouts) {
  test(`a call sends its metadata, and grpc-timeout when it has ${ms} ms left: ${because}`, within, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never, performance.now() + ms)
    const { 'grpc-timeout': timeout, ...others } = await app.headers.next()
    if (expected === undefined) assert.equal(timeout, undefined)
    else assert.match(String(timeout), expected)
    assert.deepEqual(others, {
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': app.host,
      ':path': '/anycable.RPC/Command',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'ocpp-cable',
      sid: 's1',
      protov: 'v1',
    })
  })
}

/** [what the other side does with a connection, the message, because] */
const strangers: readonly (readonly [(socket: Socket) => void, RegExp, string])[] = [
  [socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /may expect TLS/, 'an HTTP/1.1 server'],
  [socket => socket.end(), /may expect TLS/, 'it hangs up'],
  [socket => socket.resetAndDestroy(), /Failed to connect|ECONNRESET/, 'it hangs up with RST'],
  [socket => socket.end(Buffer.alloc(10_000, 0xff)), /may expect TLS/, 'noise'],
  [socket => socket.end(Buffer.of(0, 0, 6, 4, 0)), /may expect TLS/, 'half a frame'],
  [
    socket => socket.end(Buffer.of(0, 0, 1, 4, 0, 0, 0, 0, 0, 9)),
    /SETTINGS of a wrong length; the server may expect TLS/,
    'broken SETTINGS',
  ],
  [socket => socket.end(Buffer.of(0x15, 3, 1, 0, 2, 2, 0x46)), /may expect TLS/, 'an alert of TLS'],
  [
    socket => socket.end(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
    /./,
    'SETTINGS, and GOAWAY at once',
  ],
]
for (const [speak, message, because] of strangers) {
  test(`a call is not sent when the other side does not speak HTTP/2: ${because}`, within, async t => {
    const stranger = await openTcp(t, socket => void socket.once('data', () => speak(socket)))
    const rpc = openGrpc(stranger.host)
    t.after(() => rpc.close())
    const reply = rpc.command(perform, never, performance.now() + 10_000)
    await assert.rejects(reply, rpcError('unavailable', 'notRun', message))
  })
}

test('a reply in many small frames is kept in one buffer', async () => {
  const length = 50_000
  const text = Buffer.from(Array.from({ length }, (_, at) => at % 251))
  const bytes = Buffer.concat([Buffer.of(0, 0, 0, length >> 8, length & 255), text])
  const owner = { calls: new Set(), maxReceived: length, place: () => undefined } as unknown as CallOwner
  const request = {
    path: '/anycable.RPC/Command',
    sid: 's1',
    trace: undefined,
    bytes,
    deserialize: (message: Buffer) => Buffer.from(message),
    signal: never,
    deadline: Infinity,
  }
  const reply = new Promise((resolve, reject) => {
    const call = new Call(request, owner, resolve, reject)
    const before = queryObjects(Buffer, { format: 'count' })
    for (let at = 0; at < bytes.length; at++) call.onData(bytes.subarray(at, at + 1))
    const kept = queryObjects(Buffer, { format: 'count' }) - before
    assert.ok(kept < 100, `${kept} buffers`)
    call.onTrailers([['grpc-status', '0']])
  })
  assert.deepEqual(await reply, text)
})
