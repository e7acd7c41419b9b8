import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { helloReader, type HelloReading } from '../../../src/server/tls/client-hello.ts'

/** The first record of a real client. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ...options })
  client.on('error', () => undefined)
  const [socket] = await accepted
  let bytes = Buffer.alloc(0)
  while (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    bytes = Buffer.concat([bytes, chunk])
  }
  socket.destroy()
  client.destroy()
  server.close()
  return bytes
}

const readHello = (bytes: Buffer): HelloReading => helloReader()(bytes)
const hello = (host: string | null): HelloReading => ({ kind: 'hello', host })
const refused: HelloReading = { kind: 'refused' }
const partial: HelloReading = { kind: 'partial' }
const named = await helloOf({ servername: 'csms.example' })

const real: readonly (readonly [options: ConnectionOptions, host: string | null])[] = [
  [{ servername: 'csms.example' }, 'csms.example'],
  [{ servername: 'CSMS.Example' }, 'CSMS.Example'],
  [{ servername: 'csms.example', maxVersion: 'TLSv1.2' }, 'csms.example'],
  [{ servername: 'csms.example', minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] }, 'csms.example'],
  [
    { servername: 'csms.example', ciphers: 'ALL', ALPNProtocols: Array<string>(200).fill('a-long-protocol') },
    'csms.example',
  ],
  [{}, null],
  [{ maxVersion: 'TLSv1.2' }, null],
]
for (const [options, host] of real) {
  test(`readHello finds ${host ?? 'no host'} in the first message of a client with ${JSON.stringify(options).slice(0, 80)}`, async () => {
    const bytes = await helloOf(options)
    assert.deepEqual(readHello(bytes), hello(host))
    assert.deepEqual(readHello(Buffer.concat([bytes, Buffer.from('more')])), hello(host))
  })
}

test('readHello needs more bytes until the message is complete, at whichever byte it is cut', () => {
  for (let length = 0; length < named.length; length += 1)
    assert.deepEqual(readHello(named.subarray(0, length)), partial, `${length} bytes`)
})

/** The bytes of a message in records of a size. */
function recordsOf(message: Buffer, size: number): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 255]), fragment)
  }
  return Buffer.concat(records)
}

test('readHello reads a message that comes in up to 64 records, of whichever size', () => {
  const message = named.subarray(5)
  for (let size = Math.ceil(message.length / 64); size <= message.length; size += 1) {
    const bytes = recordsOf(message, size)
    assert.deepEqual(readHello(bytes), hello('csms.example'), `${size} bytes each`)
    assert.deepEqual(readHello(bytes.subarray(0, -1)), partial, `${size} bytes each, cut`)
  }
})

test('readHello reads a message that comes byte by byte', () => {
  const message = named.subarray(5)
  // Its length depends on the OpenSSL of the Node that runs the tests: post-quantum key shares are long.
  const bytes = recordsOf(message, Math.ceil(message.length / 64))
  const read = helloReader()
  for (let end = 1; end < bytes.length; end += 1) assert.deepEqual(read(bytes.subarray(0, end)), partial)
  assert.deepEqual(read(bytes), hello('csms.example'))
})

test('a first message of TLS is read no further after 64 records', () => {
  const declared = Buffer.from([1, 0, 0x3e, 0x80])
  const bytes = recordsOf(Buffer.concat([declared, Buffer.alloc(16_000)]), 1)
  const read = helloReader()
  for (let end = 1; end <= 64 * 6; end += 1) assert.deepEqual(read(bytes.subarray(0, end)), partial)
  assert.deepEqual(read(bytes.subarray(0, 64 * 6 + 1)), refused)
  assert.deepEqual(readHello(bytes), refused)
})

test('readHello reads each record once, in however many chunks it comes', t => {
  const message = Buffer.concat([Buffer.from([1, 0, 0x3e, 0x80]), Buffer.alloc(16_000)])
  const bytes = recordsOf(message, 251)
  const concat = Buffer.concat.bind(Buffer)
  let copied = 0
  let pieces = 0
  t.mock.method(Buffer, 'concat', (list: readonly Buffer[], length?: number) => {
    const whole = concat(list, length)
    copied += whole.length
    pieces += list.length
    return whole
  })
  const read = helloReader()
  for (let end = 1; end < bytes.length; end += 1) read(bytes.subarray(0, end))
  assert.deepEqual(read(bytes), hello(null))
  assert.ok(copied < 2 * message.length, `${copied} bytes are copied`)
  assert.ok(pieces < 2 * 64, `${pieces} records are read`)
})

const vector = (size: 1 | 2, content: Buffer): Buffer => {
  const length = Buffer.alloc(size)
  length.writeUIntBE(content.length, 0, size)
  return Buffer.concat([length, content])
}
const extension = (type: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([type >> 8, type]), vector(2, content)])
const nameList = (type: number, name: string): Buffer =>
  vector(2, Buffer.concat([Buffer.from([type]), vector(2, Buffer.from(name, 'latin1'))]))
const body = (...extensions: readonly Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.alloc(34),
    ...[vector(1, Buffer.alloc(0)), vector(2, Buffer.from([0, 0x9c])), vector(1, Buffer.from([0]))],
    vector(2, Buffer.concat(extensions)),
  ])
const messageOf = (content: Buffer, type = 1): Buffer => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(content.length)
  head[0] = type
  return Buffer.concat([head, content])
}
const record = (message: Buffer): Buffer => recordsOf(message, 16_384)

const made: readonly (readonly [bytes: Buffer, reading: HelloReading, because: string])[] = [
  [Buffer.alloc(0), partial, 'nothing has come'],
  [record(messageOf(body(extension(0, nameList(0, 'a.example'))))), hello('a.example'), 'it is the only extension'],
  [
    record(messageOf(body(extension(16, Buffer.alloc(3)), extension(0, nameList(0, 'a.example'))))),
    hello('a.example'),
    'it is behind another extension',
  ],
  [record(messageOf(body())), hello(null), 'there is no extension'],
  [record(messageOf(body().subarray(0, -2))), hello(null), 'an old client sends no list of extensions'],
  [record(messageOf(body(extension(0, Buffer.alloc(0))))), hello(null), 'the extension is empty'],
  [record(messageOf(body(extension(0, nameList(1, 'a.example'))))), hello(null), 'the name is of an unknown type'],
  [record(messageOf(body(extension(0, nameList(0, ''))))), hello(null), 'the name is empty'],
  [record(messageOf(body(extension(0, nameList(0, 'a\0.example'))))), hello(null), 'the name has a NUL'],
  [record(messageOf(body(extension(0, nameList(0, 'a\n.example'))))), hello(null), 'the name has a line break'],
  [record(messageOf(body(extension(0, nameList(0, 'a'.repeat(256)))))), hello(null), 'the name is too long'],
  [record(messageOf(body(Buffer.from([0, 0, 255, 255])))), hello(null), 'an extension is longer than the list'],
  [record(messageOf(Buffer.alloc(10))), hello(null), 'the message ends within its random bytes'],
  [record(messageOf(Buffer.alloc(0))), hello(null), 'the message is empty'],
  [record(messageOf(Buffer.alloc(34).fill(255))), hello(null), 'the message ends before its session id'],
  [record(messageOf(body(), 2)), hello(null), 'the message is of another type'],
  [record(messageOf(Buffer.alloc(20_000))), refused, 'the message is too long'],
  [Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255]), refused, 'the message says that it is too long'],
  [Buffer.from([22, 3, 1, 0, 0]), refused, 'the record is empty'],
  [Buffer.from([22, 3, 1, 255, 255]), refused, 'the record is too long'],
  [
    Buffer.concat([recordsOf(Buffer.from([1, 0, 0x3e, 0x80]), 4), Buffer.from([22, 3, 1, 0x40, 0])]),
    refused,
    'the second record makes it too long',
  ],
  [Buffer.from([21]), hello(null), 'the record is of another type'],
  [Buffer.from('GET / HTTP/1.1\r\n\r\n'), hello(null), 'it is HTTP'],
]
for (const [bytes, reading, because] of made) {
  const what = reading.kind === 'hello' ? `finds ${reading.host ?? 'no host'}` : `says ${reading.kind}`
  test(`readHello ${what}: ${because}`, () => {
    assert.deepEqual(readHello(bytes), reading)
  })
}

test('readHello never throws, whichever byte of a message is another', () => {
  for (let at = 0; at < named.length; at += 1) {
    for (const byte of [0, 1, 127, 255]) {
      const bytes = Buffer.from(named)
      bytes[at] = byte
      assert.ok(['partial', 'hello', 'refused'].includes(readHello(bytes).kind))
    }
  }
})
