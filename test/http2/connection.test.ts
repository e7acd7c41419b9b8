/** A connection with a server that keeps to the rules; `rules.test.ts` has the others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCodes } from '../../src/http2/frames.ts'
import {
  ack,
  data,
  endHeaders,
  endStream,
  frame,
  goaway,
  headers,
  numbers,
  ok,
  Request,
  response,
  Server,
  settings,
  trailers,
  turn,
  types,
  type Frame,
} from './server.ts'

const { headers: headersType, data: dataType, rstStream, windowUpdate, ping } = types
const refused = { kind: 'refused' }
const kindOf = ({ end }: Request): unknown => (typeof end === 'object' ? end.kind : end)
const bytesOf = (frames: readonly Frame[]): number =>
  frames.filter(({ type }) => type === dataType).reduce((sum, { payload }) => sum + payload.length, 0)
const update = (id: number, increment: number): Buffer => frame(windowUpdate, 0, id, numbers(increment))
const large = (bytes: number): Request => new Request(Buffer.alloc(bytes))

test('connection begins with its preface, SETTINGS without push, and a wider window', async () => {
  const server = new Server()
  await turn()
  assert.equal(Buffer.concat(server.writes).toString('latin1', 0, 24), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const [first, second] = server.frames
  const pairs = [0, 6, 12].map(at => [first?.payload.readUInt16BE(at), first?.payload.readUInt32BE(at + 2)])
  assert.deepEqual(
    [first?.type, pairs],
    [
      types.settings,
      [
        [2, 0],
        [4, 2 ** 20],
        [6, 2 ** 16],
      ],
    ],
  )
  assert.deepEqual(second, { type: windowUpdate, flags: 0, id: 0, payload: numbers(2 ** 23 - 65_535) })
  assert.equal(server.connection.isOpen, false)
})

test("connection opens and acknowledges when the server's SETTINGS come, and acknowledges later ones", async () => {
  const server = new Server()
  assert.deepEqual((await server.says(settings())).at(-1), {
    type: types.settings,
    flags: ack,
    id: 0,
    payload: Buffer.of(),
  })
  assert.deepEqual([server.events, server.connection.isOpen], [['ready'], true])
  assert.deepEqual((await server.says(settings([1, 0]), settings())).length, 2)
  assert.deepEqual(server.events, ['ready'])
})

test('requests of one turn leave in one write, each with its fields and its body', async () => {
  const server = await Server.open()
  const before = server.writes.length
  const requests = [new Request('one', '/a', [['sid', 's1']]), new Request('', '/b'), new Request('three', '/a')]
  const frames = await server.gets(...requests)
  assert.equal(server.writes.length, before + 1)
  assert.deepEqual(
    frames.map(({ type, flags, id }) => [type, flags, id]),
    [
      [headersType, endHeaders, 1],
      [dataType, endStream, 1],
      [headersType, endHeaders, 3],
      [dataType, endStream, 3],
      [headersType, endHeaders, 5],
      [dataType, endStream, 5],
    ],
  )
  assert.deepEqual(
    frames.filter(({ type }) => type === headersType).map(one => Object.fromEntries(server.read(one))),
    [
      { ':path': '/a', ':method': 'POST', ':scheme': 'http', ':authority': 'app', te: 'trailers', sid: 's1' },
      { ':path': '/b', ':method': 'POST', ':scheme': 'http', ':authority': 'app', te: 'trailers' },
      { ':path': '/a', ':method': 'POST', ':scheme': 'http', ':authority': 'app', te: 'trailers' },
    ],
  )
  assert.deepEqual(
    requests.map(({ streamId }) => streamId),
    [1, 3, 5],
  )
})

test('responses reach their requests in any order, however their bytes are cut', async () => {
  const server = await Server.open()
  const requests = [new Request(), new Request(), new Request()]
  await server.gets(...requests)
  const bytes = Buffer.concat([
    headers(5),
    headers(1),
    data(5, 'fi'),
    response(3, 'three'),
    data(1, 'one'),
    data(5, 've'),
    trailers(5),
    trailers(1),
  ])
  for (const byte of bytes) server.connection.receive(Buffer.of(byte))
  assert.deepEqual(
    requests.map(({ received, status, ends }) => [received, status, ends]),
    [
      ['one', 200, ['fine']],
      ['three', 200, ['fine']],
      ['five', 200, ['fine']],
    ],
  )
})

test('a request without trailers ends as such, after its last bytes', async () => {
  const server = await Server.open()
  const requests = [new Request(), new Request()]
  await server.gets(...requests)
  await server.says(headers(1), data(1, 'all', endStream), headers(3, [[':status', '503']]), data(3, '', endStream))
  assert.deepEqual(
    requests.map(({ received, status, ends }) => [received, status, ends]),
    [
      ['all', 200, [{ kind: 'ended' }]],
      ['', 503, [{ kind: 'ended' }]],
    ],
  )
})

test('a request that is no longer wanted sends nothing', async () => {
  const server = await Server.open()
  const request = new Request('body', '/', null)
  assert.deepEqual(await server.gets(request), [])
  assert.deepEqual([request.ends, request.streamId], [[], 0])
})

test("fields above the server's limit, or above one frame, are not sent", async () => {
  const server = await Server.open([6, 400])
  const [small, wide] = [new Request('', '/', [['a', 'x'.repeat(50)]]), new Request('', '/', [['a', 'x'.repeat(200)]])]
  await server.gets(small, wide)
  assert.deepEqual([small.end, wide.end], [undefined, { kind: 'unsendable' }])
  const huge = new Request('', '/', [['a', 'x'.repeat(2 ** 14)]])
  const other = await Server.open()
  assert.deepEqual(await other.gets(huge), [])
  assert.deepEqual(huge.ends, [{ kind: 'unsendable' }])
})

test('the table of fields is not used any more when the server allows none', async () => {
  const server = await Server.open()
  const [first, second] = [await server.gets(new Request('')), await server.gets(new Request(''))]
  assert.ok((second[0]?.payload.length ?? 0) < 10 && (first[0]?.payload.length ?? 0) > 30, 'they are indexed')
  await server.says(settings([1, 0]))
  const sizes = [(await server.gets(new Request('')))[0], (await server.gets(new Request('')))[0]]
  assert.equal(sizes[0]?.payload[0], 0x20, 'the size of the table comes first')
  for (const one of [first[0], second[0], ...sizes]) assert.ok(one && server.read(one).length === 5, 'it is read')
  assert.ok(
    sizes.every(one => (one?.payload.length ?? 0) > 30),
    'they are literals',
  )
})

/** [what the server sends, because]: RFC 9113 §6.5.3, RFC 7541 §4.2 */
const tables = [
  [[settings([1, 0], [1, 4096])], 'in one frame'],
  [[settings([1, 0]), settings([1, 4096])], 'in two frames'],
] as const
for (const [frames, because] of tables) {
  test(`the table of fields is emptied, and then used, when the server allows none and then some: ${because}`, async () => {
    const server = await Server.open()
    const before = await server.gets(new Request(''), new Request(''))
    await server.says(...frames)
    const after = await server.gets(new Request(''), new Request(''))
    const blocks = [...before, ...after].filter(({ type }) => type === types.headers)
    for (const one of blocks) assert.equal(server.read(one).length, 5, 'it is read')
    assert.deepEqual(blocks[2]?.payload.subarray(0, 4), Buffer.of(0x20, 0x3f, 0xe1, 0x1f), 'to 0, and to 4096')
    assert.equal(blocks[2].payload.subarray(4).equals(blocks[0]?.payload ?? Buffer.of()), true, 'as the first one')
    assert.deepEqual(blocks[3]?.payload, blocks[1]?.payload)
  })
}

test('a request waits while as many streams are open as the server allows', async () => {
  const server = await Server.open([3, 1])
  const requests = [new Request(), new Request(), new Request()]
  await server.gets(...requests)
  assert.deepEqual(
    requests.map(({ streamId }) => streamId),
    [1, 0, 0],
  )
  server.connection.cancel(requests[1] as Request)
  await server.says(response(1))
  assert.deepEqual(
    requests.map(({ streamId }) => streamId),
    [1, 0, 3],
  )
  assert.deepEqual(
    requests.map(({ ends }) => ends),
    [['fine'], [], []],
  )
  const more = [new Request(), new Request()]
  await server.gets(...more)
  await server.says(settings([3, 3]))
  assert.deepEqual(
    more.map(({ streamId }) => streamId),
    [5, 7],
  )
})

test('the end of a request reads no body of other requests', async () => {
  const server = await Server.open()
  const requests = Array.from({ length: 100 }, () => new Request())
  let reads = 0
  const body = Buffer.from('body')
  for (const request of requests) Object.defineProperty(request, 'body', { get: () => (reads++, body) })
  await server.gets(...requests)
  const toOpen = reads
  for (const request of requests.slice(0, 50)) server.connection.cancel(request)
  await server.says(...requests.slice(50).map(({ streamId }) => response(streamId)))
  assert.equal(requests.filter(({ end }) => end === 'fine').length, 50)
  assert.ok(reads - toOpen <= 100, `${reads - toOpen} reads`)
})

test('a body is sent as far as the windows of stream and connection allow, and on when the server widens them', async () => {
  const server = await Server.open([4, 10])
  const request = new Request('x'.repeat(25))
  assert.equal(bytesOf(await server.gets(request)), 10)
  assert.equal(bytesOf(await server.says(update(1, 5))), 5)
  assert.equal(bytesOf(await server.says(settings([4, 15]))), 5, 'SETTINGS change the window of an open stream')
  assert.equal(bytesOf(await server.says(settings([4, 0]), update(1, 15))), 0, 'it may become negative')
  const last = (await server.says(update(1, 20))).at(-1)
  assert.deepEqual([last?.flags, last?.payload.length], [endStream, 5])
  const wide = await Server.open([4, 2 ** 20])
  assert.equal(bytesOf(await wide.gets(large(70_000), large(10))), 65_535)
  assert.equal(bytesOf(await wide.says(update(0, 4_475))), 4_475)
})

test('DATA frames have 16 KiB at most, even if the server takes more', async () => {
  const server = await Server.open([5, 2 ** 20])
  const frames = (await server.gets(large(40_000))).filter(({ type }) => type === dataType)
  assert.deepEqual(
    frames.map(({ payload, flags }) => [payload.length, flags]),
    [
      [16_384, 0],
      [16_384, 0],
      [7_232, endStream],
    ],
  )
})

test('windows are widened when half of them is used, padding included', async () => {
  const server = await Server.open()
  await server.gets(new Request())
  await server.says(headers(1))
  const full = frame(dataType, 8, 1, Buffer.concat([Buffer.of(255), Buffer.alloc(2 ** 14 - 1)]))
  const updates: unknown[] = []
  for (let frames = 0; frames < 300; frames++)
    updates.push(...(await server.says(full)).map(({ id, payload }) => [frames, id, payload.readUInt32BE(0)]))
  assert.deepEqual(updates.slice(0, 2), [
    [32, 1, 33 * 2 ** 14],
    [65, 1, 33 * 2 ** 14],
  ])
  assert.deepEqual(
    updates.filter(one => (one as number[])[1] === 0),
    [[256, 0, 257 * 2 ** 14]],
  )
})

test('the bytes of a stream that was reset are given back to the window', async () => {
  const server = await Server.open()
  const request = new Request()
  await server.gets(request)
  server.connection.cancel(request)
  await server.says(headers(1))
  const full = data(1, 'x'.repeat(2 ** 14))
  const updates: unknown[] = []
  for (let frames = 0; frames < 600; frames++) updates.push(...(await server.says(full)).map(({ id }) => [frames, id]))
  assert.deepEqual(updates, [
    [256, 0],
    [513, 0],
  ])
})

test('nothing but answers is sent while the socket is full', async () => {
  const server = await Server.open()
  server.takesMore = false
  const [first, second] = [large(50_000), new Request()]
  assert.equal(bytesOf(await server.gets(first)), 16_384, 'the first write fills it')
  await server.gets(second)
  assert.equal(second.streamId, 0)
  assert.deepEqual(
    (await server.says(frame(ping, 0, 0, Buffer.alloc(8, 7)))).map(({ type, flags }) => [type, flags]),
    [[ping, ack]],
  )
  server.takesMore = true
  server.connection.onDrain()
  await turn()
  assert.deepEqual([bytesOf(server.frames), second.streamId], [50_004, 3])
})

test('cancel resets the stream, and what still comes of it is ignored', async () => {
  const server = await Server.open()
  const [request, other] = [new Request(), new Request()]
  await server.gets(request, other)
  server.connection.cancel(request)
  await turn()
  assert.deepEqual(server.frames.at(-1), { type: rstStream, flags: 0, id: 1, payload: numbers(errorCodes.cancel) })
  await server.says(response(1), response(3))
  assert.deepEqual([request.ends, request.received, other.ends], [[], '', ['fine']])
  server.connection.cancel(request)
  assert.equal(server.connection.isOpen, true)
})

test('cancel within onData ends the report', async () => {
  const server = await Server.open()
  const request = new Request()
  request.onDataDo = () => server.connection.cancel(request)
  await server.gets(request)
  await server.says(headers(1), data(1, 'all', endStream))
  assert.deepEqual([request.received, request.ends], ['all', []])
})

test('a response that is whole before its request ends that too (RFC 9113 §8.1)', async () => {
  const server = await Server.open([4, 10])
  const request = new Request('x'.repeat(25))
  await server.gets(request)
  const replies = await server.says(response(1), update(1, 100))
  assert.deepEqual(
    replies.map(({ type, id }) => [type, id]),
    [[rstStream, 1]],
  )
  assert.equal(request.end, 'fine')
})

/** [what happens to three requests of which the first has a response, their ends, because] */
const ends: readonly (readonly [(server: Server) => unknown, readonly unknown[], string])[] = [
  [
    server => server.says(goaway(3)),
    [undefined, undefined, 'refused'],
    'GOAWAY: streams above its last one were not processed',
  ],
  [
    server => server.says(goaway(0, 2)),
    [undefined, 'refused', 'refused'],
    'GOAWAY for all streams, after one response has begun',
  ],
  [
    server => server.says(goaway(2 ** 31 - 1), goaway(1)),
    [undefined, 'refused', 'refused'],
    'a second GOAWAY names an earlier stream',
  ],
  [
    server => server.says(frame(rstStream, 0, 1, numbers(7)), frame(rstStream, 0, 3, numbers(7))),
    ['reset', 'refused', undefined],
    'REFUSED_STREAM: but a response was begun',
  ],
  [
    server => server.says(frame(rstStream, 0, 3, numbers(8)), frame(rstStream, 0, 5, numbers(0))),
    [undefined, 'reset', 'reset'],
    'RST_STREAM of any other code',
  ],
  [server => server.connection.onClose('ECONNRESET'), ['lost', 'lost', 'lost'], 'the socket closes'],
  [server => server.connection.destroy('no pong'), ['lost', 'lost', 'lost'], 'the connection is destroyed'],
  [server => server.says(goaway(3), frame(0, 0, 9)), ['lost', 'lost', 'refused'], 'a broken frame after GOAWAY'],
]
for (const [happen, expected, because] of ends) {
  test(`requests end as ${expected.join(', ')}: ${because}`, async () => {
    const server = await Server.open()
    const requests = [new Request(), new Request(), new Request()]
    await server.gets(...requests)
    await server.says(headers(1))
    await happen(server)
    assert.deepEqual(requests.map(kindOf), expected)
    assert.ok(
      requests.every(({ ends }) => ends.length <= 1),
      'once',
    )
  })
}

test('a request that waits, or that no write has carried yet, is refused when the connection ends', async () => {
  const server = await Server.open([3, 2])
  const [sent, unsent, waiting] = [new Request(), new Request(), new Request()]
  await server.gets(sent)
  server.connection.open(unsent)
  server.connection.open(waiting)
  server.connection.onClose('ECONNRESET')
  assert.deepEqual([kindOf(sent), unsent.ends, waiting.ends], ['lost', [refused], [refused]])
})

test('GOAWAY ends the connection after its last stream, and refuses what waits', async () => {
  const server = await Server.open([3, 1])
  const [sent, waiting] = [new Request(), new Request()]
  await server.gets(sent, waiting)
  await server.says(goaway(1, 11))
  assert.deepEqual([waiting.ends, server.connection.isOpen, server.isEnded], [[refused], false, false])
  assert.deepEqual(server.events, ['ready', 'goaway 11', 'end: the app closed the connection with HTTP/2 code 11'])
  const last = (await server.says(response(1))).at(-1)
  assert.deepEqual([sent.end, last?.type, last?.payload, server.isEnded], ['fine', types.goaway, numbers(0, 0), true])
  await turn()
  assert.deepEqual(server.events.slice(3), ['close', 'destroyed'])
})

test('close waits for the streams that are open, and ends at once without any', async () => {
  const server = await Server.open()
  const request = new Request()
  await server.gets(request)
  server.connection.close('closed by the bridge')
  assert.deepEqual([server.connection.isOpen, server.isEnded], [false, false])
  await server.says(response(1))
  assert.deepEqual([request.end, server.isEnded], ['fine', true])
  const idle = new Server()
  idle.connection.close('closed by the bridge')
  idle.connection.onClose('late')
  assert.deepEqual(idle.events, ['end: closed by the bridge', 'close'])
})

test('a connection opens no more streams when its last id is used, and its calls go on', async () => {
  const server = new Server(2 ** 31 - 3)
  await server.says(settings())
  const [first, last] = [new Request(), new Request()]
  await server.gets(first)
  assert.equal(server.connection.isOpen, true)
  await server.gets(last)
  assert.deepEqual(server.events, ['ready', 'end: the connection has no more stream ids'])
  await server.says(response(2 ** 31 - 1), response(2 ** 31 - 3))
  assert.deepEqual([first.end, last.end, server.isEnded], ['fine', 'fine', true])
})

test('pings are answered with their payload, and answers to ours are reported', async () => {
  const server = await Server.open()
  const payload = Buffer.from('12345678')
  assert.deepEqual(await server.says(frame(ping, 0, 0, payload)), [{ type: ping, flags: ack, id: 0, payload }])
  server.connection.ping()
  await turn()
  const sent = server.frames.at(-1)
  assert.deepEqual([sent?.type, sent?.flags], [ping, 0])
  await server.says(frame(ping, ack, 0, sent?.payload))
  assert.deepEqual(server.events, ['ready', 'pong'])
})

test('an idle connection stays open for as many pings as it likes', async () => {
  const server = await Server.open()
  for (let pings = 0; pings < 3_000; pings++) {
    server.connection.ping()
    await server.says(frame(ping, ack, 0, Buffer.alloc(8)), frame(ping, 0, 0, Buffer.alloc(8)))
  }
  assert.equal(server.connection.isOpen, true)
})

test('an exchange that throws ends the connection, and nothing escapes', async () => {
  const server = await Server.open()
  const request = new Request()
  request.onDataDo = () => {
    throw new Error('a bug')
  }
  await server.gets(request)
  const replies = await server.says(headers(1, ok), data(1, 'x'))
  assert.deepEqual(replies.at(-1)?.payload, numbers(0, errorCodes.internalError))
  assert.match(String((request.end as { reason?: string }).reason), /a bug/)
})
