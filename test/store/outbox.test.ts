import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Identifier } from '../../src/cable/rpc.ts'
import type { AppSession } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import { openSourceStore, temporaryDirectory } from '../support/store.ts'
import { allPending, outboxMessage } from './messages.ts'

const within = { timeout: 60_000 }
const one = 'CP1' as StationId

const session: AppSession = {
  version: 'ocpp1.6',
  connectionIdentifiers: '{"station_id":"CP1"}',
  identifier: '{"channel":"OCPPChannel","sn":"SN1"}' as Identifier,
  env: { url: 'http://csms.example/ocpp/CP1', headers: {}, cstate: { role: 'ev' }, istate: {} },
}

test('an outbox outlives its process: what is pending, what has failed, what is dead', within, async t => {
  const dir = temporaryDirectory(t)
  const first = await openSourceStore(dir)
  const outbox = outboxOf(first, 100_000)
  const names = Array.from({ length: 150 }, (_, at) => `m${at}`)
  const appended = await Promise.all([...names, 'm0'].map(name => outbox.append(outboxMessage(name))))
  assert.deepEqual([new Set(appended.slice(0, -1)), appended.at(-1)], [new Set(['stored']), 'present'])
  await outbox.delivered(1)
  await outbox.failed(2, 4, 1_000, 'undefined method')
  await outbox.deadLetter(3, 'ocpp_outbox_ttl')
  await outbox.keepSession(one, session)
  await first.close()

  const second = await openSourceStore(dir)
  t.after(() => second.close())
  const again = outboxOf(second, 100_000)
  const pending = await allPending(again)
  assert.deepEqual(
    pending.map(({ id }) => id),
    names.filter(name => name !== 'm0' && name !== 'm2').map(name => `"${name}"`),
  )
  assert.deepEqual([pending[0]?.attempts, pending[0]?.nextAttemptAt], [4, 1_000])
  assert.deepEqual(await second.call('pendingStations'), [one])
  assert.deepEqual([await again.sessionOf(one), await again.sessionOf('CP2' as StationId)], [session, null])
  const { pending: num, dead, oldestAt } = await again.size()
  assert.deepEqual([num, dead, oldestAt], [148, 1, outboxMessage('').storedAt])
})

test('an outbox refuses MeterValues beyond 80 %, and stops when it is full', within, async t => {
  const store = await openSourceStore(temporaryDirectory(t))
  t.after(() => store.close())
  // Ten messages.
  const outbox = outboxOf(store, 10 * (500 + outboxMessage('0').payload.length))
  const outcomes: string[] = []
  for (let n = 0; n < 9; n++) outcomes.push(await outbox.append(outboxMessage(String(n), { action: 'MeterValues' })))
  assert.deepEqual(outcomes, [...Array<string>(8).fill('stored'), 'refused'])
  outcomes.length = 0
  for (let n = 0; n < 3; n++) outcomes.push(await outbox.append(outboxMessage(String(n))))
  assert.deepEqual(outcomes, ['stored', 'stored', 'refused'])
})
