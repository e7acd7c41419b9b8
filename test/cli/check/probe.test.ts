import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fail, ok, probed, skip, textOf, warn } from '../../../src/cli/check/probe.ts'

test('probed names what was found', async () => {
  assert.deepEqual(await probed('clock', () => ok('right')), {
    subject: 'clock',
    status: 'ok',
    found: 'right',
    fix: null,
  })
})

test('probed turns an exception into a finding', async () => {
  const line = await probed('rpc', () => Promise.reject(new Error('broken', { cause: new Error('why') })))
  assert.deepEqual([line.status, line.found], ['fail', 'broken: why'])
})

test('probed ends a probe that hangs', async () => {
  const line = await probed('rpc', () => new Promise(() => undefined), 20)
  assert.deepEqual([line.status, line.found], ['fail', 'no result within 0.02 s'])
})

test('a finding has a fix only where something is to be done', () => {
  assert.deepEqual([ok('a'), skip('a'), warn('a', 'b'), fail('a', 'b')].map(({ fix }) => fix), [null, null, 'b', 'b']) // prettier-ignore
})

const errors = [
  [new Error('a', { cause: new Error('b') }), 'a: b', 'with its cause'],
  [new Error('a: b', { cause: new Error('b') }), 'a: b', 'a cause that the message has already'],
  [new AggregateError([new Error('a'), new Error('b')], ''), 'a, b', 'several errors in one'],
  [new TypeError(''), 'TypeError', 'without a message'],
  ['text', 'text', 'no error at all'],
] as const
for (const [error, text, because] of errors) {
  test(`textOf has the messages of an error: ${because}`, () => {
    assert.equal(textOf(error), text)
  })
}
