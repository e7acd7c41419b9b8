import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Expiry } from '../src/server/tls/expiry.ts'
import { gaugesOf, type GaugeSources } from '../src/gauges.ts'

const sources: GaugeSources = {
  config: {
    lifecycle: { disconnectBacklogSize: 4_096 },
    ocpp: { outboxSize: 1_000_000, callQueue: 50 },
  },
  hub: { size: 7, streamCount: 8, members: [], backlog: null },
  disconnects: { size: 9 },
  rpc: { pending: 10, capacity: 28, fullest: { size: 6, limit: 10_000 } },
  room: 1_000,
  readiness: () => ({ rpc: true, nats: false }),
  memory: { isOpen: true, queue: { size: 3, limit: 10_000 } },
  certificates: [],
  eventLoop: { read: () => [] },
}

test('each queue has its size and its limit', () => {
  const { queue_size, queue_limit } = gaugesOf(sources)
  assert.deepEqual(queue_size(), [
    [{ queue: 'stations' }, 7],
    [{ queue: 'rpc' }, 6],
    [{ queue: 'disconnects' }, 9],
    [{ queue: 'outbox' }, 0],
    [{ queue: 'store' }, 3],
    [{ queue: 'commands' }, 0],
    [{ queue: 'messages' }, 0],
  ])
  assert.deepEqual(queue_limit(), [
    [{ queue: 'stations' }, 1_000],
    [{ queue: 'rpc' }, 10_000],
    [{ queue: 'disconnects' }, 4_096],
    [{ queue: 'store' }, 10_000],
    [{ queue: 'commands' }, 50],
    [{ queue: 'messages' }, 64],
  ])
})

test('a queue without a limit has no series of limits', () => {
  const queues = gaugesOf({ ...sources, room: Infinity, memory: null })
    .queue_limit()
    .map(([{ queue }]) => queue)
  assert.deepEqual([queues.includes('stations'), queues.includes('store')], [false, false])
})

test('a stored message counts with its bytes, in the outbox', () => {
  const backlog = { messages: 3, bytes: 4_711, oldestSeconds: 60 }
  const gauges = gaugesOf({ ...sources, hub: { ...sources.hub, backlog } })
  assert.equal(gauges.ocpp_outbox_messages_num(), 3)
  assert.equal(gauges.ocpp_outbox_oldest_seconds(), 60)
  assert.ok(gauges.queue_size().some(([{ queue }, size]) => queue === 'outbox' && size === 4_711))
  assert.ok(gauges.queue_limit().some(([{ queue }, limit]) => queue === 'outbox' && limit === 1_000_000))
})

test('each part of /ready is 1 or 0', () => {
  assert.deepEqual(gaugesOf(sources).ready(), [
    [{ part: 'rpc' }, 1],
    [{ part: 'nats' }, 0],
  ])
})

test('a certificate is named by its file, and its expiry is read when it is asked for', () => {
  const of = (until: number): Expiry => ({ file: '/etc/ssl/a.pem', kind: 'certificate', until, noticeS: 0 })
  const certificate = { expiries: [of(1_000)] }
  const gauges = gaugesOf({ ...sources, certificates: [certificate] })
  const labels = { file: '/etc/ssl/a.pem', kind: 'certificate' }
  assert.deepEqual(gauges.certificate_expiry_timestamp_seconds(), [[labels, 1_000]])
  certificate.expiries = [of(2_000)]
  assert.deepEqual(gauges.certificate_expiry_timestamp_seconds(), [[labels, 2_000]])
})
