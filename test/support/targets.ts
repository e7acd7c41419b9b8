/**
 * Generated upgrade requests that try to make the app read another identity than the bridge.
 *
 * Texts have one character per byte, as Node delivers a request head.
 */
import fc from 'fast-check'
import type { UpgradeRequest } from '../../src/translate/handshake.ts'

const nasty = [
  ...['/', '?', '#', '@', ':', '\\', '.', '%', '[', ']', '\0', '\t', ' ', ';', '&', '+', "'", '"', '|', '^', '\r\n'],
  ...['%2e', '%2E', '%2f', '%2F', '%23', '%3f', '%3F', '%5c', '%40', '%25', '%00', '%0a', '%C2%85', '%ff', '%zz', '%2'],
  ...[
    '..',
    '/../',
    '/./',
    '.%2E',
    '%2e%2e',
    '%252e',
    '//',
    '/..',
    '..\\',
    ';x=',
    'ATTACKER',
    'VICTIM',
    '/ocpp/',
    'ocpp',
  ],
  ...[
    'http://',
    'wss://',
    'csms',
    ':80',
    ':99999',
    '[::1]',
    '[::',
    '::1',
    'xn--',
    '1.2.3.999',
    '0x7f',
    '\u00e9',
    '\u0085',
  ],
]
const byte = fc.integer({ min: 0, max: 0xff }).map(code => String.fromCharCode(code))
const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...nasty) },
  { weight: 1, arbitrary: fc.string({ unit: byte, maxLength: 6 }) },
)
const words = fc.array(word, { maxLength: 6 }).map(parts => parts.join(''))

const target = fc
  .tuple(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('/ocpp/', '/ocpp/', '//ocpp/', '/ocpp//', '/', '', '/x/ocpp/') },
      { weight: 2, arbitrary: words.map(authority => `http://${authority}/ocpp/`) },
      { weight: 2, arbitrary: fc.constantFrom('ws://csms/ocpp/', 'https://csms:443/ocpp/', 'HTTP://[::1]:80//ocpp/') },
    ),
    words,
    fc.oneof(
      fc.constantFrom('', '', '/', '?', '#'),
      words.map(query => `?${query}`),
    ),
  )
  .map(parts => parts.join(''))

const host = fc.oneof(
  fc.constantFrom(undefined, '', 'csms.example', 'csms.example:8080', '192.0.2.1:80', '[2001:db8::1]:8080'),
  words,
  words.map(rest => `csms.example${rest}`),
)

/** Requests whose subprotocol is always served, so that only target and headers decide. */
export const upgradeRequests: fc.Arbitrary<UpgradeRequest> = fc.record({
  target,
  headers: host.map(value => ({ 'sec-websocket-protocol': 'ocpp1.6', host: value })),
  remoteAddress: fc.constant('203.0.113.7'),
  certificate: fc.constant(null),
  localAuthority: fc
    .constantFrom('', '192.0.2.9:9000', '[2001:db8::9]:9000', '[fe80::9%eth0]:9000')
    .map(text => () => text),
  encrypted: fc.boolean(),
})
