/**
 * Whole charging sessions of a station that validates every message, with the built bridge, NATS and the example app.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { channelAction } from '../../src/translate/commands.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openNats } from '../support/nats.ts'
import { openRails, type Rails } from '../support/rails.ts'
import { openStation, type Payload, type Station, type StationOptions } from '../support/station.ts'

/** A missing event fails the test. */
const within = { timeout: 120_000 }

const keep = keepUntil(after)
let rails: Rails
let bridges: { readonly granular: Bridge; readonly receive: Bridge }

before(async () => {
  const nats = keep(await openNats())
  rails = keep(await openRails({ natsUrl: nats.url, env: { ID_TAGS: 'TAG1,TAG2' } }))
  const flags = [`--rpc_host=127.0.0.1:${rails.rpcPort}`, `--nats_servers=${nats.url}`]
  const receiving = ['--ocpp_channel=OCPPReceiveChannel', '--ocpp_granular_actions=false']
  const granular = keep(await openBridge(flags))
  bridges = { granular, receive: keep(await openBridge([...flags, ...receiving])) }
})

async function connect(t: TestContext, bridge: Bridge, id: string, options?: StationOptions): Promise<Station> {
  const station = await openStation(bridge.url, id, options)
  t.after(() => station.close())
  return station
}

const hasEnded = (id: string) => rails.waitFor(entry => entry.event === 'disconnected' && entry.station === id)

const now = () => new Date().toISOString()

/** The app's ledger for a station, as pairs of event and payload. */
function bookOf(id: string): [event: string, id: string | undefined, payload: Payload | undefined][] {
  const entries = rails.ledger().filter(({ station }) => station === id)
  assert.ok(entries.every(({ duplicate, attempt, late }) => !duplicate && !attempt && !late))
  return entries.map(({ event, id: messageId, payload }) => [event, messageId, payload])
}

/** The expected ledger of a whole session; `answer` is the station's to the one remote command. */
function bookFor(
  station: Station,
  answer: { readonly before: string; readonly id: string; readonly payload: Payload },
) {
  const messages = station.sent
    .filter(({ action }) => action !== 'Heartbeat') // answered by the bridge
    .flatMap(({ action, id, payload }) => {
      const event = channelAction(action)
      const message = [event, id, payload]
      return action === answer.before ? [['ack', answer.id, answer.payload], message] : [message]
    })
  return [
    ['connected', undefined, undefined],
    ['subscribed', undefined, undefined],
    ...messages,
    ['unsubscribed', undefined, undefined],
    ['disconnected', undefined, undefined],
  ]
}

/** From boot to a remote stop; returns the transaction's id. */
async function charge(station: Station, sn: string, interval: number): Promise<unknown> {
  const boot = await station.call('BootNotification', {
    chargePointVendor: 'Vendor',
    chargePointModel: 'Model',
    meterSerialNumber: sn,
  })
  assert.deepEqual([boot['status'], boot['interval']], ['Accepted', interval])
  for (const connectorId of [0, 1]) {
    const status = { connectorId, errorCode: 'NoError', status: 'Available', timestamp: now() }
    assert.deepEqual(await station.call('StatusNotification', status), {})
  }
  assert.ok(Math.abs(Date.parse(String((await station.call('Heartbeat'))['currentTime'])) - Date.now()) < 60_000)
  assert.deepEqual(await station.call('Authorize', { idTag: 'STOLEN' }), { idTagInfo: { status: 'Invalid' } })
  assert.deepEqual(await station.call('Authorize', { idTag: 'TAG1' }), { idTagInfo: { status: 'Accepted' } })

  const start = { connectorId: 1, idTag: 'TAG1', meterStart: 2935, timestamp: now() }
  const { transactionId, idTagInfo } = await station.call('StartTransaction', start)
  assert.deepEqual(idTagInfo, { status: 'Accepted' })
  for (const value of ['2936.100', '2937.200']) {
    const meterValue = [{ timestamp: now(), sampledValue: [{ value, unit: 'Wh', context: 'Sample.Periodic' }] }]
    assert.deepEqual(await station.call('MeterValues', { connectorId: 1, transactionId, meterValue }), {})
  }

  const asked = new Promise<Payload>(resolve =>
    station.answers('RemoteStopTransaction', payload => {
      resolve(payload)
      return { status: 'Accepted' }
    }),
  )
  const shown = rails.rake(`ocpp:remote_stop[${sn}, ${String(transactionId)}]`)
  assert.deepEqual(await asked, { transactionId })
  const { code, stdout, stderr } = await shown
  assert.equal(code, 0, stderr)
  assert.match(stdout, new RegExp(`^${sn}: \\{"status":"Accepted"\\}$`, 'm'))

  const stop = { transactionId, meterStop: 2938, timestamp: now(), reason: 'Remote' }
  assert.deepEqual(await station.call('StopTransaction', stop), {})
  await station.close()
  await hasEnded(station.id)
  return transactionId
}

for (const [mode, interval] of [
  ['granular', 300], // the app's own interval
  ['receive', 30], // the bridge's interval: this channel does not answer a boot
] as const) {
  test(
    `the app receives each message of two charging stations once and in order, with ${mode} actions`,
    within,
    async t => {
      const stations = [
        await connect(t, bridges[mode], `${mode}-1`),
        await connect(t, bridges[mode], `${mode}-2`),
      ] as const
      const [one, other] = await Promise.all(stations.map(station => charge(station, `SN-${station.id}`, interval)))
      assert.notEqual(one, other)
      for (const station of stations) {
        const answers = rails.ledger().filter(entry => entry.event === 'ack' && entry.station === station.id)
        assert.deepEqual(
          answers.map(({ request }) => request),
          ['RemoteStopTransaction'],
        )
        const answer = { before: 'StopTransaction', id: answers[0]?.id ?? '', payload: { status: 'Accepted' } }
        assert.deepEqual(bookOf(station.id), bookFor(station, answer))
      }
    },
  )
}

describe('an app with one method for all actions', () => {
  for (const version of ['ocpp2.0.1', 'ocpp2.1'] as const) {
    test(`serves a charging session of a ${version} station`, within, async t => {
      const station = await connect(t, bridges.receive, `station-${version}`, { version })
      const boot = await station.call('BootNotification', {
        reason: 'PowerUp',
        chargingStation: { model: 'Model', vendorName: 'Vendor', serialNumber: `SN-${version}` },
      })
      assert.deepEqual([boot['status'], boot['interval']], ['Accepted', 30])
      const status = { timestamp: now(), connectorStatus: 'Occupied', evseId: 1, connectorId: 1 }
      assert.deepEqual(await station.call('StatusNotification', status), {})
      const idToken = { idToken: 'ABCD', type: 'ISO14443' }
      assert.deepEqual(await station.call('Authorize', { idToken }), { idTokenInfo: { status: 'Unknown' } })
      for (const [seqNo, eventType] of ['Started', 'Updated', 'Ended'].entries()) {
        const event = { eventType, seqNo, timestamp: now(), triggerReason: 'CablePluggedIn' }
        const transactionInfo = { transactionId: 'T1' }
        assert.deepEqual(await station.call('TransactionEvent', { ...event, transactionInfo }), {})
      }
      await station.close()
      const last = await hasEnded(station.id)
      assert.equal(last.event, 'disconnected')
      assert.deepEqual(bookOf(station.id), bookFor(station, { before: '', id: '', payload: {} }))
      const subscribed = rails.ledger().find(({ event, station: id }) => event === 'subscribed' && id === station.id)
      assert.equal(subscribed?.sn, `SN-${version}`)
    })
  }
})
