/**
 * A short hour: the gem closes its connections after a second.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runHour } from './hour.ts'

test(
  'no call is lost or doubled while the gem closes connections under the program',
  { timeout: 120_000 },
  async () => {
    const { calls, lost, doubled, goaways, failures } = await runHour({
      stations: 8,
      connectionAge: 1,
      next: () => new Promise(setImmediate),
      read: reading => reading.goaways < 4,
    })
    assert.deepEqual({ lost, doubled, failures }, { lost: 0, doubled: 0, failures: [] })
    assert.ok(goaways >= 4 && calls > goaways, `${calls} calls, ${goaways} GOAWAYs`)
  },
)
