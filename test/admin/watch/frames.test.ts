import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clock } from '../../../src/admin/clock.ts'
import { Frames } from '../../../src/admin/watch/frames.ts'
import type { Trace } from '../../../src/session/ports.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { FakeWorld } from '../../support/fakes.ts'
import { openFakeAdmin } from '../support.ts'

test('sessions trace frames only while a history or a log wants them', async t => {
  const { world, client } = await openFakeAdmin(t)
  const only = client(null)
  assert.equal(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/history', { frames: 1, for: 60 })
  assert.notEqual(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/history', { frames: 0, for: 60 })
  assert.equal(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/log', { level: 'debug', for: 60 })
  assert.notEqual(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/log', { level: 'default', for: 60 })
  assert.equal(world.trace, null)
})

test('what was switched on ends by itself', async t => {
  const { world, client } = await openFakeAdmin(t)
  await client(null).ask('PUT', '/v1/stations/CP1/history', { frames: 1, for: 1 })
  while (world.trace !== null) await new Promise(resolve => setTimeout(resolve, 20))
  const { body } = await client(null).get('/v1/stats')
  assert.deepEqual((body['watching'] as { readonly histories: unknown }).histories, [])
})

/** An identity that counts how often its characters are read, as matching a pattern does. */
class CountedId extends String {
  reads = 0;
  override [Symbol.iterator]() {
    this.reads++
    return super[Symbol.iterator]()
  }
}

test('patterns are matched once for each connection, and again when what is wanted changes', t => {
  let trace: Trace | null = null
  const settings = { logsAll: false, isSensitive: false, history: 0 }
  const clock = new Clock({ now: () => 0, date: () => new Date(0) })
  const frames = new Frames(settings, clock, new FakeWorld(t).log, next => (trace = next))
  t.after(() => frames.close())
  const sent: string[] = []
  const stream = { isFull: false, send: (text: string) => void sent.push(text) }
  const tailOf = (station: string) => frames.tail({ station, action: undefined, errors: undefined })(stream)
  tailOf('CP*')
  tailOf('?P1')
  const id = new CountedId('CP1')
  const who = { sid: 's', station: id as unknown as StationId }
  const pass = () => trace?.(who, 'received', '[2,"1","Heartbeat",{}]')
  for (let times = 0; times < 10; times++) pass()
  assert.deepEqual([id.reads, sent.length], [2, 20])
  tailOf('C*1')
  for (let times = 0; times < 10; times++) pass()
  assert.deepEqual([id.reads, sent.length], [5, 50])
})

test('a stream or a history with a pattern that is too long is 400', async t => {
  const { client } = await openFakeAdmin(t)
  const long = 'a*'.repeat(5)
  for (const path of [`/v1/messages?station=${long}`, `/v1/events?station=${long}`, `/v1/stations?id=${long}`])
    assert.equal((await client(null).get(path)).status, 400)
  for (const [what, body] of [
    ['log', { level: 'debug', for: 1 }],
    ['history', { frames: 1, for: 1 }],
  ] as const)
    assert.equal((await client(null).ask('PUT', `/v1/stations/${long}/${what}`, body)).status, 400)
})

test('a stream of errors has an answer that refuses a card, and no other CALLRESULT', t => {
  let trace: Trace | null = null
  const clock = new Clock({ now: () => 0, date: () => new Date(0) })
  const frames = new Frames(
    { logsAll: false, isSensitive: false, history: 0 },
    clock,
    new FakeWorld(t).log,
    next => (trace = next),
  )
  t.after(() => frames.close())
  const sent: string[] = []
  const stream = { isFull: false, send: (text: string) => void sent.push(text) }
  frames.tail({ station: undefined, action: undefined, errors: true })(stream)
  const pass = (text: string) => trace?.({ sid: 's', station: 'CP1' as StationId }, 'sent', text)
  pass('[3,"1",{"idTagInfo":{"status":"Accepted"}}]')
  pass('[3,"2",{"status":"Rejected"}]')
  pass('[3,"3",{"idTagInfo":{"status":"Blocked"}}]')
  pass('[3,"4",{"idTokenInfo": {"status": "ConcurrentTx"}}]')
  assert.deepEqual(
    sent.map(text => /\\"(\d)\\"/.exec(text)?.[1]),
    ['3', '4'],
  )
  frames.tail({ station: undefined, action: undefined, errors: undefined })(stream)
  sent.length = 0
  pass('[3,"2",{"status":"Rejected"}]')
  pass('[4,"5","InternalError","",{}]')
  assert.deepEqual(
    sent.map(text => /"isError":(\w+)/.exec(text)?.[1]),
    ['false', 'true', 'true'],
  )
})
