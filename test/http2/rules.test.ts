/**
 * What a client must do with a server that breaks HTTP/2, or uses what few servers use: a row for each rule of RFC 9113
 * that binds a client. The server's bytes come after its SETTINGS, and after a request on stream 1.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCodes } from '../../src/http2/frames.ts'
import {
  ack,
  block,
  data,
  done,
  endHeaders,
  endStream,
  frame,
  goaway,
  hasPriority,
  headers,
  numbers,
  ok,
  padded,
  Request,
  response,
  Server,
  settings,
  trailers,
  types,
  type Frame,
} from './server.ts'

type Code = keyof typeof errorCodes
/** `fine`: the request has its response. `stream`, `connection`: what is ended, with a code. */
type Outcome = 'fine' | readonly ['stream' | 'connection', Code]
type Row = readonly [clause: string, bytes: readonly Buffer[], Outcome, because: string]

const { continuation, priority, pushPromise, rstStream, windowUpdate, ping } = types
const filled = (type: number, flags: number, id: number, length: number): Buffer =>
  frame(type, flags, id, Buffer.alloc(length))
const many = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes))
const field = (name: string, value: string, ...others: typeof ok): Buffer => headers(1, [...others, [name, value]])
const status = (value: string): Buffer => headers(1, [[':status', value]])
const last = endHeaders | endStream
const raw = (...bytes: readonly number[]): Buffer => frame(types.headers, endHeaders, 1, bytes)
const padding = (length: number, content: Buffer, extra: number): Buffer =>
  Buffer.concat([Buffer.of(length), content, Buffer.alloc(extra)])

const rows: readonly Row[] = [
  ['4.1', [filled(0x99, 0xff, 1, 20), filled(0x99, 0, 0, 0), response(1)], 'fine', 'an unknown type is ignored'],
  ['4.1', [headers(1, ok, endHeaders | 0xd2), data(1, 'x', 0xf6), trailers(1)], 'fine', 'unused flags are ignored'],
  [
    '4.1',
    [Buffer.concat([headers(1)]).fill(0x80, 5, 6), data(1, 'x'), trailers(1)],
    'fine',
    'the reserved bit is ignored',
  ],
  [
    '4.2',
    [filled(types.data, 0, 1, 2 ** 14 + 1)],
    ['connection', 'frameSizeError'],
    'DATA above SETTINGS_MAX_FRAME_SIZE',
  ],
  ['4.2', [Buffer.of(0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1)], ['connection', 'frameSizeError'], 'a head suffices'],
  ['4.2', [filled(0x99, 0, 0, 2 ** 14 + 1)], ['connection', 'frameSizeError'], 'an unknown type above the limit'],
  ['4.3', [raw(0xff, 0xff, 0xff, 0xff, 0xff)], ['connection', 'compressionError'], 'an index out of the table'],
  ['4.3', [frame(types.headers, 0, 1, block(ok)), ping8()], ['connection', 'protocolError'], 'a frame within a block'],
  [
    '4.3',
    [frame(types.headers, 0, 1, block(ok)), frame(continuation, endHeaders, 3)],
    ['connection', 'protocolError'],
    'CONTINUATION of another stream',
  ],
  [
    '4.3',
    [frame(types.headers, 0, 1, block(ok)), frame(0x99, 0, 1)],
    ['connection', 'protocolError'],
    'an unknown type within a block',
  ],
  ['5.1', [headers(3)], ['connection', 'protocolError'], 'HEADERS on an idle stream'],
  ['5.1', [data(3, 'x')], ['connection', 'protocolError'], 'DATA on an idle stream'],
  ['5.1', [frame(rstStream, 0, 3, numbers(0))], ['connection', 'protocolError'], 'RST_STREAM on an idle stream'],
  ['5.1', [frame(windowUpdate, 0, 3, numbers(1))], ['connection', 'protocolError'], 'WINDOW_UPDATE on an idle stream'],
  ['5.1', [frame(priority, 0, 3, Buffer.alloc(5)), response(1)], 'fine', 'PRIORITY on an idle stream'],
  [
    '5.1',
    [response(1), frame(windowUpdate, 0, 1, numbers(1)), frame(rstStream, 0, 1, numbers(0))],
    'fine',
    'late frames on a closed stream',
  ],
  ['5.1', [response(1), data(1, 'x')], ['connection', 'streamClosed'], 'DATA after trailers'],
  ['5.1', [response(1), trailers(1)], ['connection', 'streamClosed'], 'trailers after trailers'],
  ['5.1', [headers(1), data(1, '', endStream), data(1, 'x')], ['connection', 'streamClosed'], 'DATA after its end'],
  ['5.1.1', [headers(2)], ['connection', 'protocolError'], 'a stream of the server, without push'],
  ['5.1.1', [headers(0)], ['connection', 'protocolError'], 'HEADERS on stream 0'],
  ['5.4.1', [headers(3), response(1)], ['connection', 'protocolError'], 'nothing is read after a connection error'],
  ['6.1', [headers(1), data(0, 'x')], ['connection', 'protocolError'], 'DATA on stream 0'],
  [
    '6.1',
    [headers(1), frame(types.data, padded, 1, padding(3, Buffer.from('hello'), 3)), trailers(1)],
    'fine',
    'padding is skipped',
  ],
  [
    '6.1',
    [headers(1), frame(types.data, padded, 1, [5, 0, 0, 0, 0])],
    ['connection', 'protocolError'],
    'padding longer than the frame',
  ],
  [
    '6.1',
    [headers(1), frame(types.data, padded, 1)],
    ['connection', 'frameSizeError'],
    'no room for the length of the padding',
  ],
  [
    '6.2',
    [
      frame(
        types.headers,
        endHeaders | padded | hasPriority,
        1,
        padding(2, Buffer.concat([Buffer.alloc(5), block(ok)]), 2),
      ),
      trailers(1),
    ],
    'fine',
    'padding and priority are skipped',
  ],
  [
    '6.2',
    [frame(types.headers, endHeaders | padded, 1, [9, 0])],
    ['connection', 'protocolError'],
    'padding longer than the frame',
  ],
  [
    '6.2',
    [frame(types.headers, endHeaders | hasPriority, 1, [0, 0])],
    ['connection', 'frameSizeError'],
    'no room for the priority',
  ],
  ['6.3', [filled(priority, 0, 0, 5)], ['connection', 'protocolError'], 'PRIORITY on stream 0'],
  ['6.3', [filled(priority, 0, 1, 4)], ['stream', 'frameSizeError'], 'PRIORITY of 4 bytes'],
  ['6.4', [frame(rstStream, 0, 0, numbers(0))], ['connection', 'protocolError'], 'RST_STREAM on stream 0'],
  ['6.4', [filled(rstStream, 0, 1, 5)], ['connection', 'frameSizeError'], 'RST_STREAM of 5 bytes'],
  ['6.5', [frame(types.settings, 0, 1)], ['connection', 'protocolError'], 'SETTINGS on a stream'],
  ['6.5', [filled(types.settings, ack, 0, 6)], ['connection', 'frameSizeError'], 'an acknowledgement with settings'],
  ['6.5', [filled(types.settings, 0, 0, 5)], ['connection', 'frameSizeError'], 'SETTINGS of 5 bytes'],
  ['6.5.2', [settings([2, 1])], ['connection', 'protocolError'], 'push by the server'],
  ['6.5.2', [settings([2, 0], [2, 7])], ['connection', 'protocolError'], 'a value of push that does not exist'],
  ['6.5.2', [settings([4, 2 ** 31])], ['connection', 'flowControlError'], 'a window above the maximum'],
  ['6.5.2', [settings([5, 2 ** 14 - 1])], ['connection', 'protocolError'], 'frames below the minimum'],
  ['6.5.2', [settings([5, 2 ** 24])], ['connection', 'protocolError'], 'frames above the maximum'],
  [
    '6.5.2',
    [settings([0x99, 1], [5, 2 ** 24 - 1], [4, 2 ** 31 - 1]), response(1)],
    'fine',
    'an unknown setting, and the largest values',
  ],
  [
    '6.6',
    [frame(pushPromise, endHeaders, 1, Buffer.concat([numbers(2), block(ok)]))],
    ['connection', 'protocolError'],
    'PUSH_PROMISE, although push is off',
  ],
  ['6.7', [filled(ping, 0, 1, 8)], ['connection', 'protocolError'], 'PING on a stream'],
  ['6.7', [filled(ping, 0, 0, 7)], ['connection', 'frameSizeError'], 'PING of 7 bytes'],
  ['6.7', [filled(ping, ack, 0, 8), response(1)], 'fine', 'an answer to no ping'],
  ['6.8', [filled(types.goaway, 0, 1, 8)], ['connection', 'protocolError'], 'GOAWAY on a stream'],
  ['6.8', [filled(types.goaway, 0, 0, 7)], ['connection', 'frameSizeError'], 'GOAWAY of 7 bytes'],
  ['6.8', [Buffer.concat([goaway(1)]), goaway(1, 2), response(1)], 'fine', 'the streams that GOAWAY leaves'],
  ['6.8', [headers(1), goaway(0), data(1, 'x'), trailers(1)], 'fine', 'GOAWAY below a stream whose response has begun'],
  ['6.9', [frame(windowUpdate, 0, 0, numbers(0))], ['connection', 'protocolError'], 'an increment of 0'],
  ['6.9', [frame(windowUpdate, 0, 1, numbers(0))], ['stream', 'protocolError'], 'an increment of 0 for a stream'],
  ['6.9', [filled(windowUpdate, 0, 1, 3)], ['connection', 'frameSizeError'], 'WINDOW_UPDATE of 3 bytes'],
  [
    '6.9.1',
    [frame(windowUpdate, 0, 0, numbers(2 ** 31 - 1))],
    ['connection', 'flowControlError'],
    'a window above the maximum',
  ],
  [
    '6.9.1',
    [frame(windowUpdate, 0, 1, numbers(2 ** 31 - 1))],
    ['stream', 'flowControlError'],
    "a stream's window above the maximum",
  ],
  [
    '6.9.2',
    [frame(windowUpdate, 0, 1, numbers(2 ** 30)), settings([4, 2 ** 31 - 1])],
    ['connection', 'flowControlError'],
    'a window that SETTINGS raise above it',
  ],
  [
    '6.10',
    [frame(continuation, endHeaders, 1, block(ok))],
    ['connection', 'protocolError'],
    'CONTINUATION after nothing',
  ],
  [
    '6.10',
    [
      frame(types.headers, 0, 1, block(ok).subarray(0, 5)),
      frame(continuation, 0, 1, block(ok).subarray(5, 9)),
      frame(continuation, endHeaders, 1, block(ok).subarray(9)),
      data(1, 'x'),
      trailers(1),
    ],
    'fine',
    'a block in three frames',
  ],
  [
    '6.10',
    [frame(types.headers, endStream, 1, block(ok)), frame(continuation, endHeaders, 1, block(done))],
    'fine',
    'a response in two frames, without a body',
  ],
  ['8.1', [status('100'), status('103'), response(1)], 'fine', 'interim responses'],
  [
    '8.1',
    [headers(1, [[':status', '103']], last)],
    ['stream', 'protocolError'],
    'an interim response that ends the stream',
  ],
  ['8.1', [headers(1), headers(1, done)], ['stream', 'protocolError'], 'trailers that do not end the stream'],
  ['8.1', [data(1, 'x')], ['stream', 'protocolError'], 'DATA before the response'],
  ['8.1', [status('103'), data(1, 'x')], ['stream', 'protocolError'], 'DATA after an interim response'],
  [
    '8.1.1',
    [headers(1, [...ok, ['content-length', '4']]), data(1, 'hello'), trailers(1)],
    ['stream', 'protocolError'],
    'more bytes than content-length',
  ],
  [
    '8.1.1',
    [headers(1, [...ok, ['content-length', '6']]), data(1, 'hello', endStream)],
    ['stream', 'protocolError'],
    'fewer bytes than content-length',
  ],
  [
    '8.1.1',
    [headers(1, [...ok, ['content-length', '5']]), data(1, 'hel'), data(1, 'lo'), trailers(1)],
    'fine',
    'as many bytes as content-length',
  ],
  ['8.1.1', [field('content-length', 'x', ...ok)], ['stream', 'protocolError'], 'content-length is not a number'],
  ['8.2', [field('Upper', 'x', ...ok)], ['stream', 'protocolError'], 'a name in upper case'],
  ['8.2.1', [field('a b', 'x', ...ok)], ['stream', 'protocolError'], 'a name with a space'],
  ['8.2.1', [field('', 'x', ...ok)], ['stream', 'protocolError'], 'no name'],
  ['8.2.1', [field('a:b', 'x', ...ok)], ['stream', 'protocolError'], 'a name with a colon in it'],
  ['8.2.1', [field('a', 'x\ny', ...ok)], ['stream', 'protocolError'], 'a value of two lines'],
  ['8.2.1', [field('a', 'x\0', ...ok)], ['stream', 'protocolError'], 'a value with NUL'],
  ['8.2.1', [field('a', ' x', ...ok)], ['stream', 'protocolError'], 'a value that begins with a space'],
  ['8.2.2', [field('connection', 'close', ...ok)], ['stream', 'protocolError'], 'a field of HTTP/1.1 connections'],
  ['8.2.2', [field('transfer-encoding', 'chunked', ...ok)], ['stream', 'protocolError'], 'another one'],
  [
    '8.3',
    [field(':status', '200', ['a', 'b'])],
    ['stream', 'protocolError'],
    'a pseudo-header field after another field',
  ],
  ['8.3', [field(':other', 'x', ...ok.slice(0, 1))], ['stream', 'protocolError'], 'an unknown pseudo-header field'],
  [
    '8.3',
    [headers(1), headers(1, [[':status', '200']], last)],
    ['stream', 'protocolError'],
    'a pseudo-header field in trailers',
  ],
  ['8.3', [field(':status', '200', [':status', '200'])], ['stream', 'protocolError'], 'a pseudo-header field twice'],
  ['8.3.1', [field(':path', '/', ...ok.slice(0, 1))], ['stream', 'protocolError'], 'a pseudo-header field of requests'],
  ['8.3.2', [headers(1, [['a', 'b']])], ['stream', 'protocolError'], 'no status'],
  ['8.3.2', [status('20')], ['stream', 'protocolError'], 'a status of two digits'],
  ['8.6', [status('101')], ['stream', 'protocolError'], 'an upgrade, which HTTP/2 does not have'],
  ['10.5', [many(1_001, settings())], ['connection', 'enhanceYourCalm'], 'a flood of SETTINGS'],
  ['10.5', [many(1_001, ping8())], ['connection', 'enhanceYourCalm'], 'a flood of PING'],
  ['10.5', [headers(1), many(1_001, data(1, ''))], ['connection', 'enhanceYourCalm'], 'a flood of empty DATA'],
  [
    '10.5',
    [headers(1), many(1_001, frame(types.data, padded, 1, [1, 0]))],
    ['connection', 'enhanceYourCalm'],
    'a flood of padding',
  ],
  [
    '10.5',
    [response(1), many(1_001, frame(rstStream, 0, 1, numbers(0)))],
    ['connection', 'enhanceYourCalm'],
    'a flood of RST_STREAM',
  ],
  ['10.5', [many(1_001, filled(priority, 0, 1, 5))], ['connection', 'enhanceYourCalm'], 'a flood of PRIORITY'],
  ['10.5', [many(1_001, frame(0x99, 0, 1))], ['connection', 'enhanceYourCalm'], 'a flood of unknown frames'],
  ['10.5', [many(1_001, status('103'))], ['connection', 'enhanceYourCalm'], 'a flood of interim responses'],
  [
    '10.5',
    [frame(types.headers, 0, 1, block(ok)), many(101, frame(continuation, 0, 1))],
    ['connection', 'enhanceYourCalm'],
    'a flood of CONTINUATION',
  ],
  [
    '10.5',
    [many(900, ping8()), headers(1), many(900, ping8()), data(1, 'x'), trailers(1)],
    'fine',
    'pings between the frames of a response',
  ],
  [
    '10.5.1',
    [frame(types.headers, 0, 1, Buffer.alloc(2 ** 14)), many(4, filled(continuation, 0, 1, 2 ** 14))],
    ['connection', 'enhanceYourCalm'],
    'a block above the limit',
  ],
  ['10.5.1', [bomb()], ['stream', 'protocolError'], 'a short block of many long fields'],
]

function ping8(): Buffer {
  return filled(ping, 0, 0, 8)
}

/** A field of 4,000 bytes into the table, and a reference to it twenty times. */
function bomb(): Buffer {
  const length = Buffer.of(0x7f, 0xa1, 0x1e)
  return raw(0x40, 1, 'a'.charCodeAt(0), ...length, ...Buffer.alloc(4_000, 'x'), ...Buffer.alloc(20, 0xbe))
}

for (const [clause, bytes, outcome, because] of rows) {
  const expected = outcome === 'fine' ? 'is served' : `ends the ${outcome.join(' with ')}`
  test(`connection ${expected} when the server sends: ${because} (RFC 9113 §${clause})`, async () => {
    const server = await Server.open()
    const request = new Request()
    await server.gets(request)
    const replies = await server.says(...bytes)
    assert.equal(request.ends.length, 1, 'it ends once')
    if (outcome === 'fine') {
      assert.equal(request.end, 'fine')
      const isError = ({ type, payload }: Frame): boolean =>
        type === rstStream || (type === types.goaway && payload.readUInt32BE(4) > 0)
      assert.deepEqual(replies.filter(isError), [])
      return
    }
    const [what, code] = outcome
    const { type, id, payload } = replies.find(({ type }) => type === types.goaway || type === rstStream) ?? {}
    assert.deepEqual(
      [type, id, payload],
      what === 'stream' ? [rstStream, 1, numbers(errorCodes[code])] : [types.goaway, 0, numbers(0, errorCodes[code])],
    )
    assert.equal(server.isEnded, what === 'connection')
    assert.equal(server.connection.isOpen, what === 'stream')
    if (what === 'connection') return
    assert.equal((request.end as { kind: string }).kind, 'malformed')
    const next = new Request()
    await server.gets(next)
    // What the server sent before it saw RST_STREAM is ignored (RFC 9113 §5.1).
    await server.says(data(1, 'late'), trailers(1), response(3))
    assert.deepEqual([next.received, next.end], ['hello', 'fine'])
  })
}

/** [bytes, code, because]: instead of the server's SETTINGS (RFC 9113 §3.4) */
const prefaces: readonly (readonly [Buffer, Code, string])[] = [
  [frame(windowUpdate, 0, 0, numbers(1)), 'protocolError', 'another frame'],
  [frame(types.settings, ack, 0), 'protocolError', 'an acknowledgement'],
  [goaway(0), 'protocolError', 'GOAWAY'],
  [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'frameSizeError', 'HTTP/1.1'],
  [Buffer.of(0x15, 3, 1, 0, 2, 2, 0x46, 0, 0), 'frameSizeError', 'an alert of TLS'],
]
for (const [bytes, code, because] of prefaces) {
  test(`connection never opens, and ends with ${code}, when the server begins with ${because}`, async () => {
    const server = new Server()
    const replies = await server.says(bytes, settings())
    assert.deepEqual(replies.at(-1)?.payload, numbers(0, errorCodes[code]))
    assert.deepEqual([server.connection.isOpen, server.isEnded, server.events.includes('ready')], [false, true, false])
  })
}
