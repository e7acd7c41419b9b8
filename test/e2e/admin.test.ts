/**
 * The admin API of the real bridge, with stations on real sockets.
 */
import assert from 'node:assert/strict'
import { after, before, test, type TestContext } from 'node:test'
import type { AdminAnswer, AdminClient } from '../support/admin.ts'
import { bootOf, connectTo, openAdminBridge } from '../support/admin-bridge.ts'
import type { PerformData } from '../support/app.ts'
import type { Bridge } from '../support/bridge.ts'
import { Mailbox } from '../support/fakes.ts'
import { keepUntil } from '../support/keep.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

const keep = keepUntil(after)
const performed = new Mailbox<PerformData>()

let bridge: Bridge
let admin: AdminClient
let adminUrl: string

before(async () => {
  const flags = ['--ocpp_call_queue=1', '--ocpp_call_timeout=5s']
  ;({ bridge, admin, adminUrl } = await openAdminBridge(keep, flags, data => {
    performed.put(data)
    return null
  }))
})

const connect = (t: TestContext, id: string): Promise<RawStation> => connectTo(bridge, t, id)

/** Answers the next command; resolves with its frame. */
async function answering(station: RawStation, action: string, answer: (id: string) => string): Promise<string> {
  const frame = await station.message(new RegExp(`^\\[2,"[^"]+","${action}"`))
  station.send(answer((JSON.parse(frame) as [number, string])[1]))
  return frame
}

function calling(id: string, body: object): Promise<AdminAnswer> {
  return admin.ask('POST', `/v1/stations/${id}/calls`, body)
}

test('a station is listed and shown with its state when it is connected, and with the reason when it has left', async t => {
  const station = await connect(t, 'seen')
  const { body: page } = await admin.get('/v1/stations?id=se*n&state=accepted&sort=-connectedAt')
  const [first] = page['stations'] as Record<string, unknown>[]
  assert.deepEqual([first?.['id'], first?.['sn'], first?.['version'], page['matched']], ['seen', 'SN-seen', '1.6', 1])
  station.send('[2,"x","FluxCapacitor",{}]')
  await station.message(/^\[4,"x"/)
  const { body: view } = await admin.get('/v1/stations/seen')
  assert.deepEqual(view['counts'], { fromStation: { BootNotification: 1, other: 1 }, toStation: {} })
  assert.deepEqual([view['tls'], view['profile'], view['streams']], [false, 0, ['ocpp:ev/SN-seen']])
  const [error] = view['errors'] as Record<string, unknown>[]
  assert.deepEqual(
    [error?.['from'], error?.['action'], error?.['code'], error?.['cause']],
    ['bridge', 'FluxCapacitor', 'NotImplemented', 'rejected'],
  )
  const { status, body: closed } = await admin.ask('DELETE', '/v1/stations/seen/connection?reason=Service')
  assert.deepEqual([status, closed['code']], [200, 1000])
  assert.deepEqual(await station.closed, { code: 1000, reason: 'Service' })
  const { body: gone } = await admin.get('/v1/stations/seen')
  assert.deepEqual([gone['state'], gone['leftBecause'], gone['sn']], ['disconnected', 'Service', 'SN-seen'])
  assert.match(
    JSON.stringify(
      await bridge.logged(/an operator changed something.*disconnectStation|disconnectStation.*an operator/),
    ),
    /"by":"loopback"/,
  )
})

test('a refused station is listed with the reason when it has never connected', async () => {
  await assert.rejects(openRawStation(bridge.url, 'refused', { version: 'ocpp0.9' }))
  const { body } = await admin.get('/v1/stations/refused')
  assert.equal(body['state'], 'refused')
  assert.match(String(body['leftBecause']), /subprotocol|ocpp1\.6/i)
})

test('no view has the Authorization header or the query of a station', async t => {
  const headers = { authorization: `Basic ${Buffer.from('secret:geheim42').toString('base64')}` }
  const open = openRawStation(`${bridge.url}/secret?token=geheim42&rest=`, '', { headers })
  const station = keepUntil(close => t.after(close))(await open)
  await station.call('boot', 'BootNotification', bootOf('secret'))
  const { text, body } = await admin.get('/v1/stations/secret')
  assert.deepEqual([body['profile'], body['url']], [1, `${bridge.url.replace(/^ws/, 'http')}/secret`])
  await station.close()
  const { text: list } = await admin.get('/v1/stations?id=secret')
  for (const hidden of ['geheim42', headers.authorization])
    assert.deepEqual([text.includes(hidden), list.includes(hidden)], [false, false])
})

test('a call is answered with the CALLRESULT, byte for byte, and the app gets the ack of the admin', async t => {
  const station = await connect(t, 'called')
  const answered = answering(station, 'GetConfiguration', id => `[3,"${id}",{"configurationKey":[],  "unknownKey":[]}]`)
  const { status, text, body } = await calling('called', { action: 'GetConfiguration', payload: {} })
  assert.equal(status, 200)
  assert.match(text, /"payload":\{"configurationKey":\[\], {2}"unknownKey":\[\]\}/)
  assert.match(await answered, /"GetConfiguration",\{\}\]/)
  const ack = await waitFor(({ command, id }) => command === 'Ack' && id === body['id'])
  assert.equal(ack['origin'], 'admin')
})

/** The first performed data that fits, whether it has come or not. */
async function waitFor(wants: (data: PerformData) => boolean): Promise<PerformData> {
  for (let turn = 0; turn < 500; turn++) {
    const found = performed.all.find(wants)
    if (found !== undefined) return found
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error('the app did not get it')
}

test('the app is not told of a call with notify false', async t => {
  const station = await connect(t, 'quiet')
  const answered = answering(station, 'Reset', id => `[3,"${id}",{"status":"Accepted"}]`)
  const { body } = await calling('quiet', { action: 'Reset', payload: { type: 'Soft' }, notify: false })
  await answered
  const after = answering(station, 'ClearCache', id => `[3,"${id}",{"status":"Accepted"}]`)
  const { body: second } = await calling('quiet', { action: 'ClearCache' })
  await after
  await waitFor(({ id }) => id === second['id'])
  assert.equal(
    performed.all.some(({ id }) => id === body['id']),
    false,
  )
})

test('a call is answered with 502 and the details when the station answers with a CALLERROR', async t => {
  const station = await connect(t, 'errs')
  const answered = answering(station, 'Reset', id => `[4,"${id}","InternalError","no relay",{"relay":2}]`)
  const { status, headers, body } = await calling('errs', { action: 'Reset', payload: { type: 'Soft' } })
  await answered
  assert.deepEqual([status, headers.get('content-type')], [502, 'application/problem+json'])
  const { type, code, description, details } = body
  assert.deepEqual(
    [type, code, description, details],
    ['/problems/call-error', 'InternalError', 'no relay', { relay: 2 }],
  )
  const { body: view } = await admin.get('/v1/stations/errs')
  assert.equal((view['errors'] as { from: string }[])[0]?.from, 'station')
})

test('a call is answered with 504 when the station does not answer in time, sent or queued, and with 429 beyond the queue', async t => {
  await connect(t, 'mute')
  const sent = calling('mute', { action: 'Reset', payload: { type: 'Soft' }, timeout: 3 })
  await until(async () => (await openCalls('mute')).length === 1)
  const queued = calling('mute', { action: 'Reset', payload: { type: 'Hard' }, timeout: 1 })
  await until(async () => (await openCalls('mute')).length === 2)
  const full = await calling('mute', { action: 'Reset', payload: { type: 'Hard' } })
  assert.deepEqual([full.status, full.body['type']], [429, '/problems/queue-full'])
  const answers = await Promise.all([sent, queued])
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body['type']]),
    [
      [504, '/problems/call-timeout'],
      [504, '/problems/not-sent'],
    ],
  )
  assert.deepEqual(await openCalls('mute'), [])
})

async function openCalls(id: string): Promise<readonly unknown[]> {
  const { body } = await admin.get(`/v1/stations/${id}`)
  return (body['calls'] as { toStation: readonly unknown[] }).toStation
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, 'it never holds')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

const failures: readonly (readonly [string, object, number, string, RegExp])[] = [
  ['the schema forbids the payload', { action: 'Reset', payload: { type: 'Warm' } }, 422, 'invalid-payload', /\/type/],
  ['the version has no such action', { action: 'Fly', payload: {} }, 422, 'unknown-action', /no such action/],
]
for (const [why, body, status, problem, detail] of failures) {
  test(`a call is answered with ${status} when ${why}`, async t => {
    await connect(t, problem)
    const answer = await calling(problem, body)
    assert.deepEqual([answer.status, answer.body['type']], [status, `/problems/${problem}`])
    assert.match(String(answer.body['detail']), detail)
  })
}

test('a call is answered with 404, 409 or 502 when the station is unknown, has left, is not accepted or leaves', async t => {
  const reset = { action: 'Reset', payload: { type: 'Soft' } }
  const unknown = await calling('nobody', reset)
  assert.deepEqual([unknown.status, unknown.body['type']], [404, '/problems/unknown-station'])
  const leaving = await connect(t, 'leaving')
  const open = calling('leaving', reset)
  await leaving.message(/"Reset"/)
  await leaving.close()
  const closed = await open
  assert.deepEqual([closed.status, closed.body['type']], [502, '/problems/connection-closed'])
  const left = await calling('leaving', reset)
  assert.deepEqual([left.status, left.body['type']], [409, '/problems/not-connected'])
  keepUntil(close => t.after(close))(await openRawStation(bridge.url, 'silent'))
  const early = await calling('silent', reset)
  assert.deepEqual([early.status, early.body['type']], [409, '/problems/not-accepted'])
})

test('a command ends at the app when the client of its call has gone away', async t => {
  const station = await connect(t, 'patient')
  const going = new AbortController()
  const url = `${adminUrl}/v1/stations/patient/calls`
  const call = fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"action":"ClearCache"}',
    signal: going.signal,
  })
  const frame = await station.message(/"ClearCache"/)
  going.abort()
  await assert.rejects(call)
  const [, id] = JSON.parse(frame) as [number, string]
  station.send(`[3,"${id}",{"status":"Accepted"}]`)
  assert.equal((await waitFor(data => data.id === id)).command, 'Ack')
})

test('a tail shows frames paired with their answers and redacted, and events tell what happens', async t => {
  const tail = await admin.stream('/v1/messages?station=tail*')
  const errors = await admin.stream('/v1/messages?errors=true&station=tail*')
  const events = await admin.stream('/v1/events?station=tailed')
  t.after(() => [tail, errors, events].forEach(stream => stream.close()))
  const station = await connect(t, 'tailed')
  await station.call('a', 'Authorize', '{"idTag":"04A2B3"}')
  await station.call('f', 'FluxCapacitor')
  const { data: call } = await tail.next(({ data }) => data['action'] === 'Authorize' && data['type'] === 'call')
  assert.deepEqual([call['station'], call['direction'], call['id']], ['tailed', 'received', 'a'])
  assert.equal(call['frame'], '[2,"a","Authorize",{"idTag":"***"}]')
  const { data: answer } = await tail.next(({ data }) => data['id'] === 'a' && data['direction'] === 'sent')
  assert.equal(answer['action'], 'Authorize')
  assert.equal(typeof answer['milliseconds'], 'number')
  await errors.next(({ data }) => data['action'] === 'FluxCapacitor')
  assert.deepEqual(
    errors.events.map(({ data }) => data['id']),
    // The bridge refuses the card in its own answer, because the app is silent.
    ['a', 'f'],
  )
  await station.close()
  await events.next(({ data }) => data['type'] === 'disconnected' && data['code'] === 1000)
  assert.deepEqual(
    events.events.map(({ data }) => data['type']),
    ['connected', 'ready', 'disconnected'],
  )
})

test('a history keeps the last frames of the stations that a pattern fits, for a time', async t => {
  const { status, body: watch } = await admin.ask('PUT', '/v1/stations/kept*/history', { frames: 2, for: 60 })
  assert.deepEqual([status, watch['station']], [200, 'kept*'])
  const station = await connect(t, 'kept1')
  await station.call('h', 'Heartbeat')
  const { body } = await admin.get('/v1/stations/kept1/messages')
  const messages = body['messages'] as { id: string; direction: string; action: string }[]
  assert.deepEqual(
    messages.map(({ id, direction, action }) => [id, direction, action]),
    [
      ['h', 'received', 'Heartbeat'],
      ['h', 'sent', 'Heartbeat'],
    ],
  )
  assert.equal(body['kept'], 2)
  await admin.ask('PUT', '/v1/stations/kept*/history', { frames: 0, for: 60 })
  const { body: ended } = await admin.get('/v1/stations/kept1/messages')
  assert.deepEqual([ended['messages'], ended['kept']], [[], 0])
})

test('the frames of one station are logged while the log level of the process is info', async t => {
  await admin.ask('PUT', '/v1/stations/logged/log', { level: 'debug', for: 60 })
  const station = await connect(t, 'logged')
  const other = await connect(t, 'other')
  await other.call('h', 'Heartbeat')
  await station.call('h', 'Heartbeat')
  const line = await bridge.logged(/"station":"logged".*\[2,.*Heartbeat/)
  assert.equal(line.level, 'DEBUG')
  assert.equal(
    bridge.log().some(({ level, station: id }) => level === 'DEBUG' && id === 'other'),
    false,
  )
})

test('stats and config show the bridge', async () => {
  const { body: stats } = await admin.get('/v1/stats')
  assert.equal(typeof stats['stations'], 'number')
  assert.equal((stats['ready'] as { rpc: boolean }).rpc, true)
  const { body: config } = await admin.get('/v1/config')
  assert.equal((config['options'] as Record<string, unknown>)['ocpp_call_queue'], '1')
})
