/**
 * Hostile messages through a whole session, in each version: what the app gets, what the station gets, and what neither
 * gets.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { FakeWorld } from '../support/fakes.ts'

/** Payloads that are JSON: the app gets them byte for byte. */
const payloads = [
  ['{"vendorId":"v","__proto__":{"polluted":true}}', 'a prototype key'],
  ['{"vendorId":"v","constructor":{"prototype":{"polluted":true}}}', 'a constructor key'],
  ['{"vendorId":"v","vendorId":"w"}', 'duplicate keys'],
  [String.raw`{"vendorId":"\ud800","data":"\udc00\ud800"}`, 'lone surrogates'],
  [`{"vendorId":"v","data":${'9'.repeat(500_000)}}`, 'a number of 500,000 digits'],
  [`{"vendorId":"v","data":1e${'9'.repeat(100)}}`, 'a number beyond all numbers'],
  [`{"vendorId":"v","data":[${'[],'.repeat(10_000)}[]]}`, 'a large array'],
  [String.raw`{"vendorId":"v\u001b[2J\u0000\r\n"}`, 'escapes of terminals and line breaks'],
] as const

/** Payloads that are not parsed: the station gets a CALLERROR, and the app nothing. */
const refused = [
  [`{"a":${'['.repeat(50)}${']'.repeat(50)}}`, 'deep nesting'],
  [`{"a":[${'{},'.repeat(50_000)}{}]}`, 'an endless array'],
  [`{${Array.from({ length: 5_000 }, (_, n) => `"k${n}":1`).join(',')}}`, 'endless names'],
] as const

/** Methods of Ruby, of Action Cable and of JavaScript: none is performed. */
const actions = [
  ...[
    'instance_eval',
    'InstanceEval',
    'send',
    'Destroy',
    'transmit',
    'Transmit',
    'StopAllStreams',
    'unsubscribe_from_channel',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'Ack',
    'Error',
    'Subscribed',
    'receive',
    'DataTransfer\n',
    'data_transfer',
    '',
  ],
] as const

for (const version of Object.keys(versions) as Version[]) {
  const open = async (t: TestContext) => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1', { version })
    await station.boot('SN1')
    return { world, station, before: world.rpc.names().length }
  }

  for (const [payload, because] of payloads) {
    test(`${version} hands the app a payload byte for byte: ${because}`, async t => {
      const { world, station } = await open(t)
      station.says(`[2,"x","DataTransfer",${payload}]`)
      const { data } = await world.rpc.next('data_transfer')
      assert.ok(data?.includes(`"payload":${payload}`))
      assert.match(await station.socket.sent.next(text => text.includes('"x"')), /^\[[34],"x",/)
      assert.equal(({} as { polluted?: boolean }).polluted, undefined)
    })
  }

  for (const [payload, because] of refused) {
    test(`${version} refuses a payload without parsing it: ${because}`, async t => {
      const { world, station, before } = await open(t)
      station.says(`[2,"x","DataTransfer",${payload}]`)
      assert.match(await station.socket.sent.next(text => text.includes('"x"')), /^\[4,"x","Form/)
      assert.equal(world.rpc.names().length, before)
    })
  }

  test(`${version} performs no action that OCPP does not have`, async t => {
    const { world, station, before } = await open(t)
    for (const [n, action] of actions.entries()) {
      station.says(`[2,"x${n}",${JSON.stringify(action)},{}]`)
      assert.match(await station.socket.sent.next(text => text.includes(`"x${n}"`)), /^\[4,"x\d+","NotImplemented"/)
    }
    assert.equal(world.rpc.names().length, before)
  })
}
