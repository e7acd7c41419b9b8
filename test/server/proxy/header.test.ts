import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readHeader } from '../../../src/server/proxy/header.ts'
import { binaryHeader, field, ipv4, signature, tlsField, withChecksum } from '../../support/proxy-header.ts'

const ipv6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('9c401f90', 'hex'),
])
const mapped = Buffer.concat([Buffer.from('00000000000000000000ffffcb007107', 'hex'), ipv6.subarray(16)])
const unix = Buffer.alloc(216, '/run/a.sock\0')
const cn = field(0x22, 'CP1')
const verified = { certificate: { isVerified: true, commonName: 'CP1' } }
const text = (line: string): Buffer => Buffer.from(`${line}\r\n`, 'latin1')
const longest = `PROXY UNKNOWN ${'x'.repeat(91)}`

const headers: readonly (readonly [name: string, bytes: Buffer, address: string | null, tls: object | null])[] = [
  ['v1 over IPv4', text('PROXY TCP4 203.0.113.7 192.0.2.1 40000 8080'), '203.0.113.7', null],
  ['v1 over IPv6', text('PROXY TCP6 2001:DB8::7 2001:db8::1 40000 8080'), '2001:db8::7', null],
  ['v1 with ports 0 and 65535', text('PROXY TCP4 203.0.113.7 192.0.2.1 0 65535'), '203.0.113.7', null],
  ['v1 UNKNOWN', text('PROXY UNKNOWN'), null, null],
  ['v1 UNKNOWN with addresses, which are ignored', text('PROXY UNKNOWN ffff::1 ffff::2 65535 65535'), null, null],
  ['v1 of 107 bytes', text(longest), null, null],
  ['v2 over IPv4', binaryHeader(0x21, 0x11, ipv4), '203.0.113.7', null],
  ['v2 over IPv6', binaryHeader(0x21, 0x21, ipv6), '2001:db8::7', null],
  ['v2 with an IPv4 address as IPv6', binaryHeader(0x21, 0x21, mapped), '203.0.113.7', null],
  ['v2 over a UNIX socket', binaryHeader(0x21, 0x31, unix), null, null],
  ['v2 over UDP', binaryHeader(0x21, 0x12, ipv4), null, null],
  ['v2 of no family, what follows skipped', binaryHeader(0x21, 0x00, Buffer.from('anything')), null, null],
  ['v2 LOCAL', binaryHeader(0x20, 0x00), null, null],
  ['v2 LOCAL with addresses, which are skipped', binaryHeader(0x20, 0x11, ipv4, Buffer.from([9])), null, null],
  ['v2 with a field of an unknown type', binaryHeader(0x21, 0x11, ipv4, field(0xea, 'vpce-1')), '203.0.113.7', null],
  ['v2 with padding', binaryHeader(0x21, 0x11, ipv4, field(4, ''), field(4, '\0\0')), '203.0.113.7', null],
  ['v2 with a checksum', withChecksum(sum => binaryHeader(0x21, 0x11, ipv4, sum, field(1, 'h2'))), '203.0.113.7', null],
  [
    'v2 with TLS and no certificate',
    binaryHeader(0x21, 0x11, ipv4, tlsField(1, 1)),
    '203.0.113.7',
    { certificate: null },
  ],
  ['v2 with a verified certificate', binaryHeader(0x21, 0x11, ipv4, tlsField(7, 0, cn)), '203.0.113.7', verified],
  ['v2 with one of the TLS session', binaryHeader(0x21, 0x11, ipv4, tlsField(5, 0, cn)), '203.0.113.7', verified],
  [
    'v2 with a certificate that was not verified',
    binaryHeader(0x21, 0x11, ipv4, tlsField(7, 10, cn)),
    '203.0.113.7',
    { certificate: { isVerified: false, commonName: 'CP1' } },
  ],
  [
    'v2 with a certificate without a CN',
    binaryHeader(0x21, 0x11, ipv4, tlsField(7, 0, field(0x21, 'TLSv1.3'))),
    '203.0.113.7',
    { certificate: { isVerified: true, commonName: null } },
  ],
  ['v2 with a TLS field without TLS', binaryHeader(0x21, 0x11, ipv4, tlsField(6, 0, cn)), '203.0.113.7', null],
]

for (const [name, bytes, address, tls] of headers) {
  test(`readHeader reads ${name}, byte by byte, and leaves what follows`, () => {
    for (let end = 0; end < bytes.length; end += 1)
      assert.deepEqual(readHeader(bytes.subarray(0, end)), { kind: 'partial' }, `${end} bytes`)
    const expected = { kind: 'header', header: { address, tls, length: bytes.length } }
    assert.deepEqual(readHeader(bytes), expected)
    assert.deepEqual(readHeader(Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n')])), expected)
  })
}

const none = 'there is none'
const line = 'the line is not one of version 1'
const malformed: readonly (readonly [name: string, bytes: Buffer, problem: string])[] = [
  ['an HTTP request', Buffer.from('G'), none],
  ['TLS', Buffer.from([0x16]), none],
  ['a request whose method begins alike', Buffer.from('PROPFIND / HTTP/1.1\r\n'), none],
  ['a signature with one wrong byte', Buffer.concat([signature.subarray(0, 11), Buffer.from('X')]), none],
  ['a v1 line of 108 bytes', text(`${longest}x`), 'the line is longer than 107 bytes'],
  ['107 bytes without an end', Buffer.from(`${longest}xx`), 'the line is longer than 107 bytes'],
  ['a v1 line without CR', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 1 2\n'), line],
  ['v1 UNKNOWN without CR', Buffer.from('PROXY UNKNOWN\n'), line],
  ['v1 UNKNOWNX', text('PROXY UNKNOWNX'), line],
  ['v1 UDP4', text('PROXY UDP4 203.0.113.7 192.0.2.1 1 2'), line],
  ['v1 TCP4 with IPv6', text('PROXY TCP4 2001:db8::7 2001:db8::1 1 2'), line],
  ['v1 TCP6 with IPv4', text('PROXY TCP6 203.0.113.7 192.0.2.1 1 2'), line],
  ['v1 with two spaces', text('PROXY TCP4  203.0.113.7 192.0.2.1 1 2'), line],
  ['v1 without a port', text('PROXY TCP4 203.0.113.7 192.0.2.1 1'), line],
  ['v1 with port 65536', text('PROXY TCP4 203.0.113.7 192.0.2.1 65536 2'), line],
  ['v1 with port 01', text('PROXY TCP4 203.0.113.7 192.0.2.1 01 2'), line],
  ['v1 with a zone', text('PROXY TCP6 fe80::1%eth0 fe80::2 1 2'), line],
  ['v1 with address 256.1.1.1', text('PROXY TCP4 256.1.1.1 192.0.2.1 1 2'), line],
  ['v1 with more after the ports', text('PROXY TCP4 203.0.113.7 192.0.2.1 1 2 '), line],
  ['version 3', binaryHeader(0x31, 0x11, ipv4), 'the version or the command is unknown'],
  ['command 2', binaryHeader(0x22, 0x11, ipv4), 'the version or the command is unknown'],
  ['family 4', binaryHeader(0x21, 0x41, ipv4), 'the address family or the protocol is unknown'],
  ['protocol 3', binaryHeader(0x21, 0x13, ipv4), 'the address family or the protocol is unknown'],
  ['v2 whose addresses are cut', binaryHeader(0x21, 0x21, ipv4), 'the addresses do not fit in'],
  ['v2 of 4,097 bytes', binaryHeader(0x21, 0x11, ipv4, field(4, Buffer.alloc(4066))), 'it is longer than 4096 bytes'],
  ['a field of two bytes', binaryHeader(0x21, 0x11, ipv4, Buffer.from([4, 0])), 'a field does not fit in'],
  ['a field that is cut', binaryHeader(0x21, 0x11, ipv4, Buffer.from([4, 0, 2, 0])), 'a field does not fit in'],
  ['two fields of one type', binaryHeader(0x21, 0x11, ipv4, field(1, 'a'), field(1, 'b')), 'a field does not fit in'],
  ['a wrong checksum', binaryHeader(0x21, 0x11, ipv4, field(3, Buffer.alloc(4))), 'the checksum is wrong'],
  ['a checksum of 3 bytes', binaryHeader(0x21, 0x11, ipv4, field(3, Buffer.alloc(3))), 'the checksum is wrong'],
  ['a TLS field of 4 bytes', binaryHeader(0x21, 0x11, ipv4, field(0x20, Buffer.alloc(4))), 'the TLS field is not one'],
  [
    'a TLS field whose own field is cut',
    binaryHeader(0x21, 0x11, ipv4, tlsField(7, 0, Buffer.from([0x22, 0, 9, 65]))),
    'the TLS field is not one',
  ],
]

for (const [name, bytes, problem] of malformed) {
  test(`readHeader refuses ${name}: ${problem}`, () => {
    assert.deepEqual(readHeader(bytes), { kind: 'malformed', problem })
  })
}

/** Headers with some bytes changed, and bytes after a good beginning. */
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.concat([signature, bytes])),
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.concat([signature, Buffer.from([0x21, 0x11]), bytes])),
  fc.string({ maxLength: 120 }).map(rest => Buffer.from(`PROXY ${rest}\r\n`)),
  fc
    .tuple(fc.constantFrom(...headers.map(([, bytes]) => bytes)), fc.nat(), fc.nat({ max: 255 }))
    .map(([bytes, at, value]) => {
      const changed = Buffer.from(bytes)
      changed[at % changed.length] = value
      return changed
    }),
)

test('readHeader never throws, never takes bytes that are not there, and never changes its mind', () => {
  fc.assert(
    fc.property(hostile, fc.nat(), (bytes, at) => {
      const whole = readHeader(bytes)
      const cut = readHeader(bytes.subarray(0, at % (bytes.length + 1)))
      if (whole.kind === 'header') assert.ok(whole.header.length <= bytes.length)
      if (cut.kind !== 'partial') assert.equal(cut.kind, whole.kind)
      if (cut.kind === 'header') assert.deepEqual(cut, whole)
    }),
    { numRuns: 3000, seed: 15 },
  )
})
