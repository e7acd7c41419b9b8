import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkOf } from '../../../src/ops/limits/network.ts'

const rows: readonly (readonly [address: string, network: string, because: string])[] = [
  ['192.0.2.7', '192.0.2.7', 'an IPv4 address is one host'],
  ['::ffff:192.0.2.7', '::ffff:192.0.2.7', 'an IPv4 address in IPv6 as well'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', 'a host has a /64'],
  ['2001:db8:1:2::7', '2001:db8:1:2::/64', 'zeros in the half of the host'],
  ['2001:db8::1', '2001:db8:0:0::/64', 'zeros in both halves'],
  ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64', 'zeros in the half of the network'],
  ['fe80:0:0:0:1::', 'fe80:0:0:0::/64', 'zeros at the end'],
  ['::1', '0:0:0:0::/64', 'no groups before the zeros'],
  ['', '', 'an unknown address'],
]
for (const [address, network, because] of rows) {
  test(`the network of ${JSON.stringify(address)} is ${JSON.stringify(network)}: ${because}`, () => {
    assert.equal(networkOf(address), network)
  })
}
