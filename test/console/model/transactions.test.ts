import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FrameView } from '../../../src/admin/answers.ts'
import type { Entry } from '../../../src/console/model/frames.ts'
import { transactionsIn } from '../../../src/console/model/transactions.ts'

const at = '2026-01-31T12:00:00.000Z'

/** In the order they came. */
function seen(...messages: readonly (readonly [action: string, payload: object, answer?: object])[]) {
  const entries = messages.map(([action, payload, answer], index): Entry => {
    const first = { type: 'call', frame: JSON.stringify([2, 'a', action, payload]) } as FrameView
    const its =
      answer === undefined ? null : ({ type: 'callResult', frame: JSON.stringify([3, 'a', answer]) } as FrameView)
    return { key: String(index), at, from: 'station', action, id: 'a', first, answer: its }
  })
  return transactionsIn(entries.reverse())
}

const start = { connectorId: 2, idTag: '***', meterStart: 1_000, timestamp: '2026-01-31T11:00:00Z' }

test('a transaction of 1.6 is followed from its start to its stop', () => {
  const values = [
    {
      timestamp: at,
      sampledValue: [
        { value: '2.5', unit: 'kWh' },
        { value: '230', measurand: 'Voltage' },
      ],
    },
  ]
  const [one, ...others] = seen(
    ['StartTransaction', start, { transactionId: 7, idTagInfo: { status: 'Accepted' } }],
    ['MeterValues', { connectorId: 2, transactionId: 7, meterValue: values }],
    ['StopTransaction', { transactionId: 7, meterStop: 4_000, timestamp: at, reason: 'EVDisconnected' }],
  )
  assert.deepEqual(others, [])
  const { id, startedAt, endedAt, outlet, energyWh, messages, reason } = one ?? assert.fail()
  assert.deepEqual([id, startedAt, endedAt, outlet], ['7', start.timestamp, at, 'connector 2'])
  assert.deepEqual([energyWh, messages, reason], [3_000, 3, 'EVDisconnected'])
})

test('a transaction of 2.x is followed from its first event to its last', () => {
  const meterValue = (value: number) => [
    { timestamp: at, sampledValue: [{ value, unitOfMeasure: { unit: 'Wh', multiplier: 1 } }] },
  ]
  const event = (eventType: string, value: number, more: object = {}) =>
    [
      'TransactionEvent',
      {
        eventType,
        timestamp: at,
        triggerReason: 'CablePluggedIn',
        transactionInfo: { transactionId: 'T', ...more },
        evse: { id: 1, connectorId: 2 },
        meterValue: meterValue(value),
      },
    ] as const
  const [one] = seen(event('Started', 10), event('Updated', 60), event('Ended', 110, { stoppedReason: 'Remote' }))
  assert.deepEqual([one?.id, one?.outlet, one?.energyWh, one?.reason], ['T', 'EVSE 1, connector 2', 1_000, 'Remote'])
})

test('a start without an answer has no id, and one that began earlier has no start', () => {
  const [stopped, started] = seen(['StartTransaction', start], ['StopTransaction', { transactionId: 9, meterStop: 5 }])
  assert.deepEqual([started?.id, started?.startedAt, started?.endedAt], [null, start.timestamp, null])
  assert.deepEqual([stopped?.id, stopped?.startedAt, stopped?.energyWh, stopped?.reason], ['9', null, 0, 'Local'])
})

const nothing = [
  ['MeterValues', { connectorId: 1, meterValue: [] }, 'values outside a transaction'],
  ['TransactionEvent', { eventType: 'Started' }, 'an event without its transaction'],
  ['Heartbeat', {}, 'another message'],
  ['constructor', {}, 'an action that is a member of every object'],
] as const
for (const [action, payload, because] of nothing) {
  test(`${action} with ${JSON.stringify(payload)} shows no transaction: ${because}`, () => {
    assert.deepEqual(seen([action, payload]), [])
  })
}
