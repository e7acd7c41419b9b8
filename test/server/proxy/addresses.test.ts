import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalAddress, networksOf } from '../../../src/server/proxy/addresses.ts'

const spellings = [
  ['192.0.2.7', '192.0.2.7', 'IPv4'],
  ['::ffff:192.0.2.7', '192.0.2.7', 'IPv4 on a dual-stack socket'],
  ['::FFFF:c000:0207', '192.0.2.7', 'the same in hexadecimal'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', 'IPv6 in full'],
  ['fe80::1%eth0', null, 'a zone means nothing on another machine'],
  ['192.0.2.07', null, 'octal digits'],
  ['unknown', null, 'a word'],
  ['', null, 'nothing'],
] as const
for (const [text, address, because] of spellings) {
  test(`canonicalAddress reads ${JSON.stringify(text)} as ${address}: ${because}`, () => {
    assert.equal(canonicalAddress(text), address)
  })
}

test('networksOf contains the addresses of its networks and no others', () => {
  const isTrusted = networksOf(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1'])
  const inside = ['10.255.0.1', '192.0.2.1', '2001:db8:1::1', '::1', '::ffff:10.0.0.1']
  const outside = ['11.0.0.1', '192.0.2.2', '2001:db9::1', '::2', '', 'unknown', '10.0.0', '10.0.0.1:80']
  assert.deepEqual(inside.filter(isTrusted), inside)
  assert.deepEqual(outside.filter(isTrusted), [])
  assert.equal(networksOf([])('127.0.0.1'), false)
  assert.equal(networksOf(['0.0.0.0/0'])('203.0.113.9'), true)
})
