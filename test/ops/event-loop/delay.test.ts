import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEventLoopDelay } from '../../../src/ops/event-loop/delay.ts'

test('the delay of the event loop is that of a long turn, and is forgotten once it is read', async t => {
  const delay = openEventLoopDelay()
  t.after(() => delay.close())
  await sleep(60)
  delay.read()
  // Measured from one timer to the next.
  await sleep(60)
  const until = performance.now() + 300
  while (performance.now() < until);
  await sleep(60)
  const late = Object.fromEntries(delay.read().map(([{ quantile }, seconds]) => [quantile, seconds]))
  assert.deepEqual(Object.keys(late).sort(), ['0.5', '0.99', '1'])
  assert.ok((late['1'] ?? 0) > 0.2 && (late['1'] ?? 0) < 5, `${late['1']} s`)
  assert.deepEqual(
    delay.read().map(([, seconds]) => seconds),
    [0, 0, 0],
    'no timer has fired since',
  )
})
