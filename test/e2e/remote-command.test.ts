/**
 * Commands of the app to stations, over NATS and over HTTP: each ends in exactly one `ack` or `error` at the app.
 */
import { connect as connectNats } from 'nats'
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openNats } from '../support/nats.ts'
import { freePort } from '../support/ports.ts'
import { openRails, type LedgerEntry, type Rails } from '../support/rails.ts'
import { callErrorOf, openStation, type Payload, type Station } from '../support/station.ts'

type Side = {
  readonly bridge: Bridge
  readonly rails: Rails
  /** Publishes as the gem does; resolves when the transport has accepted it. */
  readonly publish: (broadcast: object) => Promise<void>
}

const keep = keepUntil(after)

let sides: { readonly NATS: Side; readonly HTTP: Side }

before(async () => {
  sides = { NATS: await openNatsSide(), HTTP: await openHttpSide() }
})

async function openNatsSide(): Promise<Side> {
  const nats = keep(await openNats())
  const rails = keep(await openRails({ natsUrl: nats.url }))
  const flags = [`--nats_servers=${nats.url}`, `--rpc_host=127.0.0.1:${rails.rpcPort}`, '--ocpp_call_timeout=2s']
  const bridge = keep(await openBridge(flags))
  const connection = keep(await connectNats({ servers: nats.url }))
  const publish = async (broadcast: object) => {
    connection.publish('__anycable__', JSON.stringify(broadcast))
    await connection.flush()
  }
  return { bridge, rails, publish }
}

async function openHttpSide(): Promise<Side> {
  const rpcPort = await freePort()
  const key = 'broadcast key'
  const bridge = keep(
    await openBridge([`--rpc_host=127.0.0.1:${rpcPort}`, `--broadcast_key=${key}`, '--ocpp_call_timeout=2s']),
  )
  const env = { ANYCABLE_BROADCAST_KEY: key }
  const rails = keep(await openRails({ rpcPort, httpBroadcastUrl: bridge.httpBroadcastUrl, env }))
  const publish = async (broadcast: object) => {
    const headers = { authorization: `Bearer ${key}` }
    const body = JSON.stringify(broadcast)
    const { status } = await fetch(bridge.httpBroadcastUrl, { method: 'POST', headers, body })
    assert.equal(status, 201)
  }
  return { bridge, rails, publish }
}

/** A booted station whose serial number is its id. */
async function connect(t: TestContext, { bridge }: Side, id: string): Promise<Station> {
  const station = await openStation(bridge.url, id)
  t.after(() => station.close())
  const boot = await station.call('BootNotification', { chargePointVendor: 'Vendor', chargePointModel: 'Model' })
  assert.equal(boot['status'], 'Accepted')
  return station
}

/** The outcomes of commands that the app received for a station, in order. */
/** Each outcome names the version and the connection of its station. */
function outcomesOf({ rails }: Side, station: string): Partial<LedgerEntry>[] {
  const outcomes = rails
    .ledger()
    .filter(entry => entry.station === station && (entry.event === 'ack' || entry.event === 'error'))
  for (const { version, sid } of outcomes) assert.deepEqual([version, sid], ['1.6', outcomes[0]?.sid])
  if (outcomes.length > 0) assert.match(outcomes[0]?.sid ?? '', /^[\da-f-]{36}$/)
  return outcomes.map(entry => without(entry, 'at', 'station', 'version', 'sid'))
}

function without(entry: Partial<LedgerEntry>, ...names: (keyof LedgerEntry)[]): Partial<LedgerEntry> {
  return Object.fromEntries(Object.entries(entry).filter(([name]) => !names.some(each => each === name)))
}

const outcomeOf = ({ rails }: Side, id: string) => rails.waitFor(entry => entry.id === id)

/** An event that a test triggers. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined
  const passed = new Promise<void>(resolve => (open = resolve))
  return { passed, open }
}

const reset = { command: 'Reset', payload: { type: 'Soft' } } as const
const message = {
  CallTimeout: 'The Charging Station did not answer in time',
  ConnectionClosed: 'The connection of the Charging Station was closed',
} as const

for (const name of ['NATS', 'HTTP'] as const) {
  describe(`over ${name}`, { concurrency: true, timeout: 120_000 }, () => {
    test('rake prints the answer of one station and the error of another', async t => {
      const side = sides[name]
      const [one, other] = [await connect(t, side, 'rake-1'), await connect(t, side, 'rake-2')]
      const asked: (readonly [string, Payload])[] = []
      one.answers('RemoteStartTransaction', payload => {
        asked.push(['one', payload])
        return { status: 'Rejected' }
      })
      other.answers('RemoteStopTransaction', payload => {
        asked.push(['other', payload])
        throw callErrorOf('InternalError', 'the relay is stuck')
      })
      const [started, stopped] = await Promise.all([
        side.rails.rake('ocpp:remote_start[rake-1, TAG1]'),
        side.rails.rake('ocpp:remote_stop[rake-2, 42]'),
      ])
      assert.deepEqual([started.code, stopped.code], [0, 1])
      assert.match(started.stdout, /^rake-1: \{"status":"Rejected"\}$/m)
      assert.match(stopped.stderr, /^rake-2: InternalError the relay is stuck$/m)
      assert.deepEqual(
        new Map(asked),
        new Map<string, Payload>([
          ['one', { idTag: 'TAG1' }],
          ['other', { transactionId: 42 }],
        ]),
      )
      const [ack, error] = [outcomesOf(side, 'rake-1'), outcomesOf(side, 'rake-2')]
      assert.deepEqual(
        [...ack, ...error].map(outcome => without(outcome, 'id')),
        [
          { event: 'ack', payload: { status: 'Rejected' }, request: 'RemoteStartTransaction' },
          {
            event: 'error',
            code: 'InternalError',
            message: 'the relay is stuck',
            payload: {},
            request: 'RemoteStopTransaction',
          },
        ],
      )
    })

    test('a batch reaches two stations in order, one command at a time for each', async t => {
      const side = sides[name]
      const stations = [await connect(t, side, 'batch-1'), await connect(t, side, 'batch-2')]
      const seen: string[] = []
      const first = gate()
      const arrived = stations.map(station => {
        const { passed, open } = gate()
        station.answers('Reset', async () => {
          seen.push(`${station.id} Reset`)
          open()
          await first.passed
          return { status: 'Accepted' }
        })
        station.answers('ClearCache', () => {
          seen.push(`${station.id} ClearCache`)
          return { status: 'Rejected' }
        })
        return passed
      })
      const clear = { command: 'ClearCache', payload: {} }
      await side.publish(
        stations.flatMap(({ id }) => [
          commandBroadcast(id, { ...reset, id: `${id}-a` }),
          commandBroadcast(id, { ...clear, id: `${id}-b` }),
        ]),
      )
      await Promise.all(arrived)
      // A second command on the wire would have come before the answer to a call made now.
      await Promise.all(stations.map(station => station.call('Heartbeat')))
      assert.deepEqual(seen.toSorted(), ['batch-1 Reset', 'batch-2 Reset'])
      first.open()
      await Promise.all(stations.map(({ id }) => outcomeOf(side, `${id}-b`)))
      for (const { id } of stations) {
        assert.deepEqual(outcomesOf(side, id), [
          { event: 'ack', id: `${id}-a`, payload: { status: 'Accepted' }, request: 'Reset' },
          { event: 'ack', id: `${id}-b`, payload: { status: 'Rejected' }, request: 'ClearCache' },
        ])
      }
    })

    test('a command that times out is an error, the next one is sent, and the late answer still reaches the app', async t => {
      const side = sides[name]
      const [slow, quick] = [await connect(t, side, 'late-1'), await connect(t, side, 'late-2')]
      const late = gate()
      slow.answers('Reset', async () => {
        await late.passed
        return { status: 'Accepted' }
      })
      slow.answers('ClearCache', () => ({ status: 'Accepted' }))
      quick.answers('Reset', () => ({ status: 'Rejected' }))
      await side.publish(commandBroadcast('late-1', { ...reset, id: 'late-a' }))
      await side.publish(commandBroadcast('late-1', { command: 'ClearCache', id: 'late-b', payload: {} }))
      await side.publish(commandBroadcast('late-2', { ...reset, id: 'late-c' }))
      await outcomeOf(side, 'late-b')
      late.open()
      await side.rails.waitFor(({ id, late }) => id === 'late-a' && late === true)

      const error = { event: 'error', id: 'late-a', code: 'CallTimeout', message: message.CallTimeout, payload: {} }
      assert.deepEqual(outcomesOf(side, 'late-1'), [
        { ...error, request: 'Reset' },
        { event: 'ack', id: 'late-b', payload: { status: 'Accepted' }, request: 'ClearCache' },
        { event: 'ack', id: 'late-a', payload: { status: 'Accepted' }, request: 'Reset', late: true },
      ])
      const ack = { event: 'ack', id: 'late-c', payload: { status: 'Rejected' }, request: 'Reset' }
      assert.deepEqual(outcomesOf(side, 'late-2'), [ack])
    })

    test('open and queued commands are errors before the Disconnect when their station leaves', async t => {
      const side = sides[name]
      const [gone, stays] = [await connect(t, side, 'gone-1'), await connect(t, side, 'gone-2')]
      const asked = gate()
      gone.answers('Reset', () => {
        asked.open()
        return new Promise<never>(() => undefined)
      })
      stays.answers('Reset', () => ({ status: 'Accepted' }))
      for (const id of ['gone-a', 'gone-b']) await side.publish(commandBroadcast('gone-1', { ...reset, id }))
      await asked.passed
      await gone.vanish()
      await side.rails.waitFor(({ event, station }) => event === 'disconnected' && station === 'gone-1')

      const error = { event: 'error', code: 'ConnectionClosed', message: message.ConnectionClosed, payload: {} }
      assert.deepEqual(outcomesOf(side, 'gone-1'), [
        { ...error, id: 'gone-a', request: 'Reset' },
        { ...error, id: 'gone-b', request: 'Reset' },
      ])
      const events = side.rails.ledger().filter(({ station }) => station === 'gone-1')
      assert.deepEqual(
        events.slice(-4).map(({ event }) => event),
        ['error', 'error', 'unsubscribed', 'disconnected'],
      )
      await side.publish(commandBroadcast('gone-2', { ...reset, id: 'gone-c' }))
      assert.equal((await outcomeOf(side, 'gone-c')).event, 'ack')
    })

    test('a command that cannot be sent is an error, and the station receives nothing', async t => {
      const side = sides[name]
      const [station, other] = [await connect(t, side, 'wrong-1'), await connect(t, side, 'wrong-2')]
      for (const each of [station, other]) each.answers('Reset', () => ({ status: 'Accepted' }))
      const wrong = [
        ['UnknownAction', { command: 'SetVariables', id: 'wrong-a', payload: {} }],
        ['UnknownAction', { command: 'Heartbeat', id: 'wrong-b', payload: {} }],
        ['InvalidId', { ...reset, id: 'wrong-c'.padEnd(37, '!') }],
      ] as const
      for (const [, command] of wrong) await side.publish(commandBroadcast('wrong-1', command))
      await side.publish(commandBroadcast('wrong-1', { ...reset, id: 'wrong-d' }))
      for (const id of [...wrong.map(([, command]) => command.id), 'wrong-d']) await outcomeOf(side, id)
      // The station's own answer does not wait for refusals.
      const [answered, refused] = [true, false].map(isAck =>
        outcomesOf(side, 'wrong-1').filter(({ event }) => (event === 'ack') === isAck),
      )
      assert.deepEqual(
        refused?.map(({ code, id, request }) => [code, id, request]),
        wrong.map(([code, { command, id }]) => [code, id, command]),
      )
      assert.deepEqual(
        answered?.map(({ id, request }) => [id, request]),
        [['wrong-d', 'Reset']],
      )
      assert.deepEqual(outcomesOf(side, 'wrong-2'), [])
    })

    test('a command without an id gets one', async t => {
      const side = sides[name]
      const station = await connect(t, side, 'no-id')
      station.answers('Reset', () => ({ status: 'Accepted' }))
      await side.publish(commandBroadcast('no-id', reset))
      const { id } = await side.rails.waitFor(entry => entry.event === 'ack' && entry.station === 'no-id')
      assert.match(id ?? '', /^[\da-f-]{36}$/)
    })
  })
}
