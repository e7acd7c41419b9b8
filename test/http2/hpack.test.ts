/** HPACK by the examples of RFC 7541, and there and back with the HPACK of Node.js, which is nghttp2's. */
import assert from 'node:assert/strict'
import { performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Http2Error } from '../../src/http2/frames.ts'
import { Decoder, Encoder, type Fields } from '../../src/http2/hpack.ts'
import { endHeaders, endStream, frame, framesOf, settings, types } from './server.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const decoder = (maxListBytes = 2 ** 16): Decoder<Fields | null> => new Decoder(maxListBytes, fields => fields)
const pairs = (text: string): Fields => text.split('\n').map(line => line.split('=', 2) as unknown as [string, string])

const requests = [
  ':method=GET\n:scheme=http\n:path=/\n:authority=www.example.com',
  ':method=GET\n:scheme=http\n:path=/\n:authority=www.example.com\ncache-control=no-cache',
  ':method=GET\n:scheme=https\n:path=/index.html\n:authority=www.example.com\ncustom-key=custom-value',
].map(pairs)

/** [appendix, blocks of one table, their fields, because] */
const examples: readonly (readonly [string, readonly string[], readonly Fields[], string])[] = [
  [
    'C.2.1',
    ['400a637573746f6d2d6b65790d637573746f6d2d686561646572'],
    [[['custom-key', 'custom-header']]],
    'a literal that is indexed',
  ],
  ['C.2.2', ['040c2f73616d706c652f70617468'], [[[':path', '/sample/path']]], 'a literal that is not'],
  ['C.2.3', ['100870617373776f726406736563726574'], [[['password', 'secret']]], 'a literal that never is'],
  ['C.2.4', ['82'], [[[':method', 'GET']]], 'an index'],
  [
    'C.3',
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    requests,
    'requests',
  ],
  [
    'C.4',
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
    requests,
    'requests by Huffman code',
  ],
]
for (const [appendix, blocks, expected, because] of examples) {
  test(`Decoder reads the example of RFC 7541 ${appendix}: ${because}`, () => {
    const table = decoder()
    assert.deepEqual(
      blocks.map(block => table.decode(hex(block))),
      expected,
    )
  })
}

/** RFC 7541 C.5 and C.6: responses with a table of 256 bytes, from which fields are evicted. */
const responses: readonly Fields[] = [
  ':status=302\ncache-control=private\ndate=Mon, 21 Oct 2013 20:13:21 GMT\nlocation=https://www.example.com',
  ':status=307\ncache-control=private\ndate=Mon, 21 Oct 2013 20:13:21 GMT\nlocation=https://www.example.com',
].map(pairs)
const evicting = [
  [
    'C.5',
    '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
    '4803333037c1c0bf',
  ],
  [
    'C.6',
    '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
    '4883640effc1c0bf',
  ],
] as const
for (const [appendix, first, second] of evicting) {
  test(`Decoder evicts fields when its table is full, as in RFC 7541 ${appendix}`, () => {
    const table = decoder()
    assert.deepEqual(
      [first, second].map((block, at) => table.decode(hex(at === 0 ? `3fe101${block}` : block))),
      responses,
    )
    // :status 302 was evicted: the table has 307, location, date and cache-control.
    assert.throws(() => table.decode(hex('c2')), /no field has the index 66/)
  })
}

test('Decoder reads a block that it knows by the table of now', () => {
  const table = decoder()
  const literal = (value: string): Buffer => Buffer.concat([hex('4001780131').subarray(0, 4), Buffer.from(value)])
  table.decode(literal('1'))
  for (let times = 0; times < 3; times++) assert.deepEqual(table.decode(hex('be')), [['x', '1']])
  table.decode(literal('2'))
  for (let times = 0; times < 3; times++) assert.deepEqual(table.decode(hex('be')), [['x', '2']])
  assert.deepEqual(table.decode(hex('20')), [])
  assert.throws(() => table.decode(hex('be')), /no field/)
})

/** [block, message, because] */
const broken = [
  ['80', /index 0/, 'the index 0'],
  ['be', /index 62/, 'an index above the static table, and an empty other one'],
  ['7f', /integer that ends/, 'an integer without its end'],
  ['ffffffffff7f', /above 2\^28/, 'an integer above the limit'],
  ['ff8080808000', /above 2\^28/, 'an integer with more zeros than any needs'],
  ['40017803', /string that ends/, 'a string without its end'],
  ['4001', /string that ends/, 'a name without its end'],
  ['400178', /./, 'no value'],
  ['00', /./, 'neither name nor value'],
  ['8220', /table size update/, 'a table size update after a field'],
  ['3fe21f', /table size update/, 'a table above the limit'],
  ['00017884ffffffff', /end of strings/, 'the end of strings within one'],
  ['0001788118', /padding/, 'padding of zeros'],
  ['00017882 07ff', /padding/, 'padding of a byte'],
] as const
for (const [block, message, because] of broken) {
  test(`Decoder throws COMPRESSION_ERROR for ${block}: ${because}`, () => {
    assert.throws(
      () => decoder().decode(hex(block)),
      (error: Http2Error) => error.code === 9 && error.streamId === null && message.test(error.message),
    )
  })
}

test('Decoder has no fields for a list above its limit, and keeps its table in step', () => {
  const table = decoder(100)
  const field = hex(`40 01 78 28 ${'79'.repeat(40)}`)
  assert.equal(table.decode(field)?.length, 1)
  assert.equal(table.decode(Buffer.concat([hex('be'), field])), null)
  assert.deepEqual(table.decode(hex('bf')), [['x', 'y'.repeat(40)]])
})

/** What is sent for a path and own fields. */
const wire = (encoder: Encoder, own: Fields = [], path = '/p'): string =>
  (encoder.encode(path, own, Infinity) as Buffer).toString('hex')

test('Encoder indexes the path and the common fields, and no others', () => {
  const encoder = new Encoder([
    [':method', 'POST'],
    ['te', 'trailers'],
  ])
  const own = [
    ['traceparent', '00-1'],
    ['grpc-timeout', '3000m'],
  ] as const
  const literals = `000b${Buffer.from('traceparent').toString('hex')}04${Buffer.from('00-1').toString('hex')}000c${Buffer.from('grpc-timeout').toString('hex')}05${Buffer.from('3000m').toString('hex')}`
  assert.equal(wire(encoder), '40053a70617468022f708340027465087472' + '61696c657273')
  for (let times = 0; times < 3; times++) assert.equal(wire(encoder, own), `bf83be${literals}`)
  assert.equal(wire(encoder, [], '/other').startsWith('4005'), true)
  assert.equal(wire(encoder, own), `c083bf${literals}`, 'another path moves the indices')
})

test('Encoder marks secrets as never indexed', () => {
  const encoder = new Encoder([['authorization', 'Basic eDp5']])
  const secret = '100d617574686f72697a6174696f6e0a42617369632065447035'
  for (let times = 0; times < 2; times++)
    assert.equal(wire(encoder, [['cookie', 'a=b']]).endsWith(`${secret}1006636f6f6b696503613d62`), true)
})

test('Encoder uses no table when the peer allows none, and a smaller one when it allows less', () => {
  const encoder = new Encoder([['te', 'trailers']])
  wire(encoder)
  encoder.tableBytes = 0
  const literals = '00053a70617468022f7000027465087472' + '61696c657273'
  assert.deepEqual([wire(encoder), wire(encoder)], [`20${literals}`, literals])
  encoder.tableBytes = 60
  assert.equal(wire(encoder).startsWith('3f1d'), true)
  encoder.tableBytes = 0
  encoder.tableBytes = 2 ** 30
  // RFC 7541 §4.2: the smallest, then the last; 4096 is as much as this encoder wants.
  assert.equal(wire(encoder).startsWith('203fe11f'), true)
})

test('Encoder refuses a list above the limit, and one that no frame would hold', () => {
  const encoder = new Encoder([])
  // :path is 5 + 2 + 32 bytes.
  assert.notEqual(encoder.encode('/p', [['a', 'b']], 39 + 34), null)
  assert.equal(encoder.encode('/p', [['a', 'b']], 39 + 33), null)
  assert.equal(encoder.encode('/p', [['a', 'x'.repeat(2 ** 14)]], Infinity), null)
})

const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
const value = fc.oneof(fc.stringMatching(/^([!-~]([ -~]{0,200}[!-~])?)?$/), fc.constant('y'.repeat(5_000)))
const list = fc.array(
  fc.tuple(
    token.map(name => `x-${name}`),
    value,
  ),
  { maxLength: 5 },
)

test('Decoder reads what Encoder writes, whatever the peer allows for the table', () => {
  const step = fc.record({ path: fc.constantFrom('/a', '/b', '/c'), own: list, bytes: fc.option(fc.nat(5_000)) })
  fc.assert(
    fc.property(list, fc.array(step, { maxLength: 20 }), (common, steps) => {
      const [encoder, table] = [new Encoder(common), decoder(2 ** 20)]
      for (const { path, own, bytes } of steps) {
        if (bytes !== null) encoder.tableBytes = bytes
        const block = encoder.encode(path, own, Infinity)
        if (block !== null) assert.deepEqual(table.decode(block), [[':path', path], ...common, ...own])
      }
    }),
    { numRuns: 300 },
  )
})

/** A session of nghttp2 that answers each request with its own `x-` fields. */
function openNode() {
  const sent: Buffer[] = []
  const received: Readonly<Record<string, unknown>>[] = []
  const write = (bytes: Buffer, _: string, next: () => void): void => {
    sent.push(bytes)
    next()
  }
  const socket = new Duplex({ read: () => undefined, write })
  const session = performServerHandshake(socket)
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const fields = Object.entries(headers).filter(([name]) => !name.startsWith(':') || name === ':path')
    received.push(Object.fromEntries(fields))
    stream.respond({ ':status': 200, ...Object.fromEntries(fields.slice(1)) }, { endStream: true })
  })
  const answers = () => framesOf(Buffer.concat(sent)).filter(({ type }) => type === types.headers)
  return { socket, received, answers, session }
}

test('Node.js reads what Encoder writes, and Decoder what Node.js writes', async () => {
  const short = fc.stringMatching(/^([!-~]([ -~]{0,200}[!-~])?)?$/)
  const fields = fc.uniqueArray(
    fc.tuple(
      token.map(name => `x-${name}`),
      short,
    ),
    { maxLength: 6, selector: ([name]) => name },
  )
  const lists = fc.sample(fields, { numRuns: 300, seed: 7 })
  const node = openNode()
  const encoder = new Encoder([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'a'],
  ])
  node.socket.push(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings()]))
  for (const [index, own] of lists.entries()) {
    if (index % 40 === 39) encoder.tableBytes = 50 * (index % 7)
    const block = encoder.encode(`/${index % 5}`, own, Infinity)
    node.socket.push(frame(types.headers, endHeaders | endStream, 2 * index + 1, block ?? assert.fail('it fits')))
  }
  while (node.answers().length < lists.length) await new Promise(setImmediate)
  const table = decoder()
  const returned = new Map(node.answers().map(({ id, payload }) => [id, table.decode(payload) ?? []]))
  for (const [index, own] of lists.entries()) {
    assert.deepEqual(node.received[index], { ':path': `/${index % 5}`, ...Object.fromEntries(own) })
    const { date, ...others } = Object.fromEntries(returned.get(2 * index + 1) ?? [])
    assert.match(date ?? '', / GMT$/)
    assert.deepEqual(others, { ':status': '200', ...Object.fromEntries(own) })
  }
  node.session.destroy()
})
