import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseBroadcasts, type Broadcast } from '../../../src/cable/broadcast.ts'
import { Publications } from '../../../src/fleet/broadcasts/publications.ts'
import { isParsable, slicing } from '../../../src/ocpp/json.ts'
import { atTurnEnd } from '../../../src/ops/event-loop/turn-end.ts'

const batch = (count: number, from = 0): string =>
  JSON.stringify(Array.from({ length: count }, (_, n) => ({ stream: `s${from + n}`, data: '{}' })))

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Each delivery takes a quarter of a millisecond of the clock. */
function opened() {
  let ms = 0
  const delivered: string[] = []
  const deliver = (broadcast: Broadcast): void => {
    ms += 0.25
    delivered.push(broadcast.kind === 'stream' ? broadcast.stream : broadcast.kind)
  }
  const publications = new Publications(deliver, () => ms)
  return { delivered, publish: (text: string) => publications.publish(text), spend: (spent: number) => (ms += spent) }
}

test('a broadcast and a small batch are delivered at once', () => {
  const { delivered, publish } = opened()
  publish('{"stream":"a","data":"{}"}')
  publish(batch(2))
  assert.deepEqual(delivered, ['a', 's0', 's1'])
})

test('a large batch is delivered in slices of 0.5 ms, before what is published later', async () => {
  const { delivered, publish } = opened()
  publish(batch(5))
  publish('{"stream":"later","data":"{}"}')
  const counts = [delivered.length]
  while (delivered.length < 6) {
    await turn()
    counts.push(delivered.length)
  }
  assert.deepEqual(counts, [2, 4, 6])
  assert.deepEqual(delivered, [...Array.from({ length: 5 }, (_, n) => `s${n}`), 'later'])
  publish('{"stream":"again","data":"{}"}')
  assert.equal(delivered.at(-1), 'again', 'at once')
})

test('one long publication is read in a turn, however many come in it, and what comes later waits behind them', async t => {
  const { delivered, publish, spend } = opened()
  const parse = JSON.parse.bind(JSON)
  let read = 0
  t.mock.method(JSON, 'parse', (text: string): unknown => {
    if (text.length > 20_000) read++
    if (text.length > 20_000) spend(4)
    return parse(text)
  })
  const long = (stream: string): string => JSON.stringify({ stream, data: 'x'.repeat(20_000) })
  for (const stream of ['a', 'b', 'c']) publish(long(stream))
  publish('{"stream":"later","data":"{}"}')
  const counts = [read]
  while (delivered.length < 4) {
    await turn()
    counts.push(read)
  }
  assert.deepEqual(counts, [1, 2, 3, 3])
  assert.deepEqual(delivered, ['a', 'b', 'c', 'later'])
})

test('a fault in a long publication does not concern what comes behind it', async () => {
  const { delivered, publish } = opened()
  publish(`[${'1,'.repeat(10_000)}`)
  publish(batch(0))
  publish('{"stream":"later","data":"{}"}')
  while (delivered.length < 3) await turn()
  assert.deepEqual(delivered, ['unreadable', 'unreadable', 'later'])
})

test('what a turn has to write leaves before the next slice', async () => {
  const { delivered, publish } = opened()
  publish(batch(5_000))
  await sleep(1) // The next line runs where timers do, before the end of a turn.
  const before = delivered.length
  atTurnEnd(() => delivered.push('write'))
  await turn()
  assert.deepEqual(delivered.slice(before), ['write', `s${before}`, `s${before + 1}`])
})

test('an app that publishes faster than stations are served is slowed down: there are no slices while more than 16 MiB wait', () => {
  const { delivered, publish } = opened()
  const text = JSON.stringify([
    ...(JSON.parse(batch(20)) as object[]),
    { stream: 'large', data: 'x'.repeat(1_000_000) },
  ])
  for (let n = 0; n < 17; n++) publish(text)
  assert.equal(delivered.length, 2)
  publish(text)
  assert.equal(delivered.length, 21, 'the first one is delivered, and the second one read')
})

const refused = [
  [`[${'{},'.repeat(10_000)}{}]`, 'a batch of more than 10,000'],
  [`{"stream":"s","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'endless nesting'],
  [`{"stream":"s","data":[${'1,'.repeat(90_000)}1]}`, 'more than 80,000 values'],
] as const
for (const [text, because] of refused) {
  test(`a publication is unreadable, without being parsed: ${because}`, async t => {
    const parse = t.mock.method(JSON, 'parse')
    const unreadable = { kind: 'unreadable', problem: 'too many values, or nested too deeply' }
    assert.deepEqual(parseBroadcasts(text, slicing, isParsable(text)), [unreadable])
    const { delivered, publish } = opened()
    publish(text)
    while (delivered.length < 1) await turn()
    assert.equal(parse.mock.callCount(), 0)
    publish(JSON.stringify({ stream: 'long', data: 'x'.repeat(20_000) }))
    publish(text)
    publish('{"stream":"later","data":"{}"}')
    while (delivered.length < 4) await turn()
    assert.deepEqual(delivered, ['unreadable', 'long', 'unreadable', 'later'])
  })
}

test('any number of publications that wait is delivered in order', async () => {
  const { delivered, publish } = opened()
  publish(batch(3))
  for (let n = 0; n < 3_000; n++) publish(`{"stream":"${n}","data":"{}"}`)
  while (delivered.length < 3_003) await turn()
  assert.deepEqual(delivered, ['s0', 's1', 's2', ...Array.from({ length: 3_000 }, (_, n) => String(n))])
})
