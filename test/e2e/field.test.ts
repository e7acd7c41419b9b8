/**
 * Stations that violate HTTP, WebSocket and OCPP's schemas as real ones do, one for each row of `docs/protocol.md`
 * ("The field"): on bare TCP sockets, against the built program.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { ScriptedApp, type PerformData } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { closeCode, dial, ended, frameOf, opcodes, protocol, said, upgradeHeaders, type Peer } from '../support/peer.ts'
import { Performs } from '../support/performs.ts'
import { openRawStation } from '../support/station.ts'

const within = { timeout: 60_000 }

let app: ScriptedApp
let bridge: Bridge
const performs = new Performs()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  app.always(performs.script(({ command }) => acks[command] ?? {}))
  bridge = keep(await openBridge([`--rpc_host=${app.host}`, '--ocpp_ping_interval=1s', '--ocpp_idle_timeout=2s']))
})

const acks: Readonly<Record<string, object>> = {
  BootNotification: { status: 'Accepted' },
  Authorize: { idTagInfo: { status: 'Accepted' } },
  StartTransaction: { idTagInfo: { status: 'Accepted' }, transactionId: 1 },
}

const offer = protocol('ocpp1.6')

type Plan = {
  readonly requestLine?: string
  readonly headers?: readonly string[]
  /** Sent in one packet with the upgrade. */
  readonly rest?: Buffer
  readonly port?: number
}

async function plug(t: TestContext, id: string, plan: Plan = {}): Promise<Peer> {
  const { requestLine = `GET /ocpp/${id} HTTP/1.1`, headers = [...upgradeHeaders, offer], port = bridge.port } = plan
  const station = await dial(port, [requestLine, 'Host: csms', ...headers], plan.rest)
  t.after(() => station.socket.destroy())
  return station
}

/** Waits for a number of pings and responds to each. */
async function pinged(station: Peer, times: number, respond: (count: number) => void): Promise<void> {
  for (let count = 1; count <= times; count++) {
    await station.next(opcodes.ping)
    respond(count)
  }
}

const heartbeat = (id: string): string => `[2,"${id}","Heartbeat",{}]`
const isAnswerTo = (id: string): RegExp => new RegExp(`^\\[3,"${id}",\\{"currentTime":`)

describe('upgrades', within, () => {
  /** [what is sent, the status, because] */
  const upgrades: readonly (readonly [Plan, number, string])[] = [
    [{ requestLine: 'GET ///ocpp///CP01 HTTP/1.1' }, 101, 'too many slashes'],
    [{ requestLine: 'GET /ocpp/CP01/CP01 HTTP/1.1' }, 400, 'the identity twice'],
    [{ requestLine: 'GET /ocppCP01 HTTP/1.1' }, 404, 'no slash before the identity'],
    [{ requestLine: 'GET / HTTP/1.1' }, 404, 'no path'],
    [{ requestLine: 'GET /ocpp/CP01 HTTP/1.0' }, 101, 'HTTP/1.0'],
    [
      {
        headers: [
          'upgrade: WebSocket',
          'connection: keep-alive, upgrade',
          'sec-websocket-version: 13',
          'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-protocol: OCPP1.6',
        ],
      },
      101,
      'header names and values in other case',
    ],
    [
      { headers: [...upgradeHeaders.filter(line => !line.startsWith('Connection')), offer] },
      426,
      'a Connection header without upgrade',
    ],
    [{ headers: upgradeHeaders }, 400, 'no subprotocol'],
    [{ headers: [...upgradeHeaders, protocol('ocpp1.6j')] }, 400, 'a misspelled subprotocol'],
    [{ headers: [...upgradeHeaders, protocol('ocpp1.5, ocpp1.6')] }, 101, 'several subprotocols'],
  ]
  for (const [plan, status, because] of upgrades) {
    test(`an upgrade gets ${status}: ${because}`, async t => {
      const { head } = await plug(t, 'CP01', plan)
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
    })
  }

  test('a message in one packet with the upgrade is answered', async t => {
    const station = await plug(t, 'hasty', { rest: frameOf(heartbeat('h')) })
    assert.match(await said(station), isAnswerTo('h'))
  })

  test('compression is declined when a 1.6 station offers it', async t => {
    const headers = [...upgradeHeaders, offer, 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits']
    const station = await plug(t, 'deflate', { headers })
    assert.match(station.head, /^HTTP\/1\.1 101 /)
    assert.doesNotMatch(station.head, /sec-websocket-extensions/i)
    station.write(frameOf(heartbeat('h')))
    assert.match(await said(station), isAnswerTo('h'))
  })

  test('a station without a subprotocol is served when a default version is set, and none is echoed', async t => {
    const lenient = await openBridge([`--rpc_host=${app.host}`, '--ocpp_default_version=1.6'])
    t.after(() => lenient.close())
    const station = await plug(t, 'CP01', { headers: upgradeHeaders, port: lenient.port })
    assert.match(station.head, /^HTTP\/1\.1 101 /)
    assert.doesNotMatch(station.head, /sec-websocket-protocol/i)
    station.write(frameOf('[2,"b","BootNotification",{"chargePointModel":"M","chargePointVendor":"V"}]'))
    assert.match(await said(station), /^\[3,"b",\{"status":"Accepted"/)
  })
})

describe('frames', { ...within, concurrency: true }, () => {
  test('binary frames are read as text', async t => {
    const station = await plug(t, 'binary')
    station.write(frameOf(heartbeat('h'), { opcode: opcodes.binary }))
    assert.match(await said(station), isAnswerTo('h'))
  })

  test('an empty message after each pong gets no answer', async t => {
    const station = await plug(t, 'empty')
    for (let count = 0; count < 25; count++) station.write(frameOf(''))
    station.write(frameOf(heartbeat('h')))
    assert.match(await said(station), isAnswerTo('h'))
  })

  test('a StopTransaction that is not JSON is logged whole, and the station gets a CALLERROR', async t => {
    const station = await plug(t, 'broken-stop')
    station.write(frameOf('[2,"s","StopTransaction",{"idTag":"AB12","meterStop":4711,"transactionId":}]'))
    assert.equal(await said(station), '[4,"s","FormationViolation","The message is not valid JSON",{}]')
    const isOfStation = (line: string): RegExp => new RegExp(`(?=.*"station":"broken-stop").*${line}`)
    const kept = await bridge.logged(isOfStation('book it by hand'))
    assert.equal(kept['wholeMessage'], '[2,"s","StopTransaction",{"idTag":"***","meterStop":4711,"transactionId":}]')
    const place = await bridge.logged(isOfStation('cannot be read"'))
    assert.deepEqual([place['position'], place['found']], [74, '}'])
    assert.match(String(place['excerpt']), /"idTag":"\*\*\*","meterStop":4711,"transactionId":$/)
  })

  test('a station that the app has accepted stays when it sends nothing but malformed messages', async t => {
    const station = await plug(t, 'babbler')
    station.write(frameOf('[2,"b","BootNotification",{"chargePointModel":"M","chargePointVendor":"V"}]'))
    await said(station)
    for (let count = 0; count < 22; count++) station.write(frameOf('[2,"m","MeterValues",{"connectorId":}]'))
    for (let count = 0; count < 22; count++) assert.match(await said(station), /^\[4,"m",/)
    station.write(frameOf(heartbeat('h')))
    assert.match(await said(station), isAnswerTo('h'))
  })

  for (const [bytes, because] of [
    [frameOf(heartbeat('h'), { masked: false }), 'frames without a mask'],
    [frameOf(heartbeat('h'), { compressed: true }), 'compressed frames without compression being negotiated'],
    [frameOf('', { opcode: 0xb }), 'frames with an unknown opcode'],
  ] as const) {
    test(`a connection is closed with 1002: ${because}`, async t => {
      const station = await plug(t, `broken-${bytes.toString('hex', 0, 2)}`)
      station.write(frameOf(heartbeat('first')))
      await said(station)
      station.write(bytes)
      assert.equal(await closeCode(station), 1002)
    })
  }

  test('a station stays connected when it sends messages and no pongs', async t => {
    const station = await plug(t, 'pongless')
    await pinged(station, 3, count => station.write(frameOf(heartbeat(`h${count}`))))
    station.write(frameOf(heartbeat('last')))
    while (!isAnswerTo('last').test(await said(station)));
  })

  test('a pong without the payload of the ping counts as life', async t => {
    const station = await plug(t, 'echoless')
    await pinged(station, 3, () => station.write(frameOf('other words', { opcode: opcodes.pong })))
  })

  test('a connection ends after the idle timeout when the network is gone without a FIN', async t => {
    const station = await plug(t, 'half-open')
    station.write(frameOf(heartbeat('h')))
    await said(station)
    await ended(station) // after pings without pongs
    const line = await bridge.logged(
      /"station":"half-open".*station disconnected|station disconnected.*"station":"half-open"/,
    )
    assert.equal(line['reason'], 'Silent for too long')
  })

  test('a connection ends and later messages are not performed when a station ignores the close frame', async t => {
    const station = await plug(t, 'deaf')
    for (let count = 0; count < 20; count++) station.write(frameOf('[no frame'))
    assert.equal(await closeCode(station), 1002)
    station.write(frameOf('[2,"too late","StatusNotification",{}]'))
    await ended(station)
    const closeAt = station.received.findIndex(({ opcode }) => opcode === opcodes.close)
    assert.equal(closeAt, station.received.length - 1, 'something follows the close frame')
    const data = app.received.all.map(({ message }) => String(message['data']))
    assert.ok(!data.some(perform => perform.includes('too late')), 'it was performed')
  })
})

test(
  'a command that is answered on the next connection performs one late ack after ConnectionClosed',
  within,
  async t => {
    const before = await openRawStation(bridge.url, 'mover')
    await before.call('h', 'Heartbeat')
    const command = { command: 'RemoteStartTransaction', id: 'start-7', payload: { idTag: 'AB12' } }
    await bridge.broadcast(commandBroadcast('mover', command))
    await before.message(/^\[2,"start-7",/)
    await before.close()
    const { data: closed } = await performs.next('start-7')
    assert.deepEqual([closed['action'], closed['code'], closed['late']], ['error', 'ConnectionClosed', undefined])
    const station = await openRawStation(bridge.url, 'mover')
    t.after(() => station.close())
    for (let count = 0; count < 2; count++) station.send('[3,"start-7",{"status":"Accepted"}]')
    await station.call('h', 'Heartbeat')
    const { data } = await performs.next('start-7')
    const { action, payload, request, late, sid } = data
    const expected = { action: 'ack', payload: { status: 'Accepted' }, request: 'RemoteStartTransaction', late: true }
    assert.deepEqual({ action, payload, request, late }, expected)
    assert.equal(sid, closed['sid'], 'of the connection that the command was sent on')
  },
)

const meterValues = (sample: string, timestamp = '2026-01-02T03:04:05Z'): string =>
  `{"connectorId":1,"meterValue":[{"timestamp":"${timestamp}","sampledValue":[${sample}]}]}`
const status = (more: string): string => `{"connectorId":1,"errorCode":"NoError","status":"Available",${more}}`
const boot = (more: string): string => `{"chargePointModel":"M",${more}}`

/** [action, payload, the schema's rule that it violates, because] */
const payloads: readonly (readonly [string, string, string | null, string])[] = [
  [
    'StartTransaction',
    '{"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"2023-10-19T15:28:07"}',
    null,
    'a timestamp without a zone',
  ],
  ['MeterValues', meterValues('{"value":"1"}', ''), 'format', 'an empty timestamp'],
  ['MeterValues', meterValues('{"value":"1"}', '1970-01-01T00:00:42Z'), null, 'the time of a clock that was never set'],
  ['MeterValues', meterValues('{"value":"20","unit":"Celcius"}'), null, 'Celcius'],
  ['MeterValues', meterValues('{"value":"20","unit":"Celsius"}'), null, 'Celsius'],
  ['MeterValues', meterValues('{"value":"50.00","unit":"Hz"}'), 'enum', 'an unknown unit'],
  ['MeterValues', meterValues('{"value":"1","context":"Sample.History"}'), 'enum', 'an unknown context'],
  ['MeterValues', meterValues('{"value":10}'), 'type', 'a number for a string'],
  ['MeterValues', meterValues(''), null, 'an empty list of samples'],
  [
    'MeterValues',
    '{"connectorId":1,"meterValue":{"timestamp":"2026-01-02T03:04:05Z","sampledValue":[{"value":"0.00"}]}}',
    'type',
    'an object for a list',
  ],
  [
    'StatusNotification',
    '{"connectorId":"1","errorCode":"NoError","status":"Available"}',
    'type',
    'a string for a number',
  ],
  ['StatusNotification', '{"connectorId":0,"errorCode":"Error","status":"Faulted"}', 'enum', 'an unknown error code'],
  ['StatusNotification', status('"info":null'), 'type', 'null for an optional field'],
  ['StatusNotification', status(`"info":"${'i'.repeat(51)}"`), 'maxLength', 'an info over 50 characters'],
  ['Authorize', '{"connectorId":2,"idTag":"A"}', 'additionalProperties', 'an unknown field'],
  ['BootNotification', boot('"chargePointVendor":""'), null, 'an empty vendor'],
  [
    'BootNotification',
    boot('"chargePointVendor":"V","chargeBoxSerialNumber":"EVB1A22P2RI3N182341200100350795E5"'),
    'maxLength',
    'a serial number over 25 characters',
  ],
  [
    'StopTransaction',
    `{"meterStop":1,"timestamp":"2026-01-02T03:04:05Z","transactionId":1,"idTag":"${'A'.repeat(21)}"}`,
    'maxLength',
    'an idTag over 20 characters',
  ],
]

/** The rules in the violations that the app received. */
const rulesIn = ({ violations }: PerformData): readonly string[] | undefined =>
  (violations as { readonly rule: string }[] | undefined)?.map(({ rule }) => rule)

describe('payloads', within, () => {
  for (const [action, payload, rule, because] of payloads) {
    test(`a payload reaches the app unchanged${rule === null ? '' : `, with the violation ${rule}`}: ${because}`, async t => {
      const station = await openRawStation(bridge.url, 'payloads')
      t.after(() => station.close())
      const answer = await station.call('p', action, payload)
      assert.match(answer, /^\[3,"p",\{/)
      const { data, text } = await performs.next('p')
      assert.ok(text.includes(`"payload":${payload}`), text)
      assert.deepEqual(rulesIn(data), rule === null ? undefined : [rule])
    })
  }

  test('an answer with a number for a string reaches the app unchanged, with the violation type', async t => {
    const station = await openRawStation(bridge.url, 'answers')
    t.after(() => station.close())
    await station.call('h', 'Heartbeat')
    const command = { command: 'GetConfiguration', id: 'g', payload: { key: ['NumberOfConnectors'] } }
    await bridge.broadcast(commandBroadcast('answers', command))
    await station.message(/^\[2,"g",/)
    const payload = '{"configurationKey":[{"key":"NumberOfConnectors","readonly":true,"value":1}]}'
    station.send(`[3,"g",${payload}]`)
    const { data, text } = await performs.next('g')
    assert.ok(text.includes(`"payload":${payload}`), text)
    assert.deepEqual(rulesIn(data), ['type'])
  })

  test('a transaction message that violates its schema is performed even when ocpp_validate_in=strict', async t => {
    const strict = await openBridge([`--rpc_host=${app.host}`, '--ocpp_validate_in=strict'])
    t.after(() => strict.close())
    const station = await openRawStation(strict.url, 'strict')
    t.after(() => station.close())
    const faulty = '{"connectorId":0,"errorCode":"Error","status":"Faulted"}'
    assert.match(await station.call('n', 'StatusNotification', faulty), /^\[4,"n","PropertyConstraintViolation",/)
    const stop = `{"meterStop":1,"timestamp":"2026-01-02T03:04:05Z","transactionId":1,"idTag":"${'A'.repeat(21)}"}`
    assert.equal(await station.call('s', 'StopTransaction', stop), '[3,"s",{}]')
    assert.deepEqual(rulesIn((await performs.next('s')).data), ['maxLength'])
  })
})
