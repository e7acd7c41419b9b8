/**
 * Transaction messages that a station retries over real sockets, also on its next connection, with the built program.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { Performs } from '../support/performs.ts'
import { openRawStation } from '../support/station.ts'

const within = { timeout: 60_000 }

let app: ScriptedApp
let bridge: Bridge
const performs = new Performs()
/** The app replies when this resolves. */
let gate: Promise<void> = Promise.resolve()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  let transactions = 0
  app.always(
    performs.script(async data => {
      await gate
      if (data.command === 'StartTransaction')
        return { idTagInfo: { status: 'Accepted' }, transactionId: ++transactions }
      return data.command === 'TransactionEvent' ? { totalCost: ++transactions } : {}
    }),
  )
  bridge = keep(await openBridge([`--rpc_host=${app.host}`]))
})

const timestamp = '2026-01-02T03:04:05Z'
const meterValue = [{ timestamp, sampledValue: [{ value: '2935.600' }] }]
const rows = [
  ['ocpp1.6', 'StartTransaction', { connectorId: 1, idTag: 'A', meterStart: 5, timestamp }],
  ['ocpp1.6', 'StopTransaction', { transactionId: 1, meterStop: 9, timestamp }],
  ['ocpp1.6', 'MeterValues', { connectorId: 1, transactionId: 1, meterValue }],
  ['ocpp2.0.1', 'TransactionEvent', { eventType: 'Started', timestamp, triggerReason: 'Authorized', seqNo: 0, transactionInfo: { transactionId: 'T1' } }], // prettier-ignore
  ['ocpp2.1', 'TransactionEvent', { eventType: 'Ended', timestamp, triggerReason: 'EVDeparted', seqNo: 3, transactionInfo: { transactionId: 'T2' } }], // prettier-ignore
] as const
for (const [version, action, payload] of rows) {
  test(
    `${version} ${action} is performed once and answered again when it is retried on the next connections`,
    within,
    async () => {
      const stationId = `${version}-${action}`
      const text = JSON.stringify(payload)
      const answers: string[] = []
      for (let connection = 0; connection < 3; connection++) {
        const station = await openRawStation(bridge.url, stationId, { version })
        answers.push(await station.call(stationId, action, text))
        await station.close()
      }
      assert.deepEqual(new Set(answers).size, 1)
      assert.match(answers[0] ?? '', /^\[3,/)
      assert.equal(performs.of(stationId).length, 1)
    },
  )

  test(
    `${version} ${action} is performed once and its retry answered when the connection broke before the answer`,
    within,
    async () => {
      const stationId = `${version}-${action}-broken`
      let open: () => void = () => undefined
      gate = new Promise(resolve => (open = resolve))
      const one = await openRawStation(bridge.url, stationId, { version })
      one.send(JSON.stringify([2, stationId, action, payload]))
      await performs.next(stationId)
      await one.close()
      const two = await openRawStation(bridge.url, stationId, { version })
      const answer = two.call(stationId, action, JSON.stringify(payload))
      open()
      assert.match(await answer, /^\[3,/)
      assert.equal(performs.of(stationId).length, 1)
      await two.close()
    },
  )
}
