import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf, unreadRequest } from '../../../src/server/upgrade/peer.ts'

const rows = [
  ['192.0.2.7', '192.0.2.7', 'an IPv4 socket'],
  ['::ffff:192.0.2.7', '192.0.2.7', 'IPv4 on a dual-stack socket'],
  ['2001:db8::1', '2001:db8::1', 'IPv6'],
  [undefined, '', 'a socket that has been reset'],
] as const
for (const [given, address, because] of rows) {
  test(`the address of ${given} is ${JSON.stringify(address)}: ${because}`, () => {
    assert.equal(addressOf(given), address)
    assert.equal(unreadRequest(given).remoteAddress, address)
  })
}
