/**
 * Upgrades of stations, on real connections: which are refused, and where compression is agreed on.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Version } from '../../../src/ocpp/version.ts'
import type { Compression } from '../../../src/server/websocket/compression.ts'
import { openPeer } from '../../support/peer.ts'
import { openUpgraded } from '../../support/sockets.ts'

const agreed = 'permessage-deflate; server_no_context_takeover; server_max_window_bits=10'
/** [setting, version, Sec-WebSocket-Extensions, the answer's or null, because] */
const offers: readonly (readonly [Compression, Version, string, string | null, string])[] = [
  ['auto', 'ocpp1.6', 'permessage-deflate', null, '1.6 does not require it'],
  ['auto', 'ocpp2.0.1', 'permessage-deflate', agreed, 'a SHALL of 2.0.1 Part 4 §3.3'],
  ['auto', 'ocpp2.1', 'permessage-deflate', agreed, 'a SHALL of 2.1 Part 4 §3.4'],
  ['on', 'ocpp1.6', 'permessage-deflate', agreed, '1.6 does not forbid it'],
  ['off', 'ocpp2.1', 'permessage-deflate', null, 'switched off'],
  ['auto', 'ocpp2.1', 'x-webkit-deflate-frame', null, 'another extension'],
  ['auto', 'ocpp2.1', 'x-other, permessage-deflate', agreed, 'one of several extensions'],
  ['auto', 'ocpp2.1', 'permessage-deflate; client_max_window_bits', agreed, 'any client window is accepted'],
  [
    'auto',
    'ocpp2.1',
    'permessage-deflate; client_no_context_takeover',
    'permessage-deflate; client_no_context_takeover; server_no_context_takeover; server_max_window_bits=10',
    'accepted if offered, but not requested, as Netty would close the connection',
  ],
  [
    'auto',
    'ocpp2.1',
    'permessage-deflate; server_max_window_bits=15',
    'permessage-deflate; server_max_window_bits=10; server_no_context_takeover',
    'a smaller window than asked for',
  ],
  ['auto', 'ocpp2.1', 'permessage-deflate; server_max_window_bits=8', null, "a window smaller than the bridge's"],
  [
    'auto',
    'ocpp2.1',
    'permessage-deflate; server_max_window_bits=8, permessage-deflate',
    agreed,
    'its second choice is looked at',
  ],
  ['auto', 'ocpp2.1', 'permessage-deflate; server_max_window_bits=99', null, 'an invalid window (RFC 7692 §7)'],
  ['auto', 'ocpp2.1', 'permessage-deflate; more=1', null, 'an unknown parameter'],
  ['auto', 'ocpp2.1', 'permessage-deflate; client_no_context_takeover=1', null, 'a value for a parameter without one'],
  ['auto', 'ocpp2.1', ';;, =', null, 'an invalid header, treated as no offer'],
]
for (const [compression, version, extensions, expected, because] of offers) {
  test(`compression=${compression}, ${version}: the offer ${extensions} is ${expected === null ? 'declined' : 'accepted'}: ${because}`, async t => {
    const { port } = await openUpgraded(t, { compression }, version)
    const { head, socket } = await openPeer(port, '/', [`Sec-WebSocket-Extensions: ${extensions}`])
    socket.destroy()
    assert.equal(/^sec-websocket-extensions: (.*)$/im.exec(head)?.[1] ?? null, expected)
  })
}

test('an upgrade without a key is refused with and without compression', async t => {
  for (const compression of ['on', 'off'] as const) {
    const { port } = await openUpgraded(t, { compression })
    const request = openPeer(port, '/', [
      'Sec-WebSocket-Key: none of the kind',
      'Sec-WebSocket-Extensions: permessage-deflate',
    ])
    await assert.rejects(request, /^Error: HTTP\/1\.1 400 /)
  }
})
