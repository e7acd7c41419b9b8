import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decodeSegment,
  isDotSegment,
  isLoopback,
  parseAuthority,
  parseTarget,
  type Target,
  urlFor,
} from '../../src/translate/url.ts'

const bare: Target = { authority: null, segments: [], query: '', hasFragment: false }
const targets: readonly (readonly [string, Partial<Target>, string])[] = [
  ['/ocpp/CP01', { segments: ['ocpp', 'CP01'] }, 'a path'],
  ['//ocpp///CP01//', { segments: ['ocpp', 'CP01'] }, 'empty segments are dropped'],
  ['/a%2Fb/../%zz', { segments: ['a%2Fb', '..', '%zz'] }, 'segments are neither decoded nor resolved'],
  ['/a?x=/b?y', { segments: ['a'], query: 'x=/b?y' }, 'the first question mark starts the query'],
  ['/a?', { segments: ['a'] }, 'an empty query'],
  ['/a#b?c', { segments: ['a'], hasFragment: true }, 'a question mark in a fragment starts no query'],
  ['/a?b#', { segments: ['a'], query: 'b', hasFragment: true }, 'an empty fragment is one'],
  ['/a\\b', { segments: ['a\\b'] }, 'a backslash separates nothing'],
  ['/a\r\n/b?\n', { segments: ['a\r\n', 'b'], query: '\n' }, 'line breaks end nothing'],
  ['http://h:1/a?x', { authority: 'h:1', segments: ['a'], query: 'x' }, 'absolute form'],
  ['WSS://u@h', { authority: 'u@h' }, 'with a scheme in upper case and no path'],
  ['http:///a', { authority: '', segments: ['a'] }, 'with an empty authority'],
  ['http://h?x=//y/z', { authority: 'h', query: 'x=//y/z' }, 'whose authority ends at the query'],
  ['http://h#/a', { authority: 'h', hasFragment: true }, 'or at the fragment'],
  ['ftp://h/a', { segments: ['ftp:', 'h', 'a'] }, 'only of the schemes of HTTP and WebSocket'],
  ['/http://h/a', { segments: ['http:', 'h', 'a'] }, 'only at the start'],
  ['*', { segments: ['*'] }, 'an asterisk'],
  ['', {}, 'nothing'],
]
for (const [target, expected, because] of targets) {
  test(`parseTarget(${JSON.stringify(target)}): ${because}`, () => {
    assert.deepEqual(parseTarget(target), { ...bare, ...expected })
  })
}

const authorities: readonly (readonly [string, string | null, string])[] = [
  ['csms.example:8080', 'csms.example:8080', 'a name and a port'],
  ['CSMS.Example', 'CSMS.Example', 'in the spelling received'],
  ['a!b$c&d;e=f', 'a!b$c&d;e=f', 'all that a registered name may contain (RFC 3986 §3.2.2)'],
  ['[::ffff:192.0.2.1]', '[::ffff:192.0.2.1]', 'an IPv6 address that ends in an IPv4 one'],
  ['h:', 'h', 'an empty port'],
  ['h:65535', 'h:65535', 'the highest port'],
  ['h:65536', null, 'one more'],
  ['h:+80', null, 'a port has digits only'],
  ['', null, 'nothing'],
  ['h/', null, 'a path'],
  ['h?', null, 'a query'],
  ['h#', null, 'a fragment'],
  ['u:p@h', null, 'user information'],
  ['h\\', null, 'a backslash'],
  ['h\t', null, 'a tab, which URL parsers drop'],
  ['h\n', null, 'a line break at the end'],
  ['[v1.x]', null, 'an address of a future version, which URL parsers reject'],
]
for (const [text, expected, because] of authorities) {
  test(`parseAuthority(${JSON.stringify(text)}) is ${expected}: ${because}`, () => {
    assert.equal(parseAuthority(text), expected)
  })
}

test('dot segments are one or two dots, in any encoding, and nothing else', () => {
  for (const segment of ['.', '..', '%2e', '%2E', '.%2e', '%2E.', '%2e%2E']) assert.ok(isDotSegment(segment), segment)
  for (const segment of ['', '...', '.a', '%252e', '%2e%2e%2e', '..%2F']) assert.ok(!isDotSegment(segment), segment)
})

test('decodeSegment decodes once, and takes raw bytes as UTF-8', () => {
  const rows = [
    ['a%2Fb', 'a/b'],
    ['a%252Fb', 'a%2Fb'],
    ['K\u00c3\u00b6ln', 'Köln'],
    ['[|]', '[|]'],
    ['%', null],
    ['%zz', null],
    ['%ff', null],
    ['\u00ff', null],
  ] as const
  for (const [segment, expected] of rows) assert.equal(decodeSegment(segment), expected, segment)
})

test('urlFor escapes every delimiter in the identity, and nothing twice in prefix and query', () => {
  const parts = {
    scheme: 'https',
    authority: 'h:1',
    prefix: ['a%20b', '5%'],
    identity: '/?#;%2F..\\',
    query: '',
  } as const
  assert.equal(urlFor(parts), 'https://h:1/a%20b/5%25/%2F%3F%23%3B%252F..%5C')
  assert.equal(urlFor({ ...parts, prefix: [], identity: 'CP', query: 'a=%20&b=#' }), 'https://h:1/CP?a=%20&b=%23')
})

const hosts: readonly (readonly [host: string, expected: boolean])[] = [
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['127.example.com', false],
]
for (const [host, expected] of hosts) {
  test(`isLoopback is ${expected} for ${host}`, () => {
    assert.equal(isLoopback(host), expected)
  })
}
