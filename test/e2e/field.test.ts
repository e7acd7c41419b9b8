/**
 * Stations that break HTTP, WebSocket and OCPP's schemas as real ones do, each as `docs/protocol.md` ("The field") has
 * it: on bare TCP sockets, against the built program.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test, type TestContext } from 'node:test'
import { cableApp, ScriptedApp, type PerformData } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openRawStation } from '../support/station.ts'

const within = { timeout: 60_000 }

let app: ScriptedApp
let bridge: Bridge
const performs = new EventEmitter()

before(async () => {
  app = await ScriptedApp.start()
  app.always(
    cableApp((data, text) => {
      performs.emit(data.id, data, text)
      return acks[data.command] ?? {}
    }),
  )
  bridge = await openBridge([`--rpc_host=${app.host}`, '--ocpp_ping_interval=1s', '--ocpp_idle_timeout=2s'])
})

after(async () => {
  await bridge.close()
  app.stop()
})

const acks: Readonly<Record<string, object>> = {
  BootNotification: { status: 'Accepted' },
  Authorize: { idTagInfo: { status: 'Accepted' } },
  StartTransaction: { idTagInfo: { status: 'Accepted' }, transactionId: 1 },
}

/** What the app performs with a message's id, as it was read, and its text. */
const perform = (id: string): Promise<[PerformData, string]> =>
  once(performs, id, { signal: AbortSignal.timeout(30_000) }) as Promise<[PerformData, string]>

const protocol = 'Sec-WebSocket-Protocol: ocpp1.6'
const upgradeHeaders = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  protocol,
]

const text = 1
const binary = 2
const close = 8
const ping = 9
const pong = 10

type WireFrame = { readonly opcode: number; readonly payload: Buffer }

/** A frame of a client (RFC 6455 §5.2), under a mask that changes nothing. */
function frame(opcode: number, payload = '', { bits = 0x80, isMasked = true } = {}): Buffer {
  const bytes = Buffer.from(payload)
  assert.ok(bytes.length < 126, 'a short one')
  const head = [bits | opcode, (isMasked ? 0x80 : 0) | bytes.length, ...(isMasked ? [0, 0, 0, 0] : [])]
  return Buffer.concat([Buffer.from(head), bytes])
}

type Bounds = readonly [start: number, end: number]
const none: Bounds = [0, 0]

function boundsOfHead(bytes: Buffer): Bounds {
  const end = bytes.indexOf('\r\n\r\n')
  return end === -1 ? none : [0, end + 4]
}

/** Of the payload of a server's frame, which has no mask; no large one is read here. */
function boundsOfFrame(bytes: Buffer): Bounds {
  const length = (bytes[1] ?? 0) & 0x7f
  if (bytes.length < 2 || (length === 126 && bytes.length < 4)) return none
  return length < 126 ? [2, 2 + length] : [4, 4 + bytes.readUInt16BE(2)]
}

/** The head of the answer to an upgrade, then the frames that follow, until the connection ends. */
async function* received(socket: Socket): AsyncGenerator<WireFrame, null> {
  let bytes = Buffer.alloc(0)
  let boundsOf = boundsOfHead
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    for (let [start, end] = boundsOf(bytes); end > 0 && end <= bytes.length; [start, end] = boundsOf(bytes)) {
      yield { opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(start, end) }
      bytes = bytes.subarray(end)
      boundsOf = boundsOfFrame
    }
  }
  return null
}

/** A station on a bare TCP socket. */
type Bare = {
  readonly socket: Socket
  /** What its upgrade was answered with. */
  readonly head: string
  /** The next frame; `null` where the connection has ended. */
  readonly next: () => Promise<WireFrame | null>
  /** The next text, whatever control frames come before it. */
  readonly said: () => Promise<string>
  readonly says: (message: string) => void
}

type Plan = {
  readonly requestLine?: string
  readonly headers?: readonly string[]
  /** Sent in one packet with the upgrade. */
  readonly rest?: Buffer
  readonly port?: number
}

async function plug(t: TestContext, id: string, plan: Plan = {}): Promise<Bare> {
  const { requestLine = `GET /ocpp/${id} HTTP/1.1`, headers = upgradeHeaders, rest = Buffer.alloc(0) } = plan
  const socket = connect(plan.port ?? bridge.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write(Buffer.concat([Buffer.from([requestLine, 'Host: csms', ...headers, '', ''].join('\r\n')), rest]))
  const frames = received(socket)
  const next = async (): Promise<WireFrame | null> => (await frames.next()).value
  const said = async (): Promise<string> => {
    for (let found = await next(); found !== null; found = await next())
      if (found.opcode === text) return found.payload.toString()
    throw new Error('the connection has ended')
  }
  const head = (await next())?.payload.toString('latin1') ?? ''
  return { socket, head, next, said, says: message => void socket.write(frame(text, message)) }
}

/** Waits until the bridge has pinged so many times, and has something said to each. */
async function pinged(station: Bare, times: number, respond: (count: number) => void): Promise<void> {
  for (let count = 0; count < times;) {
    const found = await station.next()
    assert.ok(found, 'the connection has ended')
    if (found.opcode === ping) respond(++count)
  }
}

const heartbeat = (id: string): string => `[2,"${id}","Heartbeat",{}]`
const isAnswerTo = (id: string): RegExp => new RegExp(`^\\[3,"${id}",\\{"currentTime":`)

/** The code of the close frame that comes next; pings before it are passed over. */
async function closeCode(station: Bare): Promise<number | null> {
  for (let found = await station.next(); found !== null; found = await station.next())
    if (found.opcode === close) return found.payload.readUInt16BE(0)
  return null
}

describe('upgrades', within, () => {
  /** [what is sent, the status, because] */
  const upgrades: readonly (readonly [Plan, number, string])[] = [
    [{ requestLine: 'GET ///ocpp///CP01 HTTP/1.1' }, 101, 'slashes too many'],
    [{ requestLine: 'GET /ocpp/CP01/CP01 HTTP/1.1' }, 400, 'the identity twice'],
    [{ requestLine: 'GET /ocppCP01 HTTP/1.1' }, 404, 'no slash before the identity'],
    [{ requestLine: 'GET / HTTP/1.1' }, 404, 'no path at all'],
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
      'header names and words in other letters',
    ],
    [
      { headers: upgradeHeaders.filter(line => !line.startsWith('Connection')) },
      426,
      'no word of upgrading in Connection',
    ],
    [{ headers: upgradeHeaders.filter(line => line !== protocol) }, 400, 'no subprotocol'],
    [
      { headers: [...upgradeHeaders.slice(0, -1), 'Sec-WebSocket-Protocol: ocpp1.6j'] },
      400,
      'a subprotocol misspelled',
    ],
    [
      { headers: [...upgradeHeaders.slice(0, -1), 'Sec-WebSocket-Protocol: ocpp1.5, ocpp1.6'] },
      101,
      'several subprotocols',
    ],
  ]
  for (const [plan, status, because] of upgrades) {
    test(`${because}: ${status}`, async t => {
      const { head } = await plug(t, 'CP01', plan)
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
    })
  }

  test('the first message in one packet with the upgrade: it is answered', async t => {
    const station = await plug(t, 'hasty', { rest: frame(text, heartbeat('h')) })
    assert.match(await station.said(), isAnswerTo('h'))
  })

  test('compression is offered by a 1.6 station: it is not agreed on', async t => {
    const headers = [...upgradeHeaders, 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits']
    const station = await plug(t, 'deflate', { headers })
    assert.match(station.head, /^HTTP\/1\.1 101 /)
    assert.doesNotMatch(station.head, /sec-websocket-extensions/i)
    station.says(heartbeat('h'))
    assert.match(await station.said(), isAnswerTo('h'))
  })

  test('no subprotocol, where a default version is set: it is served, and none is echoed', async t => {
    const lenient = await openBridge([`--rpc_host=${app.host}`, '--ocpp_default_version=1.6'])
    t.after(() => lenient.close())
    const headers = upgradeHeaders.filter(line => line !== protocol)
    const station = await plug(t, 'CP01', { headers, port: lenient.port })
    assert.match(station.head, /^HTTP\/1\.1 101 /)
    assert.doesNotMatch(station.head, /sec-websocket-protocol/i)
    station.says('[2,"b","BootNotification",{"chargePointModel":"M","chargePointVendor":"V"}]')
    assert.match(await station.said(), /^\[3,"b",\{"status":"Accepted"/)
  })
})

describe('frames', { ...within, concurrency: true }, () => {
  test('binary frames: read as text', async t => {
    const station = await plug(t, 'binary')
    station.socket.write(frame(binary, heartbeat('h')))
    assert.match(await station.said(), isAnswerTo('h'))
  })

  test('an empty message after each pong: nothing is said to it', async t => {
    const station = await plug(t, 'empty')
    for (let count = 0; count < 25; count++) station.socket.write(frame(text))
    station.says(heartbeat('h'))
    assert.match(await station.said(), isAnswerTo('h'))
  })

  for (const [bytes, because] of [
    [frame(text, heartbeat('h'), { isMasked: false }), 'frames without a mask'],
    [frame(text, heartbeat('h'), { bits: 0xc0 }), 'compressed frames that nobody agreed on'],
    [frame(0xb), 'frames of a kind that there is not'],
  ] as const) {
    test(`${because}: closed with 1002`, async t => {
      const station = await plug(t, `broken-${bytes.toString('hex', 0, 2)}`)
      station.says(heartbeat('first'))
      await station.said()
      station.socket.write(bytes)
      assert.equal(await closeCode(station), 1002)
    })
  }

  test('no pongs, but messages: the station stays', async t => {
    const station = await plug(t, 'pongless')
    await pinged(station, 3, count => station.says(heartbeat(`h${count}`)))
    station.says(heartbeat('last'))
    while (!isAnswerTo('last').test(await station.said()));
  })

  test('a pong without the words of the ping: it is life, too', async t => {
    const station = await plug(t, 'echoless')
    await pinged(station, 3, () => station.socket.write(frame(pong, 'other words')))
  })

  test('the network is gone, and no word of it: the connection is ended after the idle timeout', async t => {
    const station = await plug(t, 'half-open')
    station.says(heartbeat('h'))
    await station.said()
    while ((await station.next()) !== null); // pings, and no pongs
    const line = await bridge.logged(
      /"station":"half-open".*station disconnected|station disconnected.*"station":"half-open"/,
    )
    assert.equal(line['reason'], 'Silent for too long')
  })

  test('the close frame is not answered, and messages go on: the connection is ended, and none is performed', async t => {
    const station = await plug(t, 'deaf')
    for (let count = 0; count < 20; count++) station.says('no frame')
    assert.equal(await closeCode(station), 1002)
    station.says('[2,"too late","StatusNotification",{}]')
    assert.equal(await station.next(), null)
    const data = app.received.all.map(({ message }) => String(message['data']))
    assert.ok(!data.some(perform => perform.includes('too late')), 'it was performed')
  })
})

const meterValues = (sample: string, timestamp = '2026-01-02T03:04:05Z'): string =>
  `{"connectorId":1,"meterValue":[{"timestamp":"${timestamp}","sampledValue":[${sample}]}]}`
const status = (more: string): string => `{"connectorId":1,"errorCode":"NoError","status":"Available",${more}}`
const boot = (more: string): string => `{"chargePointModel":"M",${more}}`

/** [action, payload, the rule of the schema that it breaks, if it does, because] */
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
  ['MeterValues', meterValues('{"value":"50.00","unit":"Hz"}'), 'enum', 'a unit that there is not'],
  ['MeterValues', meterValues('{"value":"1","context":"Sample.History"}'), 'enum', 'a context that there is not'],
  ['MeterValues', meterValues('{"value":10}'), 'type', 'a number where a string is due'],
  ['MeterValues', meterValues(''), null, 'an empty list of samples'],
  [
    'MeterValues',
    '{"connectorId":1,"meterValue":{"timestamp":"2026-01-02T03:04:05Z","sampledValue":[{"value":"0.00"}]}}',
    'type',
    'an object where a list is due',
  ],
  [
    'StatusNotification',
    '{"connectorId":"1","errorCode":"NoError","status":"Available"}',
    'type',
    'a string where a number is due',
  ],
  [
    'StatusNotification',
    '{"connectorId":0,"errorCode":"Error","status":"Faulted"}',
    'enum',
    'an error code that there is not',
  ],
  ['StatusNotification', status('"info":null'), 'type', 'null for an optional field'],
  ['StatusNotification', status(`"info":"${'i'.repeat(51)}"`), 'maxLength', 'an info over 50 characters'],
  ['Authorize', '{"connectorId":2,"idTag":"A"}', 'additionalProperties', 'a field that the action does not have'],
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

/** The rules of the schema that the app is told a payload breaks. */
const rulesIn = ({ violations }: PerformData): readonly string[] | undefined =>
  (violations as { readonly rule: string }[] | undefined)?.map(({ rule }) => rule)

describe('payloads', within, () => {
  for (const [action, payload, rule, because] of payloads) {
    test(`${because}: the app gets it as it came${rule === null ? '' : `, and that it breaks ${rule}`}`, async t => {
      const station = await openRawStation(bridge.url, 'payloads')
      t.after(() => station.close())
      const performed = perform('p')
      const answer = await station.call('p', action, payload)
      assert.match(answer, /^\[3,"p",\{/)
      const [said, data] = await performed
      assert.ok(data.includes(`"payload":${payload}`), data)
      assert.deepEqual(rulesIn(said), rule === null ? undefined : [rule])
    })
  }

  test('a number where a string is due, in an answer: the app gets it as it came, and that it breaks type', async t => {
    const station = await openRawStation(bridge.url, 'answers')
    t.after(() => station.close())
    await station.call('h', 'Heartbeat')
    const command = { command: 'GetConfiguration', id: 'g', payload: { key: ['NumberOfConnectors'] } }
    const body = JSON.stringify({ stream: 'ocpp:ev/answers', data: JSON.stringify(command) })
    await fetch(bridge.httpBroadcastUrl, { method: 'POST', body })
    await station.message(/^\[2,"g",/)
    const performed = perform('g')
    const payload = '{"configurationKey":[{"key":"NumberOfConnectors","readonly":true,"value":1}]}'
    station.send(`[3,"g",${payload}]`)
    const [said, data] = await performed
    assert.ok(data.includes(`"payload":${payload}`), data)
    assert.deepEqual(rulesIn(said), ['type'])
  })

  test('strict, and a transaction message that breaks its schema: it is performed all the same', async t => {
    const strict = await openBridge([`--rpc_host=${app.host}`, '--ocpp_validate_in=strict'])
    t.after(() => strict.close())
    const station = await openRawStation(strict.url, 'strict')
    t.after(() => station.close())
    const faulty = '{"connectorId":0,"errorCode":"Error","status":"Faulted"}'
    assert.match(await station.call('n', 'StatusNotification', faulty), /^\[4,"n","PropertyConstraintViolation",/)
    const performed = perform('s')
    const stop = `{"meterStop":1,"timestamp":"2026-01-02T03:04:05Z","transactionId":1,"idTag":"${'A'.repeat(21)}"}`
    assert.equal(await station.call('s', 'StopTransaction', stop), '[3,"s",{}]')
    assert.deepEqual(rulesIn((await performed)[0]), ['maxLength'])
  })
})
