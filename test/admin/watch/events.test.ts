import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clock } from '../../../src/admin/clock.ts'
import { Events } from '../../../src/admin/watch/events.ts'
import type { StationEvent } from '../../../src/session/ports.ts'

test('events go to the streams that want them, and sessions are watched only while there is one', () => {
  let take: ((event: StationEvent) => void) | null = null
  const events = new Events(new Clock({ now: () => 0, date: () => new Date(0) }), next => (take = next))
  const sent: string[] = []
  const stream = { isFull: false, send: (text: string) => void sent.push(text) }
  const stop = events.tail({ station: 'CP*', type: 'refused' })(stream)
  assert.notEqual(take, null)
  events.onRefused('CP1', 404, 'Wrong path')
  events.onRefused('other', 404, 'Wrong path')
  assert.equal(sent.length, 1)
  const [, data = ''] = /^event: event\ndata: (.*)\n\n$/.exec(sent[0] ?? '') ?? []
  const { type, station, code, reason } = JSON.parse(data) as Record<string, unknown>
  assert.deepEqual([type, station, code, reason], ['refused', 'CP1', 404, 'Wrong path'])
  stop()
  assert.equal(take, null)
})
