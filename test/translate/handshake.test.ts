import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Version } from '../../src/ocpp/version.ts'
import {
  isIdentity,
  isStationPath,
  readHandshake,
  type HandshakeSettings,
  type UpgradeRequest,
} from '../../src/translate/handshake.ts'
import { upgradeRequests } from '../support/targets.ts'

const settings: HandshakeSettings = {
  path: '/ocpp',
  versions: ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'],
  defaultVersion: null,
  headers: ['cookie', 'authorization', 'sec-websocket-protocol'],
}
const headers = { host: 'csms.example:8080', 'sec-websocket-protocol': 'ocpp1.6' }

function upgrade(target: string, more: Partial<UpgradeRequest> = {}): UpgradeRequest {
  return {
    target,
    headers,
    remoteAddress: '203.0.113.7',
    localAuthority: () => '192.0.2.9:9000',
    encrypted: false,
    certificate: null,
    ...more,
  }
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
  ['/ocpp/..%5Cx', '..\\x', 'nor is a backslash one'],
  ['/ocpp/a\\b', 'a\\b', 'not encoded'],
  ['/ocpp/...', '...', 'three dots are no dot segment'],
  ['/ocpp/.x', '.x', 'nor is a name that starts with one'],
  ['/ocpp/%252e%252E', '%2e%2E', 'nor are dots that are encoded twice'],
  ['/ocpp/a;b', 'a;b', 'a path parameter is part of the identity'],
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
  ['http://csms.example#/ocpp/CP01', 404, 'or with a fragment alone'],
  ['http:\\\\csms.example\\ocpp\\CP01', 404, 'with backslashes it is no absolute one'],
  ['http:///ocpp/CP01', 400, 'an absolute one without a host, which URL parsers look for in the path'],
  ['http://user@csms.example/ocpp/CP01', 400, 'with user information (RFC 9110 §4.2.4)'],
  ['http://csms.example:99999/ocpp/CP01', 400, 'with a port that does not exist'],
  ['http://csms.example\\/ocpp/CP01', 400, 'with a backslash after the host'],
  ['http://csms/ocpp/VICTIM#/../ATTACKER', 400, 'with a fragment'],
  ['/ocpp/CP01#', 400, 'an empty fragment'],
  ['/ocpp/CP01?x=1#y', 400, 'a fragment after the query'],
  ['/ocpp#/CP01', 400, 'a fragment before the identity'],
  ['/ocpp/.', 400, 'a dot segment'],
  ['/ocpp/..', 400, 'two dots'],
  ['/ocpp/%2e', 400, 'a dot, encoded'],
  ['/ocpp/.%2E', 400, 'half encoded'],
  ['/ocpp/%2e%2E/', 400, 'two dots, encoded, with a trailing slash'],
  ['/ocpp/VICTIM/../ATTACKER', 400, 'dot segments further down'],
  ['/ocpp/VICTIM/%2e%2e/%2E/ATTACKER', 400, 'encoded ones'],
  ['/ocpp/../ocpp/CP01', 400, 'out of the prefix and back'],
  ['/x/../ocpp/CP01', 404, 'not even into it'],
  ['/./ocpp/CP01', 404, 'nor by a single dot'],
  ['/ocpp/CP01?x=\u0001', 400, 'a control character in the query'],
  ['/ocpp/CP01?\t', 400, 'which URL parsers drop'],
  ['\n/ocpp/CP01', 404, 'one before the path'],
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
  test(`of ${JSON.stringify(offer)}, ${expected?.[0] ?? 'nothing'} is negotiated: ${because}`, () => {
    const request = upgrade('/ocpp/CP01', { headers: { 'sec-websocket-protocol': offer } })
    const handshake = readHandshake(request, { ...settings, versions: enabled })
    if (expected === null) {
      assert.ok(handshake.kind === 'refused', 'a refusal')
      assert.equal(handshake.status, 400)
      for (const version of enabled)
        assert.ok(handshake.problem.includes(version), 'the refusal names what is supported')
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
  test(`with a default, ${JSON.stringify(offer)} gives ${JSON.stringify(expected)}: ${because}`, () => {
    const request = upgrade('/ocpp/CP01', { headers: { 'sec-websocket-protocol': offer } })
    const handshake = readHandshake(request, { ...settings, defaultVersion: 'ocpp1.6' })
    assert.deepEqual(handshake.kind === 'station' ? [handshake.version, handshake.subprotocol] : null, expected)
  })
}

test('a version in the path is not read (2.1 Part 4 §3.1.2)', () => {
  const request = upgrade('/ocpp/1.6/CP01', { headers: { 'sec-websocket-protocol': 'ocpp2.1' } })
  const handshake = readHandshake(request, { ...settings, path: '/ocpp/1.6' })
  assert.equal(handshake.kind === 'station' ? handshake.version : null, 'ocpp2.1')
})

test('a bad path is reported before a bad subprotocol', () => {
  const bare = { headers: {} }
  assert.deepEqual(
    ['/nowhere', '/ocpp/', '/ocpp/CP01'].map(target => {
      const handshake = readHandshake(upgrade(target, bare), settings)
      return handshake.kind === 'refused' && [handshake.status, /supported:/.test(handshake.problem)]
    }),
    [
      [404, false],
      [400, false],
      [400, true],
    ],
  )
})

test('no refusal quotes the request', () => {
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

const site = 'http://csms.example:8080'
const urls: readonly (readonly [string, Partial<UpgradeRequest>, string, string])[] = [
  ['/ocpp/CP01?x=1', {}, `${site}/ocpp/CP01?x=1`, 'the host with its port, and the query'],
  ['/ocpp/CP01?x=1', { encrypted: true }, 'https://csms.example:8080/ocpp/CP01?x=1', 'https if TLS ended here'],
  ['//ocpp//CP01/', {}, `${site}/ocpp/CP01`, 'one slash between segments, none at the end'],
  ['/ocpp/a%2Fb%20c', {}, `${site}/ocpp/a%2Fb%20c`, '%2F stays encoded'],
  ['/ocpp/%2e%2e%2fa', {}, `${site}/ocpp/..%2Fa`, 'in upper case, and only where it has to be'],
  ['/ocpp/%43P%30%31', {}, `${site}/ocpp/CP01`, 'the identity is encoded anew'],
  ['/ocpp/CP%3F01%23', {}, `${site}/ocpp/CP%3F01%23`, 'no encoded delimiter becomes one'],
  ['/ocpp/a%252Fb', {}, `${site}/ocpp/a%252Fb`, 'a percent sign is encoded once'],
  ['/ocpp/a;b', {}, `${site}/ocpp/a%3Bb`, 'no parser sees a path parameter'],
  ["/ocpp/a:b@c*d=e+f,g&h$i'j(k)!~", {}, `${site}/ocpp/a:b@c*d=e+f,g&h$i'j(k)!~`, 'what a path may contain stays'],
  ['http://other.example/ocpp/CP01?x=1', {}, 'http://other.example/ocpp/CP01?x=1', 'the host of an absolute target'],
  [
    'wss://other.example/ocpp/CP01',
    {},
    'http://other.example/ocpp/CP01',
    'its scheme is the station’s word, the connection’s counts',
  ],
  [
    'http://other.example/ocpp/CP01',
    { encrypted: true },
    'https://other.example/ocpp/CP01',
    'that of a connection with TLS too',
  ],
  [
    'http://other.example/ocpp/CP01',
    { headers: { ...headers, host: 'csms/ocpp/X?' } },
    'http://other.example/ocpp/CP01',
    'which makes the Host header void (RFC 9112 §3.2.2)',
  ],
  ['/ocpp/RDAM|123', {}, `${site}/ocpp/RDAM%7C123`, 'Ruby’s URI refuses a bar'],
  ['/ocpp/a"b<c>d\\e^f`g{h}', {}, `${site}/ocpp/a%22b%3Cc%3Ed%5Ce%5Ef%60g%7Bh%7D`, 'and the like'],
  ['/ocpp/CP01?', {}, `${site}/ocpp/CP01`, 'an empty query is none'],
  ['/ocpp/CP01?a=%zz&b=5%', {}, `${site}/ocpp/CP01?a=%25zz&b=5%25`, 'a percent sign that begins no escape'],
  ['/ocpp/CP01?a[]=1|2', {}, `${site}/ocpp/CP01?a%5B%5D=1%7C2`, 'in the query too'],
  ['/ocpp/CP01?a=%23%3f%2f..', {}, `${site}/ocpp/CP01?a=%23%3f%2f..`, 'escapes in the query stay'],
  ['/ocpp/CP01?a=!$&()*+,;:@/?~', {}, `${site}/ocpp/CP01?a=!$&()*+,;:@/?~`, 'what a query may contain stays'],
  ["/ocpp/CP01?a='", {}, `${site}/ocpp/CP01?a=%27`, 'but for the one character that only some parsers escape'],
  [bytes('/ocpp/Köln?ort=Köln'), {}, `${site}/ocpp/K%C3%B6ln?ort=K%C3%B6ln`, 'raw UTF-8, byte by byte'],
  [
    '/ocpp/CP01',
    { headers: { ...headers, 'x-forwarded-proto': 'https' } },
    `${site}/ocpp/CP01`,
    'X-Forwarded-Proto is ignored',
  ],
  ['/ocpp/CP01', { headers: { ...headers, 'x-forwarded-host': 'evil' } }, `${site}/ocpp/CP01`, 'and X-Forwarded-Host'],
  ['http://[::1]:8080/ocpp/CP01', {}, 'http://[::1]:8080/ocpp/CP01', 'brackets in an absolute target are the host’s'],
]
for (const [target, more, expected, because] of urls) {
  test(`the app is given ${expected}: ${because}`, () => {
    const handshake = readHandshake(upgrade(target, more), settings)
    assert.ok(handshake.kind === 'station', 'no refusal')
    assert.equal(handshake.env.url, expected)
    assert.equal(handshake.invalidHost, undefined)
    assert.equal(URL.canParse(expected), true)
  })
}

const own = 'http://192.0.2.9:9000/ocpp/VICTIM'
const hosts: readonly (readonly [string | undefined, string, string])[] = [
  ['csms.example', 'http://csms.example/ocpp/VICTIM', 'a name'],
  ['csms_1.example:80', 'http://csms_1.example:80/ocpp/VICTIM', 'with the default port'],
  ['192.0.2.1', 'http://192.0.2.1/ocpp/VICTIM', 'an IPv4 address'],
  ['[2001:db8::1]:8080', 'http://[2001:db8::1]:8080/ocpp/VICTIM', 'an IPv6 address in brackets'],
  ['csms.example:', 'http://csms.example/ocpp/VICTIM', 'an empty port (RFC 3986 §3.2.3)'],
  [undefined, own, 'no Host header: HTTP/1.0 needs none'],
  ['', own, 'an empty one (RFC 9110 §7.2)'],
]
for (const [host, url, because] of hosts) {
  test(`Host ${JSON.stringify(host)} gives the app ${url}: ${because}`, () => {
    const handshake = readHandshake(upgrade('/ocpp/VICTIM', { headers: { ...headers, host } }), settings)
    assert.ok(handshake.kind === 'station', 'no refusal')
    assert.deepEqual([handshake.env.url, handshake.invalidHost], [url, undefined])
  })
}

const invalidHosts = [
  ['csms.example/ocpp/ATTACKER?', 'a path and the beginning of a query'],
  ['csms.example/ocpp/ATTACKER#', 'or of a fragment'],
  ['csms.example/ocpp/ATTACKER/..', 'or a dot segment'],
  ['csms.example\\ocpp\\ATTACKER?', 'a backslash, which some parsers read as a slash'],
  ['ATTACKER@csms.example', 'user information'],
  ['csms.example:80:81', 'two ports'],
  ['csms.example:99999', 'a port that does not exist'],
  ['csms.example:8o', 'a port that is no number'],
  [':8080', 'a port alone'],
  ['2001:db8::1', 'an IPv6 address without brackets'],
  ['[2001:db8::1', 'with half of them'],
  ['[:::]', 'brackets around no address'],
  ['[fe80::1%eth0]', 'a zone'],
  ['1.2.3.999', 'what looks like an IPv4 address'],
  ['xn--', 'broken Punycode'],
  ['csms%2Eexample', 'percent-encoding, on which parsers disagree'],
  ['csms example', 'a space'],
  ['a, b', 'two hosts'],
  [bytes('csms.köln'), 'a name that is not ASCII'],
  ['csms\u0000', 'NUL'],
] as const
for (const [host, because] of invalidHosts) {
  test(`Host ${JSON.stringify(host)} is invalid, and the bridge's own address replaces it: ${because}`, () => {
    const handshake = readHandshake(upgrade('/ocpp/VICTIM', { headers: { ...headers, host } }), settings)
    assert.ok(handshake.kind === 'station', 'no refusal')
    assert.deepEqual([handshake.env.url, handshake.invalidHost], [own, host])
  })
}

for (const [localAuthority, expected, because] of [
  ['[2001:db8::9]:9000', 'http://[2001:db8::9]:9000/ocpp/CP01', 'an IPv6 address'],
  ['[fe80::9%eth0]:9000', 'http://localhost/ocpp/CP01', 'one with a zone, which a URL cannot contain'],
  ['', 'http://localhost/ocpp/CP01', 'none, of a connection that is gone'],
] as const) {
  test(`without a Host header, the bridge's own address ${JSON.stringify(localAuthority)}: ${because}`, () => {
    const handshake = readHandshake(
      upgrade('/ocpp/CP01', { headers: { ...headers, host: undefined }, localAuthority: () => localAuthority }),
      settings,
    )
    assert.equal(handshake.kind === 'station' ? handshake.env.url : null, expected)
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
  [
    { ...offer, 'x-ocpp-version': '9', x_ocpp_version: '9', 'x-ocpp_version': '9' },
    ['x-ocpp-version', 'x_ocpp_version', 'x-ocpp_version'],
    address,
    'no header forges the version, in no spelling that Rack reads as the same name',
  ],
]
for (const [given, listed, expected, because] of forwarded) {
  test(`the app is given headers: ${because}`, () => {
    const handshake = readHandshake(upgrade('/ocpp/CP01', { headers: given }), { ...settings, headers: listed })
    assert.ok(handshake.kind === 'station', 'no refusal')
    assert.deepEqual(handshake.env.headers, { ...expected, 'x-ocpp-version': '1.6' })
    assert.deepEqual([handshake.env.cstate, handshake.env.istate], [{}, {}])
  })
}

test('no request makes readHandshake throw, whatever its subprotocol', () => {
  const bytes = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map(code => String.fromCharCode(code)) })
  fc.assert(
    fc.property(upgradeRequests, bytes, (request, offer) => {
      readHandshake({ ...request, headers: { ...request.headers, 'sec-websocket-protocol': offer } }, settings)
    }),
  )
})

for (const path of ['/ocpp', '/']) {
  test(`under ${path}, the app reads the identity that the bridge uses, or the answer is 400 or 404`, () => {
    const counts = { station: 0, refused: 0 }
    fc.assert(
      fc.property(upgradeRequests, request => {
        const handshake = readHandshake(request, { ...settings, path })
        counts[handshake.kind]++
        if (handshake.kind === 'refused') return assert.ok([400, 404].includes(handshake.status), 'a status of its own')
        const { url } = handshake.env
        assert.match(url, /^https?:\/\/[^/?#@\\]+\/(?:[\w\-.~:/?@!$&'()*+,;=]|%[\dA-Fa-f]{2})*$/)
        const { pathname, hash, username, protocol } = new URL(url)
        assert.equal(decodeURIComponent(pathname.split('/').at(-1) ?? ''), handshake.stationId)
        const prefix = path === '/' ? '' : path
        assert.equal(pathname.slice(0, pathname.lastIndexOf('/')), prefix, 'nothing but the prefix comes before it')
        assert.deepEqual([hash, username, protocol], ['', '', request.encrypted ? 'https:' : 'http:'])
      }),
      { numRuns: 5000 },
    )
    assert.ok(counts.station > 100 && counts.refused > 100, `both happened: ${JSON.stringify(counts)}`)
  })
}

test('the identity is what decodeURIComponent reads from the segment', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), name => {
      // eslint-disable-next-line no-control-regex -- control characters and dot segments are refused, as rows show
      fc.pre(!/[\u0000-\u001f\u007f-\u009f]/.test(name) && name !== '.' && name !== '..')
      assert.equal(identity(`/ocpp/${encodeURIComponent(name)}`), name)
    }),
  )
})

const accepted: readonly (readonly [text: string, expected: boolean, because: string])[] = [
  ['RDAM |1:2/3?#%', true, 'every printable character may be percent-encoded'],
  ['ü'.repeat(127), true, '254 bytes, in 1.6'],
  ['ü'.repeat(128), false, 'longer than any version allows'],
  ['', false, 'nothing'],
  ['.', false, 'a dot segment'],
  ['..', false, 'a dot segment'],
  ['CP\n1', false, 'a control character'],
]
for (const [text, expected, because] of accepted) {
  test(`a listener ${expected ? 'accepts' : 'refuses'} the identity ${JSON.stringify(text.slice(0, 30))}: ${because}`, () => {
    assert.equal(isIdentity(text), expected)
    const handshake = readHandshake(upgrade(`/ocpp/${encodeURIComponent(text)}`), settings)
    assert.equal(handshake.kind === 'station', expected)
  })
}

for (const name of ['x-ssl-client-subject', 'x_ssl_client_serial', 'x-ssl_client-verify']) {
  test(`a station cannot set ${name}, with a certificate or without, even when headers names it`, () => {
    const request = {
      target: '/ocpp/CP1',
      headers: { host: 'csms', 'sec-websocket-protocol': 'ocpp1.6', [name]: 'CN=forged' },
      remoteAddress: '192.0.2.7',
      localAuthority: () => '',
      encrypted: true,
    }
    const certificate = {
      problem: null,
      subject: 'CN=CP1',
      issuer: 'CN=CA',
      commonName: 'CP1',
      organization: null,
      sans: [],
      serial: '0A',
      fingerprint: '00:FF',
    }
    const rules = { path: '/ocpp', versions: ['ocpp1.6'], defaultVersion: null, headers: [name] } as const
    for (const each of [null, certificate]) {
      const handshake = readHandshake({ ...request, certificate: each }, rules)
      assert.ok(handshake.kind === 'station')
      assert.doesNotMatch(JSON.stringify(handshake.env.headers), /forged/)
      assert.equal(handshake.env.headers['x-ssl-client-subject'], each?.subject)
      assert.equal(handshake.profile, each === null ? 0 : 3)
    }
  })
}
