import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Version } from '../../src/ocpp/version.ts'
import {
  isStationPath,
  readHandshake,
  type HandshakeSettings,
  type UpgradeRequest,
} from '../../src/translate/handshake.ts'

const settings: HandshakeSettings = {
  path: '/ocpp',
  versions: ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'],
  defaultVersion: null,
  headers: ['cookie', 'authorization', 'sec-websocket-protocol'],
}
const headers = { host: 'csms.example:8080', 'sec-websocket-protocol': 'ocpp1.6' }

function upgrade(target: string, more: Partial<UpgradeRequest> = {}): UpgradeRequest {
  return { target, headers, remoteAddress: '203.0.113.7', encrypted: false, ...more }
}

/** A text as Node gives a request's head: one character a byte. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

/** The identity, or the status of the refusal. */
function identity(target: string, more: Partial<HandshakeSettings> = {}): string | number {
  const handshake = readHandshake(upgrade(target), { ...settings, ...more })
  return handshake.kind === 'station' ? handshake.stationId : handshake.status
}

const identities: readonly (readonly [string, string | number, string])[] = [
  ['/ocpp/CP01', 'CP01', 'an ordinary one'],
  ['/ocpp/RDAM%20123', 'RDAM 123', 'percent-encoded (1.6 §3.1.1)'],
  ['/ocpp/RDAM%7C123', 'RDAM|123', 'percent-encoded (2.1 Part 4 §3.1.1)'],
  ['/ocpp/RDAM|123', 'RDAM|123', 'the same, not encoded'],
  ['/ocpp/cp01', 'cp01', 'compared exactly: case is kept'],
  ['/ocpp/a%2Fb', 'a/b', '%2F stays part of the identity'],
  ['/ocpp/..%2Fx', '../x', 'and is no path'],
  ['/ocpp/..', '..', 'nor is this'],
  ['/ocpp/a%252Fb', 'a%2Fb', 'decoded once'],
  ['/ocpp/a+b', 'a+b', 'a plus is a plus in a path'],
  ['/ocpp/a:b@c*d=e', 'a:b@c*d=e', 'what an identifierString may hold'],
  ['/ocpp/K%C3%B6ln', 'Köln', 'UTF-8, encoded'],
  [bytes('/ocpp/Köln'), 'Köln', 'UTF-8, raw, as Node gives it'],
  [bytes('/ocpp/充电'), '充电', 'three bytes a character'],
  ['/ocpp/%F0%9F%94%8C', '🔌', 'four bytes a character'],
  ['/ocpp/CP01/', 'CP01', 'a trailing slash'],
  ['/ocpp/CP01//', 'CP01', 'two'],
  ['//ocpp/CP01', 'CP01', 'a slash too many first, of an endpoint that ends in one'],
  ['/ocpp//CP01', 'CP01', 'or between'],
  ['//evil.example/CP01', 404, 'no host hides in two slashes'],
  ['/ocpp/CP01?token=x', 'CP01', 'a query'],
  ['/ocpp/CP01?next=/a/b', 'CP01', 'a query with slashes'],
  ['/ocpp/CP01/?x=1', 'CP01', 'a query after a trailing slash'],
  ['/ocpp/CP%3F01', 'CP?01', 'an encoded question mark is no query'],
  ['http://csms.example/ocpp/CP01', 'CP01', 'an absolute request line (RFC 9112 §3.2.2)'],
  ['ws://csms.example:8080/ocpp/CP01?x=1', 'CP01', 'with the scheme of WebSockets'],
  ['HTTPS://csms.example//ocpp/CP01/', 'CP01', 'schemes have no case'],
  ['http://csms.example', 404, 'an absolute one without a path'],
  ['http://csms.example?x=/ocpp/CP01', 404, 'or with a query alone'],
  ['ftp://csms.example/ocpp/CP01', 404, 'of another scheme'],
  ['/ocpp', 400, 'no identity'],
  ['/ocpp/', 400, 'none, with a slash'],
  ['/ocpp//', 400, 'none, with two'],
  ['/ocpp?id=CP01', 400, 'none but in the query'],
  ['/ocpp/CP01/CP02', 400, 'two segments'],
  ['/ocpp/1.6/CP01', 400, 'a version in the path is not the prefix'],
  ['/ocpp/CP%zz', 400, 'no percent-encoding'],
  ['/ocpp/CP%', 400, 'a percent sign alone'],
  ['/ocpp/CP%2', 400, 'half an escape'],
  ['/ocpp/%FF%FE', 400, 'bytes that are no UTF-8'],
  ['/ocpp/\u00ff', 400, 'raw ones'],
  ['/ocpp/%C3', 400, 'half a character'],
  ['/ocpp/%00', 400, 'a control character'],
  ['/ocpp/CP%0D%0AX: y', 400, 'line breaks'],
  ['/ocpp/CP%7F', 400, 'DEL'],
  ['/ocpp/CP%C2%85', 400, 'a control character beyond ASCII (NEL)'],
  ['/', 404, 'the root'],
  ['', 404, 'nothing'],
  ['*', 404, 'an asterisk'],
  ['/ocppx/CP01', 404, 'another prefix'],
  ['/OCPP/CP01', 404, 'paths have case'],
  ['/CP01', 404, 'no prefix'],
  ['/x/ocpp/CP01', 404, 'the prefix further down'],
]
for (const [target, expected, because] of identities) {
  test(`${JSON.stringify(target)} is ${JSON.stringify(expected)}: ${because}`, () => {
    assert.equal(identity(target), expected)
  })
}

const prefixes: readonly (readonly [string, string, string | number, string])[] = [
  ['/', '/CP01', 'CP01', 'no prefix at all'],
  ['/', '/ocpp/CP01', 400, 'then each segment counts'],
  ['/', '/', 400, 'and none is none'],
  ['/ocpp/', '/ocpp/CP01', 'CP01', 'written with a trailing slash'],
  ['ocpp', '/ocpp/CP01', 'CP01', 'or without the leading one'],
  ['/a/b', '/a/b/CP01', 'CP01', 'of two segments'],
  ['/a/b', '/a/CP01', 404, 'half of it'],
  ['/a/b', '/a/b', 400, 'all of it, and no identity'],
  ['/a/b', '/b/a/CP01', 404, 'in another order'],
  ['/ocpp/1.6', '/ocpp/1.6/CP01', 'CP01', 'with a version in it, which is a segment like any other'],
  ['/ocpp/1.6', '/ocpp/2.1/CP01', 404, 'and no other version'],
]
for (const [path, target, expected, because] of prefixes) {
  test(`under ${path}, ${target} is ${JSON.stringify(expected)}: ${because}`, () => {
    assert.equal(identity(target, { path }), expected)
  })
}

const paths = [
  ['/ocpp/CP01', true, 'a station’s'],
  ['/ocpp', true, 'a station’s, but for its identity'],
  ['//ocpp//CP01?x=1', true, 'slashes too many, and a query'],
  ['http://csms.example/ocpp/CP01', true, 'an absolute request line'],
  ['/ocpp/a/b', true, 'under the prefix, whatever it is'],
  ['/health', false, 'something else'],
  ['/?/ocpp/CP01', false, 'not in the query'],
  ['/ocppx', false, 'segments, not letters'],
] as const
for (const [target, expected, because] of paths) {
  test(`${target} is ${expected ? '' : 'not '}under the prefix: ${because}`, () => {
    assert.equal(isStationPath(target, '/ocpp'), expected)
  })
}

const lengths: readonly (readonly [string, string, string | number, string])[] = [
  ['ocpp1.6', 'x'.repeat(255), 'x'.repeat(255), '1.6: 255 bytes, a limit of ours'],
  ['ocpp1.6', 'x'.repeat(256), 400, 'one more'],
  ['ocpp1.6', '%C3%BC'.repeat(128), 400, 'bytes, not characters'],
  ['ocpp1.6', '%78'.repeat(255), 'x'.repeat(255), 'of the identity, not of its encoding'],
  ['ocpp2.0.1', 'x'.repeat(48), 'x'.repeat(48), '2.x: identifierString[48]'],
  ['ocpp2.0.1', 'x'.repeat(49), 400, 'one more'],
  ['ocpp2.1', 'x'.repeat(49), 400, 'the same in 2.1'],
  ['ocpp1.5, ocpp1.6, ocpp2.1', 'x'.repeat(49), 'x'.repeat(49), 'the version agreed on counts'],
]
for (const [offer, segment, expected, because] of lengths) {
  test(`${offer}: an identity of ${segment.length} in the path: ${because}`, () => {
    const request = upgrade(`/ocpp/${segment}`, { headers: { 'sec-websocket-protocol': offer } })
    const handshake = readHandshake(request, settings)
    assert.equal(handshake.kind === 'station' ? handshake.stationId : handshake.status, expected)
  })
}

/** What the station offers, what is enabled, then the version and its spelling; `null`: refused. */
const offers: readonly (readonly [
  string | undefined,
  readonly Version[],
  readonly [Version, string] | null,
  string,
])[] = [
  ['ocpp1.6', settings.versions, ['ocpp1.6', 'ocpp1.6'], 'one'],
  ['OCPP1.6', settings.versions, ['ocpp1.6', 'OCPP1.6'], 'echoed in the station’s spelling'],
  ['Ocpp2.0.1, ocpp1.6', settings.versions, ['ocpp2.0.1', 'Ocpp2.0.1'], 'the station’s first'],
  ['ocpp1.6, ocpp2.1', settings.versions, ['ocpp1.6', 'ocpp1.6'], 'the station’s order, not ours (2.1 Part 4 §3.1.2)'],
  ['ocpp2.1,ocpp2.0.1,ocpp1.6', ['ocpp1.6', 'ocpp2.0.1'], ['ocpp2.0.1', 'ocpp2.0.1'], 'the first that is enabled'],
  ['ocpp0.1,ocpp1.6', settings.versions, ['ocpp1.6', 'ocpp1.6'], 'after one that nobody knows (TC_B_58)'],
  ['ocpp1.6,ocpp1.6', settings.versions, ['ocpp1.6', 'ocpp1.6'], 'the same twice'],
  ['  ocpp1.6 ,, \t', settings.versions, ['ocpp1.6', 'ocpp1.6'], 'blanks and empty places'],
  ['soap, ocpp1.6, superprotocol', settings.versions, ['ocpp1.6', 'ocpp1.6'], 'among others'],
  ['ocpp0.1', settings.versions, null, 'none in common: no upgrade (TC_B_58)'],
  ['ocpp2.1', ['ocpp1.6'], null, 'one that is known, but not enabled'],
  ['ocpp1.6 ocpp2.1', settings.versions, null, 'a list without commas'],
  ['"ocpp1.6"', settings.versions, null, 'a subprotocol is no quoted string'],
  ['toString, __proto__', settings.versions, null, 'what objects inherit'],
  [undefined, settings.versions, null, 'no header'],
  ['', settings.versions, null, 'an empty one'],
  [' , ', settings.versions, null, 'one of commas'],
]
for (const [offer, enabled, expected, because] of offers) {
  test(`of ${JSON.stringify(offer)}, ${expected?.[0] ?? 'nothing'} is agreed on: ${because}`, () => {
    const request = upgrade('/ocpp/CP01', { headers: { 'sec-websocket-protocol': offer } })
    const handshake = readHandshake(request, { ...settings, versions: enabled })
    if (expected === null) {
      assert.ok(handshake.kind === 'refused', 'a refusal')
      assert.equal(handshake.status, 400)
      for (const version of enabled) assert.ok(handshake.problem.includes(version), 'the refusal names what is served')
      return
    }
    assert.ok(handshake.kind === 'station', 'no refusal')
    assert.deepEqual([handshake.version, handshake.subprotocol], expected)
  })
}

/** What the station offers, then what is agreed on where ocpp1.6 is the default. */
const defaults = [
  [undefined, ['ocpp1.6', null], 'no header: nothing is echoed'],
  ['', ['ocpp1.6', null], 'an empty one'],
  [',', ['ocpp1.6', null], 'one of commas'],
  ['ocpp2.1', ['ocpp2.1', 'ocpp2.1'], 'an offer goes first'],
  ['ocpp0.1', null, 'one that is not served is refused all the same'],
] as const
for (const [offer, expected, because] of defaults) {
  test(`with a default, ${JSON.stringify(offer)} comes to ${JSON.stringify(expected)}: ${because}`, () => {
    const request = upgrade('/ocpp/CP01', { headers: { 'sec-websocket-protocol': offer } })
    const handshake = readHandshake(request, { ...settings, defaultVersion: 'ocpp1.6' })
    assert.deepEqual(handshake.kind === 'station' ? [handshake.version, handshake.subprotocol] : null, expected)
  })
}

test('a version in the path decides nothing (2.1 Part 4 §3.1.2)', () => {
  const request = upgrade('/ocpp/1.6/CP01', { headers: { 'sec-websocket-protocol': 'ocpp2.1' } })
  const handshake = readHandshake(request, { ...settings, path: '/ocpp/1.6' })
  assert.equal(handshake.kind === 'station' ? handshake.version : null, 'ocpp2.1')
})

test('a bad path is told before a bad subprotocol', () => {
  const bare = { headers: {} }
  assert.deepEqual(
    ['/nowhere', '/ocpp/', '/ocpp/CP01'].map(target => {
      const handshake = readHandshake(upgrade(target, bare), settings)
      return handshake.kind === 'refused' && [handshake.status, /served:/.test(handshake.problem)]
    }),
    [
      [404, false],
      [400, false],
      [400, true],
    ],
  )
})

test('no refusal repeats what the request said', () => {
  const targets = ['/EVIL/x', '/ocpp/EVIL/EVIL', '/ocpp/EVIL%zz', '/ocpp/EVIL%00', `/ocpp/${'EVIL'.repeat(99)}`]
  for (const target of targets) {
    const handshake = readHandshake(upgrade(target), settings)
    assert.ok(handshake.kind === 'refused', 'a refusal')
    assert.doesNotMatch(handshake.problem, /EVIL/)
  }
  const offered = readHandshake(upgrade('/ocpp/CP01', { headers: { 'sec-websocket-protocol': 'EVIL' } }), settings)
  assert.ok(offered.kind === 'refused', 'a refusal')
  assert.doesNotMatch(offered.problem, /EVIL/)
})

const urls: readonly (readonly [string, Partial<UpgradeRequest>, string, string])[] = [
  ['/ocpp/CP01?x=1', {}, 'http://csms.example:8080/ocpp/CP01?x=1', 'the host with its port, and the query'],
  ['/ocpp/CP01?x=1', { encrypted: true }, 'https://csms.example:8080/ocpp/CP01?x=1', 'https where TLS ended here'],
  ['//ocpp/CP01/', {}, 'http://csms.example:8080//ocpp/CP01/', 'as received'],
  ['/ocpp/a%2Fb%20c', {}, 'http://csms.example:8080/ocpp/a%2Fb%20c', 'percent-encoding as received'],
  ['http://other.example/ocpp/CP01?x=1', {}, 'http://other.example/ocpp/CP01?x=1', 'an absolute request line as it is'],
  ['wss://other.example/ocpp/CP01', { encrypted: true }, 'wss://other.example/ocpp/CP01', 'whatever its scheme'],
  ['/ocpp/RDAM|123', {}, 'http://csms.example:8080/ocpp/RDAM%7C123', 'Ruby’s URI refuses a bar'],
  ['/ocpp/a"b<c>d\\e^f`g{h}', {}, 'http://csms.example:8080/ocpp/a%22b%3Cc%3Ed%5Ce%5Ef%60g%7Bh%7D', 'and the like'],
  ['/ocpp/CP01?a=%zz&b=5%', {}, 'http://csms.example:8080/ocpp/CP01?a=%25zz&b=5%25', 'and what is no escape'],
  ['/ocpp/CP01?a[]=1|2', {}, 'http://csms.example:8080/ocpp/CP01?a%5B%5D=1%7C2', 'in the query too'],
  [
    "/ocpp/CP01?a=!$&'()*+,;:@/?~",
    {},
    "http://csms.example:8080/ocpp/CP01?a=!$&'()*+,;:@/?~",
    'what a URI may hold stays',
  ],
  [
    bytes('/ocpp/Köln?ort=Köln'),
    {},
    'http://csms.example:8080/ocpp/K%C3%B6ln?ort=K%C3%B6ln',
    'raw UTF-8, byte by byte',
  ],
  [
    '/ocpp/CP01',
    { headers: { 'sec-websocket-protocol': 'ocpp1.6' } },
    'http://localhost/ocpp/CP01',
    'HTTP/1.0 needs no Host',
  ],
  [
    '/ocpp/CP01',
    { headers: { ...headers, 'x-forwarded-proto': 'https' } },
    'http://csms.example:8080/ocpp/CP01',
    'X-Forwarded-Proto is ignored',
  ],
  [
    '/ocpp/CP01',
    { headers: { ...headers, 'x-forwarded-host': 'evil.example' } },
    'http://csms.example:8080/ocpp/CP01',
    'and X-Forwarded-Host',
  ],
  ['/ocpp/CP01', { headers: { ...headers, host: '192.0.2.1' } }, 'http://192.0.2.1/ocpp/CP01', 'an address'],
  [
    '/ocpp/CP01',
    { headers: { ...headers, host: '[2001:db8::1]:8080' } },
    'http://[2001:db8::1]:8080/ocpp/CP01',
    'an address of IPv6: its brackets are the host’s',
  ],
  ['http://[::1]:8080/ocpp/CP01', {}, 'http://[::1]:8080/ocpp/CP01', 'also in an absolute request line'],
]
for (const [target, more, expected, because] of urls) {
  test(`the app is given ${expected}: ${because}`, () => {
    const handshake = readHandshake(upgrade(target, more), settings)
    assert.ok(handshake.kind === 'station', 'no refusal')
    assert.equal(handshake.env.url, expected)
    assert.equal(URL.canParse(expected), true)
  })
}

const offer = { 'sec-websocket-protocol': 'ocpp1.6' }
const address = { REMOTE_ADDR: '203.0.113.7' }
const forwarded: readonly (readonly [UpgradeRequest['headers'], readonly string[], object, string])[] = [
  [
    {
      ...offer,
      cookie: 'a=b; c=d',
      authorization: 'Basic QUwxMDAwOgABAgM=',
      origin: 'http://evil.example',
      'x-other': '1',
    },
    settings.headers,
    { ...address, cookie: 'a=b; c=d', authorization: 'Basic QUwxMDAwOgABAgM=', ...offer },
    'those that are listed, untouched; never origin by itself',
  ],
  [
    { 'sec-websocket-protocol': 'OCPP0.1, OCPP1.6' },
    settings.headers,
    { ...address, 'sec-websocket-protocol': 'OCPP0.1, OCPP1.6' },
    'the offer as sent, not what was agreed on',
  ],
  [
    { ...offer, cookie: '', 'x-a': undefined },
    ['cookie', 'x-a', 'x-b'],
    address,
    'empty and missing ones are left out',
  ],
  [
    { ...offer, 'x-serial': ['S1', 'S2'] },
    ['x-serial'],
    { ...address, 'x-serial': 'S1' },
    'the first of a repeated one, as AnyCable does',
  ],
  [{ ...offer, 'x-serial': [] }, ['x-serial'], address, 'the first of none'],
  [
    { ...offer, 'x-serial': 'S1, S2' },
    ['x-serial'],
    { ...address, 'x-serial': 'S1, S2' },
    'one that HTTP’s reader has joined',
  ],
  [
    { ...offer, origin: 'http://csms.example' },
    ['origin'],
    { ...address, origin: 'http://csms.example' },
    'origin where it is asked for',
  ],
  [offer, [], address, 'none but the address'],
  [
    {
      ...offer,
      remote_addr: '192.0.2.66',
      'remote-addr': '192.0.2.66',
      'x-forwarded-for': '192.0.2.66',
      'x-real-ip': '192.0.2.66',
    },
    settings.headers,
    { ...address, ...offer },
    'no header forges the address',
  ],
  [
    { ...offer, remote_addr: '192.0.2.66', 'remote-addr': '192.0.2.66' },
    ['remote_addr', 'remote-addr', 'REMOTE_ADDR'],
    { ...address, remote_addr: '192.0.2.66', 'remote-addr': '192.0.2.66' },
    'not even where such headers are listed: Ruby sees HTTP_REMOTE_ADDR',
  ],
]
for (const [given, listed, expected, because] of forwarded) {
  test(`the app is given headers: ${because}`, () => {
    const handshake = readHandshake(upgrade('/ocpp/CP01', { headers: given }), { ...settings, headers: listed })
    assert.ok(handshake.kind === 'station', 'no refusal')
    assert.deepEqual(handshake.env.headers, expected)
    assert.deepEqual([handshake.env.cstate, handshake.env.istate], [{}, {}])
  })
}

test('no request makes it throw, and each url it gives is one', () => {
  const byte = fc.integer({ min: 0x21, max: 0xff }).map(code => String.fromCharCode(code))
  const some = fc.string({ unit: byte, maxLength: 20 })
  const escaped = fc.constantFrom('%2F', '%zz', '%', '/', '?', '#', '..', 'ws://', '[', 'CP01')
  const target = fc
    .tuple(
      fc.constantFrom('/ocpp/', '//ocpp/', '/', '', 'http://csms.example/ocpp/'),
      fc.array(fc.oneof(some, escaped), { maxLength: 4 }),
    )
    .map(([first, more]) => first + more.join(''))
  fc.assert(
    fc.property(target, some, (text, subprotocol) => {
      readHandshake(upgrade(text, { headers: { ...headers, 'sec-websocket-protocol': subprotocol } }), settings)
      const handshake = readHandshake(upgrade(text), settings)
      if (handshake.kind === 'refused') return
      assert.match(handshake.env.url, /^(?:https?|wss?):\/\/(?:[\w\-.~:/?@!$&'()*+,;=]|%[\dA-Fa-f]{2})*$/)
      assert.notEqual(handshake.stationId, '')
    }),
    { numRuns: 1000 },
  )
})

test('what decodeURIComponent reads of a segment is the identity', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), name => {
      // eslint-disable-next-line no-control-regex -- control characters are refused, which other rows show
      fc.pre(!/[\u0000-\u001f\u007f-\u009f]/.test(name))
      assert.equal(identity(`/ocpp/${encodeURIComponent(name)}`), name)
    }),
  )
})
