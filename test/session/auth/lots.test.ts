import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lots } from '../../../src/session/auth/lots.ts'
import { FakeMeter } from '../../support/fakes.ts'

function setUp(random: () => number = () => 0) {
  const clock = { now: 0 }
  const meter = new FakeMeter()
  return { clock, meter, lots: new Lots({ now: () => clock.now, random, meter }) }
}

test('the visitor wins when nobody has come back', () => {
  const { lots } = setUp()
  lots.visit('CP1', 'a')
  lots.visit('CP1', 'b')
  lots.draw('CP1', 'b')
  assert.deepEqual([lots.hasWon('CP1', 'a'), lots.hasWon('CP1', 'b')], [false, true])
})

test('who came back has one lot, however often, and wins before a visitor that is new', () => {
  const picked = [0.6, 0]
  const { lots } = setUp(() => picked.shift() ?? 0)
  for (let visit = 0; visit < 9; visit++) lots.visit('CP1', 'often')
  for (let visit = 0; visit < 2; visit++) lots.visit('CP1', 'twice')
  lots.visit('CP1', 'new')
  lots.draw('CP1', 'new')
  const won = () => ['often', 'twice', 'new'].map(digest => lots.hasWon('CP1', digest))
  assert.deepEqual(won(), [false, true, false])
  lots.draw('CP1', 'new')
  assert.deepEqual(won(), [true, true, false])
  assert.equal(lots.hasWon('CP2', 'often'), false, 'for another station')
})

test('a lot is forgotten a minute after the last visit, also one that won', () => {
  const { clock, lots } = setUp()
  for (const digest of ['kept', 'kept', 'gone', 'gone']) lots.visit('CP1', digest)
  lots.draw('CP1', 'new')
  clock.now += 59_999
  lots.visit('CP1', 'kept')
  assert.equal(lots.hasWon('CP1', 'kept'), true)
  clock.now += 1
  lots.visit('CP1', 'new')
  lots.draw('CP1', 'new')
  assert.deepEqual([lots.hasWon('CP1', 'gone'), lots.hasWon('CP1', 'new')], [false, true])
  clock.now += 60_000
  lots.visit('CP1', 'other')
  assert.equal(lots.hasWon('CP1', 'kept'), false)
})

test('what is deleted takes no part in the draw', () => {
  const { lots } = setUp()
  for (const digest of ['a', 'a', 'b', 'b']) lots.visit('CP1', digest)
  lots.delete('CP1', 'a')
  lots.draw('CP1', 'new')
  assert.deepEqual([lots.hasWon('CP1', 'a'), lots.hasWon('CP1', 'b')], [false, true])
})

test('256 credentials take part in the draw of a station, and a further one takes the place of a random one', () => {
  const { lots } = setUp()
  const back = (digest: string): void => {
    lots.visit('CP1', digest)
    lots.visit('CP1', digest)
  }
  for (let at = 0; at < 256; at++) back(`guess ${at}`)
  back('mine')
  lots.draw('CP1', 'new')
  assert.deepEqual([lots.hasWon('CP1', 'mine'), lots.hasWon('CP1', 'guess 0')], [true, false])
})

test('100,000 credentials are remembered, then the oldest is forgotten', () => {
  const { meter, lots } = setUp()
  for (const digest of ['oldest', 'oldest']) lots.visit('CP1', digest)
  for (let at = 1; at < 100_000; at++) lots.visit(`CP1 ${at}`, 'a')
  assert.equal(meter.total('ocpp_evicted_total', { kind: 'put_off' }), 0)
  lots.visit('one', 'more')
  assert.equal(meter.total('ocpp_evicted_total', { kind: 'put_off' }), 1)
  lots.draw('CP1', 'new')
  assert.deepEqual([lots.hasWon('CP1', 'oldest'), lots.hasWon('CP1', 'new')], [false, true])
})
