import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { networksOf } from '../../../src/server/proxy/addresses.ts'
import { readForwarded } from '../../../src/server/proxy/forwarded.ts'

const isTrusted = networksOf(['10.0.0.0/8', '2001:db8:ff::/48'])
const station = '203.0.113.7'

type Row = readonly [
  name: string,
  headers: Readonly<Record<string, string>>,
  address: string | null,
  tls: boolean | null,
]

const rows: readonly Row[] = [
  ['no header', {}, null, null],
  ['one address', { 'x-forwarded-for': station }, station, null],
  [
    'an address and what the station invented before it',
    { 'x-forwarded-for': `198.51.100.1, ${station}` },
    station,
    null,
  ],
  ['a proxy behind another', { 'x-forwarded-for': `198.51.100.1, ${station}, 10.0.0.2` }, station, null],
  ['proxies only', { 'x-forwarded-for': '10.0.0.3, 10.0.0.2' }, '10.0.0.3', null],
  ['an address with a port', { 'x-forwarded-for': `${station}:40000` }, station, null],
  ['IPv6', { 'x-forwarded-for': '2001:DB8::7' }, '2001:db8::7', null],
  ['IPv6 with brackets and a port', { 'x-forwarded-for': '[2001:db8::7]:40000' }, '2001:db8::7', null],
  ['a word where the station must be', { 'x-forwarded-for': `${station}, unknown` }, null, null],
  ['a word behind a proxy', { 'x-forwarded-for': `${station}, garbage, 10.0.0.2` }, '10.0.0.2', null],
  ['an empty entry at the end', { 'x-forwarded-for': `${station},` }, null, null],
  ['https', { 'x-forwarded-proto': 'https' }, null, true],
  ['http', { 'x-forwarded-proto': 'http' }, null, false],
  ['wss, as some proxies write it', { 'x-forwarded-proto': 'WSS' }, null, true],
  ['the nearest proxy last', { 'x-forwarded-proto': 'https, http' }, null, false],
  ['an unknown scheme', { 'x-forwarded-proto': 'gopher' }, null, null],
  ['Forwarded', { forwarded: `for=${station};proto=https;by=10.0.0.1` }, station, true],
  ['Forwarded in other letters', { forwarded: `Proto=HTTP;For="${station}:4711"` }, station, false],
  ['Forwarded with IPv6', { forwarded: 'for="[2001:db8::7]:4711"' }, '2001:db8::7', null],
  ['Forwarded with an escaped quote', { forwarded: `host="a\\"b, for=1.2.3.4";for=${station}` }, station, null],
  ['Forwarded over two proxies', { forwarded: `for=${station};proto=https, for=10.0.0.2;proto=http` }, station, true],
  ['what a station invented before it', { forwarded: `for=198.51.100.1;proto=https,for=${station}` }, station, null],
  ['Forwarded with empty elements', { forwarded: `, for=${station} ,;` }, station, null],
  ['unknown', { forwarded: 'for=unknown;proto=https' }, null, null],
  ['a hidden station', { forwarded: 'for=_hidden' }, null, null],
  ['a hidden port', { forwarded: `for="${station}:_gazonk"` }, station, null],
  ['a hidden station behind a proxy', { forwarded: `for=${station}, for=_x, for=10.0.0.2` }, '10.0.0.2', null],
  ['both headers that agree', { forwarded: `for=${station}`, 'x-forwarded-for': station }, station, null],
  ['one header for each', { forwarded: 'proto=https', 'x-forwarded-proto': 'https' }, null, true],
]
for (const [name, headers, address, encrypted] of rows) {
  test(`readForwarded finds ${address} and ${encrypted} in ${name}`, () => {
    assert.deepEqual(readForwarded(headers, isTrusted), { address, encrypted })
  })
}

const malformed = 'The Forwarded header is malformed'
const differ = 'The Forwarded and X-Forwarded headers differ'
const problems: readonly (readonly [name: string, headers: Readonly<Record<string, string>>, problem: string])[] = [
  [
    'a quote that a station left open before the proxy’s part',
    { forwarded: `for="1.2.3.4, for=${station}` },
    malformed,
  ],
  ['one closed by the proxy’s quote', { forwarded: 'for=1.2.3.4;x=", for="[2001:db8::7]"' }, malformed],
  ['IPv6 without quotes', { forwarded: 'for=[2001:db8::7]' }, malformed],
  ['a pair without a value', { forwarded: 'for' }, malformed],
  ['a parameter that is there twice', { forwarded: `for=1.2.3.4;for=${station}` }, malformed],
  ['another Forwarded that the proxy passes on', { forwarded: 'for=1.2.3.4', 'x-forwarded-for': station }, differ],
  ['another address that it passes on', { forwarded: 'for=_hidden', 'x-forwarded-for': '1.2.3.4' }, differ],
  [
    'another scheme that it passes on',
    { forwarded: `for=${station};proto=https`, 'x-forwarded-for': station, 'x-forwarded-proto': 'http' },
    differ,
  ],
]
for (const [name, headers, problem] of problems) {
  test(`readForwarded refuses ${name}: ${problem}`, () => {
    assert.equal(readForwarded(headers, isTrusted), problem)
  })
}

/** At a cost of the square of it, a header would take a quarter of an hour. */
const many = 2 ** 20
const long: readonly (readonly [name: string, header: string])[] = [
  ['blanks', ' '.repeat(many) + '?'],
  ['blanks before a value', `for=1.2.3.4${' '.repeat(many)}?`],
  ['a name', 'f'.repeat(many)],
  ['a value', `for=${'f'.repeat(many)}?`],
  ['an open quote', `for="${'\\"'.repeat(many)}`],
]
for (const [name, forwarded] of long) {
  test(`readForwarded reads no byte many times in a header of ${name}`, () => {
    assert.equal(readForwarded({ forwarded }, isTrusted), malformed)
  })
}

test('readForwarded reads the addresses of trusted hops only, and the one before them', () => {
  const asked: string[] = []
  const readsFor = (headers: Readonly<Record<string, string>>): string[] => {
    asked.length = 0
    readForwarded(headers, address => asked.push(address) > 0 && isTrusted(address))
    return [...asked]
  }
  const invented = '::1,'.repeat(1000)
  assert.deepEqual(readsFor({ 'x-forwarded-for': `${invented} ${station}, 10.0.0.2` }), ['10.0.0.2', station])
  assert.deepEqual(readsFor({ forwarded: `for=1.2.3.4, for=${station}, for=10.0.0.2` }), ['10.0.0.2', station])
})

const piece = fc.constantFrom('for=', 'proto=', '"', '\\', ',', ';', '=', ' ', '1.2.3.4', '[::1]', 'https', '_x', ':80')
const pieces = fc.array(piece, { maxLength: 20 }).map(parts => parts.join(''))

test('readForwarded never throws, and takes the address of the last trusted hop whatever stands before it', () => {
  fc.assert(
    fc.property(pieces, invented => {
      const read = readForwarded({ forwarded: `${invented}, for=${station}` }, isTrusted)
      if (typeof read !== 'string') assert.equal(read.address, station, invented)
      const usual = readForwarded({ 'x-forwarded-for': `${invented}, ${station}` }, isTrusted)
      assert.deepEqual(usual, { address: station, encrypted: null })
    }),
    { numRuns: 3000, seed: 15 },
  )
})
